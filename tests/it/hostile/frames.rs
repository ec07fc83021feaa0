//! Frames that break RFC 6455, each in its own way: the socket is closed with the code for it, and nothing
//! else notices.

use super::program::Program;
use crate::harness::raw::{Fin, Mask, RawSocket, opcode};
use crate::harness::{PASSWORD, Person};

const PING: &[u8] = br#"{"type":"PING"}"#;

async fn start() -> (Program, Person) {
    let program = Program::start().await;
    let ana = program.register("Acme", "Ana", "ana@example.com", PASSWORD).await;
    (program, ana)
}

async fn open(program: &Program, person: &Person) -> RawSocket {
    let query = format!("?token={}", person.access_token);
    let (mut socket, _) = RawSocket::upgrade(&program.base, &query, "", None).await;
    assert!(socket.next_text().await.contains("WELCOME"));
    socket
}

/// A masked frame with any first byte, and its length written in any width.
fn frame(first: u8, width: usize, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![first];
    let length = (payload.len() as u64).to_be_bytes();
    match width {
        0 => frame.push(0x80 | length[7]),
        2 => frame.push(0xFE),
        _ => frame.push(0xFF),
    }
    frame.extend(&length[8 - width..]);
    frame.extend([0; 4]);
    frame.extend(payload);
    frame
}

