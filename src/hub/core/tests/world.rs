//! The world of the model: a log, what is said of it, and the peers of a room that follows it.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use super::{Flag, SESSIONS, Step, USERS};
use crate::activity::Head;
use crate::config::Broken;
use crate::hub::core::*;
use crate::hub::protocol::CloseCode;
use crate::types::{
    AccessEffect, ActivityId, Audience, EpochId, LogEntry, OrgId, Role, Seq, SessionId, Timestamp, UserId,
};

/// A connection as the model sees it.
pub(super) struct Peer {
    pub(super) key: ConnectionKey,
    pub(super) user: UserId,
    pub(super) session: SessionId,
    /// Up to here it has taken what was for it.
    pub(super) position: Seq,
    pub(super) flag: Flag,
    pub(super) closed: Option<CloseCode>,
}

pub(super) struct World {
    pub(super) core: Core<Flag>,
    pub(super) org: OrgId,
    pub(super) epoch: EpochId,
    pub(super) users: Vec<UserId>,
    pub(super) sessions: Vec<Vec<SessionId>>,
    pub(super) log: Vec<Arc<LogEntry>>,
    pub(super) first_seq: Seq,
    pub(super) hints: Vec<Arc<LogEntry>>,
    pub(super) peers: Vec<Peer>,
    pub(super) sweep: Option<(Mark, Head)>,
    pub(super) now: Instant,
}

impl World {
    pub(super) fn new(history: usize) -> Self {
        let mut world = Self {
            // So little that blocks and ring are evicted all the time.
            core: Core::new(4096, SocketLimits::default(), Broken::default()),
            org: OrgId::new(),
            epoch: EpochId::new(),
            users: (0..USERS).map(|_| UserId::new()).collect(),
            sessions: (0..USERS).map(|_| (0..SESSIONS).map(|_| SessionId::new()).collect()).collect(),
            log: Vec::new(),
            first_seq: Seq::ZERO.next(),
            hints: Vec::new(),
            peers: Vec::new(),
            sweep: None,
            now: Instant::now(),
        };
        for index in 0..USERS {
            let role = if index == 0 { Role::Admin } else { Role::Member };
            let effect = AccessEffect::UserJoined { user: world.users[index], name: String::new(), role };
            world.commit(Audience::Everyone, Some(effect));
        }
        for kind in 0..history {
            let audience = world.audience(kind);
            world.commit(audience, None);
        }
        world.hints.clear();
        let opening = Opening { head: world.head(), access: world.access() };
        world.core.open(opening, world.now);
        world
    }

    pub(super) fn audience(&self, kind: usize) -> Audience {
        match kind % 8 {
            0..=2 => Audience::Everyone,
            3 | 4 => Audience::Admins,
            5 => Audience::AdminsAnd(self.users[1]),
            6 => Audience::AdminsAnd(self.users[2]),
            _ => Audience::Users(vec![self.users[1], self.users[3]].into()),
        }
    }

    pub(super) fn commit(&mut self, audience: Audience, effect: Option<AccessEffect>) {
        let seq = self.head_seq().next();
        let entry = Arc::new(LogEntry {
            org: self.org,
            epoch: self.epoch,
            seq,
            id: ActivityId::new(),
            audience,
            effect,
            created_at: Timestamp::from_millis(seq.get()),
            json: format!("{{\"seq\":{seq}}}").into(),
        });
        self.log.push(Arc::clone(&entry));
        self.hints.push(entry);
    }

    pub(super) fn head_seq(&self) -> Seq {
        self.log.last().map_or(Seq::ZERO, |entry| entry.seq)
    }

    pub(super) fn head(&self) -> Head {
        Head {
            org_id: self.org,
            epoch: self.epoch,
            first_seq: self.first_seq,
            last_seq: self.head_seq(),
            last_id: self.log.last().map(|entry| entry.id),
            last_at: Timestamp::from_millis(self.head_seq().get()),
        }
    }

    /// What a store holds about access now, folded from the log without the code under test.
    pub(super) fn access(&self) -> AccessSnapshot {
        let plan = "FREE".to_owned().try_into().unwrap();
        let (users, role_changes, ended_sessions) = (Vec::new(), Vec::new(), Vec::new());
        let mut snapshot = AccessSnapshot { plan, users, role_changes, ended_sessions };
        for user in &self.users {
            if let Some(role) = self.role(*user, self.head_seq()) {
                snapshot.users.push((*user, String::new(), role));
            }
        }
        snapshot
    }

