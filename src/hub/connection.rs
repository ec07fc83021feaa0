//! One socket: it alone touches its stream. It is woken, takes its turn at the room, and writes what it
//! took in one call; pongs, positions and errors have one pending slot each, so that no peer makes it
//! hold more than a turn.

mod outbox;
mod refusal;
mod renewal;

use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::sync::Notify;

use self::outbox::Outbox;
pub(super) use self::refusal::refuse;
use super::core::{Call, ConnectionKey, Joined, Turn};
use super::metrics::HubMetrics;
use super::protocol::{ClientFrame, CloseCode, ErrorCode, ServerFrame};
use super::room::Room;
use super::ws::frame;
use super::ws::reader::{Message, Reader};
use crate::app::App;
use crate::auth::Claims;
use crate::limits::Pace;
use crate::server::stream::Stream;
use crate::types::{ConnectionId, OrgId, Timestamp, UserId};

/// Between two heartbeats. A peer that is silent for two is gone.
const HEARTBEAT: Duration = Duration::from_secs(25);

/// How long a close may take once we have said it.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);

/// What a socket must take in its window to count as alive though slow.
const SLOW_BYTES: u64 = 16 * 1024;

/// Frames that are none of the protocol, until the socket is closed.
const MAX_BAD_FRAMES: u8 = 3;

/// Bytes read at once: most frames of clients are far smaller.
const READ_BYTES: usize = 4096;

/// Who is at the other end, and where it starts.
pub(super) struct Peer {
    pub(super) id: ConnectionId,
    pub(super) claims: Claims,
    pub(super) joined: Joined,
    pub(super) waker: Arc<Notify>,
}

/// What waits to be said besides activities, one of each.
#[derive(Default)]
struct Slots {
    welcome: Option<Bytes>,
    gap: Option<Bytes>,
    /// The payload of a ping that is not answered yet.
    pong: Option<Vec<u8>>,
    ping: bool,
    error: Option<Bytes>,
    auth_ok: Option<Bytes>,
    /// Whether the peer is to be told its position.
    tell: bool,
}

/// A stretch in which the peer did not take all it could have.
#[derive(Clone, Copy)]
struct Stall {
    since: Instant,
    sent: u64,
}

/// How far a close has come.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Closing {
    No,
    /// The node goes away: the peer was told that it closes then.
    At(Instant),
    /// The close frame is in the outbox or sent; the peer has until then to answer it.
    Until(Instant),
}

pub(super) struct Connection {
    app: App,
    stream: Stream,
    room: Arc<Room>,
    key: ConnectionKey,
    waker: Arc<Notify>,
    org: OrgId,
    user: UserId,
    expires_at: Timestamp,
    /// The same, as the timer counts.
    expires: Instant,
    reader: Reader,
    outbox: Outbox,
    slots: Slots,
    stall: Option<Stall>,
    heard_at: Instant,
    heartbeat_at: Instant,
    bad_frames: u8,
    /// How fast it sends.
    pace: Pace,
    closing: Closing,
    /// The peer has closed, or is gone.
    peer_done: bool,
}

impl Connection {
    pub(super) fn new(app: App, stream: Stream, room: Arc<Room>, peer: Peer) -> Self {
        let Peer { id, claims, joined, waker } = peer;
        let welcome = ServerFrame::Welcome {
            connection_id: id,
            organisation_id: claims.org,
            user_id: claims.sub,
            role: joined.role,
            seq: joined.seq,
            head_seq: joined.head,
            epoch: joined.epoch,
            resumed: joined.resumed,
            heartbeat_seconds: HEARTBEAT.as_secs(),
            token_expires_at: claims.expires_at(),
        };
        let slots = Slots {
            welcome: encode(&welcome),
            gap: joined.gap.and_then(|gap| encode(&ServerFrame::from(gap))),
            ..Slots::default()
        };
        let now = Instant::now();
        app.hub.inner.metrics.sockets.increment(1.0);
        app.hub.inner.metrics.accepted.increment(1);
        Self {
            stream,
            room,
            key: joined.key,
            waker,
            org: claims.org,
            user: claims.sub,
            expires_at: claims.expires_at(),
            expires: now + claims.expires_at().since(app.clock.now()),
            reader: Reader::default(),
            outbox: Outbox::default(),
            slots,
            stall: None,
            heard_at: now,
            // Ten thousand that came at once are not to be pinged at once.
            heartbeat_at: now + HEARTBEAT.mul_f64(0.5 + 0.5 * fraction(id)),
            bad_frames: 0,
            pace: Pace::default(),
            closing: Closing::No,
            peer_done: false,
            app,
        }
    }