/// A close frame's payload.
fn close(code: u16, reason: &[u8]) -> Vec<u8> {
    [&code.to_be_bytes(), reason].concat()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_reserved_bit_and_opcode_breaks_the_protocol() {
    let (program, ana) = start().await;
    let reserved_bits = [0x40, 0x20, 0x10, 0x70].map(|bits| 0x80 | bits | opcode::TEXT);
    let control_bits = [0xC0 | opcode::PING, 0xA0 | opcode::PONG, 0x90 | opcode::CLOSE];
    let opcodes = (0x3..=0x7).chain(0xB..=0xF).map(|opcode| 0x80 | opcode);
    let unfinished = [opcode::CLOSE, opcode::PING, opcode::PONG];
    for first in reserved_bits.into_iter().chain(control_bits).chain(opcodes).chain(unfinished) {
        let mut socket = open(&program, &ana).await;
        socket.write(&frame(first, 0, b"{}")).await;
        assert_eq!(socket.close_code().await, Some(1002), "{first:#x}");
    }
    program.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn control_frames_have_at_most_125_bytes() {
    let (program, ana) = start().await;
    for control in [opcode::CLOSE, opcode::PING, opcode::PONG] {
        for (width, length) in [(2, 126), (2, 5000), (8, 126), (2, 10)] {
            let mut socket = open(&program, &ana).await;
            socket.write_most(&frame(0x80 | control, width, &vec![0; length])).await;
            assert_eq!(socket.close_code().await, Some(1002), "{control:#x} {length}");
        }
    }
    program.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn lengths_that_nobody_could_mean_are_refused_by_the_header_alone() {
    let (program, ana) = start().await;
    for length in [1_u64 << 63, u64::MAX, (1 << 63) - 1, 1 << 32, 4097] {
        let mut socket = open(&program, &ana).await;
        let header = [&[0x82, 0xFF], &length.to_be_bytes()[..], &[1, 2, 3, 4]].concat();
        socket.write(&header).await;
        assert_eq!(socket.close_code().await, Some(1009), "{length}");
    }
    program.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frame_of_each_kind_without_a_mask_breaks_the_protocol() {
    let (program, ana) = start().await;
    for kind in [opcode::CONTINUATION, opcode::TEXT, 2, opcode::CLOSE, opcode::PING, opcode::PONG] {
        let mut socket = open(&program, &ana).await;
        socket.send(kind, b"", Fin::Last, Mask::Bare).await;
        assert_eq!(socket.close_code().await, Some(1002), "{kind}");
    }
    program.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_close_says_why_with_a_code_that_may_be_sent() {
    let (program, ana) = start().await;
    let forbidden = [0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, u16::MAX]
        .map(|code| close(code, b""));
    let broken = [vec![3], close(1000, b"\xff"), close(1000, b"\xed\xa0\x80")];
    for payload in forbidden.into_iter().chain(broken) {
        let mut socket = open(&program, &ana).await;
        socket.send(opcode::CLOSE, &payload, Fin::Last, Mask::Masked).await;
        let code = socket.close_code().await;
        assert!([Some(1002), Some(1007)].contains(&code), "{payload:?}: {code:?}");
    }
    for code in [1000, 1001, 1002, 1003, 1007, 1011, 1014, 3000, 4000, 4999] {
        let mut socket = open(&program, &ana).await;
        socket.send(opcode::CLOSE, &close(code, "ö".as_bytes()), Fin::Last, Mask::Masked).await;
        // What comes after a close is not read any more.
        socket.write_most(&frame(0xFF, 0, b"")).await;
        assert_eq!(socket.close_code().await, Some(1000), "{code}");
        assert_eq!(socket.next().await, None, "{code}");
    }
    program.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_are_not_interleaved() {
    let (program, ana) = start().await;
    for (second, fin) in [(opcode::TEXT, Fin::Last), (opcode::TEXT, Fin::More), (2, Fin::Last)] {
        let mut socket = open(&program, &ana).await;
        socket.send(opcode::TEXT, b"{", Fin::More, Mask::Masked).await;
        socket.send(second, b"}", fin, Mask::Masked).await;
        assert_eq!(socket.close_code().await, Some(1002));
    }
    for fin in [Fin::Last, Fin::More] {
        let mut socket = open(&program, &ana).await;
        socket.send(opcode::TEXT, PING, Fin::Last, Mask::Masked).await;
        socket.send(opcode::CONTINUATION, b"", fin, Mask::Masked).await;
        assert_eq!(socket.close_code().await, Some(1002));
    }
    program.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn text_is_utf8_over_all_its_fragments() {
    let (program, ana) = start().await;
    // A character may be cut anywhere between fragments. The JSON is none of the protocol's: an ERROR.
    let mut socket = open(&program, &ana).await;
    let horse = "🐎".as_bytes();
    for (index, byte) in horse.iter().enumerate() {
        let kind = if index == 0 { opcode::TEXT } else { opcode::CONTINUATION };
        let fin = if index + 1 == horse.len() { Fin::Last } else { Fin::More };
        socket.send(kind, &[*byte], fin, Mask::Masked).await;
    }
    assert!(socket.next_text().await.contains("bad_frame"));
    let broken: [&[&[u8]]; 6] = [
        &[b"\xf0\x9f", b"\x90"],
        &[b"a", b"\xff"],
        &[b"\xc0", b"\x80"],
        &[b"\xed\xa0", b"\x80"],
        &[b"\xf4\x90", b"\x80\x80"],
        &[b"{", b"}", b"\x80"],
    ];
    for fragments in broken {
        let mut socket = open(&program, &ana).await;
        for (index, fragment) in fragments.iter().enumerate() {
            let kind = if index == 0 { opcode::TEXT } else { opcode::CONTINUATION };
            let fin = if index + 1 == fragments.len() { Fin::Last } else { Fin::More };
            socket.send(kind, fragment, fin, Mask::Masked).await;
        }
        assert_eq!(socket.close_code().await, Some(1007), "{fragments:?}");
    }
    program.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_of_endless_fragments_is_too_big() {
    let (program, ana) = start().await;
    let mut socket = open(&program, &ana).await;
    socket.send(opcode::TEXT, b"[", Fin::More, Mask::Masked).await;
    // Nothing is added by these, so they are allowed, however many; and others are answered between them.
    socket.write(&frame(opcode::CONTINUATION, 0, b"").repeat(20_000)).await;
    socket.send(opcode::PING, b"still here", Fin::Last, Mask::Masked).await;
    assert_eq!(socket.next().await, Some((opcode::PONG, b"still here".to_vec())));
    socket.write_most(&frame(opcode::CONTINUATION, 0, &[b' '; 100]).repeat(50)).await;
    assert_eq!(socket.close_code().await, Some(1009));
    program.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_pings_is_answered_in_bounded_memory() {
    let (program, ana) = start().await;
    let mut socket = open(&program, &ana).await;
    // Nobody reads meanwhile: what was not answered yet may be left out (RFC 6455, section 5.5.3).
    let flood = frame(0x80 | opcode::PING, 0, &[7; 125]).repeat(20_000);
    socket.write(&flood).await;
    socket.send(opcode::PING, b"the last", Fin::Last, Mask::Masked).await;
    loop {
        let (kind, payload) = socket.next().await.expect("it is still open");
        assert_eq!(kind, opcode::PONG);
        if payload == b"the last" {
            break;
        }
        assert_eq!(payload, [7; 125]);
    }
    program.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn compression_is_not_taken_up() {
    let (program, ana) = start().await;
    let query = format!("?token={}", ana.access_token);
    for offer in [
        "permessage-deflate",
        "permessage-deflate; client_max_window_bits, x-webkit-deflate-frame",
        "permessage-deflate; server_max_window_bits=99; \"",
    ] {
        let header = format!("Sec-WebSocket-Extensions: {offer}\r\n");
        let (mut socket, head) = RawSocket::upgrade(&program.base, &query, &header, None).await;
        assert!(!head.to_lowercase().contains("extensions"), "{head}");
        socket.next_text().await;
        // Whoever compresses all the same is not understood.
        socket.write(&frame(0xC0 | opcode::TEXT, 0, b"\xaa\x56\x2a\xa9\x2c\x48\x55\xb2\x52\x0a\xf0")).await;
        assert_eq!(socket.close_code().await, Some(1002));
    }
    program.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn queries_of_the_handshake_are_read_or_refused() {
    let (program, ana) = start().await;
    let token = &ana.access_token;
    let (good, bad) = (Some(true), Some(false));
    let queries = [
        (format!("?token={token}&after=0&after=1"), None),
        (format!("?token={token}&after=%00"), bad),
        (format!("?token={token}&after=%ff"), bad),
        (format!("?token={token}&after=99999999999999999999"), bad),
        (format!("?token={token}&epoch=%00"), bad),
        (format!("?token={token}&%00=%00&%ff=%ff"), good),
        (format!("?token=%00&token={token}"), None),
        (format!("?token={token}%00"), bad),
        (format!("?token=%ff{token}"), bad),
        (format!("?{}token={token}", "a=b&".repeat(2000)), good),
        ("?token".to_owned(), bad),
        ("?".to_owned(), bad),
        (String::new(), bad),
    ];
    for (query, expected) in queries {
        let (mut socket, _) = RawSocket::upgrade(&program.base, &query, "", None).await;
        let (kind, payload) = socket.next().await.unwrap();
        let welcome = kind == opcode::TEXT;
        let shown = query.replace(token.as_str(), "…");
        assert!(expected.is_none_or(|expected| expected == welcome), "{shown}: {payload:?}");
    }
    program.stop().await;
}
