//! What clients see of a hub behind nginx, as `deploy/nginx.conf` sets it up.

use std::net::Ipv4Addr;
use std::time::Duration;

use diesel::QueryDsl as _;
use diesel_async::RunQueryDsl as _;
use roomcast::db::DbError;
use roomcast::db::schema::activities;
use roomcast::{read, with_conn};
use roomcast_client::{CloseCode, TokenIn};
use serde_json::{Value, json};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::nginx::Nginx;
use super::read as read_file;
use super::tunnel::Tunnel;
use crate::harness::{PASSWORD, Person, TestApp, eventually, options, within};

/// Clients on other machines: any address of this one but the proxy's own.
const CLIENT: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);
const ANOTHER: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 3);

/// The hub's heartbeat.
const HEARTBEAT: Duration = Duration::from_secs(25);

/// A hub that believes the proxy, and nobody else.
async fn hub() -> TestApp {
    TestApp::with(|config| config.server.trusted_proxies = vec!["127.0.0.1/32".parse().unwrap()]).await
}

/// The seconds of each `directive` in the shipped file.
fn seconds(directive: &str) -> Vec<u64> {
    let file = read_file("deploy/nginx.conf");
    let values =
        file.lines().filter_map(|line| line.trim().strip_prefix(directive)?.trim().strip_suffix("s;"));
    values.map(|value| value.parse().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_and_sockets_pass_through() {
    let app = hub().await;
    let Some(nginx) = Nginx::before(&app.base).await else { return };
    let tunnel = nginx.client_from(CLIENT).await;
    let client = &tunnel.client;
    let acme = client.organisation("Acme").with_member("mia").create().await;
    let mut by_query = client.connect(&acme["mia"]).await;
    let mut by_protocol = client.connect_with(options(&acme.admin).token_in(TokenIn::Subprotocol)).await;
    for text in ["one", "two"] {
        let sent = client.broadcast(&acme.admin, text).await;
        for socket in [&mut by_query, &mut by_protocol] {
            assert_eq!(socket.expect_activity("BROADCAST_MESSAGE").await.text, sent.text);
        }
    }
    // Each event as soon as it is sent: nothing waits for a buffer to be full.
    let mut stream = client.stream(&acme["mia"]).await;
    for text in ["three", "four"] {
        let sent = client.broadcast(&acme.admin, text).await;
        assert_eq!(stream.next_activity().await.text, sent.text);
        by_query.expect_activity("BROADCAST_MESSAGE").await;
    }
    // The hub's close codes come through, too.
    client.remove(&acme.admin, &acme["mia"]).await;
    stream.expect_close(CloseCode::REMOVED).await;
    by_query.expect_close(CloseCode::REMOVED).await;
    client.anonymous().at(reqwest::Method::GET, "/readyz").await.expect_status(200);
    let refused = client.anonymous().at(reqwest::Method::GET, "/metrics").into_sent().await.unwrap();
    assert_eq!(refused.status, 403, "metrics are for the machine itself");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_without_tls_is_sent_to_tls() {
    let app = hub().await;
    let Some(nginx) = Nginx::before(&app.base).await else { return };
    let mut stream = TcpStream::connect(nginx.plain).await.unwrap();
    let request = "GET /docs/?x=1 HTTP/1.1\r\nHost: hub.example.com\r\nConnection: close\r\n\r\n";
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    within("the whole answer", stream.read_to_string(&mut answer)).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 308 "), "{answer}");
    assert!(answer.contains("\r\nLocation: https://hub.example.com/docs/?x=1\r\n"), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silent_socket_is_cut_after_the_timeout_and_one_that_speaks_is_not() {
    // nginx's own default would be 60 s. Two heartbeats are what a socket may be silent for.
    for timeout in seconds("proxy_read_timeout").into_iter().chain(seconds("proxy_send_timeout")) {
        assert!(Duration::from_secs(timeout) > HEARTBEAT * 2, "{timeout} s");
    }
    let app = hub().await;
    let short = &[("proxy_read_timeout 75s;", "proxy_read_timeout 1s;")];
    let Some(nginx) = Nginx::with(&app.base, short).await else { return };
    let tunnel = nginx.client_from(CLIENT).await;
    let client = &tunnel.client;
    let ana = client.register("Acme", "Ana", "ana@example.com", PASSWORD).await;
    let mut silent = client.connect(&ana).await;
    let mut speaking = client.connect(&ana).await;
    let at = silent.welcome().seq;
    let cut = silent.expect_close(CloseCode::LOST);
    let mut cut = std::pin::pin!(cut);
    // Until the silent one is gone, whatever comes to this one keeps it.
    let pause = Duration::from_millis(200);
    while tokio::time::timeout(pause, cut.as_mut()).await.is_err() {
        speaking.ping().await;
    }
    speaking.ping().await;
    // Whoever was cut comes back, and has lost nothing.
    let missed = client.broadcast(&ana, "while you were away").await;
    let mut again = client.resume(&ana, at).await;
    assert_eq!(again.expect_activity("BROADCAST_MESSAGE").await.text, missed.text);
}

/// The addresses that the log has, in order.
async fn addresses(app: &TestApp, person: &Person) -> roomcast::error::Result<Vec<Option<String>>> {
    read!(app.app.db.org(person.org_id()), |conn| {
        let log = activities::table.order(activities::seq).select(activities::ip);
        Ok(with_conn!(conn, |c| log.load(c).await).map_err(DbError::from)?)
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn the_address_that_counts_is_the_clients_and_none_that_it_invents() {
    let app = TestApp::with(|config| {
        config.server.trusted_proxies = vec!["127.0.0.1/32".parse().unwrap()];
        config.limits.auth_rate_limit_per_minute = 3;
    })
    .await;
    let Some(nginx) = Nginx::before(&app.base).await else { return };
    let (one, another) = (nginx.client_from(CLIENT).await, nginx.client_from(ANOTHER).await);
    let ana = one.client.register("Acme", "Ana", "ana@example.com", PASSWORD).await;
    let written = addresses(&app, &ana).await.unwrap();
    assert!(
        !written.is_empty() && written.iter().all(|ip| ip.as_deref() == Some("127.0.0.2")),
        "{written:?}"
    );

    let mut invented = 0;
    let mut sign_in = async |tunnel: &Tunnel| {
        invented += 1;
        let body =
            json!({ "email": format!("nobody{invented}@example.com"), "password": "not the password" });
        let call = tunnel.client.anonymous().post("/auth/login").json(&body);
        call.header("x-forwarded-for", &format!("203.0.113.{invented}, 127.0.0.1")).await.status
    };
    // Registering was the first of three.
    for expected in [401, 401, 429, 429] {
        assert_eq!(sign_in(&one).await, expected, "a new address in the header is no new address");
    }
    assert_eq!(sign_in(&another).await, 401, "another address has a limit of its own");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_is_too_large_is_refused_in_the_same_words() {
    let app = hub().await;
    let Some(nginx) = Nginx::before(&app.base).await else { return };
    let file = read_file("deploy/nginx.conf");
    let limit = file.split("client_max_body_size ").nth(1).unwrap().split("k;").next().unwrap();
    let limit = limit.parse::<usize>().unwrap() * 1024;
    assert_eq!(limit, app.app.config.limits.max_body_bytes, "one limit, wherever it is looked at");
    let tunnel = nginx.client_from(CLIENT).await;
    let ana = tunnel.client.register("Acme", "Ana", "ana@example.com", PASSWORD).await;
    let sized = |bytes: usize| " ".repeat(bytes);
    for client in [&tunnel.client, &*app] {
        let send =
            |body| client.as_user(&ana).post("/organisations/broadcast").body(Some("application/json"), body);
        let refused = send(sized(limit + 1)).await;
        refused.expect_problem(413, "body_too_large");
        send(sized(limit)).await.expect_problem(400, "malformed_json");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_hub_is_away_the_answer_is_503_and_it_recovers() {
    let app = hub().await;
    let Some(nginx) = Nginx::before(&app.base).await else { return };
    let tunnel = nginx.client_from(CLIENT).await;
    let client = &tunnel.client;
    let ana = client.register("Acme", "Ana", "ana@example.com", PASSWORD).await;
    let port = app.base.rsplit_once(':').unwrap().1.parse().unwrap();
    let mut ground = app.stop().await;
    let away = client.as_user(&ana).get("/auth/me").await;
    assert_eq!(away.header("retry-after"), Some("2"));
    away.expect_problem(503, "unavailable");
    // A socket is refused with a status, since nobody is there to upgrade it.
    let refused = roomcast_client::Socket::connect(&client.base, &options(&ana)).await;
    assert!(matches!(refused, Err(roomcast_client::Error::Refused { status: 503, .. })), "{refused:?}");

    ground.config.server.port = port;
    let _app = ground.start().await;
    eventually("the hub's answer", async || {
        let answer = client.as_user(&ana).get("/auth/me").into_sent().await?;
        (answer.status == 200).then_some(())
    })
    .await;
    let mut socket = client.connect(&ana).await;
    let sent = client.broadcast(&ana, "here again").await;
    assert_eq!(socket.expect_activity("BROADCAST_MESSAGE").await.text, sent.text);
    // Tokens are nowhere in what nginx has written, nor are those of sockets that it could not pass on.
    let logs = nginx.logs();
    assert!(logs.contains("GET /ws") && logs.contains("503"), "{logs}");
    assert!(!logs.contains(&ana.access_token), "{logs}");
}

/// The names of the limit's answers, so that nginx's look the same.
#[test]
fn what_nginx_answers_itself_is_a_problem_like_the_hubs() {
    let file = read_file("deploy/nginx.conf");
    let bodies = file.lines().filter_map(|line| line.trim().strip_prefix("return ")?.split_once(" '"));
    let problems: Vec<(u16, Value)> = bodies
        .map(|(status, rest)| {
            let body = rest.trim_end_matches("';");
            (status.parse().unwrap(), serde_json::from_str(body).unwrap())
        })
        .collect();
    assert_eq!(problems.len(), 3);
    for (status, problem) in problems {
        assert_eq!(problem["status"], json!(status), "{problem}");
        for field in ["type", "title", "detail", "code", "requestId"] {
            assert!(problem[field].is_string(), "{problem}");
        }
    }
}
