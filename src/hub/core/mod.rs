//! A room's decisions, without I/O: where its cursor is, what it remembers, who is owed what, and who may
//! enter. Tasks drive it; property tests drive it over arbitrary interleavings.
//!
//! A connection owns no queue. It is caught up, which is to be at the cursor, or behind a position. Live
//! delivery, a slow reader and a resume are one path: [`Core::take`].

mod access;
mod broken;
mod cache;
mod connections;
mod entry;
#[cfg(test)]
mod tests;
mod types;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

pub use access::{AccessSnapshot, Admitted, Denied, SocketsOf};
pub use cache::BlockNumber;
pub use connections::ConnectionKey;
pub use entry::Entry;
pub use types::{
    Call, Diverged, GapReason, Join, Joined, Mark, Opening, ResumeGap, SocketLimits, Sweep, Turn, Wake, Work,
};

use access::AccessView;
use cache::Cache;
use connections::{Connection, Connections, Position};

use super::protocol::CloseCode;
use crate::activity::Head;
use crate::config::{Broken, Protection};
use crate::types::{AccessEffect, ActivityId, Audience, EpochId, Role, Seq, SessionId, Timestamp, UserId};

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

/// Most entries that wait for what is missing before them. What does not fit is read from the log.
const MAX_PENDING: usize = 256;

/// A room whose view of its log is older than this refuses rather than guesses.
pub const STALE_AFTER: Duration = Duration::from_secs(5);

/// A room's state. See the module.
pub struct Core<W> {
    open: Option<Open>,
    pending: BTreeMap<Seq, Arc<Entry>>,
    connections: Connections<W>,
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
    /// The last position that is known to exist, by whatever told of it.
    known: Seq,
    /// The first head that was seen beyond the cursor, and when it was read: how fresh the room is when it
    /// comes there.
    awaited: Option<(Seq, Instant)>,
    /// Blocks that somebody who is behind needs, and from where on.
    wanted: BTreeMap<BlockNumber, Seq>,
    /// No peer is due to be told its position before the cursor comes here.
    next_tell: Seq,
    /// Somebody was held back because the view was stale.
    held_back: bool,
}

