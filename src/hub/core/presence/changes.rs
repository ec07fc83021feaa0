//! Who is seen to be online, with a version: what a connection was told is one number, and what it is still
//! to be told is the difference from there.

use std::collections::{BTreeMap, HashMap};
use std::ops::Bound::{Excluded, Unbounded};
use std::sync::{Arc, OnceLock};

use bytes::Bytes;

use crate::hub::protocol::ServerFrame;
use crate::hub::sse;
use crate::hub::ws::frame;
use crate::types::UserId;

/// Most changes that a connection takes on one turn: some 20 KiB of frames.
pub(super) const CHUNK: usize = 256;

/// Users whose going offline is remembered for those who are behind, or as many as have been online at once
/// where these are more. Who is behind by more is too slow.
pub(super) const MAX_OFFLINE: usize = 4096;

/// How far a connection that asked for presence has been told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Watch {
    /// Everything up to this version was told.
    position: u64,
    /// The version at its start: who had gone offline by then never was online for it.
    start: u64,
}

impl Watch {
    /// Whether everything up to this version was told, and nothing after it.
    pub fn is_at(&self, version: u64) -> bool {
        self.position == version
    }
}

/// More users went offline than are remembered since the connection was told of any.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lagging;

/// Some changes, in order, shared by all connections that are told them, with one encoding a protocol.
#[derive(Debug)]
pub struct Chunk {
    /// Whose, and whether they are online now.
    pub users: Vec<(UserId, bool)>,
    to: u64,
    websocket: OnceLock<Bytes>,
    events: OnceLock<Bytes>,
}

impl Chunk {
    /// The changes as text frames of a WebSocket, one after the other.
    pub fn websocket(&self) -> Bytes {
        self.websocket.get_or_init(|| self.encode(frame::text)).clone()
    }

    /// The changes as server-sent events.
    pub fn events(&self) -> Bytes {
        self.events.get_or_init(|| self.encode(|json| sse::message(None, json))).clone()
    }

    fn encode(&self, put: impl Fn(&[u8]) -> Bytes) -> Bytes {
        let frames = self.users.iter().map(|(user, online)| ServerFrame::presence(*user, *online));
        // Encoding a frame of ours cannot fail.
        let texts = frames.filter_map(|frame| serde_json::to_vec(&frame).ok());
        texts.flat_map(|json| put(&json)).collect()
    }
}

/// What was last told of a user.
#[derive(Debug, Clone, Copy)]
struct Told {
    online: bool,
    /// The version of that.
    version: u64,
    /// When they first came online, as far as is remembered: who was told less never heard of them.
    first: u64,
}

/// The versions of who is seen to be online.
#[derive(Default)]
pub(super) struct Changes {
    version: u64,
    users: HashMap<UserId, Told>,
    /// The users above by version, apart by whether they are online.
    online: BTreeMap<u64, UserId>,
    offline: BTreeMap<u64, UserId>,
    /// The most who were online at once since the first of those who are remembered to have gone. All of them
    /// may go at once: whoever was told everything before is to be told of that too.
    most_online: usize,
    /// Up to here, users who went offline have been forgotten.
    forgotten: u64,
    /// Chunks by where they begin, as long as nothing changes.
    chunks: HashMap<u64, Arc<Chunk>>,
}

impl Changes {
    /// A connection that was told nothing yet.
    pub(super) fn watch(&self) -> Watch {
        Watch { position: 0, start: self.version }
    }

    /// Where a connection stands that was told everything.
    pub(super) fn version(&self) -> u64 {
        self.version
    }

    pub(super) fn is_told(&self, watch: &Watch) -> bool {
        watch.position == self.version
    }

    /// Notes whether a user is online. True where that is new.
    pub(super) fn set(&mut self, user: UserId, online: bool) -> bool {
        let before = self.users.get(&user).copied();
        if before.is_some_and(|told| told.online) == online {
            return false;
        }
        self.version += 1;
        let version = self.version;
        if let Some(told) = before {
            self.online.remove(&told.version);
            self.offline.remove(&told.version);
        }
        let first = before.map_or(version, |told| told.first);
        self.users.insert(user, Told { online, version, first });
        let by_version = if online { &mut self.online } else { &mut self.offline };
        by_version.insert(version, user);
        self.most_online = self.most_online.max(self.online.len());
        self.chunks.clear();
        while self.offline.len() > self.most_online.max(MAX_OFFLINE) {
            self.forget_first();
        }
        true
    }

    /// Whether a user is online, as far as it was told.
    #[cfg(test)]
    pub(super) fn is_online(&self, user: UserId) -> bool {
        self.users.get(&user).is_some_and(|told| told.online)
    }

    /// How many are remembered who went offline.
    #[cfg(test)]
    pub(super) fn offline(&self) -> usize {
        self.offline.len()
    }

    fn forget_first(&mut self) {
        if let Some((version, user)) = self.offline.pop_first() {
            self.users.remove(&user);
            self.forgotten = self.forgotten.max(version);
        }
    }

    /// Forgets who went offline as far as everybody has been told of it, or was told nothing before.
    pub(super) fn prune<'a>(&mut self, watches: impl Iterator<Item = &'a Watch>) {
        let all = watches.map(|watch| watch.position.max(watch.start)).min().unwrap_or(self.version);
        while self.offline.first_key_value().is_some_and(|(version, _)| *version <= all) {
            self.forget_first();
        }
        // Those who are remembered, and those who are online, are all who were online since.
        self.most_online = self.most_online.min(self.users.len());
    }

    /// Whether there is anything to [`prune`](Self::prune).
    pub(super) fn has_offline(&self) -> bool {
        !self.offline.is_empty()
    }

    /// The next part of what a connection is to be told. A user who went and came in the meantime may be
    /// told again as they were.
    pub(super) fn difference(&mut self, watch: &mut Watch) -> Result<Option<Arc<Chunk>>, Lagging> {
        let Watch { position, start } = *watch;
        if position.max(start) < self.forgotten {
            return Err(Lagging);
        }
        // From its start on, what one is told is what everybody is told who stands there.
        let shares =
            position >= start || self.offline.range((Excluded(position), Unbounded)).next().is_none();
        if shares && let Some(chunk) = self.chunks.get(&position) {
            watch.position = chunk.to;
            return Ok(Some(Arc::clone(chunk)));
        }
        let (users, to) = self.collect(position, start);
        watch.position = to;
        if users.is_empty() {
            return Ok(None);
        }
        let chunk = Arc::new(Chunk { users, to, websocket: OnceLock::new(), events: OnceLock::new() });
        if shares {
            self.chunks.insert(position, Arc::clone(&chunk));
        }
        Ok(Some(chunk))
    }

    fn collect(&self, position: u64, start: u64) -> (Vec<(UserId, bool)>, u64) {
        let mut online = self.online.range((Excluded(position), Unbounded)).peekable();
        let mut offline = self.offline.range((Excluded(position.max(start)), Unbounded)).peekable();
        let mut users = Vec::new();
        let mut to = position;
        while users.len() < CHUNK {
            let next = match (online.peek(), offline.peek()) {
                (Some((come, _)), Some((gone, _))) => {
                    if come < gone {
                        online.next()
                    } else {
                        offline.next()
                    }
                }
                (Some(_), None) => online.next(),
                (None, Some(_)) => offline.next(),
                (None, None) => return (users, self.version),
            };
            let Some((version, user)) = next else { break };
            to = *version;
            // Who came and went since is nobody to it.
            if let Some(told) = self.users.get(user)
                && (told.online || told.first <= position)
            {
                users.push((*user, told.online));
            }
        }
        (users, to)
    }
}
