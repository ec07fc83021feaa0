//! An entry at its place: the cursor moves, access changes, and those are woken whom it is for.

use std::sync::Arc;
use std::time::Instant;

use super::connections::{Connection, Connections, Position};
use super::{Core, Entry, Open, Wake, broken};
use crate::hub::protocol::CloseCode;
use crate::types::{AccessEffect, Audience};

impl<W: Wake> Core<W> {
    /// Moves the cursor on by one entry: its effect on access first, at its place, then whom it is for.
    pub(super) fn append(&mut self, entry: Arc<Entry>) {
        let Some(open) = &mut self.open else { return };
        let seq = entry.seq();
        if let Some(effect) = &entry.log.effect
            && !broken::ignores(self.broken, effect)
        {
            open.access.apply(seq, entry.log.created_at, effect);
            apply_to_connections(&mut self.connections, effect);
            if let AccessEffect::UserJoined { user, .. } | AccessEffect::UserRemoved { user } = effect {
                self.presence.access_changed(*user);
            }
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
        let mut caught_up = 0;
        let mut touch = |connection: &mut Connection<W>| {
            if connection.position != Position::CaughtUp {
                return;
            }
            let role = access.role_at(connection.user, seq);
            if role.is_some_and(|role| audience.includes(connection.user, role)) {
                connection.position = Position::Behind(before);
                connection.waker.wake();
            } else {
                caught_up += 1;
            }
        };
        match audience {
            // Under load many entries come before the first of ten thousand has taken its turn.
            Audience::Everyone if open.all_behind => {}
            Audience::Everyone => {
                self.connections.for_each(touch);
                open.all_behind = caught_up == 0;
            }
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
}

impl Open {
    /// Notes that at `read_at` the cursor was the head, and lets go whom it held back.
    pub(super) fn confirm<W: Wake>(&mut self, read_at: Instant, connections: &mut Connections<W>) {
        self.confirmed_at = self.confirmed_at.max(read_at);
        if std::mem::take(&mut self.held_back) {
            connections.for_each(|connection| {
                if connection.position != Position::CaughtUp || connection.watch.is_some() {
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
        AccessEffect::Suspended => connections.close(CloseCode::Suspended, |_| true),
        AccessEffect::RoleChanged { user, role } => connections.set_role(*user, *role),
        AccessEffect::Resumed
        | AccessEffect::UserJoined { .. }
        | AccessEffect::UserRenamed { .. }
        | AccessEffect::PlanChanged { .. } => {}
    }
}
