//! The room against a model, over arbitrary interleavings of commits, hints that are lost, repeated and
//! reordered, sweeps, joins, leaves, slow turns, retention and evictions.

use std::cell::Cell;
use std::rc::Rc;

use proptest::prelude::*;

use super::*;
use crate::types::{LogEntry, OrgId};

type Flag = Rc<Cell<bool>>;

impl Wake for Flag {
    fn wake(&self) {
        self.set(true);
    }
}

const USERS: usize = 4;
const SESSIONS: usize = 2;

#[derive(Debug, Clone)]
enum Step {
    Commit(usize),
    ChangeRole(usize),
    Remove(usize),
    EndSession(usize, usize),
    Deliver(usize),
    Lose(usize),
    Work,
    SweepBegin,
    SweepEnd,
    Join { user: usize, session: usize, after: Option<u8> },
    Leave(usize),
    Turn(usize),
    Retain(u8),
    Forget,
}

fn step() -> impl Strategy<Value = Step> {
    let user = 0..USERS;
    prop_oneof![
        8 => (0usize..8).prop_map(Step::Commit),
        1 => (1..USERS).prop_map(Step::ChangeRole),
        1 => (1..USERS).prop_map(Step::Remove),
        1 => (user.clone(), 0..SESSIONS).prop_map(|(user, session)| Step::EndSession(user, session)),
        6 => any::<usize>().prop_map(Step::Deliver),
        2 => any::<usize>().prop_map(Step::Lose),
        3 => Just(Step::Work),
        1 => Just(Step::SweepBegin),
        1 => Just(Step::SweepEnd),
        2 => (user, 0..SESSIONS, any::<Option<u8>>())
            .prop_map(|(user, session, after)| Step::Join { user, session, after }),
        1 => any::<usize>().prop_map(Step::Leave),
        6 => any::<usize>().prop_map(Step::Turn),
        1 => any::<u8>().prop_map(Step::Retain),
        1 => Just(Step::Forget),
    ]
}

/// A connection as the model sees it.
struct Peer {
    key: ConnectionKey,
    user: UserId,
    session: SessionId,
    /// Up to here it has taken what was for it.
    position: Seq,
    flag: Flag,
    closed: Option<CloseCode>,
}

struct World {
    core: Core<Flag>,
    org: OrgId,
    epoch: EpochId,
    users: Vec<UserId>,
    sessions: Vec<Vec<SessionId>>,
    log: Vec<Arc<LogEntry>>,
    first_seq: Seq,
    hints: Vec<Arc<LogEntry>>,
    peers: Vec<Peer>,
    sweep: Option<(Mark, Head)>,
    now: Instant,
}

