//! How the cursor moves: what is offered, what is missing, and what the sweep compares.

use std::sync::Arc;
use std::time::Instant;

use super::cache;
use super::connections::{Connection, Connections, Position};
use super::{Core, Diverged, Ended, Entry, MAX_PENDING, Mark, Open, Sweep, Wake, Work, broken};
use crate::activity::Head;
use crate::config::Protection;
use crate::hub::protocol::CloseCode;
use crate::types::{AccessEffect, Audience, EpochId, Seq};

impl<W: Wake> Core<W> {
    /// Takes committed entries, in whatever order and however often they come.
    pub fn offer(&mut self, entries: impl IntoIterator<Item = Arc<Entry>>) -> Result<(), Diverged> {
        for entry in entries {
            let seq = entry.seq();
            match &self.open {
                Some(open) if seq == open.cursor.next() => {
                    self.append(entry);
                    self.drain_pending();
                }
                Some(open) if seq == open.cursor && open.cursor_id != Some(entry.log.id) => {
                    let epoch = open.epoch;
                    return Err(self.diverge(epoch));
                }
                Some(open) if seq <= open.cursor => {
                    if self.broken.lacks(Protection::DuplicateDrop) {
                        self.deliver_again(&entry);
                    }
                }
                Some(_) if self.broken.lacks(Protection::ReorderWindow) => self.append_skipping(entry),
                Some(_) | None => {
                    if self.pending.len() < MAX_PENDING {
                        self.pending.insert(seq, entry);
                    } else if let Some(open) = &mut self.open {
                        // It is read from the log when what is missing before it has been.
                        open.known = open.known.max(seq);
                    }
                }
            }
        }
        Ok(())
    }

    pub(super) fn drain_pending(&mut self) {
        while let Some(open) = &self.open {
            let Some(entry) = self.pending.remove(&open.cursor.next()) else {
                break;
            };
            self.append(entry);
        }
    }

    /// Moves the cursor on by one entry: its effect on access first, at its place, then whom it is for.
    pub(super) fn append(&mut self, entry: Arc<Entry>) {
        let Some(open) = &mut self.open else { return };
        let seq = entry.seq();
        if let Some(effect) = &entry.log.effect
            && !broken::ignores(self.broken, effect)
        {
            open.access.apply(seq, entry.log.created_at, effect);
            apply_to_connections(&mut self.connections, effect);
        }
        let before = seq.previous();
        open.cursor = seq;
        open.cursor_id = Some(entry.log.id);
        if let Some((awaited, read_at)) = open.awaited
            && awaited <= seq
        {
            open.awaited = None;
            open.confirm(read_at, &mut self.connections);
        }
        let access = &open.access;
        let audience = &entry.log.audience;
        let mut touch = |connection: &mut Connection<W>| {
            let role = access.role_at(connection.user, seq);
            if connection.position == Position::CaughtUp
                && role.is_some_and(|role| audience.includes(connection.user, role))
            {
                connection.position = Position::Behind(before);
                connection.waker.wake();
            }
        };
        match audience {
            Audience::Everyone => self.connections.for_each(touch),
            Audience::Admins => {
                for admin in self.connections.admins() {
                    self.connections.for_user(admin, &mut touch);
                }
            }
            Audience::AdminsAnd(user) => {
                for admin in self.connections.admins() {
                    self.connections.for_user(admin, &mut touch);
                }
                self.connections.for_user(*user, touch);
            }
            Audience::Users(users) => {
                for user in users.iter() {
                    self.connections.for_user(*user, &mut touch);
                }
            }
        }
        open.cache.push(entry);
        self.wake_those_to_tell();
    }

