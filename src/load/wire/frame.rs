//! Frames (RFC 6455, section 5.2): the server's, whole and unmasked, and the few that a client sends.

use super::Fault;

/// What a server says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::load) enum Message<'a> {
    /// A whole text or binary message.
    Data(&'a [u8]),
    /// A ping, with what its pong must return.
    Ping(&'a [u8]),
    /// A pong.
    Pong,
    /// A close with its code; 1005 where it has none.
    Close(u16),
}

const CONTINUATION: u8 = 0x0;
const TEXT: u8 = 0x1;
const BINARY: u8 = 0x2;
const CLOSE: u8 = 0x8;
const PING: u8 = 0x9;
const PONG: u8 = 0xA;

/// Gives every whole frame at the start of `bytes` to `on`; returns how many bytes they were.
pub(in crate::load) fn read(bytes: &[u8], mut on: impl FnMut(Message<'_>)) -> Result<usize, Fault> {
    let mut rest = bytes;
    while let Some((opcode, payload, after)) = split(rest)? {
        rest = after;
        on(match opcode {
            TEXT | BINARY => Message::Data(payload),
            PING => Message::Ping(payload),
            PONG => Message::Pong,
            CLOSE => Message::Close(payload.first_chunk().map_or(1005, |code| u16::from_be_bytes(*code))),
            CONTINUATION => return Err(Fault::Malformed("a message in fragments")),
            _ => return Err(Fault::Malformed("a frame of an unknown kind")),
        });
    }
    Ok(bytes.len() - rest.len())
}

/// Opcode and payload of the first frame and what follows it; none where it is not whole yet.
type Split<'a> = Option<(u8, &'a [u8], &'a [u8])>;

fn split(bytes: &[u8]) -> Result<Split<'_>, Fault> {
    let [first, second, rest @ ..] = bytes else { return Ok(None) };
    if first & 0x80 == 0 {
        return Err(Fault::Malformed("a message in fragments"));
    }
    if first & 0x70 != 0 || second & 0x80 != 0 {
        return Err(Fault::Malformed("a frame that no server may send"));
    }
    let (length, rest) = match second {
        126 => match rest.split_first_chunk() {
            Some((length, rest)) => (u64::from(u16::from_be_bytes(*length)), rest),
            None => return Ok(None),
        },
        127 => match rest.split_first_chunk() {
            Some((length, rest)) => (u64::from_be_bytes(*length), rest),
            None => return Ok(None),
        },
        length => (u64::from(*length), rest),
    };
    let length = usize::try_from(length).unwrap_or(usize::MAX);
    if length > super::BUFFER_BYTES - MAX_HEADER {
        return Err(super::TOO_BIG);
    }
    Ok(rest.split_at_checked(length).map(|(payload, after)| (first & 0x0F, payload, after)))
}

/// The longest header of a server's frame.
const MAX_HEADER: usize = 10;

/// The client's frames are masked with this, which changes nothing: what is sent here is no secret, and no
/// proxy is to be fooled by it.
const MASK: [u8; 4] = [0; 4];

/// Appends the answer to a ping.
pub(in crate::load) fn pong(payload: &[u8], out: &mut Vec<u8>) {
    encode(PONG, payload, out);
}

/// Appends a text message.
pub(in crate::load) fn text(payload: &[u8], out: &mut Vec<u8>) {
    encode(TEXT, payload, out);
}

fn encode(opcode: u8, payload: &[u8], out: &mut Vec<u8>) {
    out.push(0x80 | opcode);
    match (u8::try_from(payload.len()), u16::try_from(payload.len())) {
        (Ok(length), _) if length < 126 => out.push(0x80 | length),
        (_, Ok(length)) => {
            out.push(0x80 | 0x7E);
            out.extend_from_slice(&length.to_be_bytes());
        }
        _ => {
            out.push(0x80 | 0x7F);
            out.extend_from_slice(&(payload.len() as u64).to_be_bytes());
        }
    }
    out.extend_from_slice(&MASK);
    out.extend_from_slice(payload);
}

#[cfg(test)]
mod tests {
    use std::io::{self, Read};

    use proptest::prelude::*;

    use super::super::{Pumped, pump};
    use super::*;

    /// Hands out bytes in pieces, then has none for now.
    struct Pieces<'a> {
        bytes: &'a [u8],
        sizes: std::iter::Cycle<std::slice::Iter<'a, usize>>,
        pause: bool,
    }

    impl Read for Pieces<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            self.pause = !self.pause;
            if self.pause {
                return Err(io::ErrorKind::WouldBlock.into());
            }
            let size = self.sizes.next().copied().unwrap_or(1).min(buffer.len()).min(self.bytes.len());
            let (piece, rest) = self.bytes.split_at(size);
            buffer[..size].copy_from_slice(piece);
            self.bytes = rest;
            Ok(size)
        }
    }

    fn server_frame(opcode: u8, payload: &[u8]) -> Vec<u8> {
        let mut frame = Vec::new();
        encode(opcode, payload, &mut frame);
        let header = frame.len() - payload.len() - MASK.len();
        frame.drain(header..header + MASK.len());
        frame[1] &= 0x7F;
        frame
    }

    fn noted(message: Message<'_>) -> (u8, Vec<u8>) {
        match message {
            Message::Data(payload) => (TEXT, payload.to_vec()),
            Message::Ping(payload) => (PING, payload.to_vec()),
            Message::Pong => (PONG, Vec::new()),
            Message::Close(code) => (CLOSE, code.to_be_bytes().to_vec()),
        }
    }

    #[test]
    fn what_no_server_may_send_is_refused() {
        for bytes in [[0x01, 0x01, b'x'], [0xC1, 0x01, b'x'], [0x81, 0x81, b'x'], [0x80, 0, 0], [0x83, 0, 0]]
        {
            assert!(read(&bytes, |_| {}).is_err(), "{bytes:?}");
        }
        let huge = [0x81, 127, 0, 0, 0, 1, 0, 0, 0, 0];
        assert!(read(&huge, |_| {}).is_err());
        assert_eq!(
            read(&server_frame(CLOSE, &[]), |message| assert_eq!(message, Message::Close(1005))).unwrap(),
            2
        );
    }

    #[test]
    fn a_client_masks() {
        let mut out = Vec::new();
        pong(b"ab", &mut out);
        assert_eq!(out, [0x8A, 0x82, 0, 0, 0, 0, b'a', b'b']);
    }

    proptest! {
        #[test]
        fn any_chunking_of_frames_gives_the_same(
            frames in prop::collection::vec((prop::sample::select(vec![TEXT, PING, PONG, CLOSE]),
                prop_oneof![0usize..130, 60_000usize..70_000]), 0..8),
            sizes in prop::collection::vec(1usize..3000, 1..6),
        ) {
            let (mut bytes, mut expected) = (Vec::new(), Vec::new());
            for (opcode, length) in frames {
                let payload = match opcode {
                    TEXT => vec![b'x'; length],
                    PING => vec![b'p'; length.min(125)],
                    CLOSE => 4408u16.to_be_bytes().to_vec(),
                    _ => Vec::new(),
                };
                bytes.extend(server_frame(opcode, &payload));
                expected.push((opcode, payload));
            }
            let (mut left, mut buffer, mut found) = (Vec::new(), vec![0; super::super::BUFFER_BYTES], Vec::new());
            let mut source = Pieces { bytes: &bytes, sizes: sizes.iter().cycle(), pause: false };
            while pump(&mut source, &mut left, &mut buffer, true, |bytes| {
                read(bytes, |message| found.push(noted(message)))
            }).unwrap() == Pumped::Drained {}
            prop_assert_eq!(found, expected);
            prop_assert!(left.is_empty());
        }

        #[test]
        fn any_bytes_are_read_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            if let Ok(used) = read(&bytes, |_| {}) {
                prop_assert!(used <= bytes.len());
            }
        }
    }
}
