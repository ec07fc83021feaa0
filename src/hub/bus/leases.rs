//! Leases: what each node says of itself beside the bus, until it stops saying so.

use std::collections::HashMap;
use std::time::Duration;

use futures_util::future::BoxFuture;

use super::BusDown;
use crate::types::{NodeId, OrgId, Timestamp, UserId};

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

/// What came of writing a lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// Whether it had the version that the news follow. Where not, nothing was written.
    pub intact: bool,
    /// The leases of the other nodes.
    pub others: Vec<Lease>,
}

/// Everybody on a node, with the lease's version.
pub type Listing = (u64, HashMap<UserId, Seen>);

/// Where the nodes keep their leases, one a node and organisation. It may lose them at any time.
pub trait Leases: Send + Sync {
    /// Renews a node's lease for this long, with what has changed of it, and finds the others'.
    fn write(&self, org: OrgId, news: &News, lease: Duration) -> BoxFuture<'_, Result<Written, BusDown>>;

    /// Reads a node's lease; `None` where there is none.
    fn read(&self, org: OrgId, node: NodeId) -> BoxFuture<'_, Result<Option<Listing>, BusDown>>;

    /// Gives up a node's lease.
    fn release(&self, org: OrgId, node: NodeId) -> BoxFuture<'_, Result<(), BusDown>>;
}
