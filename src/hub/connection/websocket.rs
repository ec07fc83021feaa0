//! A WebSocket: it alone touches its stream. It takes its turns, and writes what it took in one call.

mod refusal;
mod renewal;

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};
use std::time::Instant;

use bytes::Bytes;
use tokio::time::Sleep;
use tracing::Span;

pub(in crate::hub) use self::refusal::refuse;
use super::Transport;
use super::session::{Due, Peer, Session};
use super::tally::Tally;
use crate::app::App;
use crate::hub::protocol::{ClientFrame, CloseCode, ErrorCode, ServerFrame};
use crate::hub::room::Room;
use crate::hub::ws::frame;
use crate::hub::ws::reader::{Message, Reader};
use crate::limits::Pace;
use crate::server::stream::Stream;
use crate::types::UserId;

/// Frames that are none of the protocol, until the socket is closed.
const MAX_BAD_FRAMES: u8 = 3;

/// Bytes read at once: most frames of clients are far smaller.
const READ_BYTES: usize = 4096;

/// Steps in a row before others have their turns. Who comes back takes what it missed in a few of them at best: a peer
/// that is sent little at a time costs more to send to and to read.
pub(super) const MAX_STEPS: usize = 32;

/// What a step came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// It is to take another.
    More,
    /// There is nothing to do before something happens.
    Idle,
    /// The socket has ended.
    Over,
}

/// What waits to be said because of what the client said, one of each.
#[derive(Default)]
struct Slots {
    /// The payload of a ping that is not answered yet.
    pong: Option<Vec<u8>>,
    ping: bool,
    error: Option<Bytes>,
    auth_ok: Option<Bytes>,
}

pub(in crate::hub) struct WebSocket {
    session: Session,
    stream: Stream,
    user: UserId,
    reader: Reader,
    /// Most have nothing there for all of their lives.
    slots: Option<Box<Slots>>,
    heard_at: Instant,
    bad_frames: u8,
    /// How fast it sends.
    pace: Pace,
    /// The peer has closed, or is gone.
    peer_done: bool,
    /// Nothing more is done.
    is_over: bool,
    /// The task waits for room to write.
    awaits_room: bool,
    /// The task wakes by itself then.
    sleeps_until: Instant,
    /// Wakes the task, once it waits.
    driver: Option<Waker>,
    span: Span,
}

impl WebSocket {
    pub(in crate::hub) fn new(app: App, stream: Stream, room: Arc<Room>, peer: Peer, span: Span) -> Self {
        let user = peer.claims.sub;
        let mut session = Session::new(app, Transport::WebSocket, room, peer, None);
        session.close_if_stopping();
        let now = Instant::now();
        Self {
            session,
            stream,
            user,
            reader: Reader::default(),
            slots: None,
            heard_at: now,
            bad_frames: 0,
            pace: Pace::default(),
            peer_done: false,
            is_over: false,
            awaits_room: false,
            sleeps_until: now,
            driver: None,
            span,
        }
    }

    /// Takes a turn, where all that was said before is sent, and writes what it brings.
    pub(super) fn step(&mut self, now: Instant, tally: &mut Tally<'_>) -> Step {
        if self.span.is_disabled() {
            return self.step_in_span(now, tally);
        }
        let span = self.span.clone();
        span.in_scope(|| self.step_in_span(now, tally))
    }

    fn step_in_span(&mut self, now: Instant, tally: &mut Tally<'_>) -> Step {
        if self.is_over {
            return Step::Over;
        }
        if self.session.is_due(now) {
            self.on_deadline();
        }
        let had_sent = self.has_sent();
        let mut more = had_sent && self.fill(now);
        if self.has_sent() {
            self.session.flows();
        } else {
            match self.write(tally) {
                Ok(()) if self.has_sent() => {
                    self.session.flows();
                    more |= !had_sent;
                }
                Ok(()) => {
                    self.session.heed_calls();
                    more = false;
                }
                Err(error) => {
                    tracing::debug!(%error, "a peer was gone");
                    self.is_over = true;
                    return Step::Over;
                }
            }
        }
        if self.session.is_over(self.peer_done, self.has_sent()) {
            self.stream.say_end();
            self.is_over = true;
            return Step::Over;
        }
        if more { Step::More } else { Step::Idle }
    }

