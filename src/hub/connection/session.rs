//! What a peer is owed and when, whatever carries it.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;

use super::outbox::Outbox;
use super::{CLOSE_TIMEOUT, Transport};
use crate::app::App;
use crate::auth::Claims;
use crate::hub::core::{Call, ConnectionKey, Joined, Turn};
use crate::hub::metrics::HubMetrics;
use crate::hub::protocol::{CloseCode, ServerFrame};
use crate::hub::room::Room;
use crate::types::{ConnectionId, Timestamp};

/// What a peer must take in its window to count as alive though slow.
const SLOW_BYTES: u64 = 16 * 1024;

/// Who is at the other end, and where it starts.
pub(in crate::hub) struct Peer {
    pub(in crate::hub) id: ConnectionId,
    pub(in crate::hub) claims: Claims,
    pub(in crate::hub) joined: Joined,
}

impl Peer {
    /// A fraction of 1 by which peers that came together are told apart, so that they do not do everything together.
    pub(super) fn fraction(&self) -> f64 {
        fraction(self.id)
    }
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
    /// That it closes is in the outbox or sent; the peer has until then to take and answer it.
    Until(Instant),
}

/// What a transport has to do at a deadline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Due {
    /// Nothing that the session has not done.
    Nothing,
    /// Show that the connection lives.
    Heartbeat,
}

/// A peer in its room. What it is told waits in the outbox, a turn at most; what is not of the log has one
/// pending slot each, so that no peer makes it hold more.
pub(in crate::hub) struct Session {
    pub(super) app: App,
    pub(super) room: Arc<Room>,
    pub(super) key: ConnectionKey,
    pub(super) outbox: Outbox,
    transport: Transport,
    /// Whether the peer is to be told its position.
    tell: bool,
    expires_at: Timestamp,
    /// The same, as the timer counts.
    expires: Instant,
    stall: Option<Stall>,
    heartbeat_at: Instant,
    closing: Closing,
}

impl Session {
    /// A peer that has joined, with what comes before anything else in its outbox, a `preface`
    /// of its transport first. It leaves its room when it is dropped.
    pub(in crate::hub) fn new(
        app: App,
        transport: Transport,
        room: Arc<Room>,
        peer: Peer,
        preface: Option<Bytes>,
    ) -> Self {
        let Peer { id, claims, joined } = peer;
        let heartbeat = transport.heartbeat(&app.config.server.timeouts);
        let welcome = ServerFrame::Welcome {
            connection_id: id,
            organisation_id: claims.org,
            user_id: claims.sub,
            role: joined.role,
            seq: joined.seq,
            head_seq: joined.head,
            epoch: joined.epoch,
            resumed: joined.resumed,
            heartbeat_seconds: heartbeat.as_secs(),
            token_expires_at: claims.expires_at(),
        };
        let now = Instant::now();
        app.hub.inner.metrics.opened(transport);
        let gap = joined.gap.and_then(|gap| transport.frame(&ServerFrame::from(gap)));
        let mut outbox = Outbox::default();
        [preface, transport.frame(&welcome), gap].into_iter().flatten().for_each(|frame| outbox.push(frame));
        Self {
            tell: false,
            room,
            key: joined.key,
            outbox,
            transport,
            expires_at: claims.expires_at(),
            expires: now + claims.expires_at().since(app.clock.now()),
            stall: None,
            // Ten thousand that came at once are not to be pinged at once.
            heartbeat_at: now + heartbeat.mul_f64(0.5 + 0.5 * fraction(id)),
            closing: Closing::No,
            app,
        }
    }

    /// Ends the session of somebody who came while the node stops: a stop closes those who are in their
    /// rooms when it begins.
    pub(super) fn close_if_stopping(&mut self) {
        if self.app.stop.is_cancelled() {
            self.close(CloseCode::ServiceRestart);
        }
    }

    /// Whether the close was said: nothing else is from here on.
    pub(super) fn is_closing(&self) -> bool {
        matches!(self.closing, Closing::Until(_))
    }

    /// Whether both sides have done with it, or time is up.
    pub(super) fn is_over(&self, peer_done: bool, has_sent: bool) -> bool {
        match self.closing {
            Closing::No | Closing::At(_) => peer_done,
            Closing::Until(deadline) => Instant::now() >= deadline || (peer_done && has_sent),
        }
    }

    /// When something is due.
    pub(super) fn deadline(&self) -> Instant {
        let closes = match self.closing {
            Closing::Until(deadline) => return deadline,
            Closing::At(moment) => moment,
            Closing::No => self.heartbeat_at,
        };
        let slow = self.app.hub.inner.slow_socket;
        let stalled = self.stall.filter(|_| !slow.is_zero()).map(|stall| stall.since + slow);
        self.heartbeat_at.min(self.expires).min(closes).min(stalled.unwrap_or(self.heartbeat_at))
    }

    /// Whether something is due.
    pub(super) fn is_due(&self, now: Instant) -> bool {
        now >= self.deadline()
    }