    /// A user's role right after `seq`; `None` where they are not in the organisation there.
    pub(super) fn role(&self, user: UserId, seq: Seq) -> Option<Role> {
        let mut role = None;
        for entry in self.log.iter().take_while(|entry| entry.seq <= seq) {
            match &entry.effect {
                Some(AccessEffect::UserJoined { user: joined, role: first, .. }) if *joined == user => {
                    role = Some(*first);
                }
                Some(AccessEffect::RoleChanged { user: changed, role: to }) if *changed == user => {
                    role = Some(*to);
                }
                Some(AccessEffect::UserRemoved { user: removed }) if *removed == user => role = None,
                _ => {}
            }
        }
        role
    }

    pub(super) fn session_ended(&self, session: SessionId, until: Seq) -> bool {
        let ends = |entry: &&Arc<LogEntry>| entry.effect == Some(AccessEffect::SessionEnded { session });
        self.log.iter().take_while(|entry| entry.seq <= until).any(|entry| ends(&entry))
    }

    pub(super) fn cursor(&self) -> Seq {
        self.core.mark().expect("the room is open").seq
    }

    /// What is for `user` in (`from`, `to`], given what the room knows at `cursor`.
    pub(super) fn expected(&self, user: UserId, from: Seq, to: Seq) -> Vec<Seq> {
        let now = self.role(user, self.cursor());
        let within = self.log.iter().filter(|entry| entry.seq > from && entry.seq <= to);
        let visible = within.filter(|entry| {
            // A role at an entry is the one after its own effect.
            let then = self.role(user, entry.seq).unwrap_or(Role::Member);
            let role = if then == Role::Admin && now == Some(Role::Admin) { then } else { Role::Member };
            entry.audience.includes(user, role)
        });
        visible.map(|entry| entry.seq).collect()
    }

    pub(super) fn read(&self, from: Seq, to: Seq) -> Vec<Arc<Entry>> {
        let kept = self.log.iter().filter(|e| e.seq >= from.max(self.first_seq) && e.seq <= to);
        kept.map(|entry| Entry::read((**entry).clone())).collect()
    }

    pub(super) fn work(&mut self) -> bool {
        match self.core.work() {
            None => return false,
            Some(Work::RenewEpoch(_)) => panic!("the log was not replaced"),
            Some(Work::ReadBlock(number, until)) => {
                assert!(until <= self.cursor() && until.since(number.first()) < 256);
                let entries = self.read(number.first(), until);
                self.core.block_read(number, entries, self.first_seq);
            }
            Some(Work::FillGap(from, to)) => {
                assert!(from == self.cursor().next() && to >= from && to <= self.head_seq());
                let entries = self.read(from, to);
                if entries.is_empty() || entries[0].seq() != from {
                    // Retention has overtaken a room that fell behind: it cannot in practice, since it
                    // keeps days, so the model does not go there.
                    return false;
                }
                self.core.offer(entries).expect("the log was not replaced");
            }
        }
        true
    }

    pub(super) fn turn(&mut self, index: usize) {
        let cursor = self.cursor();
        let peer = &self.peers[index];
        let (key, user, from) = (peer.key, peer.user, peer.position);
        peer.flag.set(false);
        let position = match self.core.take(key, self.now) {
            Turn::Called(Call::Close(code)) => {
                self.peers[index].closed = Some(code);
                return;
            }
            Turn::Called(Call::GoAway(_)) => unreachable!("the model's node stays"),
            Turn::Gap(gap) => {
                // The room may not know yet how far retention has come.
                assert_eq!(gap.reason, GapReason::Expired);
                assert!(from.next() < gap.next_seq && gap.next_seq <= self.first_seq);
                self.peers[index].flag.set(true);
                self.peers[index].position = gap.next_seq.previous();
                return;
            }
            Turn::Wait => {
                let position = self.core.position(key);
                assert_eq!(self.expected(user, from, position), [], "waits though something is for it");
                position
            }
            Turn::Send { entries, told } => {
                assert!(entries.len() <= TURN_FRAMES);
                let position = self.core.position(key);
                let sent: Vec<Seq> = entries.iter().map(|entry| entry.seq()).collect();
                assert_eq!(sent, self.expected(user, from, position));
                assert!(told.is_none_or(|told| told == position));
                // As a connection does: it takes until there is nothing.
                self.peers[index].flag.set(true);
                position
            }
        };
        assert!(position >= from && position <= cursor);
        self.peers[index].position = position;
    }