    /// Goes on until there is nothing to do, and has the task woken when there is.
    pub(super) fn poll(
        &mut self,
        cx: &mut Context<'_>,
        mut sleep: Pin<&mut Sleep>,
        tally: &mut Tally<'_>,
    ) -> Poll<()> {
        for _ in 0..MAX_STEPS {
            match self.step(Instant::now(), tally) {
                Step::Over => return Poll::Ready(()),
                Step::More => continue,
                Step::Idle => {}
            }
            match self.poll_input(cx) {
                Poll::Ready(Ok(())) => continue,
                Poll::Ready(Err(_)) => return Poll::Ready(()),
                Poll::Pending => {}
            }
            self.awaits_room = !self.has_sent();
            if self.awaits_room {
                match self.stream.tcp().poll_write_ready(cx) {
                    Poll::Ready(Ok(())) => continue,
                    Poll::Ready(Err(_)) => return Poll::Ready(()),
                    Poll::Pending => {}
                }
            }
            self.sleeps_until = self.session.deadline();
            if sleep.deadline() != self.sleeps_until.into() {
                sleep.as_mut().reset(self.sleeps_until.into());
            }
            if sleep.as_mut().poll(cx).is_pending() {
                if !self.driver.as_ref().is_some_and(|driver| driver.will_wake(cx.waker())) {
                    self.driver = Some(cx.waker().clone());
                }
                return Poll::Pending;
            }
        }
        // Others have their turns, too: a flood would never let them run.
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Drops the socket; what wakes the task that waits for it.
    pub(super) fn into_driver(self) -> Option<Waker> {
        self.driver
    }

    /// Reads what has come, if anything.
    fn poll_input(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.peer_done {
            return Poll::Pending;
        }
        if !self.stream.has_input() {
            ready!(self.stream.tcp().poll_read_ready(cx))?;
        }
        Poll::Ready(self.read())
    }

    /// Has the task look, where a turn left something that it does not wait for.
    pub(super) fn wake_driver_if_needed(&self) {
        let is_blocked = !self.has_sent() && !self.awaits_room;
        if (self.is_over || is_blocked || self.session.deadline() < self.sleeps_until)
            && let Some(driver) = &self.driver
        {
            driver.wake_by_ref();
        }
    }

    /// Whether the kernel has taken all that was to be said.
    fn has_sent(&self) -> bool {
        self.session.outbox.is_empty() && !self.stream.has_unsent()
    }

    /// Bytes that the peer's side took so far.
    fn sent(&self) -> u64 {
        self.stream.sent(self.session.outbox.written())
    }

    /// Does what is due; where that is nothing, nothing.
    fn on_deadline(&mut self) {
        if self.session.on_deadline(self.sent()) == Due::Nothing {
            return;
        }
        let heartbeat = Transport::WebSocket.heartbeat(&self.session.app.config.server.timeouts);
        if self.heard_at.elapsed() > heartbeat * 2 {
            tracing::debug!("a peer was silent for two heartbeats");
            self.peer_done = true;
            return;
        }
        self.slots().ping = true;
    }

    fn slots(&mut self) -> &mut Slots {
        self.slots.get_or_insert_default()
    }

    /// Puts what is next into the outbox, which is empty. Whether more may follow at once.
    fn fill(&mut self, now: Instant) -> bool {
        if self.session.is_closing() {
            return false;
        }
        if let Some(slots) = self.slots.take() {
            self.say_slots(*slots);
        }
        self.session.take_turn(now)
    }

    fn say_slots(&mut self, slots: Slots) {
        let outbox = &mut self.session.outbox;
        let said = [slots.auth_ok, slots.error];
        said.into_iter().flatten().for_each(|frame| outbox.push(frame));
        if let Some(payload) = slots.pong {
            outbox.push(frame::pong(&payload));
        }
        if slots.ping {
            outbox.push(frame::ping());
        }
    }

    /// Writes as much of the outbox as the peer takes now.
    fn write(&mut self, tally: &mut Tally<'_>) -> io::Result<()> {
        let written = loop {
            if self.session.outbox.is_empty() {
                break self.stream.try_flush();
            }
            if let Err(error) = self.session.outbox.write_to(&mut self.stream, tally) {
                break Err(error);
            }
        };
        match written {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                let sent = self.sent();
                self.session.stalls(sent);
                Ok(())
            }
            written => written,
        }
    }

    /// Reads what has come.
    fn read(&mut self) -> io::Result<()> {
        let mut buffer = [0; READ_BYTES];
        match self.stream.try_read(&mut buffer) {
            Ok(0) => {
                self.peer_done = true;
                Ok(())
            }
            Ok(length) => {
                self.heard_at = Instant::now();
                if !self.session.is_closing() && self.session.close_if_expired() {
                    return Ok(());
                }
                self.receive(buffer.get(..length).unwrap_or_default());
                Ok(())
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Takes what the client sent.
    pub(in crate::hub) fn receive(&mut self, bytes: &[u8]) {
        let mut reader = std::mem::take(&mut self.reader);
        let read = reader.feed(bytes, |message| self.on_frame(message));
        self.reader = reader;
        if let Err(code) = read {
            self.session.close(code);
        }
    }

    /// Counts a frame, whatever is in it, and takes the message that it completes.
    fn on_frame(&mut self, message: Option<Message>) -> Result<(), CloseCode> {
        if let Some(rate) = self.session.app.hub.inner.frame_rate
            && !self.session.is_closing()
            && !self.pace.take(rate, self.session.app.clock.elapsed())
        {
            return Err(CloseCode::TooMany);
        }
        message.map_or(Ok(()), |message| self.on_message(message))
    }

    fn on_message(&mut self, message: Message) -> Result<(), CloseCode> {
        self.session.app.hub.inner.metrics.received.increment(1);
        match message {
            Message::Close => {
                self.peer_done = true;
                Err(CloseCode::Normal)
            }
            _ if self.session.is_closing() => Ok(()),
            Message::Ping(payload) => {
                self.slots().pong = Some(payload);
                Ok(())
            }
            Message::Pong => Ok(()),
            Message::Binary => self.bad_frame("Binary frames are not part of the protocol."),
            Message::Text(text) => match serde_json::from_str(&text) {
                Ok(ClientFrame::Ping) => {
                    self.session.tell_position();
                    Ok(())
                }
                Ok(ClientFrame::Auth { token }) => {
                    self.authenticate(&token);
                    Ok(())
                }
                Err(_) => self.bad_frame(
                    "Send {\"type\":\"PING\"} or {\"type\":\"AUTH\",\"payload\":{\"token\":\"…\"}}.",
                ),
            },
        }
    }

    fn bad_frame(&mut self, detail: &str) -> Result<(), CloseCode> {
        self.bad_frames += 1;
        if self.bad_frames >= MAX_BAD_FRAMES {
            return Err(CloseCode::BadRequest);
        }
        self.slots().error = self.session.encode(&ServerFrame::error(ErrorCode::BadFrame, detail));
        Ok(())
    }
}
