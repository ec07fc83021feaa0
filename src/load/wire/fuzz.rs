//! What holds for the readers of a server's bytes, whatever they are: see [`crate::fuzzing`].

use std::io::{self, Read};

use super::{Pumped, frame, http, pump};

/// Bytes that come a few at a time, in pauses.
struct Trickle<'a> {
    bytes: &'a [u8],
    step: usize,
    is_pause: bool,
}

impl Read for Trickle<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.is_pause = !self.is_pause;
        if self.is_pause {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let (piece, rest) = self.bytes.split_at(self.step.min(buffer.len()).min(self.bytes.len()));
        buffer.get_mut(..piece.len()).unwrap_or_default().copy_from_slice(piece);
        self.bytes = rest;
        Ok(piece.len())
    }
}

/// A message, kept.
#[derive(Debug, PartialEq, Eq)]
enum Heard {
    Data(Vec<u8>),
    Ping(Vec<u8>),
    Pong,
    Close(u16),
}

impl From<frame::Message<'_>> for Heard {
    fn from(message: frame::Message<'_>) -> Self {
        match message {
            frame::Message::Data(payload) => Self::Data(payload.to_vec()),
            frame::Message::Ping(payload) => Self::Ping(payload.to_vec()),
            frame::Message::Pong => Self::Pong,
            frame::Message::Close(code) => Self::Close(code),
        }
    }
}

/// Frames of a server, behind a byte that says in what pieces they come: in pieces they are what they are at once, and
/// what is not whole is kept.
pub(crate) fn server_frames(data: &[u8]) {
    let Some((step, bytes)) = data.split_first() else { return };
    let (mut at_once, mut in_pieces) = (Vec::new(), Vec::new());
    let read = frame::read(bytes, |message| at_once.push(Heard::from(message)));
    let mut source = Trickle { bytes, step: usize::from(*step).max(1), is_pause: false };
    let (mut left, mut buffer) = (Vec::new(), vec![0; bytes.len() + 1]);
    let pumped = loop {
        let pumped = pump(&mut source, &mut left, &mut buffer, true, |bytes| {
            frame::read(bytes, |message| in_pieces.push(Heard::from(message)))
        });
        if !matches!(pumped, Ok(Pumped::Drained)) {
            break pumped;
        }
    };
    assert_eq!(read.is_ok(), pumped.is_ok(), "a fault is one in pieces, too");
    assert_eq!(at_once, in_pieces);
    if let Ok(used) = read {
        assert_eq!(bytes.get(used..), Some(left.as_slice()), "what is not whole is kept");
    }
}

/// An answer of a server: it ends where it says, whatever follows, and what is cut off is waited for.
pub(crate) fn server_answers(data: &[u8]) {
    let Ok(Some((answer, length))) = http::read(data) else { return };
    assert!(answer.body.len() <= length && length <= data.len());
    let alone = http::read(data.get(..length).unwrap_or_default());
    assert!(matches!(alone, Ok(Some((alone, same))) if alone == answer && same == length));
    for end in [length.saturating_sub(1), length / 2, length / 3] {
        let cut = http::read(data.get(..end).unwrap_or_default());
        assert!(matches!(cut, Ok(None)), "{end} of {length}");
    }
}