    /// Compares the log's head, read at `read_at`, with where the room stood before that.
    pub fn sweep(&mut self, before: Mark, head: &Head, read_at: Instant) -> Result<Sweep, Diverged> {
        let Some(open) = &mut self.open else {
            return Ok(Sweep::Nothing);
        };
        if self.broken.lacks(Protection::Sweep) {
            open.confirm(read_at, &mut self.connections);
            return Ok(Sweep::Nothing);
        }
        let replaced = head.epoch != before.epoch
            || open.epoch != before.epoch
            || head.last_seq < before.seq
            || (head.last_seq == before.seq && head.last_id != before.id);
        if replaced {
            let epoch = open.epoch;
            return Err(self.diverge(epoch));
        }
        open.first_seq = open.first_seq.max(head.first_seq);
        if head.last_seq <= open.cursor {
            open.confirm(read_at, &mut self.connections);
            return Ok(Sweep::Nothing);
        }
        open.known = open.known.max(head.last_seq);
        open.awaited.get_or_insert((head.last_seq, read_at));
        Ok(Sweep::Behind)
    }

    pub(super) fn diverge(&mut self, epoch: EpochId) -> Diverged {
        self.ended = Some(Ended::Diverged(epoch));
        self.close_all(CloseCode::ServiceRestart);
        Diverged
    }

    /// Ends the room because what follows its cursor was deleted before it could be read. Whoever comes back
    /// is told from where the log is kept. False where it has ended before, for a reason that stands.
    pub fn outrun(&mut self) -> bool {
        if self.ended.is_some() {
            return false;
        }
        self.ended = Some(Ended::Outrun);
        self.close_all(CloseCode::ServiceRestart);
        true
    }

    /// What the room's task has to do next, if anything.
    pub fn work(&self) -> Option<Work> {
        match self.ended {
            Some(Ended::Diverged(epoch)) => return Some(Work::RenewEpoch(epoch)),
            Some(Ended::Unused | Ended::Outrun) => return None,
            None => {}
        }
        // What everybody waits for, and who may enter, goes before what some replay.
        if let Some((from, to)) = self.gap() {
            return Some(Work::FillGap(from, to));
        }
        let open = self.open.as_ref()?;
        let block = *open.wanted.keys().next()?;
        Some(Work::ReadBlock(block, block.last().min(open.cursor)))
    }

    /// What is missing before what is known, if anything; at most a block, so that one read stays short.
    pub fn gap(&self) -> Option<(Seq, Seq)> {
        let open = self.open.as_ref()?;
        let next_known = self.pending.keys().next().map(|seq| seq.previous());
        let last_missing = next_known.unwrap_or(open.known);
        let until = last_missing.min(open.cursor.plus(cache::BLOCK));
        (until > open.cursor).then(|| (open.cursor.next(), until))
    }

    /// Whether what is missing may still come by itself: something after it has.
    pub fn expects_missing(&self) -> bool {
        !self.pending.is_empty()
    }
}

impl Open {
    /// Notes that at `read_at` the cursor was the head, and lets go whom it held back.
    pub(super) fn confirm<W: Wake>(&mut self, read_at: Instant, connections: &mut Connections<W>) {
        self.confirmed_at = self.confirmed_at.max(read_at);
        if std::mem::take(&mut self.held_back) {
            connections.for_each(|connection| {
                if connection.position != Position::CaughtUp {
                    connection.waker.wake();
                }
            });
        }
    }
}

/// Closes whom an effect ends, and re-indexes whom it moves.
fn apply_to_connections<W: Wake>(connections: &mut Connections<W>, effect: &AccessEffect) {
    match effect {
        AccessEffect::UserRemoved { user } => {
            connections.close(CloseCode::Removed, |connection| connection.user == *user);
        }
        AccessEffect::SessionEnded { session } => {
            connections.close(CloseCode::Unauthorized, |connection| connection.session == *session);
        }
        AccessEffect::RoleChanged { user, role } => connections.set_role(*user, *role),
        AccessEffect::UserJoined { .. }
        | AccessEffect::UserRenamed { .. }
        | AccessEffect::PlanChanged { .. } => {}
    }
}
