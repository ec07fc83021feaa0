//! A room's decisions, without I/O: where its cursor is, what it remembers, who is owed what, and who may
//! enter. Tasks drive it; property tests drive it over arbitrary interleavings.
//!
//! A connection owns no queue. It is caught up, which is to be at the cursor, or behind a position. Live
//! delivery, a slow reader and a resume are one path: [`Core::take`].

mod access;
mod append;
mod broken;
mod cache;
mod connections;
mod entry;
mod follow;
mod online;
pub mod presence;
#[cfg(test)]
mod tests;
mod turns;
mod types;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

pub use access::{AccessSnapshot, Admitted, Denied, SocketsOf};
pub use cache::BlockNumber;
pub use connections::ConnectionKey;
pub use entry::Entry;
pub use follow::{Counts, REORDER_WINDOW};
pub use types::{
    Call, Diverged, GapReason, Join, Joined, LogRead, Mark, Opening, ResumeGap, SocketLimits, Sweep, Taken,
    Told, Turn, Wake, Work,
};

use access::AccessView;
use cache::Cache;
use connections::{Connection, Connections, Position};
use follow::Hints;
use presence::{Company, Presence};

use super::protocol::CloseCode;
use crate::config::{Broken, PresenceTimes, Protection};
use crate::types::{ActivityId, EpochId, Role, Seq, SessionId, Timestamp, UserId};

/// Most frames that a connection takes on one turn.
pub const TURN_FRAMES: usize = 64;

/// Most bytes of frames that a connection takes on one turn, unless one frame alone has more.
pub const TURN_BYTES: usize = 64 * 1024;

/// Most entries that are looked at on one turn, so that a walk past what is for others does not hold the
/// room's lock for long.
const TURN_LOOKS: usize = 4096;

/// A peer is told its position after so many entries that were not for it.
const TELL_AFTER: i64 = 1000;

/// How much later than that it may be, so that not every append looks for peers who are due.
const TELL_SLACK: i64 = 32;

/// A room whose view of its log is older than this refuses rather than guesses.
pub const STALE_AFTER: Duration = Duration::from_secs(5);

/// A room that knows for so long that its log goes on, and has not read how, refuses too.
const BEHIND_AFTER: Duration = Duration::from_secs(1);

/// A room's state. See the module.
pub struct Core<W> {
    open: Option<Open>,
    hints: Hints,
    counts: Counts,
    connections: Connections<W>,
    presence: Presence,
    max_bytes: usize,
    sockets: SocketLimits,
    broken: Broken,
    ended: Option<Ended>,
}

/// Why nobody may join a room any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ended {
    /// Nobody was in it for long.
    Unused,
    /// Its log was replaced by another; this was its epoch.
    Diverged(EpochId),
    /// What followed its cursor is no longer kept.
    Outrun,
}

/// What a room has once it is open.
struct Open {
    epoch: EpochId,
    first_seq: Seq,
    cursor: Seq,
    cursor_id: Option<ActivityId>,
    cache: Cache,
    access: AccessView,
    /// Up to when this node knows that the cursor was the head.
    confirmed_at: Instant,
    /// The first head that was seen beyond the cursor, and when it was read: how fresh the room is when it
    /// comes there.
    awaited: Option<(Seq, Instant)>,
    /// Blocks that somebody who is behind needs, and from where on.
    wanted: BTreeMap<BlockNumber, Seq>,
    /// No peer is due to be told its position before the cursor comes here.
    next_tell: Seq,
    /// Somebody was held back because the view was stale.
    held_back: bool,
    /// Nobody is caught up, for certain: what is for everyone then wakes nobody.
    all_behind: bool,
}

