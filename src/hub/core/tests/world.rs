//! The world of the model: the lives of a log, what is said of it, and the peers of a room that follows it.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{Flag, Node, SESSIONS, USERS};
use crate::activity::Head;
use crate::config::Broken;
use crate::hub::core::*;
use crate::hub::protocol::CloseCode;
use crate::types::{
    AccessEffect, ActivityId, Audience, EpochId, LogEntry, OrgId, OrganisationStatus, Role, Seq, SessionId,
    Timestamp, UserId,
};

/// When somebody joins; only who is online depends on it.
const MOMENT: Timestamp = Timestamp::from_millis(0);

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

/// A client that was sent away and comes back where it was.
pub(super) struct Away {
    pub(super) join: Join,
}

/// What another node says.
#[derive(Debug, Clone)]
pub(super) enum Hint {
    Entry(Arc<LogEntry>),
    Head(EpochId, Seq, ActivityId),
}

/// One life of the log.
#[derive(Debug, Clone)]
pub(super) struct Life {
    pub(super) epoch: EpochId,
    pub(super) log: Vec<Arc<LogEntry>>,
}

/// What the room's task is at.
enum Task {
    /// The room is not open; a snapshot may have been taken.
    Opening(Option<(Opening, Instant, usize)>),
    Idle,
    ReadingOn(Mark, Seq, LogRead),
    ReadingBlock(BlockNumber, Mark, LogRead),
}

pub(super) struct World {
    pub(super) core: Core<Flag>,
    pub(super) org: OrgId,
    pub(super) users: Vec<UserId>,
    pub(super) sessions: Vec<Vec<SessionId>>,
    /// The lives of the log; the last one is what the database has.
    pub(super) lives: Vec<Life>,
    /// Which of them the room follows.
    pub(super) followed: usize,
    pub(super) first_seq: Seq,
    pub(super) hints: Vec<Hint>,
    pub(super) peers: Vec<Peer>,
    pub(super) away: Vec<Away>,
    pub(super) sweeps: Vec<(Mark, Head, Instant)>,
    task: Task,
    pub(super) bus_up: bool,
    /// A log that was put back without a new epoch is only told by its being shorter, or by another entry at
    /// a place that the room has: it does not grow beyond that before the room has noticed.
    pub(super) bounded: Option<Seq>,
    broken: Broken,
    pub(super) now: Instant,
}

impl World {
    pub(super) fn new(history: usize, broken: Broken) -> Self {
        let mut world = Self {
            core: Self::room(broken),
            org: OrgId::new(),
            users: (0..USERS).map(|_| UserId::new()).collect(),
            sessions: (0..USERS).map(|_| (0..SESSIONS).map(|_| SessionId::new()).collect()).collect(),
            lives: vec![Life { epoch: EpochId::new(), log: Vec::new() }],
            followed: 0,
            first_seq: Seq::ZERO.next(),
            hints: Vec::new(),
            peers: Vec::new(),
            away: Vec::new(),
            sweeps: Vec::new(),
            task: Task::Opening(None),
            bus_up: true,
            bounded: None,
            broken,
            now: Instant::now(),
        };
        for index in 0..USERS {
            let role = if index == 0 { Role::Admin } else { Role::Member };
            let effect = AccessEffect::UserJoined { user: world.users[index], name: String::new(), role };
            world.commit(Node::Other, Audience::Everyone, Some(effect));
        }
        for kind in 0..history {
            let audience = world.audience(kind);
            world.commit(Node::Other, audience, None);
        }
        world.hints.clear();
        world.work();
        world.work();
        world
    }

