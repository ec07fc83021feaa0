//! What comes over a connection, read into one buffer that all connections share: a connection keeps only
//! the start of what is not whole yet.

pub(super) mod frame;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzz;
pub(super) mod http;

use std::io::{ErrorKind, Read};

/// The size of the shared buffer, and with it of the largest frame or answer.
pub(super) const BUFFER_BYTES: usize = 1 << 20;

/// Why a connection cannot go on.
#[derive(Debug, thiserror::Error)]
pub(super) enum Fault {
    /// The network says so.
    #[error(transparent)]
    Io(#[from] std::io::Error),
    /// The peer sent what may not be.
    #[error("{0}")]
    Malformed(&'static str),
}

/// How a read ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pumped {
    /// Nothing more waits, or nothing that was told of yet.
    Drained,
    /// The peer has closed.
    Ended,
}

/// Reads what waits at `source` into `buffer`, behind what `left` kept, and gives it to `take`, which says how
/// many bytes it used. What it did not use is kept for the next time.
///
/// It stops at the first short read: there is nothing behind that, unless `to_end` asks to see the end.
pub(super) fn pump(
    source: &mut impl Read,
    left: &mut Vec<u8>,
    buffer: &mut [u8],
    to_end: bool,
    mut take: impl FnMut(&[u8]) -> Result<usize, Fault>,
) -> Result<Pumped, Fault> {
    let mut kept = left.len();
    buffer.get_mut(..kept).ok_or(TOO_BIG)?.copy_from_slice(left);
    left.clear();
    let outcome = loop {
        let free = buffer.get_mut(kept..).filter(|free| !free.is_empty()).ok_or(TOO_BIG)?;
        let room = free.len();
        let count = match source.read(free) {
            Ok(0) => break Pumped::Ended,
            Ok(count) => count,
            Err(error) if error.kind() == ErrorKind::WouldBlock => break Pumped::Drained,
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => return Err(error.into()),
        };
        let filled = kept + count;
        let used = take(buffer.get(..filled).unwrap_or_default())?;
        buffer.copy_within(used..filled, 0);
        kept = filled - used;
        if count < room && !to_end {
            break Pumped::Drained;
        }
    };
    left.extend_from_slice(buffer.get(..kept).unwrap_or_default());
    Ok(outcome)
}

const TOO_BIG: Fault = Fault::Malformed("a frame or an answer of over a MiB");