    /// Does what is due. `sent` counts the bytes that the peer's side took so far.
    pub(super) fn on_deadline(&mut self, sent: u64) -> Due {
        let now = Instant::now();
        if self.is_closing() || now < self.deadline() || self.close_if_expired() {
            return Due::Nothing;
        }
        if matches!(self.closing, Closing::At(moment) if now >= moment) {
            self.close(CloseCode::ServiceRestart);
            return Due::Nothing;
        }
        let slow = self.app.hub.inner.slow_socket;
        if let Some(stall) = self.stall
            && !slow.is_zero()
            && now >= stall.since + slow
        {
            if sent - stall.sent < SLOW_BYTES {
                self.close(CloseCode::TooSlow);
                return Due::Nothing;
            }
            self.stall = Some(Stall { since: now, sent });
        }
        if now < self.heartbeat_at {
            return Due::Nothing;
        }
        self.tell = true;
        self.heartbeat_at = now + self.transport.heartbeat(&self.app.config.server.timeouts);
        Due::Heartbeat
    }

    /// The token counts by the clock that it was made by; the timer may run a little ahead of it.
    pub(super) fn close_if_expired(&mut self) -> bool {
        let left = self.expires_at.since(self.app.clock.now());
        if left.is_zero() {
            self.close(CloseCode::Unauthorized);
        } else {
            self.expires = Instant::now() + left;
        }
        left.is_zero()
    }

    /// Another token counts from now on.
    pub(super) fn extend(&mut self, expires_at: Timestamp) {
        self.expires_at = expires_at;
        self.expires = Instant::now() + expires_at.since(self.app.clock.now());
    }

    /// The peer took all that there was.
    pub(super) fn flows(&mut self) {
        self.stall = None;
    }

    /// The peer does not take what there is, having taken so many bytes so far.
    pub(super) fn stalls(&mut self, sent: u64) {
        self.stall.get_or_insert_with(|| Stall { since: Instant::now(), sent });
    }

    /// Has the peer told its position.
    pub(super) fn tell_position(&mut self) {
        self.tell = true;
    }

    /// A frame of ours as this peer is sent it.
    pub(super) fn encode(&self, frame: &ServerFrame) -> Option<Bytes> {
        self.transport.frame(frame)
    }

    /// Puts what is next into the outbox, which holds no activities. Whether more may follow at once: otherwise
    /// the room wakes it.
    pub(super) fn take_turn(&mut self, now: Instant) -> bool {
        if std::mem::take(&mut self.tell) {
            let seq = self.room.core.lock().position(self.key);
            self.say(&ServerFrame::Pong { seq });
        }
        match self.room.take(self.key, now) {
            Turn::Send { entries, told, more } => {
                self.outbox.push_entries(&entries, self.transport);
                if let Some(seq) = told {
                    self.say(&ServerFrame::Pong { seq });
                }
                return more;
            }
            Turn::Gap(gap) => self.say(&ServerFrame::from(gap)),
            Turn::Presence(chunk) => self.outbox.push(self.transport.presence(&chunk)),
            Turn::Wait => return false,
            Turn::Called(call) => self.on_call(call),
        }
        true
    }

    /// Does what it is called for, where the outbox is not empty: a peer that does not read is still closed
    /// at once when its access ends. What else it was woken for is found when the outbox is empty.
    pub(super) fn heed_calls(&mut self) {
        let call = self.room.core.lock().take_call(self.key);
        if let Some(call) = call {
            self.on_call(call);
        }
    }

    fn on_call(&mut self, call: Call) {
        match call {
            Call::GoAway(at) => {
                if !self.is_closing() {
                    self.closing = Closing::At(at);
                    let left = at.saturating_duration_since(Instant::now());
                    let closes_in_ms = u64::try_from(left.as_millis()).unwrap_or(u64::MAX);
                    self.say(&ServerFrame::GoAway { closes_in_ms });
                }
            }
            Call::Close(code) => self.close(code),
        }
    }

    fn say(&mut self, frame: &ServerFrame) {
        if let Some(frame) = self.encode(frame) {
            self.outbox.push(frame);
        }
    }

    /// Says that it closes, after the frame that is half written, and nothing else from here on.
    pub(super) fn close(&mut self, code: CloseCode) {
        if self.is_closing() {
            return;
        }
        tracing::debug!(organisation.id = %self.room.org, close.code = code.code(), "a socket closes");
        HubMetrics::closed(code);
        self.outbox.keep_only_begun();
        self.outbox.push(self.transport.close(code));
        self.closing = Closing::Until(Instant::now() + CLOSE_TIMEOUT);
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.room.leave(self.key);
        self.app.hub.inner.metrics.ended(self.transport);
    }
}

/// A fraction of 1 from the random bits of an id.
fn fraction(id: ConnectionId) -> f64 {
    let [.., high, low] = *id.as_uuid().as_bytes();
    f64::from(u16::from_be_bytes([high, low])) / f64::from(u16::MAX)
}
