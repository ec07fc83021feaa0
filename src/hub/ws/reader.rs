//! Frames as clients send them: masked, in pieces, hostile (RFC 6455, section 5).

use crate::hub::protocol::CloseCode;

/// The largest message a client may send, in bytes.
pub(crate) const MAX_MESSAGE: usize = 4096;

/// What a client said.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Message {
    /// A whole text.
    Text(String),
    /// A whole binary message; the protocol has none, so its content does not matter.
    Binary,
    /// A ping, with what its pong must return.
    Ping(Vec<u8>),
    /// A pong.
    Pong,
    /// The client closes, or has answered our close.
    Close,
}

/// Puts messages together from whatever the network brings. It holds memory only while a frame or a
/// message is incomplete.
#[derive(Debug, Default)]
pub(crate) struct Reader {
    /// The beginning of a frame that is not whole yet.
    partial: Vec<u8>,
    /// The fragments of a message so far, and whether it is text.
    message: Option<(bool, Vec<u8>)>,
}

/// A frame's header.
struct Header {
    fin: bool,
    opcode: u8,
    mask: [u8; 4],
    start: usize,
    end: usize,
}

impl Reader {
    /// Takes bytes and tells `on_frame` of every frame that they complete, with the message that it ends,
    /// if it does, until that fails.
    pub(crate) fn feed(
        &mut self,
        bytes: &[u8],
        mut on_frame: impl FnMut(Option<Message>) -> Result<(), CloseCode>,
    ) -> Result<(), CloseCode> {
        let mut joined = std::mem::take(&mut self.partial);
        let mut rest = if joined.is_empty() {
            bytes
        } else {
            joined.extend_from_slice(bytes);
            &joined
        };
        while let Some(header) = parse_header(rest)? {
            let Some(payload) = rest.get(header.start..header.end) else {
                break;
            };
            let mask = header.mask.iter().cycle();
            let payload: Vec<u8> = payload.iter().zip(mask).map(|(byte, mask)| byte ^ mask).collect();
            rest = rest.get(header.end..).unwrap_or_default();
            on_frame(self.frame(&header, payload)?)?;
        }
        self.partial = rest.to_vec();
        Ok(())
    }

    /// How many bytes it holds.
    #[cfg(any(test, feature = "fuzzing"))]
    pub(crate) fn held(&self) -> usize {
        self.partial.len() + self.message.as_ref().map_or(0, |(_, message)| message.len())
    }

    fn frame(&mut self, header: &Header, payload: Vec<u8>) -> Result<Option<Message>, CloseCode> {
        match header.opcode {
            0x0 => {
                let (text, mut message) = self.message.take().ok_or(CloseCode::ProtocolError)?;
                if message.len() + payload.len() > MAX_MESSAGE {
                    return Err(CloseCode::TooBig);
                }
                message.extend_from_slice(&payload);
                self.piece(header.fin, text, message)
            }
            0x1 | 0x2 if self.message.is_none() => self.piece(header.fin, header.opcode == 0x1, payload),
            0x8 => check_close(&payload).map(|()| Some(Message::Close)),
            0x9 => Ok(Some(Message::Ping(payload))),
            0xA => Ok(Some(Message::Pong)),
            _ => Err(CloseCode::ProtocolError),
        }
    }

    fn piece(&mut self, fin: bool, text: bool, message: Vec<u8>) -> Result<Option<Message>, CloseCode> {
        if !fin {
            self.message = Some((text, message));
            return Ok(None);
        }
        if !text {
            return Ok(Some(Message::Binary));
        }
        String::from_utf8(message).map(|text| Some(Message::Text(text))).map_err(|_| CloseCode::InvalidText)
    }
}

/// The header at the start of `bytes`; `None` where it is not whole yet. A frame that may not be is
/// refused as soon as its header tells.
fn parse_header(bytes: &[u8]) -> Result<Option<Header>, CloseCode> {
    let [first, second, rest @ ..] = bytes else {
        return Ok(None);
    };
    let (fin, opcode, control) = (first & 0x80 != 0, first & 0x0F, first & 0x08 != 0);
    let (masked, short) = (second & 0x80 != 0, second & 0x7F);
    let reserved = first & 0x70 != 0 || !matches!(opcode, 0x0..=0x2 | 0x8..=0xA);
    if reserved || !masked || (control && (!fin || short > 125)) {
        return Err(CloseCode::ProtocolError);
    }
    let (length, rest) = match short {
        126 => {
            let Some((length, rest)) = rest.split_first_chunk::<2>() else {
                return Ok(None);
            };
            (u64::from(u16::from_be_bytes(*length)), rest)
        }
        127 => {
            let Some((length, rest)) = rest.split_first_chunk::<8>() else {
                return Ok(None);
            };
            (u64::from_be_bytes(*length), rest)
        }
        short => (u64::from(short), rest),
    };
    let length = usize::try_from(length).ok().filter(|length| *length <= MAX_MESSAGE);
    let length = length.ok_or(CloseCode::TooBig)?;
    let Some((mask, payload)) = rest.split_first_chunk::<4>() else {
        return Ok(None);
    };
    let start = bytes.len() - payload.len();
    Ok(Some(Header { fin, opcode, mask: *mask, start, end: start + length }))
}