impl<W: Wake> Core<W> {
    /// A room that is not open yet. What is offered meanwhile is kept and merged. It remembers at most
    /// some `max_bytes` of its log, and has no more `sockets` than these.
    pub fn new(max_bytes: usize, sockets: SocketLimits, broken: Broken) -> Self {
        Self {
            open: None,
            hints: Hints::default(),
            counts: Counts::default(),
            connections: Connections::new(),
            presence: Presence::new(PresenceTimes::default(), Company::Alone, Instant::now()),
            max_bytes,
            sockets,
            broken,
            ended: None,
        }
    }

    /// With this in the place of who is online on this node alone.
    #[must_use]
    pub fn with_presence(mut self, presence: Presence) -> Self {
        self.presence = presence;
        self
    }

    /// Opens the room at the head of its log, read after the room began to be offered what is committed.
    pub fn open(&mut self, opening: Opening, read_at: Instant) {
        let Opening { head, access } = opening;
        self.open = Some(Open {
            epoch: head.epoch,
            first_seq: head.first_seq,
            cursor: head.last_seq,
            cursor_id: head.last_id,
            cache: Cache::new(self.max_bytes),
            access: AccessView::load(access),
            confirmed_at: read_at,
            awaited: None,
            wanted: BTreeMap::new(),
            next_tell: head.last_seq.plus(TELL_AFTER),
            held_back: false,
            all_behind: false,
        });
        self.merge_hints(read_at);
    }

    /// Whether nobody is connected.
    pub fn is_empty(&self) -> bool {
        self.connections.is_empty()
    }

    /// Ends the room if nobody is connected: whoever comes later finds it ended and looks for another.
    pub fn end_if_empty(&mut self) -> bool {
        if self.connections.is_empty() {
            self.ended.get_or_insert(Ended::Unused);
        }
        self.ended.is_some()
    }

    /// Whether the room has ended: nothing of it counts, and nobody may join.
    pub fn is_ended(&self) -> bool {
        self.ended.is_some()
    }

    /// How many are connected.
    pub fn len(&self) -> usize {
        self.connections.len()
    }

    /// Where the room stands, for comparing with a head that is read after this call.
    pub fn mark(&self) -> Option<Mark> {
        self.open.as_ref().map(|open| Mark { epoch: open.epoch, seq: open.cursor, id: open.cursor_id })
    }

    /// Bytes of the log that are remembered, roughly.
    pub fn cached_bytes(&self) -> usize {
        self.open.as_ref().map_or(0, |open| open.cache.bytes()) + self.hints.bytes()
    }

    /// Forgets all but the newest entry of the log. Who is behind asks for its block again.
    pub fn forget(&mut self) {
        self.hints.forget();
        if let Some(open) = &mut self.open {
            open.cache.clear_blocks();
            open.cache.shrink_to(0);
        }
    }

    /// Closes everybody who is connected.
    pub fn close_all(&mut self, code: CloseCode) {
        self.connections.close(code, |_| true);
    }

    /// Names everybody who is connected.
    pub fn keys(&self) -> Vec<ConnectionKey> {
        self.connections.keys()
    }

    /// Has a connection told that it is closed at this moment. What it is owed goes on until then.
    pub fn go_away(&mut self, key: ConnectionKey, at: Instant) {
        self.connections.go_away(key, at);
    }

    /// Whether the bearer of a token may enter now.
    pub fn check(&self, user: UserId, session: SessionId, now: Instant) -> Result<Admitted, Denied> {
        let open = self.open.as_ref().filter(|_| self.ended.is_none()).ok_or(Denied::Stale)?;
        // What is known to be there and not read yet may end their access.
        let is_behind =
            open.awaited.is_some_and(|(_, read_at)| now.saturating_duration_since(read_at) > BEHIND_AFTER);
        if is_behind || is_stale(open.confirmed_at, now) {
            return Err(Denied::Stale);
        }
        let checked = open.access.check(user, session);
        if self.broken.lacks(Protection::AccessView) {
            return checked.or_else(|denied| open.access.find(user).ok_or(denied));
        }
        checked
    }