impl<W: Wake> Core<W> {
    /// A room that is not open yet. What is offered meanwhile is kept and merged. It remembers at most
    /// some `max_bytes` of its log, and has no more `sockets` than these.
    pub fn new(max_bytes: usize, sockets: SocketLimits, broken: Broken) -> Self {
        let (pending, connections) = (BTreeMap::new(), Connections::new());
        Self { open: None, pending, connections, max_bytes, sockets, broken, ended: None }
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
            known: head.last_seq,
            awaited: None,
            wanted: BTreeMap::new(),
            next_tell: head.last_seq.plus(TELL_AFTER),
            held_back: false,
        });
        self.pending = self.pending.split_off(&head.last_seq.next());
        self.drain_pending();
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
        let pending: usize = self.pending.values().map(|entry| entry.cost()).sum();
        self.open.as_ref().map_or(0, |open| open.cache.bytes()) + pending
    }

    /// Forgets all but the newest entry of the log. Who is behind asks for its block again.
    pub fn forget(&mut self) {
        if let Some(open) = &mut self.open {
            open.cache.clear_blocks();
            open.cache.shrink_to(0);
        }
    }

    /// Takes committed entries, in whatever order and however often they come.
    pub fn offer(&mut self, entries: impl IntoIterator<Item = Arc<Entry>>) -> Result<(), Diverged> {
        for entry in entries {
            let seq = entry.seq();
            match &self.open {
                Some(open) if seq == open.cursor.next() => {
                    self.append(entry);
                    self.drain_pending();
                }
                Some(open) if seq == open.cursor && open.cursor_id != Some(entry.log.id) => {
                    let epoch = open.epoch;
                    return Err(self.diverge(epoch));
                }
                Some(open) if seq <= open.cursor => {
                    if self.broken.lacks(Protection::DuplicateDrop) {
                        self.deliver_again(&entry);
                    }
                }
                Some(_) if self.broken.lacks(Protection::ReorderWindow) => self.append_skipping(entry),
                Some(_) | None => {
                    if self.pending.len() < MAX_PENDING {
                        self.pending.insert(seq, entry);
                    } else if let Some(open) = &mut self.open {
                        // It is read from the log when what is missing before it has been.
                        open.known = open.known.max(seq);
                    }
                }
            }
        }
        Ok(())
    }

    fn drain_pending(&mut self) {
        while let Some(open) = &self.open {
            let Some(entry) = self.pending.remove(&open.cursor.next()) else {
                break;
            };
            self.append(entry);
        }
    }

    /// Moves the cursor on by one entry: its effect on access first, at its place, then whom it is for.
    fn append(&mut self, entry: Arc<Entry>) {
        let Some(open) = &mut self.open else { return };
        let seq = entry.seq();
        if let Some(effect) = &entry.log.effect
            && !broken::ignores(self.broken, effect)
        {
            open.access.apply(seq, entry.log.created_at, effect);
            apply_to_connections(&mut self.connections, effect);
        }
        let before = seq.previous();
        open.cursor = seq;
        open.cursor_id = Some(entry.log.id);
        if let Some((awaited, read_at)) = open.awaited
            && awaited <= seq
        {
            open.awaited = None;
            open.confirm(read_at, &mut self.connections);
        }
        let access = &open.access;
        let audience = &entry.log.audience;
        let mut touch = |connection: &mut Connection<W>| {
            let role = access.role_at(connection.user, seq);
            if connection.position == Position::CaughtUp
                && role.is_some_and(|role| audience.includes(connection.user, role))
            {
                connection.position = Position::Behind(before);
                connection.waker.wake();
            }
        };
        match audience {
            Audience::Everyone => self.connections.for_each(touch),
            Audience::Admins => {
                for admin in self.connections.admins() {
                    self.connections.for_user(admin, &mut touch);
                }
            }
            Audience::AdminsAnd(user) => {
                for admin in self.connections.admins() {
                    self.connections.for_user(admin, &mut touch);
                }
                self.connections.for_user(*user, touch);
            }
            Audience::Users(users) => {
                for user in users.iter() {
                    self.connections.for_user(*user, &mut touch);
                }
            }
        }
        open.cache.push(entry);
        self.wake_those_to_tell();
    }

    /// Wakes the peers that have not been told their position for [`TELL_AFTER`] entries.
    fn wake_those_to_tell(&mut self) {
        let Some(open) = &mut self.open else { return };
        let cursor = open.cursor;
        if cursor < open.next_tell {
            return;
        }
        let mut earliest = cursor.plus(TELL_AFTER);
        self.connections.for_each(|connection| {
            let due = connection.told.plus(TELL_AFTER);
            if due > cursor {
                earliest = earliest.min(due);
            } else if connection.position == Position::CaughtUp {
                connection.position = Position::Behind(cursor);
                connection.waker.wake();
            }
        });
        open.next_tell = earliest.max(cursor.plus(TELL_SLACK));
    }

    /// Compares the log's head, read at `read_at`, with where the room stood before that.
    pub fn sweep(&mut self, before: Mark, head: &Head, read_at: Instant) -> Result<Sweep, Diverged> {
        let Some(open) = &mut self.open else {
            return Ok(Sweep::Nothing);
        };
        if self.broken.lacks(Protection::Sweep) {
            open.confirm(read_at, &mut self.connections);
            return Ok(Sweep::Nothing);
        }
        let replaced = head.epoch != before.epoch
            || open.epoch != before.epoch
            || head.last_seq < before.seq
            || (head.last_seq == before.seq && head.last_id != before.id);
        if replaced {
            let epoch = open.epoch;
            return Err(self.diverge(epoch));
        }
        open.first_seq = open.first_seq.max(head.first_seq);
        if head.last_seq <= open.cursor {
            open.confirm(read_at, &mut self.connections);
            return Ok(Sweep::Nothing);
        }
        open.known = open.known.max(head.last_seq);
        open.awaited.get_or_insert((head.last_seq, read_at));
        Ok(Sweep::Behind)
    }

    fn diverge(&mut self, epoch: EpochId) -> Diverged {
        self.ended = Some(Ended::Diverged(epoch));
        self.close_all(CloseCode::ServiceRestart);
        Diverged
    }

    /// Ends the room because what follows its cursor was deleted before it could be read. Whoever comes back
    /// is told from where the log is kept. False where it has ended before, for a reason that stands.
    pub fn outrun(&mut self) -> bool {
        if self.ended.is_some() {
            return false;
        }
        self.ended = Some(Ended::Outrun);
        self.close_all(CloseCode::ServiceRestart);
        true
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

    /// What the room's task has to do next, if anything.
    pub fn work(&self) -> Option<Work> {
        match self.ended {
            Some(Ended::Diverged(epoch)) => return Some(Work::RenewEpoch(epoch)),
            Some(Ended::Unused | Ended::Outrun) => return None,
            None => {}
        }
        // What everybody waits for, and who may enter, goes before what some replay.
        if let Some((from, to)) = self.gap() {
            return Some(Work::FillGap(from, to));
        }
        let open = self.open.as_ref()?;
        let block = *open.wanted.keys().next()?;
        Some(Work::ReadBlock(block, block.last().min(open.cursor)))
    }

    /// What is missing before what is known, if anything; at most a block, so that one read stays short.
    pub fn gap(&self) -> Option<(Seq, Seq)> {
        let open = self.open.as_ref()?;
        let next_known = self.pending.keys().next().map(|seq| seq.previous());
        let last_missing = next_known.unwrap_or(open.known);
        let until = last_missing.min(open.cursor.plus(cache::BLOCK));
        (until > open.cursor).then(|| (open.cursor.next(), until))
    }

    /// Whether what is missing may still come by itself: something after it has.
    pub fn expects_missing(&self) -> bool {
        !self.pending.is_empty()
    }

    /// Takes a block that was read: its kept entries, in order and without holes. Empty where retention
    /// has removed it meanwhile; `first_seq` is then where the log begins.
    pub fn block_read(&mut self, number: BlockNumber, entries: Vec<Arc<Entry>>, first_seq: Seq) {
        let Some(open) = &mut self.open else { return };
        let wanted = open.wanted.remove(&number);
        open.first_seq = open.first_seq.max(first_seq);
        if !entries.is_empty() {
            open.cache.insert_block(number, entries, wanted);
        }
        self.connections.for_each(|connection| {
            if let Position::Behind(seq) = connection.position
                && BlockNumber::of(seq.next()) <= number
            {
                connection.waker.wake();
            }
        });
    }

    /// Whether the bearer of a token may enter now.
    pub fn check(&self, user: UserId, session: SessionId, now: Instant) -> Result<Admitted, Denied> {
        let open = self.open.as_ref().filter(|_| self.ended.is_none()).ok_or(Denied::Stale)?;
        if is_stale(open.confirmed_at, now) {
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
        let connection =
            Connection { user: join.user, session: join.session, position, told: seq, call: None, waker };
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
    pub fn leave(&mut self, key: ConnectionKey) {
        self.connections.remove(key);
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

    /// Up to where everything that is for this connection has been taken.
    pub fn position(&mut self, key: ConnectionKey) -> Seq {
        let cursor = self.open.as_ref().map_or(Seq::ZERO, |open| open.cursor);
        let Some(connection) = self.connections.get_mut(key) else {
            return Seq::ZERO;
        };
        let position = match connection.position {
            Position::CaughtUp => cursor,
            Position::Behind(seq) => seq,
        };
        connection.told = connection.told.max(position);
        position
    }

    /// A connection's turn: what is next for it, at most [`TURN_FRAMES`] and [`TURN_BYTES`]. It is caught
    /// up again only here, under the room's lock, when nothing remains.
    pub fn take(&mut self, key: ConnectionKey, now: Instant) -> Turn {
        let Some(connection) = self.connections.get_mut(key) else {
            return Turn::Wait;
        };
        if let Some(call) = connection.take_call() {
            return Turn::Called(call);
        }
        let Some(open) = &mut self.open else {
            return Turn::Wait;
        };
        let Position::Behind(mut position) = connection.position else {
            return Turn::Wait;
        };
        if is_stale(open.confirmed_at, now) {
            open.held_back = true;
            return Turn::Wait;
        }
        let mut needs_block = false;
        let (mut entries, mut bytes) = (Vec::new(), 0);
        let looked_until = position.plus(i64::try_from(TURN_LOOKS).unwrap_or(i64::MAX)).min(open.cursor);
        while position < looked_until {
            let seq = position.next();
            if seq < open.first_seq {
                if entries.is_empty() {
                    connection.position = Position::Behind(open.first_seq.previous());
                    return Turn::Gap(ResumeGap { reason: GapReason::Expired, next_seq: open.first_seq });
                }
                break;
            }
            let Some(entry) = open.cache.get(seq) else {
                let wanted = open.wanted.entry(BlockNumber::of(seq)).or_insert(seq);
                *wanted = seq.min(*wanted);
                needs_block = true;
                break;
            };
            let role = open.access.role_at(connection.user, seq);
            if role.is_some_and(|role| entry.log.audience.includes(connection.user, role)) {
                let length = entry.log.json.len();
                if entries.len() == TURN_FRAMES || (bytes > 0 && bytes + length > TURN_BYTES) {
                    break;
                }
                bytes += length;
                entries.push(Arc::clone(entry));
                connection.told = seq;
            }
            position = seq;
        }
        connection.position =
            if position < open.cursor { Position::Behind(position) } else { Position::CaughtUp };
        let due = position.since(connection.told) >= TELL_AFTER;
        let told = due.then_some(position);
        if let Some(told) = told {
            connection.told = told;
        }
        if entries.is_empty() && told.is_none() {
            // It stopped after many entries that were for others: its next turn goes on from there.
            if connection.position != Position::CaughtUp && !needs_block {
                connection.waker.wake();
            }
            return Turn::Wait;
        }
        Turn::Send { entries, told }
    }

    /// Forgets sessions that ended before `moment`: no token of theirs is alive.
    pub fn forget_ended_before(&mut self, moment: Timestamp) {
        if let Some(open) = &mut self.open {
            open.access.forget_ended_before(moment);
        }
    }
}

impl Open {
    /// Notes that at `read_at` the cursor was the head, and lets go whom it held back.
    fn confirm<W: Wake>(&mut self, read_at: Instant, connections: &mut Connections<W>) {
        self.confirmed_at = self.confirmed_at.max(read_at);
        if std::mem::take(&mut self.held_back) {
            connections.for_each(|connection| {
                if connection.position != Position::CaughtUp {
                    connection.waker.wake();
                }
            });
        }
    }
}

fn is_stale(confirmed_at: Instant, now: Instant) -> bool {
    now.saturating_duration_since(confirmed_at) > STALE_AFTER
}

/// Closes whom an effect ends, and re-indexes whom it moves.
fn apply_to_connections<W: Wake>(connections: &mut Connections<W>, effect: &AccessEffect) {
    match effect {
        AccessEffect::UserRemoved { user } => {
            connections.close(CloseCode::Removed, |connection| connection.user == *user);
        }
        AccessEffect::SessionEnded { session } => {
            connections.close(CloseCode::Unauthorized, |connection| connection.session == *session);
        }
        AccessEffect::RoleChanged { user, role } => connections.set_role(*user, *role),
        AccessEffect::UserJoined { .. }
        | AccessEffect::UserRenamed { .. }
        | AccessEffect::PlanChanged { .. } => {}
    }
}