impl World {
    fn new(history: usize) -> Self {
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

    fn audience(&self, kind: usize) -> Audience {
        match kind % 8 {
            0..=2 => Audience::Everyone,
            3 | 4 => Audience::Admins,
            5 => Audience::AdminsAnd(self.users[1]),
            6 => Audience::AdminsAnd(self.users[2]),
            _ => Audience::Users(vec![self.users[1], self.users[3]].into()),
        }
    }

    fn commit(&mut self, audience: Audience, effect: Option<AccessEffect>) {
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

    fn head_seq(&self) -> Seq {
        self.log.last().map_or(Seq::ZERO, |entry| entry.seq)
    }

    fn head(&self) -> Head {
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
    fn access(&self) -> AccessSnapshot {
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
    fn role(&self, user: UserId, seq: Seq) -> Option<Role> {
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

    fn session_ended(&self, session: SessionId, until: Seq) -> bool {
        let ends = |entry: &&Arc<LogEntry>| entry.effect == Some(AccessEffect::SessionEnded { session });
        self.log.iter().take_while(|entry| entry.seq <= until).any(|entry| ends(&entry))
    }

    fn cursor(&self) -> Seq {
        self.core.mark().expect("the room is open").seq
    }

    /// What is for `user` in (`from`, `to`], given what the room knows at `cursor`.
    fn expected(&self, user: UserId, from: Seq, to: Seq) -> Vec<Seq> {
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

    fn read(&self, from: Seq, to: Seq) -> Vec<Arc<Entry>> {
        let kept = self.log.iter().filter(|e| e.seq >= from.max(self.first_seq) && e.seq <= to);
        kept.map(|entry| Entry::read((**entry).clone())).collect()
    }

    fn work(&mut self) -> bool {
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

    fn turn(&mut self, index: usize) {
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

    fn join(&mut self, user: usize, session: usize, after: Option<u8>) {
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

    fn apply(&mut self, step: &Step) {
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

    fn sweep_end(&mut self) {
        if let Some((mark, head)) = self.sweep.take() {
            self.core.sweep(mark, &head, self.now).expect("the log was not replaced");
        }
    }

    /// Lets everything settle with all hints lost: a sweep finds what is missing, and everybody takes.
    fn settle(&mut self) {
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
    fn check_rest(&mut self) {
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

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, ..ProptestConfig::default() })]

    #[test]
    fn everybody_gets_what_is_for_them_once_in_order(
        history in 0usize..700, steps in prop::collection::vec(step(), 1..160),
    ) {
        let mut world = World::new(history);
        for step in steps {
            world.apply(&step);
        }
        world.settle();
        world.check_rest();
    }
}

fn live(world: &World, index: usize) -> Arc<Entry> {
    Entry::live(Arc::clone(&world.log[index]), world.now)
}

#[test]
fn nobody_is_woken_for_what_is_not_for_them() {
    let mut world = World::new(0);
    world.join(0, 0, None);
    world.join(1, 0, None);
    world.settle();
    world.commit(Audience::Admins, None);
    let entry = live(&world, world.log.len() - 1);
    world.core.offer([entry]).unwrap();
    assert!(world.peers[0].flag.get(), "the admin");
    assert!(!world.peers[1].flag.get(), "the member");
}

#[test]
fn a_peer_is_told_its_position_after_many_entries_for_others() {
    let mut world = World::new(0);
    world.join(1, 0, None);
    world.settle();
    let start = world.cursor();
    let mut told = None;
    for _ in 0..TELL_AFTER + TELL_SLACK {
        world.commit(Audience::Admins, None);
        let entry = live(&world, world.log.len() - 1);
        world.core.offer([entry]).unwrap();
        if world.peers[0].flag.replace(false) {
            match world.core.take(world.peers[0].key, world.now) {
                Turn::Send { entries, told: Some(seq) } if entries.is_empty() => told = Some(seq),
                other => panic!("expected a position, got {other:?}"),
            }
        }
    }
    let told = told.expect("the peer is told");
    assert!((TELL_AFTER..=TELL_AFTER + TELL_SLACK).contains(&told.since(start)));
}

#[test]
fn a_stale_room_refuses_and_holds_its_frames_back_until_it_is_confirmed() {
    let mut world = World::new(0);
    world.join(1, 0, None);
    world.settle();
    world.commit(Audience::Everyone, None);
    let entry = live(&world, world.log.len() - 1);
    world.core.offer([entry]).unwrap();
    world.now += STALE_AFTER + Duration::from_millis(1);
    let (user, session) = (world.users[1], world.sessions[1][0]);
    assert_eq!(world.core.check(user, session, world.now), Err(Denied::Stale));
    world.peers[0].flag.set(false);
    assert!(matches!(world.core.take(world.peers[0].key, world.now), Turn::Wait));
    assert!(!world.peers[0].flag.get());
    world.settle();
    assert!(world.core.check(user, session, world.now).is_ok());
    world.check_rest();
}

#[test]
fn who_is_sent_away_is_told_once_and_still_closed_for_cause() {
    let mut world = World::new(3);
    world.join(1, 0, None);
    let (key, at) = (world.peers[0].key, world.now + Duration::from_secs(8));
    world.peers[0].flag.set(false);
    world.core.go_away(key, at);
    assert!(world.peers[0].flag.get(), "it is woken");
    assert!(matches!(world.core.take(key, world.now), Turn::Called(Call::GoAway(moment)) if moment == at));
    assert!(matches!(world.core.take(key, world.now), Turn::Wait));
    world.core.close_all(CloseCode::Removed);
    world.core.go_away(key, at);
    for _ in 0..2 {
        assert_eq!(world.core.take_call(key), Some(Call::Close(CloseCode::Removed)), "the cause stands");
    }
}

#[test]
fn a_log_that_was_replaced_closes_everybody() {
    let replaced = |change: fn(&mut Head)| {
        let mut world = World::new(3);
        world.join(1, 0, None);
        let before = world.core.mark().unwrap();
        let mut head = world.head();
        change(&mut head);
        assert!(world.core.sweep(before, &head, world.now).is_err());
        assert!(matches!(
            world.core.take(world.peers[0].key, world.now),
            Turn::Called(Call::Close(CloseCode::ServiceRestart))
        ));
    };
    replaced(|head| head.epoch = EpochId::new());
    replaced(|head| head.last_seq = head.last_seq.previous());
    replaced(|head| head.last_id = Some(ActivityId::new()));
}

#[test]
fn a_commit_between_mark_and_head_is_not_taken_for_another_log() {
    let mut world = World::new(3);
    let before = world.core.mark().unwrap();
    let head = world.head();
    world.commit(Audience::Everyone, None);
    let entry = live(&world, world.log.len() - 1);
    world.core.offer([entry]).unwrap();
    assert_eq!(world.core.sweep(before, &head, world.now), Ok(Sweep::Nothing));
}

#[test]
fn roles_count_at_their_place_and_a_demotion_at_once() {
    let mut world = World::new(0);
    let user = world.users[1];
    world.commit(Audience::Admins, None);
    world.commit(Audience::Everyone, Some(AccessEffect::RoleChanged { user, role: Role::Admin }));
    world.commit(Audience::Admins, None);
    let promoted = world.head_seq();
    world.settle();
    world.join(1, 0, Some(0));
    world.settle();
    let seen = world.expected(user, Seq::ZERO, promoted);
    assert!(!seen.contains(&promoted.previous().previous()) && seen.contains(&promoted));
    world.commit(Audience::Everyone, Some(AccessEffect::RoleChanged { user, role: Role::Member }));
    world.settle();
    assert!(!world.expected(user, Seq::ZERO, promoted).contains(&promoted));
}

#[test]
fn nobody_joins_a_room_that_has_ended() {
    let mut world = World::new(0);
    world.join(1, 0, None);
    assert!(!world.core.end_if_empty(), "somebody is in it");
    let peer = world.peers.remove(0);
    world.core.leave(peer.key);
    assert!(world.core.end_if_empty());
    let join = Join { user: peer.user, session: peer.session, after: None, epoch: None };
    assert_eq!(world.core.join(&join, peer.flag, world.now), Err(Denied::Stale));
    assert!(world.core.is_ended() && world.core.work().is_none());
}

#[test]
fn a_gap_is_filled_before_a_replay_goes_on() {
    let mut world = World::new(2000);
    world.join(1, 0, Some(0));
    world.turn(0);
    assert!(matches!(world.core.work(), Some(Work::ReadBlock(..))));
    let user = world.users[1];
    world.commit(Audience::Everyone, Some(AccessEffect::UserRemoved { user }));
    world.sweep = world.core.mark().map(|mark| (mark, world.head()));
    world.sweep_end();
    assert!(world.work());
    assert_eq!(world.cursor(), world.head_seq(), "the removal is known after one read");
    world.turn(0);
    assert_eq!(world.peers[0].closed, Some(CloseCode::Removed));
}

#[test]
fn a_large_block_is_kept_in_part_and_read_again() {
    let mut world = World::new(300);
    world.join(1, 0, Some(0));
    world.settle();
    world.check_rest();
    assert!(world.core.cached_bytes() <= 4096);
}

#[test]
fn a_replaced_log_is_given_another_epoch_before_anybody_comes_back() {
    let mut world = World::new(3);
    let before = world.core.mark().unwrap();
    let mut head = world.head();
    head.last_id = Some(ActivityId::new());
    assert!(world.core.sweep(before, &head, world.now).is_err());
    assert_eq!(world.core.work(), Some(Work::RenewEpoch(world.epoch)));
    let (user, session) = (world.users[1], world.sessions[1][0]);
    assert_eq!(world.core.check(user, session, world.now), Err(Denied::Stale));
    // What a read of it then finds deleted changes nothing about that.
    assert!(!world.core.outrun());
    assert_eq!(world.core.work(), Some(Work::RenewEpoch(world.epoch)));
}

#[test]
fn sockets_that_are_being_closed_take_no_place() {
    let mut world = World::new(0);
    world.core.sockets = SocketLimits { per_user: Some(2), per_organisation: Some(3) };
    let (ana, bo, cy) = (world.users[1], world.users[2], world.users[3]);
    let (sessions, now) = (world.sessions.clone(), world.now);
    let join = |world: &mut World, user: UserId, session: SessionId| {
        let join = Join { user, session, after: None, epoch: None };
        world.core.join(&join, Flag::default(), now).map(|joined| joined.key)
    };
    let first = join(&mut world, ana, sessions[1][0]).unwrap();
    join(&mut world, ana, sessions[1][1]).unwrap();
    let too_many = |sockets| Err(Denied::TooManySockets(sockets));
    assert_eq!(join(&mut world, ana, sessions[1][1]), too_many(SocketsOf::User));
    join(&mut world, bo, sessions[2][0]).unwrap();
    assert_eq!(join(&mut world, cy, sessions[3][0]), too_many(SocketsOf::Organisation));

    let effect = AccessEffect::SessionEnded { session: sessions[1][0] };
    world.commit(Audience::Everyone, Some(effect));
    world.settle();
    assert_eq!(world.core.take_call(first), Some(Call::Close(CloseCode::Unauthorized)));
    join(&mut world, ana, sessions[1][1]).unwrap();
    assert_eq!(join(&mut world, cy, sessions[3][0]), too_many(SocketsOf::Organisation));
    // That it has closed frees no second place.
    world.core.leave(first);
    assert_eq!(join(&mut world, cy, sessions[3][0]), too_many(SocketsOf::Organisation));
}
