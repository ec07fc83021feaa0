//! A WebSocket: it alone touches its stream. It is woken, takes its turn, and writes what it took in one
//! call.

mod refusal;
mod renewal;

use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;

pub(in crate::hub) use self::refusal::refuse;
use super::Transport;
use super::session::{Due, Peer, Session};
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
    slots: Slots,
    heard_at: Instant,
    bad_frames: u8,
    /// How fast it sends.
    pace: Pace,
    /// The peer has closed, or is gone.
    peer_done: bool,
}

impl WebSocket {
    pub(in crate::hub) fn new(app: App, stream: Stream, room: Arc<Room>, peer: Peer) -> Self {
        let user = peer.claims.sub;
        Self {
            session: Session::new(app, Transport::WebSocket, room, peer),
            stream,
            user,
            reader: Reader::default(),
            slots: Slots::default(),
            heard_at: Instant::now(),
            bad_frames: 0,
            pace: Pace::default(),
            peer_done: false,
        }
    }

    /// Serves the socket until it is closed.
    #[expect(clippy::manual_async_fn, reason = "an async fn would hold the socket twice in its memory")]
    pub(in crate::hub) fn run(mut self) -> impl Future<Output = ()> + Send {
        async move { self.serve().await }
    }

    async fn serve(&mut self) {
        self.session.close_if_stopping();
        let mut sleep = pin!(tokio::time::sleep_until(self.session.deadline().into()));
        loop {
            self.on_deadline();
            if self.has_sent() {
                self.fill();
            }
            if self.has_sent() {
                self.session.flows();
            } else {
                match self.write() {
                    Ok(()) if self.has_sent() => {
                        tokio::task::coop::consume_budget().await;
                        continue;
                    }
                    Ok(()) => self.session.heed_calls(),
                    Err(error) => {
                        tracing::debug!(%error, "a peer was gone");
                        return;
                    }
                }
            }
            if self.session.is_over(self.peer_done, self.has_sent()) {
                self.stream.say_end();
                return;
            }
            if self.stream.has_input() && !self.peer_done {
                if self.read().is_err() {
                    return;
                }
                tokio::task::coop::consume_budget().await;
                continue;
            }
            let deadline = tokio::time::Instant::from(self.session.deadline());
            if sleep.deadline() != deadline {
                sleep.as_mut().reset(deadline);
            }
            tokio::select! {
                biased;
                ready = self.stream.tcp().readable(), if !self.peer_done => {
                    if ready.and_then(|()| self.read()).is_err() {
                        return;
                    }
                    // Reading what is there costs no budget: a flood would never let others run.
                    tokio::task::coop::consume_budget().await;
                }
                () = self.session.waker.notified() => {}
                ready = self.stream.tcp().writable(), if !self.has_sent() => {
                    if ready.is_err() {
                        return;
                    }
                }
                () = &mut sleep => {}
            }
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
        self.slots.ping = true;
    }

    /// Puts what is next into the outbox, which is empty.
    fn fill(&mut self) {
        if self.session.is_closing() {
            return;
        }
        self.session.greet();
        let outbox = &mut self.session.outbox;
        let said = [self.slots.auth_ok.take(), self.slots.error.take()];
        said.into_iter().flatten().for_each(|frame| outbox.push(frame));
        if let Some(payload) = self.slots.pong.take() {
            outbox.push(frame::pong(&payload));
        }
        if std::mem::take(&mut self.slots.ping) {
            outbox.push(frame::ping());
        }
        self.session.take_turn();
    }

    /// Writes as much of the outbox as the peer takes now.
    fn write(&mut self) -> io::Result<()> {
        let metrics = &self.session.app.hub.inner.metrics;
        let written = loop {
            if self.session.outbox.is_empty() {
                break self.stream.try_flush();
            }
            if let Err(error) = self.session.outbox.write_to(&mut self.stream, metrics) {
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
                self.slots.pong = Some(payload);
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
        self.slots.error = self.session.encode(&ServerFrame::error(ErrorCode::BadFrame, detail));
        Ok(())
    }
}
