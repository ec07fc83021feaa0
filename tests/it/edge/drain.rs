//! A node that goes away in good order.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use reqwest::Method;
use roomcast_client::{CloseCode, Error, Frame, Received, Socket};

use crate::harness::app::SIGNING_KEY;
use crate::harness::raw::RawSocket;
use crate::harness::{Child, Client, PASSWORD, Person, TestApp, TestDatabase, TestSocket, options, within};

/// A server that takes this long to send its sockets away.
async fn with_window(seconds: u64) -> TestApp {
    TestApp::with(|config| config.server.drain_seconds = Duration::from_secs(seconds)).await
}

/// Waits for a GOAWAY; returns in how many milliseconds the socket is to be closed.
async fn go_away(socket: &mut TestSocket) -> u64 {
    loop {
        match socket.next().await {
            (Frame::GoAway(away), _) => return away.closes_in_ms,
            (Frame::Pong(_) | Frame::Activity(_), _) => {}
            (_, text) => panic!("a GOAWAY was expected, not {text}"),
        }
    }
}

async fn status(client: &Client, path: &str) -> (u16, String) {
    let answer = client.anonymous().at(Method::GET, path).await;
    (answer.status, answer.json()["status"].as_str().unwrap_or_default().to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn each_socket_has_its_own_share_of_the_window() {
    const SOCKETS: usize = 50;
    let app = with_window(2).await;
    let acme = app.organisation("Acme").with_member("mia").create().await;
    let bolt = app.organisation("Bolt").create().await;
    let mut sockets = Vec::new();
    for person in [&acme.admin, &acme["mia"], &bolt.admin].into_iter().cycle().take(SOCKETS) {
        sockets.push(app.connect(person).await);
    }
    let began = Instant::now();
    let leaving = join_all(sockets.iter_mut().map(async |socket| {
        let share = go_away(socket).await;
        socket.expect_close(CloseCode::RESTART).await;
        assert!(began.elapsed() >= Duration::from_millis(share), "none is closed before its time");
        share
    }));
    let (_, mut shares) = tokio::join!(app.stop(), leaving);
    shares.sort_unstable();
    assert!(shares[SOCKETS - 1] <= 2000, "{shares:?}");
    // Evenly spread they are 40 ms apart. A slow machine tells them a little late, all alike.
    for (half, later) in shares.iter().zip(&shares[SOCKETS / 2..]) {
        assert!(later - half >= 500, "they come in bursts: {shares:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn goes_on_for_who_waits_and_ends_when_the_last_has_left() {
    let app = with_window(60).await;
    let acme = app.organisation("Acme").with_member("mia").create().await;
    let (client, tracker) = (Client::clone(&app), app.app.sockets.clone());
    let mut socket = client.connect(&acme["mia"]).await;
    let draining = async {
        let share = go_away(&mut socket).await;
        assert!((1..60_000).contains(&share), "{share}");
        // From the first moment.
        assert_eq!(status(&client, "/readyz").await, (503, "draining".to_owned()));
        assert_eq!(status(&client, "/healthz").await, (200, "ok".to_owned()));
        match Socket::connect(&client.base, &options(&acme["mia"])).await {
            Err(Error::Refused { status: 503, .. }) => {}
            other => panic!("a handshake was not refused with 503: {other:?}"),
        }
        // Requests are answered, and what they say is delivered.
        let sent = client.broadcast(&acme.admin, "still here").await;
        assert_eq!(socket.expect_activity("BROADCAST_MESSAGE").await.text, sent.text);
        let answer = client.as_user(&acme.admin).get("/users").await.expect_status(200);
        assert_eq!(answer.header("connection"), Some("close"), "the next is for another node");
        assert_eq!(tracker.len(), 1, "it stays until its time");
        socket.close().await;
    };
    // The harness waits far shorter than the window.
    tokio::join!(app.stop(), draining);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_window_sockets_are_closed_without_a_warning() {
    let app = TestApp::start().await;
    let ana = app.register("Acme", "Ana", "ana@example.com", PASSWORD).await;
    let mut socket = app.connect(&ana).await;
    let (_, received) = tokio::join!(app.stop(), socket.receive());
    let Received::Closed { code, .. } = received else { panic!("a close was expected: {received:?}") };
    assert_eq!(code, CloseCode::RESTART);
}

/// Begins a broadcast and leaves its body half sent; returns the other half.
async fn half_a_broadcast(client: &Client, token: &str) -> (RawSocket, &'static [u8]) {
    const BODY: &str = r#"{"message":"half way when it stopped"}"#;
    let mut raw = RawSocket::connect(&client.base, None).await;
    let head = format!(
        "POST /api/v1/organisations/broadcast HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\nExpect: 100-continue\r\n\r\n",
        BODY.len()
    );
    raw.write(head.as_bytes()).await;
    // The server has begun with it.
    assert!(raw.head().await.starts_with("HTTP/1.1 100 "));
    let (first, second) = BODY.split_at(10);
    raw.write(first.as_bytes()).await;
    (raw, second.as_bytes())
}

async fn expect_finished(mut raw: RawSocket, rest: &[u8]) {
    raw.write(rest).await;
    let answer = raw.rest().await.to_lowercase();
    assert!(answer.starts_with("http/1.1 201 "), "{answer}");
    assert!(answer.contains("connection: close\r\n"), "{answer}");
}

async fn expect_one_broadcast(app: &TestApp, person: &Person) {
    let feed = app.as_user(person).get("/activities?type=BROADCAST_MESSAGE").await.expect_status(200);
    assert_eq!(feed.items().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_in_flight_is_finished_while_sockets_leave() {
    let app = with_window(60).await;
    let ana = app.register("Acme", "Ana", "ana@example.com", PASSWORD).await;
    let client = Client::clone(&app);
    let mut socket = client.connect(&ana).await;
    let (raw, rest) = half_a_broadcast(&client, &ana.access_token).await;
    let finishing = async {
        go_away(&mut socket).await;
        assert_eq!(status(&client, "/readyz").await.0, 503);
        expect_finished(raw, rest).await;
        socket.close().await;
    };
    let (ground, ()) = tokio::join!(app.stop(), finishing);
    expect_one_broadcast(&ground.start().await, &ana).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_in_flight_is_finished_when_no_socket_is_left() {
    let app = TestApp::start().await;
    let ana = app.register("Acme", "Ana", "ana@example.com", PASSWORD).await;
    // The token alone: whoever holds the app holds its database.
    let (client, finish) = (Client::clone(&app), app.app.finish.clone());
    let (raw, rest) = half_a_broadcast(&client, &ana.access_token).await;
    let finishing = async {
        within("the end of accepting", finish.cancelled()).await;
        expect_finished(raw, rest).await;
    };
    let (ground, ()) = tokio::join!(app.stop(), finishing);
    expect_one_broadcast(&ground.start().await, &ana).await;
}

/// The real program on a database of its own, with this window.
async fn child(database: &TestDatabase, window: &str) -> (Child, Client) {
    let url = database.url_text();
    let environment = [
        ("DATABASE_URL", url.as_str()),
        ("JWT_ACCESS_SECRET", SIGNING_KEY),
        ("PORT", "0"),
        ("DRAIN_SECONDS", window),
    ];
    let mut child = Child::start(&[], &environment);
    let client = child.listening().await;
    (child, client)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_program_ends_with_0_when_all_have_left() {
    let database = TestDatabase::create().await;
    let (child, client) = child(&database, "60").await;
    let acme = client.organisation("Acme").with_member("mia").create().await;
    let mut sockets = [client.connect(&acme.admin).await, client.connect(&acme["mia"]).await];
    child.terminate();
    for socket in &mut sockets {
        go_away(socket).await;
    }
    for socket in sockets {
        socket.close().await;
    }
    let (status, output) = child.ended().await;
    assert_eq!(status.code(), Some(0), "{output}");
    assert!(output.contains("at most"), "it says how many connections there may be: {output}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_signal_ends_the_program_at_once() {
    let database = TestDatabase::create().await;
    let (child, client) = child(&database, "3600").await;
    let ana = client.register("Acme", "Ana", "ana@example.com", PASSWORD).await;
    let mut socket = client.connect(&ana).await;
    child.terminate();
    assert!(go_away(&mut socket).await > 0);
    child.terminate();
    let (status, output) = child.ended().await;
    assert_eq!(status.code(), Some(1), "{output}");
    assert!(output.contains("second signal"), "{output}");
}
