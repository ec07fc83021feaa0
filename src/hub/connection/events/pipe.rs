//! What a stream of events says, on its way from the session to the connection, which writes it: a turn at most. The
//! session learns how much of it the kernel took, so that it judges the peer as it does a WebSocket's.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use hyper::body::{Body, Frame};
use parking_lot::Mutex;
use tokio::sync::Notify;

/// The most that is handed on at once: a peer counts as taking something when it took as much.
const PIECE: usize = 4096;

/// Room that is kept between turns, in frames.
const KEPT_CAPACITY: usize = 4;

pub(super) struct Pipe {
    state: Mutex<State>,
    /// Woken when all was taken, and when nobody is left to take it.
    session: Arc<Notify>,
}

#[derive(Default)]
struct State {
    /// What the connection has not asked for yet.
    frames: VecDeque<Bytes>,
    /// Whether a part of the first was handed on.
    begun: bool,
    /// Pieces that the connection has and the kernel did not take yet.
    pending: usize,
    /// Bytes that were taken in all.
    taken: u64,
    /// Whether nothing follows.
    ended: bool,
    /// Whether the connection has let go of the answer.
    gone: bool,
    waker: Option<Waker>,
}

impl Pipe {
    pub(super) fn new(session: Arc<Notify>) -> Arc<Self> {
        Arc::new(Self { state: Mutex::default(), session })
    }

    /// Hands frames over.
    pub(super) fn push(&self, frames: impl IntoIterator<Item = Bytes>) {
        self.change(|state| state.frames.extend(frames));
    }

    /// Says that nothing follows.
    pub(super) fn end(&self) {
        self.change(|state| state.ended = true);
    }

    /// Takes the frames back that are not begun; returns how many.
    pub(super) fn withdraw(&self) -> usize {
        let mut state = self.state.lock();
        let kept = usize::from(state.begun);
        let withdrawn = state.frames.len().saturating_sub(kept);
        state.frames.truncate(kept);
        withdrawn
    }

    /// Bytes that were taken in all.
    pub(super) fn taken(&self) -> u64 {
        self.state.lock().taken
    }

    /// Whether the client is gone.
    pub(super) fn is_gone(&self) -> bool {
        self.state.lock().gone
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        let waker = {
            let mut state = self.state.lock();
            change(&mut state);
            state.waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    fn piece_taken(&self, length: usize) {
        let mut state = self.state.lock();
        state.taken += length as u64;
        state.pending -= 1;
        let all_taken = state.pending == 0 && state.frames.is_empty();
        drop(state);
        if all_taken {
            self.session.notify_one();
        }
    }
}

impl State {
    /// What is next, at most a piece.
    fn next(&mut self) -> Option<Bytes> {
        let first = self.frames.front_mut()?;
        self.begun = first.len() > PIECE;
        let piece = if self.begun { Some(first.split_to(PIECE)) } else { self.frames.pop_front() };
        if self.frames.is_empty() && self.frames.capacity() > KEPT_CAPACITY {
            self.frames = VecDeque::new();
        }
        self.pending += 1;
        piece
    }
}

/// A part of a frame in the connection's hands, which lets go of it when the kernel has it.
struct Piece {
    bytes: Bytes,
    pipe: Arc<Pipe>,
}

impl AsRef<[u8]> for Piece {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Piece {
    fn drop(&mut self) {
        self.pipe.piece_taken(self.bytes.len());
    }
}

/// The answer's body, the end that the connection holds.
pub(in crate::hub) struct EventBody(pub(super) Arc<Pipe>);

impl Body for EventBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let mut state = self.0.state.lock();
        if let Some(bytes) = state.next() {
            drop(state);
            let piece = Piece { bytes, pipe: Arc::clone(&self.0) };
            return Poll::Ready(Some(Ok(Frame::data(Bytes::from_owner(piece)))));
        }
        if state.ended {
            return Poll::Ready(None);
        }
        state.waker = Some(cx.waker().clone());
        Poll::Pending
    }

    fn is_end_stream(&self) -> bool {
        let state = self.0.state.lock();
        state.ended && state.frames.is_empty()
    }
}

impl Drop for EventBody {
    fn drop(&mut self) {
        let mut state = self.0.state.lock();
        // After the end the connection lets go of it before the last pieces are taken.
        state.gone = !state.ended || !state.frames.is_empty();
        state.frames.clear();
        drop(state);
        self.0.session.notify_one();
    }
}
