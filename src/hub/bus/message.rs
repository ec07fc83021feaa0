//! How messages are written for other nodes: a version, who sends, then what is said, in postcard, and the mark
//! of who knows the cluster's key.
//!
//! Who reads may be of another version, and may read what nobody of ours wrote: what it cannot read, it drops.
//! The organisation is not in it; the channel says that, and the mark is bound to it.

use std::sync::Arc;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::keys::{BusKeys, MARK_BYTES};
use super::{Message, News, Seen};
use crate::types::{
    AccessEffect, ActivityId, Audience, EpochId, InvalidText, LogEntry, NodeId, OrgId, PlanCode, Role, Seq,
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

/// Why a message was not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unread {
    /// It is our own.
    Own,
    /// It is of another version, or of nobody's.
    Unknown,
    /// Its mark is not by a key of ours.
    Forged,
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
    Presence(WireNews),
    Work(OrgId),
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
struct WireNews {
    node: NodeId,
    from: u64,
    version: u64,
    changes: Vec<(UserId, Option<WireSeen>)>,
}

#[derive(Serialize, Deserialize)]
struct WireSeen {
    since_ms: i64,
    sockets: u32,
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
    Suspended,
    Resumed,
}

#[derive(Serialize, Deserialize)]
enum WireRole {
    Admin,
    Member,
}

/// Writes a message about an organisation. What would be longer than [`MAX_MESSAGE`] is told by its head.
pub fn encode(keys: &BusKeys, node: NodeId, org: OrgId, message: &Message) -> Vec<u8> {
    let whole = match message {
        Message::Committed(entries) => batch(entries).and_then(|batch| write(node, &batch)),
        Message::Head { .. } => None,
        Message::Presence(news) => write(node, &WireMessage::Presence(news.into())),
        Message::Work(org) => write(node, &WireMessage::Work(*org)),
    };
    let head = || {
        let (epoch, seq, id) = match message {
            Message::Committed(entries) => {
                let last = entries.last()?;
                (last.epoch, last.seq, last.id)
            }
            Message::Head { epoch, seq, id } => (*epoch, *seq, *id),
            // Who misses it reads the lease.
            Message::Presence(_) | Message::Work(_) => return None,
        };
        write(node, &WireMessage::Head { epoch, seq: seq.get(), id })
    };
    // A message of no entries, which nobody sends, says nothing.
    let mut bytes = whole.or_else(head).unwrap_or_default();
    keys.mark(org, &mut bytes);
    bytes
}

/// Reads what was said about an organisation. The sender comes first, so that a node does not read the rest
/// of what it said itself; of what others said nothing is read before its mark is known.
pub fn decode(keys: &BusKeys, own: NodeId, org: OrgId, bytes: &[u8]) -> Result<Message, Unread> {
    if bytes.len() > MAX_MESSAGE {
        return Err(Unread::Unknown);
    }
    let (marked, mark) = bytes.split_last_chunk::<MARK_BYTES>().ok_or(Unread::Unknown)?;
    let (header, body) = marked.split_at_checked(HEADER).ok_or(Unread::Unknown)?;
    let (version, sender) = header.split_first().ok_or(Unread::Unknown)?;
    if *version != VERSION {
        return Err(Unread::Unknown);
    }
    if sender == own.as_uuid().as_bytes() {
        return Err(Unread::Own);
    }
    if !keys.verify(org, marked, mark) {
        return Err(Unread::Forged);
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
    header.extend_from_slice(node.as_uuid().as_bytes());
    let bytes = postcard::to_extend(message, header).ok()?;
    (bytes.len() + MARK_BYTES <= MAX_MESSAGE).then_some(bytes)
}

impl WireMessage<'_> {
    fn read(self, org: OrgId) -> Option<Message> {
        match self {
            Self::Head { epoch, seq, id } => Some(Message::Head { epoch, seq: Seq::new(seq)?, id }),
            Self::Presence(news) => Some(Message::Presence(news.into())),
            Self::Work(org) => Some(Message::Work(org)),
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

impl From<&News> for WireNews {
    fn from(news: &News) -> Self {
        let News { node, from, version, ref changes } = *news;
        let wire = |seen: Seen| WireSeen { since_ms: seen.since.as_millis(), sockets: seen.sockets };
        let changes = changes.iter().map(|(user, seen)| (*user, seen.map(wire)));
        Self { node, from, version, changes: changes.collect() }
    }
}

impl From<WireNews> for News {
    fn from(wire: WireNews) -> Self {
        let WireNews { node, from, version, changes } = wire;
        let seen =
            |seen: WireSeen| Seen { since: Timestamp::from_millis(seen.since_ms), sockets: seen.sockets };
        let changes = changes.into_iter().map(|(user, told)| (user, told.map(seen)));
        Self { node, from, version, changes: changes.collect() }
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
            AccessEffect::Suspended => Self::Suspended,
            AccessEffect::Resumed => Self::Resumed,
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
            Self::Suspended => AccessEffect::Suspended,
            Self::Resumed => AccessEffect::Resumed,
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

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::option;
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;

    const KEY: &[u8] = b"the key of one cluster of hubs!!";
    const OTHER: &[u8] = b"the key of another, or of before";

    fn keys() -> BusKeys {
        BusKeys::derive("p", KEY, None)
    }

    fn id<T: From<Uuid> + std::fmt::Debug>() -> impl Strategy<Value = T> {
        any::<u128>().prop_map(|bits| Uuid::from_u128(bits).into())
    }

    fn role() -> impl Strategy<Value = Role> {
        prop_oneof![Just(Role::Admin), Just(Role::Member)]
    }

    fn audience() -> impl Strategy<Value = Audience> {
        prop_oneof![
            Just(Audience::Everyone),
            Just(Audience::Admins),
            id().prop_map(Audience::AdminsAnd),
            vec(id(), 0..5).prop_map(|users| Audience::Users(users.into())),
        ]
    }

    fn effect() -> impl Strategy<Value = AccessEffect> {
        prop_oneof![
            (id(), ".*", role()).prop_map(|(user, name, role)| AccessEffect::UserJoined { user, name, role }),
            id().prop_map(|user| AccessEffect::UserRemoved { user }),
            (id(), role()).prop_map(|(user, role)| AccessEffect::RoleChanged { user, role }),
            (id(), ".*").prop_map(|(user, name)| AccessEffect::UserRenamed { user, name }),
            id().prop_map(|session| AccessEffect::SessionEnded { session }),
            "[A-Z]{1,50}".prop_map(|plan| {
                AccessEffect::PlanChanged { plan: PlanCode::try_from(plan).expect("it is a code") }
            }),
            Just(AccessEffect::Suspended),
            Just(AccessEffect::Resumed),
        ]
    }

    fn committed(org: OrgId) -> impl Strategy<Value = Message> {
        let entry = (id(), audience(), option::of(effect()), any::<i64>(), ".{0,200}");
        let entries = vec(entry, 1..10);
        (1..i64::MAX / 2, id(), entries).prop_map(move |(first, epoch, entries)| {
            let entries = (first..).zip(entries).map(|(seq, (id, audience, effect, at, json))| {
                let seq = Seq::new(seq).expect("it is not negative");
                let created_at = Timestamp::from_millis(at);
                Arc::new(LogEntry { org, epoch, seq, id, audience, effect, created_at, json: json.into() })
            });
            Message::Committed(entries.collect())
        })
    }

    fn presence() -> impl Strategy<Value = Message> {
        let seen = (any::<i64>(), any::<u32>())
            .prop_map(|(since, sockets)| Seen { since: Timestamp::from_millis(since), sockets });
        let changes = vec((id(), option::of(seen)), 0..5);
        (id(), any::<u64>(), any::<u64>(), changes).prop_map(|(node, from, version, changes)| {
            Message::Presence(News { node, from, version, changes })
        })
    }

    fn messages() -> impl Strategy<Value = (OrgId, Message)> {
        id::<OrgId>().prop_flat_map(|org| {
            let head = (id(), 0..i64::MAX, id()).prop_map(|(epoch, seq, id)| Message::Head {
                epoch,
                seq: Seq::new(seq).expect("it is not negative"),
                id,
            });
            let work = id().prop_map(Message::Work);
            (Just(org), prop_oneof![head, committed(org), presence(), work])
        })
    }

    proptest! {
        #[test]
        fn what_is_written_is_read((org, message) in messages()) {
            let (writer, reader) = (NodeId::new(), NodeId::new());
            let bytes = encode(&keys(), writer, org, &message);
            prop_assert_eq!(decode(&keys(), reader, org, &bytes), Ok(message));
            prop_assert_eq!(decode(&keys(), writer, org, &bytes), Err(Unread::Own));
        }

        #[test]
        fn what_is_changed_is_not_read((org, message) in messages(), at in any::<usize>(), by in 1..=u8::MAX) {
            let mut bytes = encode(&keys(), NodeId::new(), org, &message);
            let at = at % bytes.len();
            bytes[at] ^= by;
            let read = decode(&keys(), NodeId::new(), org, &bytes);
            prop_assert_eq!(read, Err(if at == 0 { Unread::Unknown } else { Unread::Forged }));
        }

        #[test]
        fn what_is_cut_or_of_another_version_is_not_read((org, message) in messages(), at in any::<usize>()) {
            let reader = NodeId::new();
            let mut bytes = encode(&keys(), NodeId::new(), org, &message);
            let cut = &bytes[..at % bytes.len()];
            let short = cut.len() < HEADER + MARK_BYTES;
            let why = if short { Unread::Unknown } else { Unread::Forged };
            prop_assert_eq!(decode(&keys(), reader, org, cut), Err(why));
            bytes.truncate(bytes.len() - MARK_BYTES);
            // By who has the key.
            let marked = |bytes: &[u8]| {
                let mut bytes = bytes.to_vec();
                keys().mark(org, &mut bytes);
                decode(&keys(), reader, org, &bytes)
            };
            prop_assert_eq!(marked(&bytes[..at % bytes.len()]), Err(Unread::Unknown));
            bytes.push(0);
            prop_assert_eq!(marked(&bytes), Err(Unread::Unknown));
            bytes.pop();
            bytes[0] = VERSION + 1;
            prop_assert_eq!(marked(&bytes), Err(Unread::Unknown));
        }

        #[test]
        fn any_bytes_are_read_or_not(bytes in vec(any::<u8>(), 0..300), with_header in any::<bool>()) {
            let mut whole = if with_header { vec![VERSION; HEADER] } else { Vec::new() };
            whole.extend(bytes);
            let org = OrgId::new();
            prop_assert!(decode(&keys(), NodeId::new(), org, &whole).is_err());
            keys().mark(org, &mut whole);
            drop(decode(&keys(), NodeId::new(), org, &whole));
        }
    }

    fn entry(org: OrgId, seq: i64, bytes: usize) -> Arc<LogEntry> {
        Arc::new(LogEntry {
            org,
            epoch: EpochId::from(Uuid::nil()),
            seq: Seq::new(seq).expect("it is not negative"),
            id: ActivityId::new(),
            audience: Audience::Everyone,
            effect: None,
            created_at: Timestamp::from_millis(0),
            json: vec![b'x'; bytes].into(),
        })
    }

    #[test]
    fn what_cannot_be_sent_whole_is_told_by_its_head() {
        let org = OrgId::new();
        let read = |entries: Vec<Arc<LogEntry>>| {
            let last = entries.last().expect("there are some");
            let head = Message::Head { epoch: last.epoch, seq: last.seq, id: last.id };
            let bytes = encode(&keys(), NodeId::new(), org, &Message::Committed(entries));
            assert!(bytes.len() <= MAX_MESSAGE);
            decode(&keys(), NodeId::new(), org, &bytes) == Ok(head)
        };
        assert!(read(vec![entry(org, 1, MAX_MESSAGE)]));
        assert!(read(vec![entry(org, 1, MAX_MESSAGE / 2), entry(org, 2, MAX_MESSAGE / 2)]));
        assert!(read(vec![entry(org, 1, 1), entry(org, 3, 1)]), "a hole");
        assert!(!read(vec![entry(org, 1, MAX_MESSAGE - 200)]));
    }

    fn head() -> Message {
        Message::Head {
            epoch: EpochId::new(),
            seq: Seq::new(7).expect("it is not negative"),
            id: ActivityId::new(),
        }
    }

    #[test]
    fn only_what_a_key_of_ours_marked_for_this_organisation_is_read() {
        let (org, message) = (OrgId::new(), head());
        let read = |keys: &BusKeys, by: &BusKeys| {
            decode(keys, NodeId::new(), org, &encode(by, NodeId::new(), org, &message))
        };
        let (other, elsewhere) = (BusKeys::derive("p", OTHER, None), BusKeys::derive("q", KEY, None));
        let rotated = BusKeys::derive("p", KEY, Some(OTHER));
        assert_eq!(read(&keys(), &keys()).as_ref(), Ok(&message));
        assert_eq!(read(&keys(), &other), Err(Unread::Forged));
        assert_eq!(read(&keys(), &elsewhere), Err(Unread::Forged), "of another prefix");
        assert_eq!(read(&rotated, &other).as_ref(), Ok(&message), "of before");
        assert_eq!(read(&keys(), &rotated).as_ref(), Ok(&message), "the present key marks");
        assert_eq!(read(&other, &rotated), Err(Unread::Forged), "the present key marks");
        let bytes = encode(&keys(), NodeId::new(), org, &message);
        assert_eq!(decode(&keys(), NodeId::new(), OrgId::new(), &bytes), Err(Unread::Forged));
    }

    #[test]
    fn what_is_longer_than_anything_we_write_is_not_read() {
        let org = OrgId::new();
        let changes = (0..MAX_MESSAGE / 17).map(|_| (UserId::new(), None)).collect();
        let news = WireNews { node: NodeId::new(), from: 0, version: 1, changes };
        let header = [&[VERSION], NodeId::new().as_uuid().as_bytes().as_slice()].concat();
        let written = postcard::to_extend(&WireMessage::Presence(news), header);
        let mut bytes = written.expect("it is written");
        keys().mark(org, &mut bytes);
        assert!(bytes.len() > MAX_MESSAGE);
        assert_eq!(decode(&keys(), NodeId::new(), org, &bytes), Err(Unread::Unknown));
    }
}
