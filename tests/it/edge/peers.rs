//! Peers that are slow, silent or too many.

use std::time::Duration;

use reqwest::Method;
use tokio::net::{TcpSocket, TcpStream};

use crate::harness::raw::RawSocket;
use crate::harness::{PASSWORD, TestApp, eventually};

async fn metric(app: &TestApp, name: &str) -> f64 {
    let metrics = app.anonymous().at(Method::GET, "/metrics").await.expect_status(200);
    let found = metrics.text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    found.map_or(0.0, |value| value.trim().parse().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_that_does_not_come_ends_the_connection() {
    let app = TestApp::with(|config| config.server.timeouts.head = Duration::from_millis(200)).await;
    let request = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n";
    for said in ["", "G", request] {
        let mut raw = RawSocket::connect(&app.base, None).await;
        raw.write(said.as_bytes()).await;
        let answer = raw.rest().await;
        assert!(!answer.contains(" 200 "), "{answer}");
    }
    // One that is kept alive ends likewise, after its answers.
    let mut raw = RawSocket::connect(&app.base, None).await;
    raw.write(format!("{request}\r\n{request}\r\n").as_bytes()).await;
    assert_eq!(raw.rest().await.matches(" 200 ").count(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_does_not_read_an_answer_is_cut() {
    let app = TestApp::with(|config| {
        config.server.timeouts.write_stall = Duration::from_millis(300);
    })
    .await;
    let idle = app.app.tasks.len();
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    let address = app.base.strip_prefix("http://").unwrap().parse().unwrap();
    let stream: TcpStream = socket.connect(address).await.unwrap();
    let mut raw = RawSocket::over(stream);
    // More than the kernel holds for it.
    let request = "GET /docs/swagger-ui-bundle.js HTTP/1.1\r\nHost: localhost\r\n\r\n";
    raw.write(request.repeat(20).as_bytes()).await;
    assert!(raw.head().await.starts_with("HTTP/1.1 200 "));
    eventually("the end of the connection", async || (app.app.tasks.len() == idle).then_some(())).await;
    drop(raw);
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_beyond_the_ceiling_are_refused_and_it_recovers() {
    let app = TestApp::with(|config| config.server.max_connections = Some(3)).await;
    let ana = app.register("Acme", "Ana", "ana@example.com", PASSWORD).await;
    let before = metric(&app, "roomcast_connections_refused_total").await;
    // A socket counts as long as it is open; the client above keeps its own connection.
    let socket = app.connect(&ana).await;
    let mut held = RawSocket::connect(&app.base, None).await;
    held.write(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
    assert!(held.head().await.starts_with("HTTP/1.1 200 "));
    for _ in 0..5 {
        let answer = RawSocket::connect(&app.base, None).await.rest().await;
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 503 "), "{answer}");
    }
    drop(held);
    socket.close().await;
    let mut again = eventually("room for a connection", async || {
        let mut raw = RawSocket::connect(&app.base, None).await;
        raw.write(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").await;
        let answer = raw.rest().await;
        answer.starts_with("HTTP/1.1 200 ").then_some(raw)
    })
    .await;
    assert!(again.rest().await.is_empty());
    assert!(metric(&app, "roomcast_connections_refused_total").await >= before + 5.0);
}

/// Whether a connection is answered, from an address of the loopback's that nobody else has.
async fn is_answered(app: &TestApp, from: &str) -> Option<RawSocket> {
    let mut raw = RawSocket::connect_from(&app.base, from).await;
    raw.write_most(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
    raw.answer().await.is_some_and(|answer| answer.starts_with("HTTP/1.1 200 ")).then_some(raw)
}

#[tokio::test(flavor = "multi_thread")]
async fn one_address_cannot_take_every_connection() {
    let app = TestApp::with(|config| {
        config.limits.max_connections_per_address = 2;
        config.server.trusted_proxies = vec!["127.0.0.3/32".parse().unwrap()];
    })
    .await;
    let held = [is_answered(&app, "127.0.0.2").await, is_answered(&app, "127.0.0.2").await];
    assert!(held.iter().all(Option::is_some));
    assert!(is_answered(&app, "127.0.0.2").await.is_none(), "a third of one address");
    let mut proxied = Vec::new();
    for _ in 0..4 {
        proxied.push(is_answered(&app, "127.0.0.3").await.expect("a proxy's are not counted"));
    }
    assert!(is_answered(&app, "127.0.0.4").await.is_some(), "another address");
    drop(held);
    eventually("room for the address", async || is_answered(&app, "127.0.0.2").await).await;
}