/// A close frame is empty, or has a code that may be sent and a reason in UTF-8 (section 7.4).
fn check_close(payload: &[u8]) -> Result<(), CloseCode> {
    match payload {
        [] => Ok(()),
        [high, low, reason @ ..] => match u16::from_be_bytes([*high, *low]) {
            1000..=1003 | 1007..=1014 | 3000..=4999 if std::str::from_utf8(reason).is_ok() => Ok(()),
            _ => Err(CloseCode::ProtocolError),
        },
        [_] => Err(CloseCode::ProtocolError),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
        let mut frame = vec![first];
        match payload.len() {
            length @ 0..126 => frame.push(0x80 | u8::try_from(length).unwrap()),
            length => {
                frame.push(0xFE);
                frame.extend_from_slice(&u16::try_from(length).unwrap().to_be_bytes());
            }
        }
        let mask = [7, 0, 255, 42];
        frame.extend_from_slice(&mask);
        frame.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
        frame
    }

    fn read(bytes: &[u8], piece: usize) -> Result<Vec<Message>, CloseCode> {
        let (mut reader, mut messages) = (Reader::default(), Vec::new());
        for piece in bytes.chunks(piece.max(1)) {
            reader.feed(piece, |message| {
                messages.extend(message);
                Ok(())
            })?;
        }
        Ok(messages)
    }

    #[test]
    fn what_may_not_be_is_refused() {
        let refused = |bytes: &[u8], code| assert_eq!(read(bytes, 64), Err(code), "{bytes:?}");
        refused(&[0x81, 0x01, b'x'], CloseCode::ProtocolError); // not masked
        refused(&frame(0xC1, b"x"), CloseCode::ProtocolError); // a reserved bit
        refused(&frame(0x83, b"x"), CloseCode::ProtocolError); // an unknown opcode
        refused(&frame(0x80, b"x"), CloseCode::ProtocolError); // a continuation of nothing
        refused(&frame(0x09, b"x"), CloseCode::ProtocolError); // a fragmented ping
        refused(&frame(0x89, &[0; 126]), CloseCode::ProtocolError); // a long ping
        refused(&frame(0x88, &[3]), CloseCode::ProtocolError); // half a close code
        refused(&frame(0x88, &[3, 237]), CloseCode::ProtocolError); // 1005 may not be sent
        refused(&frame(0x81, &[0xFF]), CloseCode::InvalidText);
        refused(&[0x81, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF], CloseCode::TooBig);
        refused(&frame(0x81, &[b'x'; MAX_MESSAGE + 1]), CloseCode::TooBig);
        let mut twice = frame(0x01, &[b'x'; 3000]);
        twice.extend(frame(0x80, &[b'x'; 3000]));
        refused(&twice, CloseCode::TooBig);
        let mut nested = frame(0x01, b"x");
        nested.extend(frame(0x81, b"y"));
        refused(&nested, CloseCode::ProtocolError);
    }

    proptest! {
        #[test]
        fn messages_survive_any_cut_and_fragmentation(
            texts in prop::collection::vec("\\PC{0,300}", 1..5),
            cuts in prop::collection::vec(0usize..300, 0..4),
            piece in 1usize..200,
        ) {
            let (mut bytes, mut expected) = (Vec::new(), Vec::new());
            for text in &texts {
                let mut rest = text.as_bytes();
                let mut opcode = 0x01;
                for cut in &cuts {
                    let (head, tail) = rest.split_at((*cut).min(rest.len()));
                    bytes.extend(frame(opcode, head));
                    bytes.extend(frame(0x89, b"between"));
                    expected.push(Message::Ping(b"between".to_vec()));
                    (rest, opcode) = (tail, 0x00);
                }
                bytes.extend(frame(0x80 | opcode, rest));
                expected.push(Message::Text(text.clone()));
            }
            prop_assert_eq!(read(&bytes, piece), Ok(expected));
        }

        #[test]
        fn anything_is_read_without_panic_and_in_bounded_memory(
            bytes in prop::collection::vec(any::<u8>(), 0..20_000), piece in 1usize..5000,
        ) {
            let mut reader = Reader::default();
            for piece in bytes.chunks(piece) {
                if reader.feed(piece, |_| Ok(())).is_err() {
                    break;
                }
                prop_assert!(reader.held() <= 2 * MAX_MESSAGE + 14);
            }
        }
    }
}
