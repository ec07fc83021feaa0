//! What nodes say of who is online on them.

use crate::types::{NodeId, Timestamp, UserId};

/// A user's sockets on one node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    /// When the user came online, as far as that node knows.
    pub since: Timestamp,
    /// How many there are; 0 where the last has gone only now.
    pub sockets: u32,
}

/// What has changed of who is online on a node, or all of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct News {
    /// The node.
    pub node: NodeId,
    /// The version that this follows. 0 is none: nobody but these is online there.
    pub from: u64,
    /// The version from then on. The same as `from` where nothing has changed.
    pub version: u64,
    /// Whose, and what is said of them now; `None` is nothing.
    pub changes: Vec<(UserId, Option<Seen>)>,
}
