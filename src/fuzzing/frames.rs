//! What a socket's client sends.

use crate::hub::protocol::{ClientFrame, CloseCode};
use crate::hub::ws::frame;
use crate::hub::ws::reader::{MAX_MESSAGE, Message, Reader};

/// The longest header of a client's frame.
const MAX_HEADER: usize = 14;

/// What came of bytes that were fed in pieces of these lengths, over and over.
fn read(bytes: &[u8], pieces: &[usize]) -> (Vec<Message>, Result<(), CloseCode>) {
    let (mut reader, mut messages) = (Reader::default(), Vec::new());
    let mut rest = bytes;
    for length in pieces.iter().cycle() {
        let (piece, after) = rest.split_at((*length).clamp(1, rest.len().max(1)).min(rest.len()));
        let fed = reader.feed(piece, |message| {
            // None is a piece of a message that goes on.
            messages.extend(message);
            Ok(())
        });
        if fed.is_err() {
            return (messages, fed);
        }
        assert!(
            reader.held() <= 2 * MAX_MESSAGE + MAX_HEADER,
            "a reader holds a frame and a message at most"
        );
        rest = after;
        if rest.is_empty() {
            break;
        }
    }
    (messages, Ok(()))
}

/// A message as a client sends it, in one masked frame.
fn write(message: &Message, mask: [u8; 4]) -> Vec<u8> {
    let (opcode, payload): (u8, &[u8]) = match message {
        Message::Text(text) => (1, text.as_bytes()),
        Message::Binary => (2, &[]),
        Message::Close => (8, &[]),
        Message::Ping(payload) => (9, payload),
        Message::Pong => (10, &[]),
    };
    let mut frame = vec![0x80 | opcode];
    match (u8::try_from(payload.len()), u16::try_from(payload.len())) {
        (Ok(length), _) if length < 126 => frame.push(0x80 | length),
        (_, Ok(length)) => {
            frame.push(0xFE);
            frame.extend(length.to_be_bytes());
        }
        _ => panic!("a message of {} bytes was let through", payload.len()),
    }
    frame.extend(mask);
    frame.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    frame
}

/// Frames of RFC 6455. However they are cut, the same comes of them; and what was read, written and read again,
/// is the same.
pub fn frames(data: &[u8]) {
    let [one, two, three, mask, bytes @ ..] = data else { return };
    let whole = read(bytes, &[usize::MAX]);
    let pieces = [usize::from(*one), usize::from(*two), usize::from(*three)];
    assert_eq!(read(bytes, &pieces), whole, "cut in {pieces:?}");
    assert_eq!(read(bytes, &[1]), whole, "byte by byte");

    let (messages, _) = whole;
    let mask = [*mask, *one, *two, *three];
    let written: Vec<u8> = messages.iter().flat_map(|message| write(message, mask)).collect();
    assert_eq!(read(&written, &pieces), (messages, Ok(())), "written again");

    let sent = frame::text(bytes);
    assert!(
        sent.len() - bytes.len() <= frame::MAX_HEADER && sent.ends_with(bytes),
        "a frame of ours is whole"
    );
}

/// The JSON of a frame.
pub fn client_frames(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Ok(frame) = serde_json::from_str::<ClientFrame>(text) else { return };
    let again = match &frame {
        ClientFrame::Ping => serde_json::json!({ "type": "PING" }),
        ClientFrame::Auth { token } => serde_json::json!({ "type": "AUTH", "payload": { "token": token } }),
    };
    assert!(serde_json::from_value::<ClientFrame>(again).is_ok_and(|again| again == frame), "{text}");
}
