//! Handshakes of an address.

use super::{MINUTE, limited, refusals};
use crate::harness::raw::RawSocket;
use crate::harness::{PASSWORD, TestApp};

/// The head of the answer to a handshake from this address.
async fn handshake(app: &TestApp, address: &str, token: &str) -> String {
    let mut socket = RawSocket::connect(&app.base, None).await;
    let request = format!(
        "GET /ws?token={token} HTTP/1.1\r\nHost: hub\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
         X-Forwarded-For: {address}\r\n\r\n"
    );
    socket.write(request.as_bytes()).await;
    socket.head().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_handshakes_is_refused_before_the_upgrade() {
    let app = limited(|limits| limits.handshakes_per_minute = 3).await;
    let ana = app.register("Acme", "Ana", "ana@example.com", PASSWORD).await;
    let (here, there) = ("203.0.113.1", "203.0.113.2");
    let before = refusals(&app, "handshakes").await;
    for token in [&ana.access_token, "garbage", ""] {
        let head = handshake(&app, here, token).await;
        assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
        assert!(head.to_lowercase().contains("ratelimit-limit: 3\r\n"), "{head}");
    }
    let head = handshake(&app, here, &ana.access_token).await.to_lowercase();
    assert!(head.starts_with("http/1.1 429 "), "{head}");
    for line in ["ratelimit-limit: 3\r\n", "ratelimit-remaining: 0\r\n", "retry-after: ", "x-request-id: "] {
        assert!(head.contains(line), "{line}: {head}");
    }
    assert!(refusals(&app, "handshakes").await >= before + 1.0);
    let head = handshake(&app, there, &ana.access_token).await;
    assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
    app.advance(MINUTE);
    let head = handshake(&app, here, &ana.access_token).await;
    assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
}
