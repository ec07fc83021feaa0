//! The connections of a room, indexed by user, so that an entry touches only those whom it concerns.

use std::collections::{HashMap, HashSet};
use std::time::Instant;

use slab::Slab;

use super::presence::Watch;
use super::{Call, Wake};
use crate::hub::protocol::CloseCode;
use crate::types::{Role, Seq, SessionId, UserId};

/// Names a connection of a room for as long as it is in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ConnectionKey(usize);

/// How far a connection has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Position {
    /// At the room's cursor, wherever that is: nothing is stored and nothing is owed.
    CaughtUp,
    /// Everything up to here was taken; it has been woken to take more.
    Behind(Seq),
}

pub(super) struct Connection<W> {
    pub(super) user: UserId,
    pub(super) session: SessionId,
    pub(super) position: Position,
    /// The highest position that its peer was told.
    pub(super) told: Seq,
    pub(super) call: Option<Call>,
    /// How far its peer was told who is online, where it asked for that.
    pub(super) watch: Option<Watch>,
    /// Whether activities went before that on its last turn.
    pub(super) watch_waits: bool,
    pub(super) waker: W,
}

impl<W> Connection<W> {
    /// Whether it is being closed. One that is sent away at its moment stays until then.
    fn is_closing(&self) -> bool {
        matches!(self.call, Some(Call::Close(_)))
    }

    /// What it is called for, if anything: to go away is said once, to close until it does.
    pub(super) fn take_call(&mut self) -> Option<Call> {
        match self.call {
            Some(Call::GoAway(_)) => self.call.take(),
            call => call,
        }
    }
}

/// All connections of a room.
pub(super) struct Connections<W> {
    all: Slab<Connection<W>>,
    by_user: HashMap<UserId, Vec<ConnectionKey>>,
    /// Those of the users above who are admins now.
    admins: HashSet<UserId>,
    /// How many are being closed, and only have to say so to their peers.
    closing: usize,
    /// How many asked to be told who is online.
    watching: usize,
}

impl<W: Wake> Connections<W> {
    pub(super) fn new() -> Self {
        Self { all: Slab::new(), by_user: HashMap::new(), admins: HashSet::new(), closing: 0, watching: 0 }
    }

    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    /// How many stay.
    pub(super) fn staying(&self) -> usize {
        self.all.len() - self.closing
    }

    /// How many of this user stay.
    pub(super) fn staying_of(&self, user: UserId) -> usize {
        let keys = self.by_user.get(&user).into_iter().flatten();
        let connections = keys.filter_map(|key| self.all.get(key.0));
        connections.filter(|connection| !connection.is_closing()).count()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    pub(super) fn insert(&mut self, connection: Connection<W>, role: Role) -> ConnectionKey {
        let user = connection.user;
        self.watching += usize::from(connection.watch.is_some());
        if self.all.len() == self.all.capacity() {
            // Twice as much, which it would take by itself, is unused memory for half of them.
            self.all.reserve_exact((self.all.len() / 4).max(4));
        }
        let key = ConnectionKey(self.all.insert(connection));
        self.by_user.entry(user).or_default().push(key);
        self.set_role(user, role);
        key
    }

    /// Removes a connection, and tells whose it was.
    pub(super) fn remove(&mut self, key: ConnectionKey) -> Option<UserId> {
        let connection = self.all.try_remove(key.0)?;
        self.watching -= usize::from(connection.watch.is_some());
        self.closing -= usize::from(connection.is_closing());
        if let Some(keys) = self.by_user.get_mut(&connection.user) {
            keys.retain(|other| *other != key);
            if keys.is_empty() {
                self.by_user.remove(&connection.user);
                self.admins.remove(&connection.user);
            }
        }
        Some(connection.user)
    }

    pub(super) fn get_mut(&mut self, key: ConnectionKey) -> Option<&mut Connection<W>> {
        self.all.get_mut(key.0)
    }

    /// Notes the present role of a user who has connections here.
    pub(super) fn set_role(&mut self, user: UserId, role: Role) {
        match role {
            Role::Admin if self.by_user.contains_key(&user) => self.admins.insert(user),
            Role::Admin | Role::Member => self.admins.remove(&user),
        };
    }

    /// Visits those who asked to be told who is online.
    pub(super) fn for_each_watching(&mut self, mut visit: impl FnMut(&Watch, &W)) {
        if self.watching == 0 {
            return;
        }
        for (_, connection) in &self.all {
            if let Some(watch) = &connection.watch {
                visit(watch, &connection.waker);
            }
        }
    }

    pub(super) fn for_each(&mut self, mut visit: impl FnMut(&mut Connection<W>)) {
        for (_, connection) in &mut self.all {
            visit(connection);
        }
    }

    pub(super) fn for_user(&mut self, user: UserId, mut visit: impl FnMut(&mut Connection<W>)) {
        for key in self.by_user.get(&user).into_iter().flatten() {
            if let Some(connection) = self.all.get_mut(key.0) {
                visit(connection);
            }
        }
    }

    /// The admins who have connections here.
    pub(super) fn admins(&self) -> Vec<UserId> {
        self.admins.iter().copied().collect()
    }

    /// Marks connections as to be closed, and wakes them so that they do. The first reason stands.
    pub(super) fn close(&mut self, code: CloseCode, which: impl Fn(&Connection<W>) -> bool) {
        let mut closed = 0;
        self.for_each(|connection| {
            if which(connection) && !connection.is_closing() {
                connection.call = Some(Call::Close(code));
                connection.waker.wake();
                closed += 1;
            }
        });
        self.closing += closed;
    }

    /// Marks one as to be closed. It is on its turn, and takes it up there.
    pub(super) fn close_one(&mut self, key: ConnectionKey, code: CloseCode) -> Option<Call> {
        let connection = self.all.get_mut(key.0)?;
        if !connection.is_closing() {
            connection.call = Some(Call::Close(code));
            self.closing += 1;
        }
        connection.call
    }

    /// Names all that are here.
    pub(super) fn keys(&self) -> Vec<ConnectionKey> {
        self.all.iter().map(|(key, _)| ConnectionKey(key)).collect()
    }

    /// Has a connection told that it is closed at this moment, unless it is closed before.
    pub(super) fn go_away(&mut self, key: ConnectionKey, at: Instant) {
        if let Some(connection) = self.all.get_mut(key.0)
            && connection.call.is_none()
        {
            connection.call = Some(Call::GoAway(at));
            connection.waker.wake();
        }
    }
}
