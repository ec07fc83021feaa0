//! A stream of server-sent events: the answer to a request, which goes on.
//!
//! The connection writes it, and knows nothing of turns; so the session runs on a task of its own, and hands a turn
//! over when the kernel took the last one. A client says nothing on it: that it is gone shows when it closes, or when
//! what it was sent is not acknowledged.

mod pipe;

use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::Notify;

pub(in crate::hub) use self::pipe::EventBody;
use self::pipe::Pipe;
use super::session::{Due, Peer, Session};
use super::tally::Tally;
use super::{CLOSE_TIMEOUT, Transport};
use crate::app::App;
use crate::hub::room::Room;
use crate::hub::sse;
use crate::server::line::Line;

/// A browser comes back by itself after this and up to as much again: ten thousand at once are not to be back at once.
const RETRY: Duration = Duration::from_secs(1);

pub(in crate::hub) struct Events {
    session: Session,
    /// Notified when there is something to take, or to hand over.
    waker: Arc<Notify>,
    pipe: Arc<Pipe>,
    line: Line,
    /// Whether a comment is due.
    beat: bool,
}

impl Events {
    /// A stream on this connection, and the body of its answer.
    pub(in crate::hub) fn new(
        app: App,
        line: Line,
        room: Arc<Room>,
        peer: Peer,
        waker: Arc<Notify>,
    ) -> (Self, EventBody) {
        let timeouts = &app.config.server.timeouts;
        // The session judges who is slow. It does so before the kernel gives up on a peer that reads nothing, and
        // cuts the line where the peer does not take the close either.
        let silence = (timeouts.stream_heartbeat * 2 + CLOSE_TIMEOUT)
            .saturating_add(app.config.hub.slow_socket_seconds);
        line.take_over(silence);
        let pipe = Pipe::new(Arc::clone(&waker));
        let retry = RETRY + RETRY.mul_f64(peer.fraction());
        let retry = sse::retry(u64::try_from(retry.as_millis()).unwrap_or(u64::MAX));
        let session = Session::new(app, Transport::Events, room, peer, Some(retry));
        let body = EventBody(Arc::clone(&pipe));
        (Self { session, waker, pipe, line, beat: false }, body)
    }

    /// Serves the stream until it ends.
    #[expect(clippy::manual_async_fn, reason = "an async fn would hold the stream twice in its memory")]
    pub(in crate::hub) fn run(mut self) -> impl Future<Output = ()> + Send {
        async move { self.serve().await }
    }

    async fn serve(&mut self) {
        self.session.close_if_stopping();
        self.hand_over();
        let mut sleep = pin!(tokio::time::sleep_until(self.session.deadline().into()));
        loop {
            if self.pipe.is_gone() {
                tracing::debug!("a client has left its stream");
                return;
            }
            self.note_taken();
            self.beat |= self.session.on_deadline(self.session.outbox.written()) == Due::Heartbeat;
            if self.session.outbox.is_empty() {
                self.fill();
            } else if !self.session.is_closing() {
                self.session.heed_calls();
            }
            self.hand_over();
            if self.session.outbox.is_empty() {
                self.session.flows();
            } else {
                self.session.stalls(self.session.outbox.written());
            }
            if self.session.is_over(self.session.is_closing(), self.session.outbox.is_empty()) {
                return;
            }
            let deadline = tokio::time::Instant::from(self.session.deadline());
            if sleep.deadline() != deadline {
                sleep.as_mut().reset(deadline);
            }
            tokio::select! {
                () = self.waker.notified() => {}
                () = &mut sleep => {}
            }
        }
    }

    /// Puts what is next into the outbox, which is empty.
    fn fill(&mut self) {
        if self.session.is_closing() {
            return;
        }
        if std::mem::take(&mut self.beat) {
            self.session.outbox.push(sse::HEARTBEAT);
        }
        self.session.take_turn(Instant::now());
    }

    /// Looks how much the connection has written.
    fn note_taken(&mut self) {
        let app = self.session.app.clone();
        self.session.outbox.took(self.pipe.taken(), &mut Tally::of(&app.hub.inner.metrics));
    }

    /// Gives the connection what it does not have yet. A close goes before what it has not begun to write.
    fn hand_over(&mut self) {
        let outbox = &mut self.session.outbox;
        if !outbox.has_unbegun() {
            return;
        }
        if self.session.is_closing() {
            self.session.outbox.withdraw(self.pipe.withdraw());
        }
        self.pipe.push(self.session.outbox.begin_all());
        if self.session.is_closing() {
            self.pipe.end();
        }
    }
}

impl Drop for Events {
    fn drop(&mut self) {
        if !self.session.outbox.is_empty() {
            // Somebody who does not read would keep the connection for as long as it likes.
            self.line.cut();
        }
        self.pipe.end();
    }
}
