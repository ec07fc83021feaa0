//! Somebody who is online, as this node and the others have it.

use std::time::Instant;

use crate::hub::bus::Seen;
use crate::types::Timestamp;

/// Somebody who is online, or was a moment ago.
#[derive(Debug)]
pub(super) struct Person {
    pub(super) since: Timestamp,
    /// Sockets on this node.
    pub(super) here: u32,
    /// When the last of them went; others are told of it as long as they may come back.
    pub(super) left_at: Option<Instant>,
    /// When the last socket anywhere went.
    pub(super) gone_at: Option<Instant>,
}

impl Person {
    pub(super) fn new(since: Timestamp) -> Self {
        Self { since, here: 0, left_at: None, gone_at: None }
    }

    /// Whether this node's lease has them.
    pub(super) fn is_listed(&self) -> bool {
        self.here > 0 || self.left_at.is_some()
    }

    /// Whether they left this node or all.
    pub(super) fn is_leaving(&self) -> bool {
        self.left_at.is_some() || self.gone_at.is_some()
    }

    pub(super) fn listing(&self) -> Option<Seen> {
        self.is_listed().then_some(Seen { since: self.since, sockets: self.here })
    }
}