    /// Serves the socket until it is closed.
    pub(super) async fn run(mut self) {
        // A stop closes those who are in their rooms when it begins; whoever comes later sees it here.
        if self.app.stop.is_cancelled() {
            self.close(CloseCode::ServiceRestart);
        }
        let mut sleep = pin!(tokio::time::sleep_until(self.deadline().into()));
        loop {
            if Instant::now() >= self.deadline() {
                self.on_deadline();
            }
            if self.has_sent() {
                self.fill();
            }
            if self.has_sent() {
                self.stall = None;
            } else {
                match self.write() {
                    Ok(()) if self.has_sent() => {
                        tokio::task::coop::consume_budget().await;
                        continue;
                    }
                    // A peer that does not read is still closed at once when its access ends. What else it
                    // was woken for is found when the outbox is empty.
                    Ok(()) => {
                        let call = self.room.core.lock().take_call(self.key);
                        if let Some(call) = call {
                            self.on_call(call);
                        }
                    }
                    Err(error) => {
                        tracing::debug!(%error, "a peer was gone");
                        return;
                    }
                }
            }
            if self.is_over() {
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
            let deadline = tokio::time::Instant::from(self.deadline());
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
                () = self.waker.notified() => {}
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
        self.outbox.is_empty() && !self.stream.has_unsent()
    }

    /// Whether the close was said: nothing else is from here on.
    fn is_closing(&self) -> bool {
        matches!(self.closing, Closing::Until(_))
    }

    /// Whether both sides have closed, or time is up.
    fn is_over(&self) -> bool {
        match self.closing {
            Closing::No | Closing::At(_) => self.peer_done,
            Closing::Until(deadline) => Instant::now() >= deadline || (self.peer_done && self.has_sent()),
        }
    }

    /// When something is due.
    fn deadline(&self) -> Instant {
        let closes = match self.closing {
            Closing::Until(deadline) => return deadline,
            Closing::At(moment) => moment,
            Closing::No => self.heartbeat_at,
        };
        let slow = self.app.hub.inner.slow_socket;
        let stalled = self.stall.filter(|_| !slow.is_zero()).map(|stall| stall.since + slow);
        self.heartbeat_at.min(self.expires).min(closes).min(stalled.unwrap_or(self.heartbeat_at))
    }

    fn on_deadline(&mut self) {
        if self.is_closing() {
            return;
        }
        let now = Instant::now();
        if self.close_if_expired() {
            return;
        }
        if matches!(self.closing, Closing::At(moment) if now >= moment) {
            self.close(CloseCode::ServiceRestart);
            return;
        }
        let slow = self.app.hub.inner.slow_socket;
        if let Some(stall) = self.stall
            && !slow.is_zero()
            && now >= stall.since + slow
        {
            let sent = self.sent();
            if sent - stall.sent < SLOW_BYTES {
                self.close(CloseCode::TooSlow);
                return;
            }
            self.stall = Some(Stall { since: now, sent });
        }
        if now >= self.heartbeat_at {
            if now.duration_since(self.heard_at) > HEARTBEAT * 2 {
                tracing::debug!("a peer was silent for two heartbeats");
                self.peer_done = true;
                return;
            }
            self.slots.ping = true;
            self.slots.tell = true;
            self.heartbeat_at = now + HEARTBEAT;
        }
    }

    /// Bytes that the peer's side took so far.
    fn sent(&self) -> u64 {
        self.stream.sent(self.outbox.written())
    }

    /// The token counts by the clock that it was made by; the timer may run a little ahead of it.
    fn close_if_expired(&mut self) -> bool {
        let left = self.expires_at.since(self.app.clock.now());
        if left.is_zero() {
            self.close(CloseCode::Unauthorized);
        } else {
            self.expires = Instant::now() + left;
        }
        left.is_zero()
    }

    /// Puts what is next into the outbox, which is empty.
    fn fill(&mut self) {
        if self.is_closing() {
            return;
        }
        let slots = &mut self.slots;
        let said = [slots.welcome.take(), slots.gap.take(), slots.auth_ok.take(), slots.error.take()];
        for frame in said.into_iter().flatten() {
            self.outbox.push(frame);
        }
        if let Some(payload) = self.slots.pong.take() {
            self.outbox.push(frame::pong(&payload));
        }
        if std::mem::take(&mut self.slots.ping) {
            self.outbox.push(frame::ping());
        }
        if std::mem::take(&mut self.slots.tell) {
            let seq = self.room.core.lock().position(self.key);
            self.outbox.push_frame(&ServerFrame::Pong { seq });
        }
        match self.room.take(self.key) {
            Turn::Send { entries, told } => {
                self.outbox.push_entries(&entries);
                if let Some(seq) = told {
                    self.outbox.push_frame(&ServerFrame::Pong { seq });
                }
            }
            Turn::Gap(gap) => self.outbox.push_frame(&ServerFrame::from(gap)),
            Turn::Wait => {}
            Turn::Called(call) => self.on_call(call),
        }
    }

    /// Does what it is called for.
    fn on_call(&mut self, call: Call) {
        match call {
            Call::GoAway(at) => {
                if !self.is_closing() {
                    self.closing = Closing::At(at);
                    let left = at.saturating_duration_since(Instant::now());
                    let closes_in_ms = u64::try_from(left.as_millis()).unwrap_or(u64::MAX);
                    self.outbox.push_frame(&ServerFrame::GoAway { closes_in_ms });
                }
            }
            Call::Close(code) => self.close(code),
        }
    }

    /// Writes as much of the outbox as the peer takes now.
    fn write(&mut self) -> io::Result<()> {
        let metrics = &self.app.hub.inner.metrics;
        let written = loop {
            if self.outbox.is_empty() {
                break self.stream.try_flush();
            }
            if let Err(error) = self.outbox.write_to(&mut self.stream, metrics) {
                break Err(error);
            }
        };
        match written {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                let sent = self.sent();
                self.stall.get_or_insert_with(|| Stall { since: Instant::now(), sent });
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
                if !self.is_closing() && self.close_if_expired() {
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
    pub(super) fn receive(&mut self, bytes: &[u8]) {
        let mut reader = std::mem::take(&mut self.reader);
        let read = reader.feed(bytes, |message| self.on_frame(message));
        self.reader = reader;
        if let Err(code) = read {
            self.close(code);
        }
    }

    /// Counts a frame, whatever is in it, and takes the message that it completes.
    fn on_frame(&mut self, message: Option<Message>) -> Result<(), CloseCode> {
        if let Some(rate) = self.app.hub.inner.frame_rate
            && !self.is_closing()
            && !self.pace.take(rate, self.app.clock.elapsed())
        {
            return Err(CloseCode::TooMany);
        }
        message.map_or(Ok(()), |message| self.on_message(message))
    }

    fn on_message(&mut self, message: Message) -> Result<(), CloseCode> {
        self.app.hub.inner.metrics.received.increment(1);
        match message {
            Message::Close => {
                self.peer_done = true;
                Err(CloseCode::Normal)
            }
            _ if self.is_closing() => Ok(()),
            Message::Ping(payload) => {
                self.slots.pong = Some(payload);
                Ok(())
            }
            Message::Pong => Ok(()),
            Message::Binary => self.bad_frame("Binary frames are not part of the protocol."),
            Message::Text(text) => match serde_json::from_str(&text) {
                Ok(ClientFrame::Ping) => {
                    self.slots.tell = true;
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
        self.slots.error = encode(&ServerFrame::error(ErrorCode::BadFrame, detail));
        Ok(())
    }

    /// Says that it closes, after the frame that is half written, and nothing else from here on.
    fn close(&mut self, code: CloseCode) {
        if self.is_closing() {
            return;
        }
        tracing::debug!(close.code = code.code(), "a socket closes");
        HubMetrics::closed(code);
        self.outbox.keep_only_begun();
        self.outbox.push(frame::close(code));
        self.closing = Closing::Until(Instant::now() + CLOSE_TIMEOUT);
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.room.leave(self.key);
        self.app.hub.inner.metrics.sockets.decrement(1.0);
    }
}

/// Encodes a frame of ours; these cannot fail, and a peer could do nothing about it if one did.
fn encode(frame: &ServerFrame) -> Option<Bytes> {
    serde_json::to_vec(frame).ok().map(|json| frame::text(&json))
}

/// A fraction of 1 from the random bits of an id.
fn fraction(id: ConnectionId) -> f64 {
    let [.., high, low] = *id.as_uuid().as_bytes();
    f64::from(u16::from_be_bytes([high, low])) / f64::from(u16::MAX)
}
