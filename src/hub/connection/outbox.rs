//! The frames that a connection is writing: one turn's, and where in them it is.

use std::io::{self, IoSlice};
use std::sync::Arc;
use std::time::Instant;

use bytes::{Buf as _, Bytes};
use smallvec::SmallVec;

use super::Transport;
use super::tally::Tally;
use crate::hub::core::{Entry, TURN_FRAMES};
use crate::server::stream::Stream;

/// Buffers handed to the kernel at once: a turn's frames and what else is said with them.
const SLICES: usize = TURN_FRAMES + 8;

#[derive(Default)]
pub(super) struct Outbox {
    /// What remains; the first may be taken in part. Most turns have one, which needs no memory of its own.
    frames: SmallVec<[Bytes; 1]>,
    /// How many of the first are begun: what follows can still be kept back.
    begun: usize,
    /// Bytes that were taken in all.
    written: u64,
    /// Activities among the frames that were still in memory, and that were read from the log.
    from_memory: u64,
    from_log: u64,
    /// When this node learned of the first live one among them.
    learned_at: Option<Instant>,
}

impl Outbox {
    pub(super) fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }

    pub(super) fn written(&self) -> u64 {
        self.written
    }

    pub(super) fn push(&mut self, frame: Bytes) {
        self.frames.push(frame);
    }

    pub(super) fn push_entries(&mut self, entries: &[Arc<Entry>], transport: Transport) {
        let from_memory = entries.iter().filter(|entry| entry.learned_at.is_some()).count();
        self.from_memory += from_memory as u64;
        self.from_log += (entries.len() - from_memory) as u64;
        self.learned_at = self.learned_at.or(entries.first().and_then(|entry| entry.learned_at));
        self.frames.extend(entries.iter().map(|entry| transport.entry(entry)));
    }

    /// Drops what is not begun: the peer is owed nothing more than the end of a frame.
    pub(super) fn keep_only_begun(&mut self) {
        self.frames.truncate(self.begun);
    }

    /// Writes once, all that fits one call.
    pub(super) fn write_to(&mut self, stream: &mut Stream, tally: &mut Tally<'_>) -> io::Result<()> {
        let length = match self.frames.as_slice() {
            [frame] => stream.try_write(frame)?,
            frames => write_many(frames, stream)?,
        };
        if length == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        self.advance(length, tally);
        Ok(())
    }

    /// Whether there are frames that nobody began to write.
    pub(super) fn has_unbegun(&self) -> bool {
        self.frames.len() > self.begun
    }

    /// The frames that nobody began to write, which somebody does now.
    pub(super) fn begin_all(&mut self) -> impl Iterator<Item = Bytes> {
        let begun = std::mem::replace(&mut self.begun, self.frames.len());
        self.frames.iter().skip(begun).cloned()
    }

    /// Drops the last `count` of those that were begun: they were not, after all.
    pub(super) fn withdraw(&mut self, count: usize) {
        let kept = self.begun.saturating_sub(count);
        drop(self.frames.drain(kept..self.begun));
        self.begun = kept;
    }

    /// Notes how much was taken in all, where somebody else writes.
    pub(super) fn took(&mut self, taken: u64, tally: &mut Tally<'_>) {
        if let Ok(length) = usize::try_from(taken - self.written)
            && length > 0
        {
            self.advance(length, tally);
        }
    }

    /// Drops what was taken.
    fn advance(&mut self, mut length: usize, tally: &mut Tally<'_>) {
        self.written += length as u64;
        tally.wrote(length);
        let mut whole = 0;
        while let Some(first) = self.frames.get_mut(whole) {
            if length < first.len() {
                first.advance(length);
                self.begun = self.begun.saturating_sub(whole).max(usize::from(length > 0));
                drop(self.frames.drain(..whole));
                return;
            }
            length -= first.len();
            whole += 1;
        }
        self.begun = 0;
        // An idle socket is not to hold a busy one's memory.
        self.frames = SmallVec::new();
        let (from_memory, from_log) =
            (std::mem::take(&mut self.from_memory), std::mem::take(&mut self.from_log));
        tally.delivered(from_memory, from_log, self.learned_at.take());
    }
}

fn write_many(frames: &[Bytes], stream: &mut Stream) -> io::Result<usize> {
    let mut slices = [IoSlice::new(&[]); SLICES];
    let used = frames.len().min(SLICES);
    for (slice, frame) in slices.iter_mut().zip(frames) {
        *slice = IoSlice::new(frame);
    }
    stream.try_write_vectored(slices.get(..used).unwrap_or_default())
}
