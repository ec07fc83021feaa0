//! What the core does without a protection: only in debug builds, so that the checker is seen to notice.

use std::sync::Arc;

use super::cache::Cache;
use super::connections::Position;
use super::{Core, Entry, Wake};
use crate::config::{Broken, Protection};
use crate::types::AccessEffect;

impl<W: Wake> Core<W> {
    /// Without the duplicate drop: everybody gets what the room has already once more.
    pub(super) fn deliver_again(&mut self, entry: &Entry) {
        let before = entry.seq().previous();
        self.connections.for_each(|connection| {
            connection.position = match connection.position {
                Position::CaughtUp => Position::Behind(before),
                Position::Behind(position) => Position::Behind(position.min(before)),
            };
            connection.waker.wake();
        });
    }

    /// Without the reorder window: what is missing before the entry never comes.
    pub(super) fn append_skipping(&mut self, entry: Arc<Entry>) {
        if let Some(open) = &mut self.open {
            open.cache = Cache::new(self.max_bytes);
        }
        self.append(entry);
    }
}

/// Without the access view: whether an effect is passed over.
pub(super) fn ignores(broken: Broken, effect: &AccessEffect) -> bool {
    let narrows = match effect {
        AccessEffect::UserRemoved { .. }
        | AccessEffect::RoleChanged { .. }
        | AccessEffect::SessionEnded { .. }
        | AccessEffect::Suspended => true,
        AccessEffect::UserJoined { .. }
        | AccessEffect::Resumed
        | AccessEffect::UserRenamed { .. }
        | AccessEffect::PlanChanged { .. } => false,
    };
    narrows && broken.lacks(Protection::AccessView)
}