    /// A room that remembers so little that blocks and ring are evicted all the time.
    fn room(broken: Broken) -> Core<Flag> {
        Core::new(4096, SocketLimits::default(), broken)
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

    pub(super) fn life(&self) -> &Life {
        self.lives.last().expect("there is one")
    }

    /// What the room follows.
    fn followed(&self) -> &[Arc<LogEntry>] {
        &self.lives[self.followed].log
    }

    /// Commits; what the other node says of it is a hint.
    pub(super) fn commit(&mut self, node: Node, audience: Audience, effect: Option<AccessEffect>) {
        let seq = self.head_seq().next();
        if self.bounded.is_some_and(|bound| seq > bound) {
            return;
        }
        let entry = Arc::new(LogEntry {
            org: self.org,
            epoch: self.life().epoch,
            seq,
            id: ActivityId::new(),
            audience,
            effect,
            created_at: Timestamp::from_millis(seq.get()),
            json: format!("{{\"seq\":{seq}}}").into(),
        });
        self.lives.last_mut().expect("there is one").log.push(Arc::clone(&entry));
        match node {
            Node::This => self.core.offer([Entry::live(&entry, self.now)], self.now),
            Node::Other if self.bus_up => self.hints.push(Hint::Entry(entry)),
            Node::Other => {}
        }
    }

    pub(super) fn head_seq(&self) -> Seq {
        self.life().log.last().map_or(Seq::ZERO, |entry| entry.seq)
    }

    pub(super) fn head(&self) -> Head {
        Head {
            org_id: self.org,
            epoch: self.life().epoch,
            first_seq: self.first_seq,
            last_seq: self.head_seq(),
            last_id: self.life().log.last().map(|entry| entry.id),
            last_at: Timestamp::from_millis(self.head_seq().get()),
            suspended_at: None,
        }
    }

    /// What a store holds about access now, folded from the log without the code under test.
    fn access(&self) -> AccessSnapshot {
        let plan = "FREE".to_owned().try_into().unwrap();
        let (users, role_changes, ended_sessions) = (Vec::new(), Vec::new(), Vec::new());
        let mut snapshot =
            AccessSnapshot { plan, status: OrganisationStatus::Active, users, role_changes, ended_sessions };
        let (log, head) = (&self.life().log, self.head_seq());
        for user in &self.users {
            if let Some(role) = role(log, *user, head) {
                snapshot.users.push((*user, String::new(), role));
            }
        }
        for entry in log {
            match &entry.effect {
                // Roles of the past are read from what is kept of the log, sessions from their own table.
                Some(AccessEffect::RoleChanged { user, role: to }) if entry.seq >= self.first_seq => {
                    let from = role(log, *user, entry.seq.previous()).expect("they are there");
                    snapshot.role_changes.push((*user, entry.seq, from, *to));
                }
                Some(AccessEffect::SessionEnded { session }) => {
                    snapshot.ended_sessions.push((*session, entry.created_at));
                }
                _ => {}
            }
        }
        snapshot
    }

    /// A user's role as the room has to know it, if it is as far as `seq`.
    pub(super) fn role(&self, user: UserId, seq: Seq) -> Option<Role> {
        role(self.followed(), user, seq)
    }

    fn session_ended(&self, session: SessionId, until: Seq) -> bool {
        let ends = |entry: &&Arc<LogEntry>| entry.effect == Some(AccessEffect::SessionEnded { session });
        self.followed().iter().take_while(|entry| entry.seq <= until).any(|entry| ends(&entry))
    }

    pub(super) fn cursor(&self) -> Seq {
        self.core.mark().expect("the room is open").seq
    }

    pub(super) fn is_open(&self) -> bool {
        self.core.mark().is_some() && !self.core.is_ended()
    }

    /// What is for `user` in (`from`, `to`], given what the room knows at its cursor.
    pub(super) fn expected(&self, user: UserId, from: Seq, to: Seq) -> Vec<(Seq, ActivityId)> {
        let now = self.role(user, self.cursor());
        let within = self.followed().iter().filter(|entry| entry.seq > from && entry.seq <= to);
        let visible = within.filter(|entry| {
            // A role at an entry is the one after its own effect.
            let then = self.role(user, entry.seq).unwrap_or(Role::Member);
            let role = if then == Role::Admin && now == Some(Role::Admin) { then } else { Role::Member };
            entry.audience.includes(user, role)
        });
        visible.map(|entry| (entry.seq, entry.id)).collect()
    }

    fn read(&self, from: Seq, to: Seq) -> LogRead {
        let kept = self.life().log.iter().filter(|e| e.seq >= from.max(self.first_seq) && e.seq <= to);
        let epoch = self.life().epoch;
        let entries = kept.map(|entry| Entry::read(LogEntry { epoch, ..(**entry).clone() })).collect();
        LogRead { entries, head: self.head(), read_at: self.now }
    }

    /// When what is missing is to be read.
    fn due(&self) -> Instant {
        if self.bus_up { self.now + REORDER_WINDOW } else { self.now }
    }

    /// Half of what the room's task does. False where there is nothing to do now.
    pub(super) fn work(&mut self) -> bool {
        match std::mem::replace(&mut self.task, Task::Idle) {
            Task::Opening(None) => {
                let opening = Opening { head: self.head(), access: self.access() };
                self.task = Task::Opening(Some((opening, self.now, self.lives.len() - 1)));
            }
            Task::Opening(Some((opening, read_at, life))) => {
                self.core.open(opening, read_at);
                self.followed = life;
            }
            Task::ReadingOn(before, to, read) => match self.core.read_on(before, to, read, self.due()) {
                Ok(taken) => assert_eq!(taken, Taken::Whole),
                Err(Diverged) => self.check_replaced(),
            },
            Task::ReadingBlock(number, before, read) => match self.core.block_read(number, before, read) {
                Ok(taken) => assert_eq!(taken, Taken::Whole),
                Err(Diverged) => self.check_replaced(),
            },
            Task::Idle => return self.begin_work(),
        }
        true
    }

    fn begin_work(&mut self) -> bool {
        match self.core.work(self.now) {
            None => return false,
            Some(Work::RenewEpoch(old)) => {
                let life = self.lives.last_mut().expect("there is one");
                if life.epoch == old {
                    life.epoch = EpochId::new();
                }
                self.reopen();
            }
            Some(Work::ReadBlock(number, before)) => {
                assert_eq!(Some(before), self.core.mark());
                let read = self.read(number.first(), number.last().min(before.seq));
                self.task = Task::ReadingBlock(number, before, read);
            }
            Some(Work::ReadOn(before, to)) => {
                // Where it stands, or stood when it began to doubt.
                assert!(before.seq <= self.cursor());
                let read = self.read(before.seq, to);
                self.task = Task::ReadingOn(before, to, read);
            }
        }
        true
    }

    /// The room has ended; its peers hear of it, and another takes its place.
    fn reopen(&mut self) {
        let epoch = self.core.mark().map(|mark| mark.epoch);
        for index in (0..self.peers.len()).rev() {
            if self.peers[index].closed.is_none() {
                let call = self.core.take_call(self.peers[index].key);
                if call == Some(Call::Close(CloseCode::ServiceRestart)) {
                    let Peer { user, session, position, .. } = self.peers.swap_remove(index);
                    // Every second client has kept the epoch.
                    let epoch = epoch.filter(|_| index % 2 == 0);
                    let join =
                        Join { user, session, after: Some(position), epoch, presence: false, at: MOMENT };
                    self.away.push(Away { join });
                    continue;
                }
                // It was closed for cause before.
                self.turn(index);
                assert!(self.peers[index].closed.is_some());
            }
            self.peers.swap_remove(index);
        }
        self.core = Self::room(self.broken);
        self.sweeps.clear();
        self.bounded = None;
        self.task = Task::Opening(None);
    }

    /// Only a log that was replaced may be taken for one.
    fn check_replaced(&self) {
        assert!(self.followed + 1 < self.lives.len(), "the log was not replaced");
    }

    pub(super) fn turn(&mut self, index: usize) {
        let cursor = self.cursor();
        let peer = &self.peers[index];
        let (key, user, session, from) = (peer.key, peer.user, peer.session, peer.position);
        peer.flag.set(false);
        let position = match self.core.take(key, self.now) {
            Turn::Presence(_) => panic!("nobody asked who is online"),
            Turn::Called(Call::Close(code)) => {
                match code {
                    CloseCode::Removed => assert_eq!(self.role(user, cursor), None),
                    CloseCode::Unauthorized => assert!(self.session_ended(session, cursor)),
                    CloseCode::ServiceRestart => {
                        assert!(self.core.is_ended());
                        // It comes back when the room is another.
                        return;
                    }
                    other => panic!("closed with {other:?}"),
                }
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
            Turn::Send { entries, told, .. } => {
                assert!(entries.len() <= TURN_FRAMES);
                let position = self.core.position(key);
                let sent: Vec<_> = entries.iter().map(|entry| (entry.seq(), entry.log.id)).collect();
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
        self.join_as(&Join { user, session, after, epoch: None, presence: false, at: MOMENT });
    }

    pub(super) fn join_as(&mut self, join: &Join) {
        let &Join { user, session, after, epoch, .. } = join;
        let flag = Flag::new(Cell::new(true));
        let (cursor, known) = (self.cursor(), self.role(user, self.cursor()));
        match self.core.join(join, Rc::clone(&flag), self.now) {
            Err(denied) => match denied {
                Denied::UserUnknown => assert_eq!(known, None),
                Denied::SessionEnded => assert!(self.session_ended(session, cursor)),
                Denied::Suspended | Denied::Stale | Denied::TooManySockets(_) => {
                    panic!("the room is open, fresh and has no limits")
                }
            },
            Ok(joined) => {
                assert_eq!(Some(joined.role), known);
                assert!(!self.session_ended(session, cursor));
                assert_eq!(joined.head, cursor);
                assert_eq!(joined.epoch, self.core.mark().expect("it is open").epoch);
                let is_of_another_life = epoch.is_some_and(|epoch| epoch != joined.epoch);
                match joined.gap.map(|gap| gap.reason) {
                    None => assert_eq!(joined.seq, after.unwrap_or(cursor)),
                    Some(GapReason::AheadOfLog) => assert!(after > Some(cursor) && joined.seq == cursor),
                    Some(GapReason::Expired) => assert!(after < Some(joined.seq)),
                    Some(GapReason::EpochChanged) => assert!(is_of_another_life && joined.seq == cursor),
                }
                assert!(!is_of_another_life || joined.gap.is_some() && !joined.resumed);
                let position = joined.seq;
                self.peers.push(Peer { key: joined.key, user, session, position, flag, closed: None });
            }
        }
    }

    pub(super) fn sweep_begin(&mut self) {
        if let Some(mark) = self.core.mark()
            && self.sweeps.len() < 3
        {
            self.sweeps.push((mark, self.head(), self.now));
        }
    }

    pub(super) fn sweep_end(&mut self, (mark, head, read_at): &(Mark, Head, Instant)) {
        if self.core.sweep(*mark, head, *read_at, self.due(), Told::Sweep).is_err() {
            self.check_replaced();
        }
    }

    /// One sweep, from its beginning to its end.
    pub(super) fn sweep(&mut self) {
        self.sweeps.clear();
        self.sweep_begin();
        if let Some(sweep) = self.sweeps.pop() {
            self.sweep_end(&sweep);
        }
    }

    /// Lets everything settle with all hints lost: one sweep finds what is missing, and everybody takes.
    pub(super) fn settle(&mut self) {
        while matches!(self.task, Task::Opening(_)) {
            self.work();
        }
        self.now += Duration::from_micros(1);
        self.sweep();
        self.now += REORDER_WINDOW;
        for _ in 0..10_000 {
            let mut moved = self.work();
            if self.is_open() {
                while let Some(away) = self.away.pop() {
                    self.join_as(&away.join);
                }
            }
            for index in 0..self.peers.len() {
                if self.peers[index].flag.get() && self.peers[index].closed.is_none() {
                    self.turn(index);
                    moved = true;
                }
            }
            if !moved {
                match self.core.next_due() {
                    // What it doubts it looks at in a moment.
                    Some(due) if due > self.now => self.now = due,
                    _ => return,
                }
            }
        }
        panic!("it does not settle");
    }

    /// At rest: the room is at the head of the log that there is, and everybody has all or is closed for a
    /// reason.
    pub(super) fn check_rest(&mut self) {
        let head = self.head_seq();
        assert_eq!(self.core.mark().map(|mark| (mark.epoch, mark.seq)), Some((self.life().epoch, head)));
        assert_eq!(self.core.mark().and_then(|mark| mark.id), self.head().last_id);
        assert_eq!(self.core.next_due(), None, "nothing is left to be looked for");
        for index in 0..self.peers.len() {
            let (user, session) = (self.peers[index].user, self.peers[index].session);
            if self.peers[index].closed.is_none() {
                assert!(self.role(user, head).is_some() && !self.session_ended(session, head));
                assert_eq!(self.core.position(self.peers[index].key), head, "is never woken again");
            }
        }
    }
}

/// A user's role right after `seq`; `None` where they are not in the organisation there.
pub(super) fn role(log: &[Arc<LogEntry>], user: UserId, seq: Seq) -> Option<Role> {
    let mut role = None;
    for entry in log.iter().take_while(|entry| entry.seq <= seq) {
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