    /// Refuses one more socket than may be. Those that are being closed do not count.
    fn require_place(&self, user: UserId) -> Result<(), Denied> {
        let SocketLimits { per_user, per_organisation } = self.sockets;
        if per_user.is_some_and(|limit| self.connections.staying_of(user) >= limit) {
            return Err(Denied::TooManySockets(SocketsOf::User));
        }
        if per_organisation.is_some_and(|limit| self.connections.staying() >= limit) {
            return Err(Denied::TooManySockets(SocketsOf::Organisation));
        }
        Ok(())
    }

    /// Adds a connection, then checks whether it may be there: nothing that ends its access can fall
    /// between the two, nor can others take more places than there are.
    pub fn join(&mut self, join: &Join, waker: W, now: Instant) -> Result<Joined, Denied> {
        let admitted = self.check(join.user, join.session, now)?;
        self.require_place(join.user)?;
        let Some(open) = &mut self.open else {
            return Err(Denied::Stale);
        };
        let head = open.cursor;
        let beyond_head = ResumeGap { reason: GapReason::AheadOfLog, next_seq: head.next() };
        let (seq, gap) = match (join.after, join.epoch) {
            (None, _) => (head, None),
            (Some(_), Some(epoch)) if epoch != open.epoch => {
                (head, Some(ResumeGap { reason: GapReason::EpochChanged, ..beyond_head }))
            }
            (Some(after), _) if after > head => (head, Some(beyond_head)),
            (Some(after), _) if after.next() < open.first_seq => {
                let gap = ResumeGap { reason: GapReason::Expired, next_seq: open.first_seq };
                (open.first_seq.previous(), Some(gap))
            }
            (Some(after), _) => (after, None),
        };
        let position = if seq < head { Position::Behind(seq) } else { Position::CaughtUp };
        open.next_tell = open.next_tell.min(seq.plus(TELL_AFTER));
        open.all_behind &= position != Position::CaughtUp;
        let connection = Connection {
            user: join.user,
            session: join.session,
            position,
            told: seq,
            call: None,
            watch: join.presence.then(|| self.presence.watch()),
            watch_waits: false,
            waker,
        };
        self.presence.joined(join.user, join.at, now);
        let key = self.connections.insert(connection, admitted.role);
        let resumed = join.after.is_some() && gap.is_none();
        Ok(Joined { key, role: admitted.role, seq, head, epoch: open.epoch, gap, resumed })
    }

    /// Puts another session of the same user in the place of a connection's, if that may enter.
    pub fn renew(
        &mut self,
        key: ConnectionKey,
        user: UserId,
        session: SessionId,
        now: Instant,
    ) -> Result<Role, Denied> {
        let admitted = self.check(user, session, now)?;
        let connection = self.connections.get_mut(key).filter(|connection| connection.user == user);
        let connection = connection.ok_or(Denied::UserUnknown)?;
        connection.session = session;
        Ok(admitted.role)
    }

    /// Removes a connection.
    pub fn leave(&mut self, key: ConnectionKey, now: Instant) {
        if let Some(user) = self.connections.remove(key) {
            self.presence.left(user, now);
        }
        if let Some(open) = &mut self.open
            && self.connections.is_empty()
        {
            open.wanted.clear();
            open.cache.clear_blocks();
        }
    }

    /// What a connection is called for, if anything, for one that cannot take its turn.
    pub fn take_call(&mut self, key: ConnectionKey) -> Option<Call> {
        self.connections.get_mut(key).and_then(Connection::take_call)
    }

    /// Forgets sessions that ended before `moment`: no token of theirs is alive.
    pub fn forget_ended_before(&mut self, moment: Timestamp) {
        if let Some(open) = &mut self.open {
            open.access.forget_ended_before(moment);
        }
    }
}

fn is_stale(confirmed_at: Instant, now: Instant) -> bool {
    now.saturating_duration_since(confirmed_at) > STALE_AFTER
}
