//! Frames from one socket, whatever is in them.

use super::{MINUTE, limited, refusals};
use crate::harness::raw::{Fin, Mask, RawSocket, opcode};
use crate::harness::{PASSWORD, TestApp};

const ALLOWED: usize = 10;
const PING: &[u8] = br#"{"type":"PING"}"#;

async fn app() -> TestApp {
    limited(|limits| limits.frames_per_minute = u32::try_from(ALLOWED).unwrap()).await
}

async fn open(app: &TestApp, token: &str) -> RawSocket {
    let (mut socket, _) = RawSocket::upgrade(&app.base, &format!("?token={token}"), "", None).await;
    assert!(socket.next_text().await.contains("WELCOME"));
    socket
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_closes_the_socket_whatever_it_is_made_of() {
    let app = app().await;
    let ana = app.register("Acme", "Ana", "ana@example.com", PASSWORD).await;
    let before = refusals(&app, "frames").await;
    let floods: [(u8, &[u8], Fin); 4] = [
        (opcode::TEXT, PING, Fin::Last),
        (opcode::PING, b"flood", Fin::Last),
        (opcode::PONG, b"", Fin::Last),
        (opcode::CONTINUATION, b"", Fin::More),
    ];
    for (opcode, payload, fin) in floods {
        let mut socket = open(&app, &ana.access_token).await;
        let mut left = ALLOWED;
        if opcode == opcode::CONTINUATION {
            socket.send(opcode::TEXT, b"", Fin::More, Mask::Masked).await;
            left -= 1;
        }
        for _ in 0..left {
            socket.send(opcode, payload, fin, Mask::Masked).await;
        }
        // All of these were taken: a frame more is one too many.
        socket.send(opcode, payload, fin, Mask::Masked).await;
        assert_eq!(socket.close_code().await, Some(4429), "opcode {opcode}");
    }
    assert!(refusals(&app, "frames").await >= before + 4.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn as_many_as_may_be_are_answered_each_minute() {
    let app = app().await;
    let ana = app.register("Acme", "Ana", "ana@example.com", PASSWORD).await;
    let mut socket = open(&app, &ana.access_token).await;
    for _ in 0..3 {
        for _ in 0..ALLOWED {
            socket.send(opcode::TEXT, PING, Fin::Last, Mask::Masked).await;
            assert!(socket.next_text().await.contains("PONG"));
        }
        app.advance(MINUTE);
    }
    // Another socket of the same user has its own.
    let mut other = open(&app, &ana.access_token).await;
    for _ in 0..ALLOWED {
        socket.send(opcode::PING, b"", Fin::Last, Mask::Masked).await;
        other.send(opcode::PING, b"", Fin::Last, Mask::Masked).await;
    }
    other.send(opcode::CLOSE, &[], Fin::Last, Mask::Masked).await;
    assert_eq!(other.close_code().await, Some(4429), "the goodbye is a frame, too");
}
