//! RFC 6455, byte by byte: fragments, masks, control frames, closing.

use crate::harness::raw::{Fin, Mask, RawSocket, opcode};
use crate::harness::{PASSWORD, TestApp};

const PING: &[u8] = br#"{"type":"PING"}"#;

async fn open(app: &TestApp) -> RawSocket {
    let ana = app.register("Acme", "Ana", "ana@example.com", PASSWORD).await;
    let query = format!("?token={}", ana.access_token);
    let (mut socket, _) = RawSocket::upgrade(&app.base, &query, "", None).await;
    let welcome = socket.next_text().await;
    assert!(welcome.starts_with(r#"{"type":"WELCOME""#), "{welcome}");
    socket
}

async fn expect_pong(socket: &mut RawSocket) {
    let text = socket.next_text().await;
    assert!(text.starts_with(r#"{"type":"PONG""#), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_may_come_in_fragments_with_control_frames_between() {
    let app = TestApp::start().await;
    let mut socket = open(&app).await;
    socket.send(opcode::TEXT, &PING[..4], Fin::More, Mask::Masked).await;
    socket.send(opcode::PING, b"between", Fin::Last, Mask::Masked).await;
    assert_eq!(socket.next().await, Some((opcode::PONG, b"between".to_vec())));
    socket.send(opcode::CONTINUATION, &PING[4..9], Fin::More, Mask::Masked).await;
    socket.send(opcode::CONTINUATION, b"", Fin::More, Mask::Masked).await;
    socket.send(opcode::CONTINUATION, &PING[9..], Fin::Last, Mask::Masked).await;
    expect_pong(&mut socket).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_may_come_byte_by_byte() {
    let app = TestApp::start().await;
    let mut socket = open(&app).await;
    let mut frame = vec![0x81, 0x80 | u8::try_from(PING.len()).unwrap(), 0, 0, 0, 0];
    frame.extend(PING);
    for byte in frame {
        socket.write(&[byte]).await;
    }
    expect_pong(&mut socket).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn fragments_count_together_towards_4_kib() {
    let app = TestApp::start().await;
    let mut socket = open(&app).await;
    socket.send(opcode::TEXT, &[b' '; 3000], Fin::More, Mask::Masked).await;
    socket.send(opcode::CONTINUATION, &[b' '; 3000], Fin::Last, Mask::Masked).await;
    assert_eq!(socket.close_code().await, Some(1009));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_length_that_nobody_could_mean_is_too_big_before_it_comes() {
    let app = TestApp::start().await;
    let mut socket = open(&app).await;
    let mut header = vec![0x81, 0x80 | 127];
    header.extend((1_u64 << 40).to_be_bytes());
    header.extend([1, 2, 3, 4]);
    socket.write(&header).await;
    assert_eq!(socket.close_code().await, Some(1009));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frame_without_a_mask_breaks_the_protocol() {
    let app = TestApp::start().await;
    let mut socket = open(&app).await;
    socket.send(opcode::TEXT, PING, Fin::Last, Mask::Bare).await;
    assert_eq!(socket.close_code().await, Some(1002));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_rfc_forbids_closes_with_1002() {
    let app = TestApp::start().await;
    let ana = app.register("Acme", "Ana", "ana@example.com", PASSWORD).await;
    let query = format!("?token={}", ana.access_token);
    // A reserved bit, a reserved opcode, a continuation of nothing, a fragmented ping, a ping that is too long.
    let forbidden: [(u8, &[u8], Fin); 5] = [
        (0x40 | opcode::TEXT, PING, Fin::Last),
        (3, b"", Fin::Last),
        (opcode::CONTINUATION, PING, Fin::Last),
        (opcode::PING, b"", Fin::More),
        (opcode::PING, &[0; 126], Fin::Last),
    ];
    for (opcode, payload, fin) in forbidden {
        let (mut socket, _) = RawSocket::upgrade(&app.base, &query, "", None).await;
        socket.next_text().await;
        socket.send(opcode, payload, fin, Mask::Masked).await;
        assert_eq!(socket.close_code().await, Some(1002), "{opcode:#x}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn text_that_is_not_utf8_closes_with_1007() {
    let app = TestApp::start().await;
    let mut socket = open(&app).await;
    socket.send(opcode::TEXT, b"\xff\xfe", Fin::Last, Mask::Masked).await;
    assert_eq!(socket.close_code().await, Some(1007));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_close_is_answered_and_the_connection_ended() {
    let app = TestApp::start().await;
    let mut socket = open(&app).await;
    let mut payload = 1000_u16.to_be_bytes().to_vec();
    payload.extend(b"bye");
    socket.send(opcode::CLOSE, &payload, Fin::Last, Mask::Masked).await;
    assert_eq!(socket.close_code().await, Some(1000));
    assert_eq!(socket.next().await, None, "the server ends the connection first (RFC 6455, section 7.1.1)");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_close_without_a_code_is_good_and_pings_come_back() {
    let app = TestApp::start().await;
    let mut socket = open(&app).await;
    for payload in [&b""[..], &[7; 125]] {
        socket.send(opcode::PING, payload, Fin::Last, Mask::Masked).await;
        assert_eq!(socket.next().await, Some((opcode::PONG, payload.to_vec())));
    }
    socket.send(opcode::PONG, b"nobody asked", Fin::Last, Mask::Masked).await;
    socket.send(opcode::CLOSE, b"", Fin::Last, Mask::Masked).await;
    let answer = socket.next().await;
    assert_eq!(answer.map(|(opcode, _)| opcode), Some(opcode::CLOSE));
    assert_eq!(socket.next().await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn frames_that_come_with_the_handshake_are_not_lost() {
    let app = TestApp::start().await;
    let ana = app.register("Acme", "Ana", "ana@example.com", PASSWORD).await;
    let mut socket = RawSocket::connect(&app.base, None).await;
    let mut bytes = format!(
        "GET /ws?token={} HTTP/1.1\r\nHost: localhost\r\nConnection: keep-alive, Upgrade\r\nUpgrade: WebSocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
        ana.access_token
    )
    .into_bytes();
    bytes.extend([0x81, 0x80 | u8::try_from(PING.len()).unwrap(), 0, 0, 0, 0]);
    bytes.extend(PING);
    socket.write(&bytes).await;
    assert!(socket.head().await.starts_with("HTTP/1.1 101"));
    assert!(socket.next_text().await.contains("WELCOME"));
    expect_pong(&mut socket).await;
}
