//! The same stream without WebSocket: `GET /stream`.

mod access;
mod live;
mod peers;
mod refusals;
mod resume;

use crate::harness::raw::RawSocket;
use crate::harness::{Person, TestApp};

/// A stream whose client reads no more than it is told to. Returns the answer's head, too.
async fn raw(app: &TestApp, person: &Person, receive_buffer: Option<u32>) -> (RawSocket, String) {
    let mut raw = RawSocket::connect(&app.base, receive_buffer).await;
    let head = ask_here(&mut raw, "GET", "1.1", &person.access_token).await;
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    (raw, head)
}

async fn ask_here(raw: &mut RawSocket, method: &str, version: &str, token: &str) -> String {
    let request = format!("{method} /api/v1/stream?token={token} HTTP/{version}\r\nHost: localhost\r\n\r\n");
    raw.write(request.as_bytes()).await;
    raw.head().await
}