    pub(super) fn join(&mut self, user: usize, session: usize, after: Option<u8>) {
        let (user, session) = (self.users[user], self.sessions[user][session]);
        let after = after.and_then(|after| Seq::new(i64::from(after) % (self.head_seq().get() + 2)));
        let join = Join { user, session, after, epoch: None };
        let flag = Flag::new(Cell::new(true));
        let (cursor, known) = (self.cursor(), self.role(user, self.cursor()));
        match self.core.join(&join, Rc::clone(&flag), self.now) {
            Err(denied) => match denied {
                Denied::UserUnknown => assert_eq!(known, None),
                Denied::SessionEnded => assert!(self.session_ended(session, cursor)),
                Denied::Stale | Denied::TooManySockets(_) => panic!("the room is fresh and has no limits"),
            },
            Ok(joined) => {
                assert_eq!(Some(joined.role), known);
                assert!(!self.session_ended(session, cursor));
                assert_eq!(joined.head, cursor);
                match joined.gap.map(|gap| gap.reason) {
                    None => assert_eq!(joined.seq, after.unwrap_or(cursor)),
                    Some(GapReason::AheadOfLog) => assert!(after > Some(cursor) && joined.seq == cursor),
                    Some(GapReason::Expired) => assert!(after < Some(joined.seq)),
                    Some(GapReason::EpochChanged) => panic!("no epoch was given"),
                }
                let position = joined.seq;
                self.peers.push(Peer { key: joined.key, user, session, position, flag, closed: None });
            }
        }
    }

    pub(super) fn apply(&mut self, step: &Step) {
        match *step {
            Step::Commit(kind) => {
                let audience = self.audience(kind);
                self.commit(audience, None);
            }
            Step::ChangeRole(user) => {
                let user = self.users[user];
                if let Some(role) = self.role(user, self.head_seq()) {
                    let role = if role == Role::Admin { Role::Member } else { Role::Admin };
                    self.commit(Audience::Everyone, Some(AccessEffect::RoleChanged { user, role }));
                }
            }
            Step::Remove(user) => {
                let user = self.users[user];
                self.commit(Audience::Everyone, Some(AccessEffect::UserRemoved { user }));
            }
            Step::EndSession(user, session) => {
                let session = self.sessions[user][session];
                let audience = Audience::AdminsAnd(self.users[user]);
                self.commit(audience, Some(AccessEffect::SessionEnded { session }));
            }
            Step::Deliver(which) if !self.hints.is_empty() => {
                let hint = Arc::clone(&self.hints[which % self.hints.len()]);
                self.core.offer([Entry::live(hint, self.now)]).expect("the log was not replaced");
            }
            Step::Lose(which) if !self.hints.is_empty() => {
                self.hints.swap_remove(which % self.hints.len());
            }
            Step::Work => drop(self.work()),
            Step::SweepBegin => self.sweep = self.core.mark().map(|mark| (mark, self.head())),
            Step::SweepEnd => self.sweep_end(),
            Step::Join { user, session, after } => self.join(user, session, after),
            Step::Leave(which) if !self.peers.is_empty() => {
                let peer = self.peers.swap_remove(which % self.peers.len());
                self.core.leave(peer.key);
            }
            Step::Turn(which) if !self.peers.is_empty() => {
                let index = which % self.peers.len();
                if self.peers[index].flag.get() {
                    self.turn(index);
                }
            }
            // Only what every room has seen is old enough to go.
            Step::Retain(count) => {
                let until = self.cursor().previous();
                self.first_seq = self.first_seq.plus(i64::from(count % 16)).min(until).max(self.first_seq);
            }
            Step::Forget => self.core.forget(),
            Step::Deliver(_) | Step::Lose(_) | Step::Leave(_) | Step::Turn(_) => {}
        }
    }

    pub(super) fn sweep_end(&mut self) {
        if let Some((mark, head)) = self.sweep.take() {
            self.core.sweep(mark, &head, self.now).expect("the log was not replaced");
        }
    }

    /// Lets everything settle with all hints lost: a sweep finds what is missing, and everybody takes.
    pub(super) fn settle(&mut self) {
        self.sweep = self.core.mark().map(|mark| (mark, self.head()));
        self.sweep_end();
        for _ in 0..10_000 {
            let mut moved = self.work();
            for index in 0..self.peers.len() {
                if self.peers[index].flag.get() && self.peers[index].closed.is_none() {
                    self.turn(index);
                    moved = true;
                }
            }
            if !moved {
                return;
            }
        }
        panic!("it does not settle");
    }

    /// At rest: the room is at the head, and everybody has all or is closed for a reason.
    pub(super) fn check_rest(&mut self) {
        let head = self.head_seq();
        assert_eq!(self.cursor(), head);
        for index in 0..self.peers.len() {
            let (user, session) = (self.peers[index].user, self.peers[index].session);
            match self.peers[index].closed {
                Some(CloseCode::Removed) => assert_eq!(self.role(user, head), None),
                Some(CloseCode::Unauthorized) => assert!(self.session_ended(session, head)),
                Some(other) => panic!("closed with {other:?}"),
                None => {
                    assert!(self.role(user, head).is_some() && !self.session_ended(session, head));
                    assert_eq!(self.core.position(self.peers[index].key), head, "is never woken again");
                }
            }
        }
    }
}
