//! What goes into a room's decisions and what comes out of them.

use std::sync::Arc;
use std::time::Instant;

use smallvec::SmallVec;

use super::presence::Chunk;
use super::{AccessSnapshot, BlockNumber, ConnectionKey, Entry};
use crate::activity::Head;
use crate::hub::protocol::CloseCode;
use crate::types::{ActivityId, EpochId, Role, Seq, SessionId, Timestamp, UserId};

/// What wakes a connection, so that it takes its turn.
pub trait Wake {
    /// Wakes it, now or when it next looks. Returns at once.
    fn wake(&self);
}

/// Where a room starts from: one snapshot of its organisation's store.
#[derive(Debug, Clone)]
pub struct Opening {
    /// Where the log stands.
    pub head: Head,
    /// Who may enter.
    pub access: AccessSnapshot,
}

/// Who wants to join, and from where.
#[derive(Debug, Clone)]
pub struct Join {
    /// The user.
    pub user: UserId,
    /// The session.
    pub session: SessionId,
    /// Resume after this position; `None` starts at the head.
    pub after: Option<Seq>,
    /// The epoch of an earlier welcome, if known.
    pub epoch: Option<EpochId>,
    /// Whether to be told who is online.
    pub presence: bool,
    /// When that is.
    pub at: Timestamp,
}

/// How many sockets may be open on this node; `None` is no limit.
#[derive(Debug, Clone, Copy, Default)]
pub struct SocketLimits {
    /// Of one user.
    pub per_user: Option<usize>,
    /// Of one organisation.
    pub per_organisation: Option<usize>,
}

/// Where a connection starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Joined {
    /// Names the connection in this room.
    pub key: ConnectionKey,
    /// The user's role now.
    pub role: Role,
    /// Everything after this follows.
    pub seq: Seq,
    /// Where the log stands.
    pub head: Seq,
    /// Which life of the log this is.
    pub epoch: EpochId,
    /// Why `after` could not be continued from, if it could not.
    pub gap: Option<ResumeGap>,
    /// Whether `after` was given and is continued from.
    pub resumed: bool,
}

/// What stands between a position and what can be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ResumeGap {
    /// Why.
    pub reason: GapReason,
    /// The first position that can be sent.
    pub next_seq: Seq,
}

/// Why a position cannot be continued from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GapReason {
    /// What follows it is no longer kept.
    Expired,
    /// It was in another life of the log.
    EpochChanged,
    /// It is beyond the end of the log.
    AheadOfLog,
}

/// What a connection has to do on its turn.
#[derive(Debug)]
pub enum Turn {
    /// Send these. `told` is a position to tell the peer after them.
    Send {
        /// In order.
        entries: SmallVec<[Arc<Entry>; 1]>,
        /// A position to tell.
        told: Option<Seq>,
        /// Whether something may follow: take again. Otherwise the connection will be woken.
        more: bool,
    },
    /// Tell the peer that entries are gone, then take again.
    Gap(ResumeGap),
    /// Tell who came online or went offline.
    Presence(Arc<Chunk>),
    /// Nothing now; the connection will be woken.
    Wait,
    /// What it is called for, before anything else.
    Called(Call),
}

/// What a connection is called for from outside the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Call {
    /// The node goes away: tell the peer, go on, and close at this moment.
    GoAway(Instant),
    /// Close now.
    Close(CloseCode),
}

/// What the room's task has to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Work {
    /// Read this block from the log, as far as the room is.
    ReadBlock(BlockNumber, Mark),
    /// Read the log from this mark on, its entry included, as far as this: entries are missing, or something
    /// said of the log makes it necessary to look.
    ReadOn(Mark, Seq),
    /// The log was replaced: give it another epoch than this one, then leave the room.
    RenewEpoch(EpochId),
}

/// The log is not the one that the room followed: another has been put in its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Diverged;

/// A place in the log by all that names it, for comparing with the log's head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    /// Which life of the log.
    pub epoch: EpochId,
    /// The position.
    pub seq: Seq,
    /// The entry there.
    pub id: Option<ActivityId>,
}

/// What was read of the log, in one snapshot.
#[derive(Debug)]
pub struct LogRead {
    /// In order.
    pub entries: Vec<Arc<Entry>>,
    /// Where the log stood.
    pub head: Head,
    /// When the reading began.
    pub read_at: Instant,
}

/// What came of reading the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taken {
    /// The room has it.
    Whole,
    /// What follows the cursor is no longer kept: the room has ended, and whoever comes back is told from
    /// where the log is.
    Outrun,
    /// The log lacks what its head says that it has.
    Holes,
}

/// By what the room knows how far the log goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    /// Somebody said so.
    Bus,
    /// The sweep found it.
    Sweep,
    /// The log was looked at for another reason.
    Asked,
}

/// What a sweep found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sweep {
    /// The room stands at the head.
    Nothing,
    /// The room missed something, which its task now reads.
    Behind,
}
