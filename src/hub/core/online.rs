//! Who is online, as the room's connections are told it and as the access view names them.

use std::time::Instant;

use super::presence::{Lagging, Online, Presence, Settled};
use super::{ConnectionKey, Core, Turn, Wake, is_stale};
use crate::hub::protocol::CloseCode;

impl<W: Wake> Core<W> {
    /// Who is online.
    pub fn presence(&mut self) -> &mut Presence {
        &mut self.presence
    }

    /// Does what is due, and wakes whom it is told. Who is not in the organisation is not seen.
    pub fn settle_presence(&mut self, now: Instant) -> Settled {
        let Some(open) = &self.open else {
            return Settled { seen: false, leases: false };
        };
        let before = self.presence.version();
        let settled = self.presence.settle(now, |user| open.access.name(user).is_some());
        if settled.seen {
            // Who is behind has been woken, and comes again.
            self.connections.for_each_watching(|watch, waker| {
                if watch.is_at(before) {
                    waker.wake();
                }
            });
        }
        if self.presence.has_offline() {
            let mut watches = Vec::new();
            self.connections.for_each_watching(|watch, _| watches.push(*watch));
            self.presence.prune(watches.iter());
        }
        settled
    }

    /// Everybody who is online and in the organisation, with their names; in the order in which they came.
    pub fn online(&self) -> Vec<(Online, String)> {
        let Some(open) = &self.open else { return Vec::new() };
        let named = |online: Online| Some((online, open.access.name(online.user)?.to_owned()));
        let mut all: Vec<(Online, String)> = self.presence.online().filter_map(named).collect();
        all.sort_unstable_by_key(|(online, _)| (online.since, online.user));
        all
    }

    /// The turn of a connection that is told who is online, too. Activities go first; but who has many of
    /// them to take is told in between.
    pub(super) fn take_in_turns(&mut self, key: ConnectionKey, now: Instant) -> Turn {
        let waits = self.connections.get_mut(key).is_some_and(|connection| connection.watch_waits);
        if waits && let Some(turn) = self.take_presence(key, now) {
            return turn;
        }
        match self.take_entries(key, now) {
            Turn::Wait => self.take_presence(key, now).unwrap_or(Turn::Wait),
            turn => {
                if let Some(connection) = self.connections.get_mut(key) {
                    connection.watch_waits = true;
                }
                turn
            }
        }
    }

    fn take_presence(&mut self, key: ConnectionKey, now: Instant) -> Option<Turn> {
        let connection = self.connections.get_mut(key)?;
        connection.watch_waits = false;
        let watch = connection.watch.as_mut()?;
        if self.presence.is_told(watch) {
            return None;
        }
        let open = self.open.as_mut()?;
        if is_stale(open.confirmed_at, now) {
            open.held_back = true;
            return None;
        }
        match self.presence.difference(watch) {
            Ok(chunk) => chunk.map(Turn::Presence),
            Err(Lagging) => self.connections.close_one(key, CloseCode::TooSlow).map(Turn::Called),
        }
    }
}
