//! What the other nodes say of who is online there: a lease each, which is theirs to renew.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use crate::hub::bus::{News, Seen};
use crate::types::{NodeId, UserId};

/// A lease that was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lease {
    /// Whose.
    pub node: NodeId,
    /// Its version.
    pub version: u64,
    /// How long ago it was renewed, by the clock of where it is kept.
    pub age: Duration,
}

/// Everybody on a node, with the lease's version.
pub type Listing = (u64, HashMap<UserId, Seen>);

/// What a node said of a user, and what it says now.
pub(super) struct Change {
    pub(super) user: UserId,
    pub(super) before: Option<Seen>,
    pub(super) after: Option<Seen>,
}

struct Node {
    version: u64,
    users: HashMap<UserId, Seen>,
    /// It is taken for dead where nothing of it is found after this.
    alive_until: Instant,
    /// Its lease has to be read: something of it was missed.
    wanted: bool,
}

/// The other nodes.
#[derive(Default)]
pub(super) struct Nodes {
    nodes: HashMap<NodeId, Node>,
}

impl Nodes {
    /// A user's sockets on all of them.
    pub(super) fn sockets(&self, user: UserId) -> u64 {
        self.nodes.values().filter_map(|node| node.users.get(&user)).map(|seen| u64::from(seen.sockets)).sum()
    }

    /// Whether any of them lists a user, be it as somebody who may come back.
    pub(super) fn list(&self, user: UserId) -> bool {
        self.nodes.values().any(|node| node.users.contains_key(&user))
    }

    /// Those whose leases have to be read.
    pub(super) fn wanted(&self) -> Vec<NodeId> {
        self.nodes.iter().filter(|(_, node)| node.wanted).map(|(id, _)| *id).collect()
    }

    pub(super) fn any_wanted(&self) -> bool {
        self.nodes.values().any(|node| node.wanted)
    }

    /// Takes what came over the bus: maybe twice, late, or without what was before it. Of a node that is not
    /// known it is taken for a hint alone, as that may be dead since.
    pub(super) fn heard(&mut self, news: News, alive_until: Instant) -> Vec<Change> {
        let Some(node) = self.nodes.get_mut(&news.node) else {
            let node = Node { version: 0, users: HashMap::new(), alive_until, wanted: true };
            self.nodes.insert(news.node, node);
            return Vec::new();
        };
        if news.version <= node.version {
            return Vec::new();
        }
        if news.from == 0 {
            let users = news.changes.into_iter().filter_map(|(user, seen)| Some((user, seen?))).collect();
            return node.replace(news.version, users);
        }
        if news.from != node.version {
            node.wanted = true;
            return Vec::new();
        }
        node.version = news.version;
        let changed = news.changes.into_iter().map(|(user, after)| {
            let before = match after {
                Some(seen) => node.users.insert(user, seen),
                None => node.users.remove(&user),
            };
            Change { user, before, after }
        });
        changed.collect()
    }

    /// Takes the list of the leases that there are. Who is in it is alive for `lease` since its renewal.
    pub(super) fn listed(&mut self, leases: &[Lease], lease: Duration, now: Instant) {
        for found in leases.iter().filter(|found| found.age < lease) {
            let left = lease.saturating_sub(found.age);
            let node = self.nodes.entry(found.node).or_insert_with(|| Node {
                version: 0,
                users: HashMap::new(),
                alive_until: now,
                wanted: true,
            });
            node.alive_until = node.alive_until.max(now + left);
            node.wanted |= found.version > node.version;
        }
    }

    /// Takes a lease that was read; `None` where there is none.
    pub(super) fn read(&mut self, id: NodeId, lease: Option<Listing>) -> Vec<Change> {
        let Some(node) = self.nodes.get_mut(&id) else {
            return Vec::new();
        };
        node.wanted = false;
        match lease {
            Some((version, users)) if version > node.version => node.replace(version, users),
            Some(_) => Vec::new(),
            None => {
                if node.version == 0 {
                    self.nodes.remove(&id);
                }
                Vec::new()
            }
        }
    }

    /// Takes nobody for dead before this.
    pub(super) fn spare(&mut self, until: Instant) {
        for node in self.nodes.values_mut() {
            node.alive_until = node.alive_until.max(until);
        }
    }

    /// Forgets the nodes that are dead by now.
    pub(super) fn bury(&mut self, now: Instant) -> Vec<Change> {
        let dead = self.nodes.extract_if(|_, node| node.alive_until <= now);
        let users = dead.flat_map(|(_, node)| node.users);
        users.map(|(user, seen)| Change { user, before: Some(seen), after: None }).collect()
    }
}

impl Node {
    fn replace(&mut self, version: u64, users: HashMap<UserId, Seen>) -> Vec<Change> {
        self.version = version;
        let mut gone = std::mem::replace(&mut self.users, users);
        let mut changes: Vec<Change> = Vec::new();
        for (user, seen) in &self.users {
            let before = gone.remove(user);
            if before != Some(*seen) {
                changes.push(Change { user: *user, before, after: Some(*seen) });
            }
        }
        let gone = gone.into_iter();
        changes.extend(gone.map(|(user, seen)| Change { user, before: Some(seen), after: None }));
        changes
    }
}
