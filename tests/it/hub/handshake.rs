//! Opening a socket: WELCOME, and what is refused.

use std::time::Duration;

use reqwest::Method;
use roomcast_client::{CloseCode, ConnectOptions, TokenIn};

use crate::harness::raw::RawSocket;
use crate::harness::{PASSWORD, TestApp, options};

#[tokio::test(flavor = "multi_thread")]
async fn welcome_says_who_where_and_until_when() {
    let app = TestApp::start().await;
    let acme = app.organisation("Acme").with_member("mia").create().await;
    let mia = &acme["mia"];
    let head = app.head(&acme.admin).await;
    let (first, second) = (app.connect(mia).await, app.connect(mia).await);
    let welcome = first.welcome();
    assert_eq!(welcome.organisation_id.to_string(), acme.id);
    assert_eq!(welcome.user_id.to_string(), mia.id);
    assert_eq!(welcome.role, "MEMBER");
    assert_eq!((welcome.seq, welcome.head_seq), (head, head));
    assert!(!welcome.resumed);
    assert_eq!(welcome.heartbeat_seconds, 25);
    let expires = chrono::DateTime::parse_from_rfc3339(&welcome.token_expires_at).unwrap();
    assert_eq!(expires.timestamp(), mia.claims()["exp"].as_i64().unwrap());
    assert_ne!(welcome.connection_id, second.welcome().connection_id);
    assert_eq!(welcome.epoch, second.welcome().epoch);
    assert_eq!(app.connect(&acme.admin).await.welcome().role, "ADMIN");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_may_come_in_the_subprotocol() {
    let app = TestApp::start().await;
    let ana = app.register("Acme", "Ana", "ana@example.com", PASSWORD).await;
    // The client fails unless the server selects one of the offered.
    let mut socket = app.connect_with(options(&ana).token_in(TokenIn::Subprotocol)).await;
    assert_eq!(socket.welcome().user_id.to_string(), ana.id);
    let sent = app.broadcast(&ana, "hello").await;
    assert_eq!(socket.expect_activity("BROADCAST_MESSAGE").await.text, sent.text);

    let header = format!("Sec-WebSocket-Protocol: roomcast.v1, bearer.{}\r\n", ana.access_token);
    let (mut raw, head) = RawSocket::upgrade(&app.base, "?after=0", &header, None).await;
    let head = head.to_lowercase();
    assert!(head.contains("sec-websocket-protocol: roomcast.v1\r\n"), "{head}");
    assert!(!head.contains(&ana.access_token.to_lowercase()), "the token is not echoed");
    assert!(raw.next_text().await.contains(r#""type":"WELCOME""#));
    // Without it, none is selected.
    let query = format!("?token={}", ana.access_token);
    let (_, head) = RawSocket::upgrade(&app.base, &query, "", None).await;
    assert!(!head.to_lowercase().contains("sec-websocket-protocol"), "{head}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_does_not_let_in_is_told_by_a_close() {
    let app = TestApp::start().await;
    let ana = app.register("Acme", "Ana", "ana@example.com", PASSWORD).await;
    let refused = async |options: ConnectOptions| {
        let mut socket = app.open(options).await;
        assert!(socket.expect_close(CloseCode::UNAUTHENTICATED).await.is_empty());
        assert!(socket.frames.is_empty(), "nothing comes before the close");
    };
    refused(ConnectOptions::default()).await;
    for token in ["", "garbage", &ana.refresh_token, &format!("{}x", ana.access_token)] {
        refused(ConnectOptions::new(token)).await;
    }
    refused(ConnectOptions::new("garbage").token_in(TokenIn::Subprotocol)).await;
    app.as_user(&ana).post("/auth/logout").await.expect_status(204);
    refused(options(&ana)).await;
    let ana = app.sign_in(&ana).await;
    app.advance(Duration::from_secs(901));
    refused(options(&ana)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_was_removed_is_told_so() {
    let app = TestApp::start().await;
    let acme = app.organisation("Acme").with_member("mia").create().await;
    app.remove(&acme.admin, &acme["mia"]).await;
    let mut socket = app.open(options(&acme["mia"]).after(0)).await;
    assert!(socket.expect_close(CloseCode::REMOVED).await.is_empty());
    assert!(socket.frames.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_position_that_is_none_is_a_bad_request() {
    let app = TestApp::start().await;
    let ana = app.register("Acme", "Ana", "ana@example.com", PASSWORD).await;
    let bad = [
        ("after", "-1"),
        ("after", "x"),
        ("after", ""),
        ("after", "1.5"),
        ("after", "9223372036854775808"),
        ("epoch", "x"),
        ("epoch", "1234"),
    ];
    for (name, value) in bad {
        let mut options = options(&ana);
        options.parameters.push((name.to_owned(), value.to_owned()));
        let mut socket = app.open(options).await;
        socket.expect_close(CloseCode::BAD_REQUEST).await;
        assert!(socket.frames.is_empty(), "{name}={value}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_is_no_handshake_is_a_problem() {
    let app = TestApp::start().await;
    let ana = app.register("Acme", "Ana", "ana@example.com", PASSWORD).await;
    let upgrade = |call: crate::harness::Call| {
        call.header("connection", "Upgrade")
            .header("upgrade", "websocket")
            .header("sec-websocket-version", "13")
            .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==")
    };
    let path = format!("/ws?token={}", ana.access_token);
    let get = || app.anonymous().at(Method::GET, &path);
    let calls = [
        get(),
        get().header("connection", "Upgrade").header("upgrade", "h2c"),
        get()
            .header("connection", "Upgrade")
            .header("upgrade", "websocket")
            .header("sec-websocket-version", "13"),
        upgrade(app.anonymous().at(Method::POST, &path)),
    ];
    for call in calls {
        let answer = call.await;
        assert!((400..500).contains(&answer.status), "{}", answer.text);
        let code = answer.json()["code"].as_str().unwrap().to_owned();
        let status = answer.status;
        answer.expect_problem(status, &code);
    }
    // A version that nobody speaks any more: the answer names ours (RFC 6455, section 4.4).
    let old = get()
        .header("connection", "Upgrade")
        .header("upgrade", "websocket")
        .header("sec-websocket-version", "8")
        .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==");
    let answer = old.await;
    assert!([400, 426].contains(&answer.status), "{}", answer.text);
    assert_eq!(answer.header("sec-websocket-version"), Some("13"));
}

#[tokio::test(flavor = "multi_thread")]
async fn unknown_parameters_and_presence_are_no_error() {
    let app = TestApp::start().await;
    let ana = app.register("Acme", "Ana", "ana@example.com", PASSWORD).await;
    let mut options = options(&ana).with_presence();
    options.parameters.push(("client".to_owned(), "web/1.2".to_owned()));
    let mut socket = app.connect_with(options).await;
    let sent = app.broadcast(&ana, "hello").await;
    let found = loop {
        let (frame, text) = socket.next().await;
        if let roomcast_client::Frame::Activity(_) = frame {
            break text;
        }
    };
    assert_eq!(found, sent.text);
}
