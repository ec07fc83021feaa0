//! How messages are written for other nodes: a version, who sends, then what is said, in postcard.
//!
//! Who reads may be of another version, and may read what nobody of ours wrote: what it cannot read, it drops.
//! The organisation is not in it; the channel says that.

use std::sync::Arc;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::Message;
use crate::types::{
    AccessEffect, ActivityId, Audience, EpochId, InvalidText, LogEntry, OrgId, PlanCode, Role, Seq,
    SessionId, Timestamp, UserId,
};

/// Goes up when a node of before could misread what is written now. Nodes of two versions then hear nothing
/// of each other until all are updated, and go by the sweep.
const VERSION: u8 = 1;

/// The version and the sender.
const HEADER: usize = 1 + 16;

/// Larger batches are told by their head: a read of the log, which all rooms of a node share, then costs less
/// than to hold such a message for every node in Redis.
pub const MAX_MESSAGE: usize = 256 << 10;

/// A node of a cluster, as others know it: another at each start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NodeId(Uuid);

impl NodeId {
    /// A new one.
    #[expect(clippy::new_without_default, reason = "every id is another; a default would not be")]
    pub fn new() -> Self {
        Self(Uuid::now_v7())
    }

    /// The id as a bare UUID.
    pub const fn as_uuid(self) -> Uuid {
        self.0
    }
}

/// Why a message was not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unread {
    /// It is our own.
    Own,
    /// It is of another version, or of nobody's.
    Unknown,
}

#[derive(Serialize, Deserialize)]
enum WireMessage<'a> {
    #[serde(borrow)]
    Committed(WireBatch<'a>),
    Head {
        epoch: EpochId,
        seq: i64,
        id: ActivityId,
    },
}

/// Entries one after the other, of one epoch.
#[derive(Serialize, Deserialize)]
struct WireBatch<'a> {
    epoch: EpochId,
    first: i64,
    #[serde(borrow)]
    entries: Vec<WireEntry<'a>>,
}

#[derive(Serialize, Deserialize)]
struct WireEntry<'a> {
    id: ActivityId,
    audience: WireAudience,
    effect: Option<WireEffect>,
    created_at_ms: i64,
    /// Text rather than bytes: it becomes a text frame, and a client closes the socket on one that is not UTF-8.
    json: &'a str,
}

#[derive(Serialize, Deserialize)]
enum WireAudience {
    Everyone,
    Admins,
    AdminsAnd(UserId),
    Users(Vec<UserId>),
}

#[derive(Serialize, Deserialize)]
enum WireEffect {
    UserJoined { user: UserId, name: String, role: WireRole },
    UserRemoved { user: UserId },
    RoleChanged { user: UserId, role: WireRole },
    UserRenamed { user: UserId, name: String },
    SessionEnded { session: SessionId },
    PlanChanged { plan: String },
}

#[derive(Serialize, Deserialize)]
enum WireRole {
    Admin,
    Member,
}

/// Writes a message. What would be longer than [`MAX_MESSAGE`] is told by its head.
pub fn encode(node: NodeId, message: &Message) -> Vec<u8> {
    let whole = match message {
        Message::Committed(entries) => batch(entries).and_then(|batch| write(node, &batch)),
        Message::Head { .. } => None,
    };
    let head = || {
        let (epoch, seq, id) = match message {
            Message::Committed(entries) => {
                let last = entries.last()?;
                (last.epoch, last.seq, last.id)
            }
            Message::Head { epoch, seq, id } => (*epoch, *seq, *id),
        };
        write(node, &WireMessage::Head { epoch, seq: seq.get(), id })
    };
    // A message of no entries, which nobody sends, says nothing.
    whole.or_else(head).unwrap_or_default()
}

/// Reads what was said about an organisation. The sender comes first, so that a node does not read the rest
/// of what it said itself.
pub fn decode(own: NodeId, org: OrgId, bytes: &[u8]) -> Result<Message, Unread> {
    let (header, body) = bytes.split_at_checked(HEADER).ok_or(Unread::Unknown)?;
    let (version, sender) = header.split_first().ok_or(Unread::Unknown)?;
    if *version != VERSION {
        return Err(Unread::Unknown);
    }
    if sender == own.0.as_bytes() {
        return Err(Unread::Own);
    }
    let (message, rest) = postcard::take_from_bytes::<WireMessage>(body).map_err(|_| Unread::Unknown)?;
    let message = if rest.is_empty() { message.read(org) } else { None };
    message.ok_or(Unread::Unknown)
}

