//! What clients send: PING, and what is no frame of the protocol.

use roomcast_client::{CloseCode, Frame};

use crate::harness::{PASSWORD, TestApp, TestSocket};

/// The seq of the next PONG; an ERROR may come before it.
async fn next_pong(socket: &mut TestSocket) -> i64 {
    loop {
        match socket.next().await {
            (Frame::Pong(pong), _) => return pong.seq,
            (Frame::Error(_), _) => {}
            (_, text) => panic!("a PONG was expected, not {text}"),
        }
    }
}

async fn socket(app: &TestApp) -> TestSocket {
    let ana = app.register("Acme", "Ana", "ana@example.com", PASSWORD).await;
    app.connect(&ana).await
}

const PING: &str = r#"{"type":"PING"}"#;

#[tokio::test(flavor = "multi_thread")]
async fn a_ping_is_answered_with_the_position() {
    let app = TestApp::start().await;
    let acme = app.organisation("Acme").with_member("mia").create().await;
    let mut socket = app.connect(&acme["mia"]).await;
    assert_eq!(socket.ping().await.1, socket.welcome().seq);
    let sent = app.broadcast(&acme.admin, "one").await;
    assert_eq!(socket.up_to(sent.seq()).await.len(), 1);
    // Also past what was not for this member.
    app.invite(&acme.admin, "max@example.com", "MEMBER").await;
    assert!(socket.up_to(sent.seq() + 1).await.is_empty());
    assert_eq!(socket.ping().await.1, sent.seq() + 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_third_bad_frame_closes() {
    let app = TestApp::start().await;
    let mut socket = socket(&app).await;
    for bad in ["garbage", "[]"] {
        socket.send_text(bad).await;
        let notice = socket.expect_error().await;
        assert!(!notice.code.is_empty());
        socket.send_text(PING).await;
        next_pong(&mut socket).await;
    }
    socket.send_text("{}").await;
    socket.expect_close(CloseCode::BAD_REQUEST).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn binary_frames_are_bad_frames() {
    let app = TestApp::start().await;
    let mut socket = socket(&app).await;
    for _ in 0..2 {
        socket.send_binary(PING.as_bytes()).await;
        socket.expect_error().await;
    }
    socket.send_text(PING).await;
    next_pong(&mut socket).await;
    socket.send_binary(&[0, 1, 2]).await;
    socket.expect_close(CloseCode::BAD_REQUEST).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_type_does_not_close_at_once() {
    let app = TestApp::start().await;
    let mut socket = socket(&app).await;
    for kind in ["SUBSCRIBE", "ping"] {
        socket.send_text(&format!(r#"{{"type":"{kind}","payload":{{}}}}"#)).await;
        socket.send_text(PING).await;
        next_pong(&mut socket).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frame_has_at_most_4_kib() {
    let app = TestApp::start().await;
    let mut socket = socket(&app).await;
    let padded = |length: usize| format!("{PING}{}", " ".repeat(length - PING.len()));
    socket.send_text(&padded(4096)).await;
    next_pong(&mut socket).await;
    socket.send_text(&padded(4097)).await;
    socket.expect_close(CloseCode::FRAME_TOO_BIG).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_binary_frame_over_4_kib_is_too_big_too() {
    let app = TestApp::start().await;
    let mut socket = socket(&app).await;
    socket.send_binary(&[0; 5000]).await;
    socket.expect_close(CloseCode::FRAME_TOO_BIG).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn json_of_any_shape_harms_nobody() {
    let app = TestApp::start().await;
    let ana = app.register("Acme", "Ana", "ana@example.com", PASSWORD).await;
    let deep = "[".repeat(4000);
    for bad in ["", "null", "\"PING\"", "{\"type\":null}", "{\"type\":{\"type\":\"PING\"}}", deep.as_str()] {
        let mut socket = app.connect(&ana).await;
        socket.send_text(bad).await;
        socket.expect_error().await;
        socket.send_text(PING).await;
        next_pong(&mut socket).await;
    }
}
