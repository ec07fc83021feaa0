//! What passes between this node's rooms and the other nodes: what is committed here goes to the rooms here
//! first, then over the bus; what comes over the bus is a hint for the room that it is about.

use std::collections::HashMap;
use std::sync::Arc;

use super::Inner;
use super::bus::{BusState, EVERY_NODE, Listener, Message};
use crate::config::Protection;
use crate::db::CommitSink;
use crate::types::{LogEntry, OrgId};

impl CommitSink for Inner {
    fn committed(&self, entries: Vec<Arc<LogEntry>>) {
        let mut by_org: HashMap<OrgId, Vec<Arc<LogEntry>>> = HashMap::new();
        for entry in entries {
            by_org.entry(entry.org).or_default().push(entry);
        }
        for (org, entries) in &by_org {
            let room = self.rooms.read().get(org).cloned();
            if let Some(room) = room {
                room.committed(self, entries.clone());
            }
        }
        // Whether anybody listens here says nothing about the others.
        for (org, entries) in by_org {
            self.bus.publish(org, Message::Committed(entries));
        }
    }
}

impl Listener for Inner {
    fn received(&self, org: OrgId, message: Message) {
        if self.broken.lacks(Protection::Bus) {
            return;
        }
        if let Message::Work(org) = message {
            if let Some(worker) = self.worker.get() {
                worker(org);
            }
            return;
        }
        // It may be about a room that has just left.
        let room = self.rooms.read().get(&org).cloned();
        if let Some(room) = room {
            room.received(self, message);
        }
    }

    fn subscriptions(&self) -> Vec<OrgId> {
        let rooms = self.rooms.read();
        let followed = rooms.values().filter(|room| !room.core.lock().is_ended()).map(|room| room.org);
        std::iter::once(EVERY_NODE).chain(followed).collect()
    }

    fn changed(&self, state: BusState) {
        self.metrics.bus_up.set(if state == BusState::Up { 1.0 } else { 0.0 });
        self.bus_changed.notify_one();
        if state == BusState::Up {
            self.leases.renew_all();
        }
    }
}
