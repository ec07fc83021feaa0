//! Frames as the server sends them: unmasked and whole (RFC 6455, section 5.2).

use bytes::{BufMut as _, Bytes, BytesMut};

use crate::hub::protocol::CloseCode;

/// The longest header of a frame that a server sends.
pub(crate) const MAX_HEADER: usize = 10;

const FIN: u8 = 0x80;
const TEXT: u8 = 0x1;
const CLOSE: u8 = 0x8;
const PING: u8 = 0x9;
const PONG: u8 = 0xA;

fn encode(opcode: u8, payload: &[u8]) -> Bytes {
    let mut frame = BytesMut::with_capacity(MAX_HEADER + payload.len());
    frame.put_u8(FIN | opcode);
    match (u8::try_from(payload.len()), u16::try_from(payload.len())) {
        (Ok(length), _) if length < 126 => frame.put_u8(length),
        (_, Ok(length)) => {
            frame.put_u8(126);
            frame.put_u16(length);
        }
        _ => {
            frame.put_u8(127);
            frame.put_u64(payload.len() as u64);
        }
    }
    frame.put_slice(payload);
    frame.freeze()
}

/// A text frame.
pub(crate) fn text(payload: &[u8]) -> Bytes {
    encode(TEXT, payload)
}

/// A ping without payload.
pub(crate) fn ping() -> Bytes {
    encode(PING, &[])
}

/// The answer to a ping: its payload, at most 125 bytes.
pub(crate) fn pong(payload: &[u8]) -> Bytes {
    encode(PONG, payload)
}

/// A close frame.
pub(crate) fn close(code: CloseCode) -> Bytes {
    let mut payload = code.code().to_be_bytes().to_vec();
    payload.extend_from_slice(code.reason().as_bytes());
    encode(CLOSE, &payload)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_grow_with_the_payload() {
        assert_eq!(text(b"hi").as_ref(), [0x81, 2, b'h', b'i']);
        assert_eq!(text(&[0; 125]).len(), 2 + 125);
        assert_eq!(text(&[0; 126]).get(..4), Some([0x81, 126, 0, 126].as_slice()));
        assert_eq!(text(&vec![0; 65_535]).len(), 4 + 65_535);
        assert_eq!(text(&vec![0; 65_536]).get(..10), Some([0x81, 127, 0, 0, 0, 0, 0, 1, 0, 0].as_slice()));
        assert_eq!(close(CloseCode::Removed).get(2..4), Some([0x11, 0x33].as_slice()));
    }
}