/// A batch as it is written, unless it is too large, or not what a batch is.
fn batch(entries: &[Arc<LogEntry>]) -> Option<WireMessage<'_>> {
    let first = entries.first()?;
    let size: usize = entries.iter().map(|entry| entry.json.len()).sum();
    let follow = |(one, next): (&Arc<LogEntry>, &Arc<LogEntry>)| {
        one.seq.next() == next.seq && one.epoch == next.epoch && one.org == next.org
    };
    if size > MAX_MESSAGE || !entries.iter().zip(entries.iter().skip(1)).all(follow) {
        return None;
    }
    let entries = entries.iter().map(|entry| {
        Some(WireEntry {
            id: entry.id,
            audience: WireAudience::from(&entry.audience),
            effect: entry.effect.as_ref().map(WireEffect::from),
            created_at_ms: entry.created_at.as_millis(),
            json: std::str::from_utf8(&entry.json).ok()?,
        })
    });
    let entries = entries.collect::<Option<_>>()?;
    Some(WireMessage::Committed(WireBatch { epoch: first.epoch, first: first.seq.get(), entries }))
}

fn write(node: NodeId, message: &WireMessage) -> Option<Vec<u8>> {
    let mut header = Vec::with_capacity(HEADER);
    header.push(VERSION);
    header.extend_from_slice(node.0.as_bytes());
    let bytes = postcard::to_extend(message, header).ok()?;
    (bytes.len() <= MAX_MESSAGE).then_some(bytes)
}

impl WireMessage<'_> {
    fn read(self, org: OrgId) -> Option<Message> {
        match self {
            Self::Head { epoch, seq, id } => Some(Message::Head { epoch, seq: Seq::new(seq)?, id }),
            Self::Committed(batch) => {
                let count = i64::try_from(batch.entries.len()).ok().filter(|count| *count > 0)?;
                // Seqs begin with 1, and the last of these must be one too.
                if batch.first < 1 || batch.first.checked_add(count).is_none() {
                    return None;
                }
                let (epoch, first) = (batch.epoch, batch.first);
                let entries = (first..).zip(batch.entries).map(|(seq, entry)| {
                    Some(Arc::new(LogEntry {
                        org,
                        epoch,
                        seq: Seq::new(seq)?,
                        id: entry.id,
                        audience: entry.audience.into(),
                        effect: entry.effect.map(WireEffect::read).transpose().ok()?,
                        created_at: Timestamp::from_millis(entry.created_at_ms),
                        // Copied: a part of the message would hold the whole of it, and what a room
                        // remembers is counted by its entries.
                        json: Bytes::copy_from_slice(entry.json.as_bytes()),
                    }))
                });
                entries.collect::<Option<_>>().map(Message::Committed)
            }
        }
    }
}

impl From<&Audience> for WireAudience {
    fn from(audience: &Audience) -> Self {
        match audience {
            Audience::Everyone => Self::Everyone,
            Audience::Admins => Self::Admins,
            Audience::AdminsAnd(user) => Self::AdminsAnd(*user),
            Audience::Users(users) => Self::Users(users.to_vec()),
        }
    }
}

impl From<WireAudience> for Audience {
    fn from(audience: WireAudience) -> Self {
        match audience {
            WireAudience::Everyone => Self::Everyone,
            WireAudience::Admins => Self::Admins,
            WireAudience::AdminsAnd(user) => Self::AdminsAnd(user),
            WireAudience::Users(users) => Self::Users(users.into()),
        }
    }
}

impl From<&AccessEffect> for WireEffect {
    fn from(effect: &AccessEffect) -> Self {
        match effect {
            AccessEffect::UserJoined { user, name, role } => {
                Self::UserJoined { user: *user, name: name.clone(), role: (*role).into() }
            }
            AccessEffect::UserRemoved { user } => Self::UserRemoved { user: *user },
            AccessEffect::RoleChanged { user, role } => {
                Self::RoleChanged { user: *user, role: (*role).into() }
            }
            AccessEffect::UserRenamed { user, name } => Self::UserRenamed { user: *user, name: name.clone() },
            AccessEffect::SessionEnded { session } => Self::SessionEnded { session: *session },
            AccessEffect::PlanChanged { plan } => Self::PlanChanged { plan: plan.as_str().to_owned() },
        }
    }
}

impl WireEffect {
    fn read(self) -> Result<AccessEffect, InvalidText> {
        Ok(match self {
            Self::UserJoined { user, name, role } => {
                AccessEffect::UserJoined { user, name, role: role.into() }
            }
            Self::UserRemoved { user } => AccessEffect::UserRemoved { user },
            Self::RoleChanged { user, role } => AccessEffect::RoleChanged { user, role: role.into() },
            Self::UserRenamed { user, name } => AccessEffect::UserRenamed { user, name },
            Self::SessionEnded { session } => AccessEffect::SessionEnded { session },
            Self::PlanChanged { plan } => AccessEffect::PlanChanged { plan: PlanCode::try_from(plan)? },
        })
    }
}

impl From<Role> for WireRole {
    fn from(role: Role) -> Self {
        match role {
            Role::Admin => Self::Admin,
            Role::Member => Self::Member,
        }
    }
}

impl From<WireRole> for Role {
    fn from(role: WireRole) -> Self {
        match role {
            WireRole::Admin => Self::Admin,
            WireRole::Member => Self::Member,
        }
    }
}
