//! Single rules, each by its shortest story.

use std::sync::Arc;
use std::time::Duration;

use super::world::World;
use super::{Flag, Node};
use crate::activity::Head;
use crate::config::Broken;
use crate::hub::core::*;
use crate::hub::protocol::CloseCode;
use crate::types::{AccessEffect, ActivityId, Audience, EpochId, LogEntry, Role, Seq, SessionId, UserId};

fn live(world: &World, index: usize) -> Arc<Entry> {
    Entry::live(&world.life().log[index], world.now)
}

#[test]
fn nobody_is_woken_for_what_is_not_for_them() {
    let mut world = World::new(0, Broken::default());
    world.join(0, 0, None);
    world.join(1, 0, None);
    world.settle();
    world.commit(Node::Other, Audience::Admins, None);
    let entry = live(&world, world.life().log.len() - 1);
    world.core.offer([entry], world.now);
    assert!(world.peers[0].flag.get(), "the admin");
    assert!(!world.peers[1].flag.get(), "the member");
}

#[test]
fn a_peer_is_told_its_position_after_many_entries_for_others() {
    let mut world = World::new(0, Broken::default());
    world.join(1, 0, None);
    world.settle();
    let start = world.cursor();
    let mut told = None;
    for _ in 0..TELL_AFTER + TELL_SLACK {
        world.commit(Node::Other, Audience::Admins, None);
        let entry = live(&world, world.life().log.len() - 1);
        world.core.offer([entry], world.now);
        if world.peers[0].flag.replace(false) {
            match world.core.take(world.peers[0].key, world.now) {
                Turn::Send { entries, told: Some(seq), .. } if entries.is_empty() => told = Some(seq),
                other => panic!("expected a position, got {other:?}"),
            }
        }
    }
    let told = told.expect("the peer is told");
    assert!((TELL_AFTER..=TELL_AFTER + TELL_SLACK).contains(&told.since(start)));
}

#[test]
fn a_stale_room_refuses_and_holds_its_frames_back_until_it_is_confirmed() {
    let mut world = World::new(0, Broken::default());
    world.join(1, 0, None);
    world.settle();
    world.commit(Node::Other, Audience::Everyone, None);
    let entry = live(&world, world.life().log.len() - 1);
    world.core.offer([entry], world.now);
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
    let mut world = World::new(3, Broken::default());
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
        let mut world = World::new(3, Broken::default());
        world.join(1, 0, None);
        let before = world.core.mark().unwrap();
        let mut head = world.head();
        change(&mut head);
        assert!(world.core.sweep(before, &head, world.now, world.now, Told::Sweep).is_err());
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
    let mut world = World::new(3, Broken::default());
    let before = world.core.mark().unwrap();
    let head = world.head();
    world.commit(Node::Other, Audience::Everyone, None);
    let entry = live(&world, world.life().log.len() - 1);
    world.core.offer([entry], world.now);
    assert_eq!(world.core.sweep(before, &head, world.now, world.now, Told::Sweep), Ok(Sweep::Nothing));
}

#[test]
fn roles_count_at_their_place_and_a_demotion_at_once() {
    let mut world = World::new(0, Broken::default());
    let user = world.users[1];
    world.commit(Node::Other, Audience::Admins, None);
    world.commit(
        Node::Other,
        Audience::Everyone,
        Some(AccessEffect::RoleChanged { user, role: Role::Admin }),
    );
    world.commit(Node::Other, Audience::Admins, None);
    let promoted = world.head_seq();
    world.settle();
    world.join(1, 0, Some(0));
    world.settle();
    let seen = |world: &World, seq| world.expected(user, Seq::ZERO, promoted).iter().any(|one| one.0 == seq);
    assert!(!seen(&world, promoted.previous().previous()) && seen(&world, promoted));
    world.commit(
        Node::Other,
        Audience::Everyone,
        Some(AccessEffect::RoleChanged { user, role: Role::Member }),
    );
    world.settle();
    assert!(!seen(&world, promoted));
}

#[test]
fn nobody_joins_a_room_that_has_ended() {
    let mut world = World::new(0, Broken::default());
    world.join(1, 0, None);
    assert!(!world.core.end_if_empty(), "somebody is in it");
    let peer = world.peers.remove(0);
    world.core.leave(peer.key, world.now);
    assert!(world.core.end_if_empty());
    let join = Join {
        user: peer.user,
        session: peer.session,
        after: None,
        epoch: None,
        presence: false,
        at: Timestamp::from_millis(0),
    };
    assert_eq!(world.core.join(&join, peer.flag, world.now), Err(Denied::Stale));
    assert!(world.core.is_ended() && world.core.work(world.now).is_none());
}

#[test]
fn a_gap_is_filled_before_a_replay_goes_on() {
    let mut world = World::new(2000, Broken::default());
    world.join(1, 0, Some(0));
    world.turn(0);
    assert!(matches!(world.core.work(world.now), Some(Work::ReadBlock(..))));
    let user = world.users[1];
    world.commit(Node::Other, Audience::Everyone, Some(AccessEffect::UserRemoved { user }));
    world.sweep();
    world.now += REORDER_WINDOW;
    assert!(world.work() && world.work());
    assert_eq!(world.cursor(), world.head_seq(), "the removal is known after one read");
    world.turn(0);
    assert_eq!(world.peers[0].closed, Some(CloseCode::Removed));
}

#[test]
fn a_large_block_is_kept_in_part_and_read_again() {
    let mut world = World::new(300, Broken::default());
    world.join(1, 0, Some(0));
    world.settle();
    world.check_rest();
    assert!(world.core.cached_bytes() <= 4096);
}

#[test]
fn a_replaced_log_is_given_another_epoch_before_anybody_comes_back() {
    let mut world = World::new(3, Broken::default());
    let before = world.core.mark().unwrap();
    let mut head = world.head();
    head.last_id = Some(ActivityId::new());
    assert!(world.core.sweep(before, &head, world.now, world.now, Told::Sweep).is_err());
    assert_eq!(world.core.work(world.now), Some(Work::RenewEpoch(world.life().epoch)));
    let (user, session) = (world.users[1], world.sessions[1][0]);
    assert_eq!(world.core.check(user, session, world.now), Err(Denied::Stale));
    // What was being read of it then changes nothing about that.
    let read = LogRead { entries: Vec::new(), head: world.head(), read_at: world.now };
    assert_eq!(world.core.read_on(before, before.seq, read, world.now), Ok(Taken::Whole));
    assert_eq!(world.core.work(world.now), Some(Work::RenewEpoch(world.life().epoch)));
}

#[test]
fn sockets_that_are_being_closed_take_no_place() {
    let mut world = World::new(0, Broken::default());
    world.core.sockets = SocketLimits { per_user: Some(2), per_organisation: Some(3) };
    let (ana, bo, cy) = (world.users[1], world.users[2], world.users[3]);
    let (sessions, now) = (world.sessions.clone(), world.now);
    let join = |world: &mut World, user: UserId, session: SessionId| {
        let join =
            Join { user, session, after: None, epoch: None, presence: false, at: Timestamp::from_millis(0) };
        world.core.join(&join, Flag::default(), now).map(|joined| joined.key)
    };
    let first = join(&mut world, ana, sessions[1][0]).unwrap();
    join(&mut world, ana, sessions[1][1]).unwrap();
    let too_many = |sockets| Err(Denied::TooManySockets(sockets));
    assert_eq!(join(&mut world, ana, sessions[1][1]), too_many(SocketsOf::User));
    join(&mut world, bo, sessions[2][0]).unwrap();
    assert_eq!(join(&mut world, cy, sessions[3][0]), too_many(SocketsOf::Organisation));

    let effect = AccessEffect::SessionEnded { session: sessions[1][0] };
    world.commit(Node::Other, Audience::Everyone, Some(effect));
    world.settle();
    assert_eq!(world.core.take_call(first), Some(Call::Close(CloseCode::Unauthorized)));
    join(&mut world, ana, sessions[1][1]).unwrap();
    assert_eq!(join(&mut world, cy, sessions[3][0]), too_many(SocketsOf::Organisation));
    // That it has closed frees no second place.
    world.core.leave(first, world.now);
    assert_eq!(join(&mut world, cy, sessions[3][0]), too_many(SocketsOf::Organisation));
}

/// A room at the head of a log, with a peer that has all.
fn at_rest() -> World {
    let mut world = World::new(20, Broken::default());
    world.join(1, 0, None);
    world.settle();
    world
}

#[test]
fn what_is_said_of_an_earlier_life_closes_nobody() {
    let mut world = at_rest();
    let (mark, head) = (world.core.mark().unwrap(), world.head());
    let stale = EpochId::new();
    let last = &world.life().log[5];
    let entry = LogEntry { epoch: stale, ..(**last).clone() };
    for _ in 0..100 {
        world.core.offer([Entry::live(&entry, world.now)], world.now);
        world.core.told_of_head(stale, head.last_seq.plus(7), ActivityId::new(), world.now);
    }
    // It looks once, and then not again for a while.
    assert_eq!(world.core.work(world.now), Some(Work::ReadOn(mark, mark.seq)));
    assert!(world.work() && world.work());
    assert!(!world.core.is_ended());
    world.core.told_of_head(stale, head.last_seq, ActivityId::new(), world.now);
    assert_eq!(world.core.work(world.now), None);
    let due = world.core.next_due().expect("it looks again later");
    assert_eq!(world.core.work(due), Some(Work::ReadOn(mark, mark.seq)));
    world.now = due;
    world.settle();
    world.check_rest();
}

#[test]
fn a_position_that_the_log_does_not_have_is_asked_for_once() {
    let mut world = at_rest();
    let (epoch, head) = (world.life().epoch, world.head_seq());
    world.core.told_of_head(epoch, head.plus(1000), ActivityId::new(), world.now);
    let mut ahead = (*world.life().log[3]).clone();
    ahead.seq = head.plus(5);
    world.core.offer([Entry::live(&ahead, world.now)], world.now);
    assert!(world.work() && world.work());
    assert!(!world.work(), "it knows better now");
    world.check_rest();
}

#[test]
fn another_entry_at_a_place_that_the_room_has_makes_it_look() {
    let mut world = at_rest();
    let mark = world.core.mark().unwrap();
    let mut other = (**world.life().log.last().unwrap()).clone();
    other.id = ActivityId::new();
    world.core.offer([Entry::live(&other, world.now)], world.now);
    assert_eq!(world.core.work(world.now), Some(Work::ReadOn(mark, mark.seq)));
    world.settle();
    world.check_rest();
}

#[test]
fn what_is_missing_has_a_moment_to_come_by_itself() {
    let mut world = at_rest();
    for _ in 0..2 {
        world.commit(Node::Other, Audience::Everyone, None);
    }
    let length = world.life().log.len();
    let (first, second) = (live(&world, length - 2), live(&world, length - 1));
    let start = world.now;
    world.core.offer([second], world.now);
    assert_eq!(world.core.work(world.now), None);
    assert_eq!(world.core.next_due(), Some(start + REORDER_WINDOW));
    assert!(matches!(world.core.work(start + REORDER_WINDOW), Some(Work::ReadOn(..))));
    world.core.offer([first], world.now);
    assert_eq!(world.core.next_due(), None);
    assert_eq!(world.core.take_counts(), Counts { gaps: 1, came: 1, read: 0, catches: 0 });
    world.settle();
    world.check_rest();
}

#[test]
fn a_sweep_catches_only_what_does_not_come_by_itself() {
    let mut world = at_rest();
    for comes in [true, false] {
        world.commit(Node::Other, Audience::Everyone, None);
        world.sweep();
        assert_eq!(world.core.work(world.now), None, "it may be on its way");
        if comes {
            let entry = live(&world, world.life().log.len() - 1);
            world.core.offer([entry], world.now);
            assert_eq!(world.core.take_counts(), Counts::default());
        } else {
            world.now += REORDER_WINDOW;
            assert!(world.work() && world.work());
            assert_eq!(world.core.take_counts(), Counts { gaps: 1, came: 0, read: 1, catches: 1 });
        }
    }
    world.settle();
    world.check_rest();
}

#[test]
fn what_is_read_of_a_replaced_log_is_not_delivered() {
    let mut world = World::new(700, Broken::default());
    world.join(1, 0, Some(0));
    world.turn(0);
    let Some(Work::ReadBlock(number, before)) = world.core.work(world.now) else {
        panic!("a block is wanted")
    };
    let mut head = world.head();
    head.last_seq = head.last_seq.previous();
    let read = LogRead { entries: Vec::new(), head, read_at: world.now };
    assert_eq!(world.core.block_read(number, before, read), Err(Diverged));
    assert!(matches!(world.core.work(world.now), Some(Work::RenewEpoch(_))));
}

#[test]
fn what_came_early_is_bounded_by_its_bytes_and_still_comes() {
    let mut world = World::new(0, Broken::default());
    world.join(1, 0, None);
    world.settle();
    let missing = world.life().log.len();
    for _ in 0..200 {
        world.commit(Node::Other, Audience::Everyone, None);
    }
    let large: Vec<Arc<Entry>> = world.life().log[missing + 1..]
        .iter()
        .map(|entry| LogEntry { json: vec![b' '; 20_000].into(), ..LogEntry::clone(entry) })
        .map(|entry| Entry::live(&entry, world.now))
        .collect();
    world.core.offer(large, world.now);
    assert!(world.core.cached_bytes() < 400_000, "{}", world.core.cached_bytes());
    world.core.forget();
    assert!(world.core.cached_bytes() < 4_000, "{}", world.core.cached_bytes());
    world.settle();
    assert_eq!(world.cursor(), world.head_seq());
    world.check_rest();
}

#[test]
fn nobody_is_admitted_by_a_room_that_does_not_get_to_read_what_it_knows_of() {
    let mut world = World::new(0, Broken::default());
    let (user, session) = (world.users[1], world.sessions[1][0]);
    world.commit(Node::Other, Audience::Everyone, Some(AccessEffect::UserRemoved { user }));
    let (mark, head) = (world.core.mark().unwrap(), world.head());
    let found = world.core.sweep(mark, &head, world.now, world.now, Told::Sweep);
    assert_eq!(found, Ok(Sweep::Behind));
    assert!(world.core.check(user, session, world.now).is_ok(), "it is being read");
    world.now += BEHIND_AFTER + Duration::from_millis(1);
    assert_eq!(world.core.check(user, session, world.now), Err(Denied::Stale));
    world.settle();
    assert_eq!(world.core.check(user, session, world.now), Err(Denied::UserUnknown));
}

#[test]
fn what_follows_a_contradiction_does_not_hide_it() {
    let mut world = World::new(5, Broken::default());
    world.join(1, 0, None);
    world.settle();
    // Another entry in the place of the last one, as after a failover that lost it, and what came after that.
    let last = LogEntry { id: ActivityId::new(), ..LogEntry::clone(world.life().log.last().unwrap()) };
    let next = LogEntry { seq: last.seq.next(), id: ActivityId::new(), ..last.clone() };
    let head = Head { last_seq: next.seq, last_id: Some(next.id), ..world.head() };
    world.core.offer([Entry::live(&last, world.now), Entry::live(&next, world.now)], world.now);
    let mark = world.core.mark().unwrap();
    assert_eq!(world.core.sweep(mark, &head, world.now, world.now, Told::Sweep), Ok(Sweep::Nothing));
    world.now += Duration::from_secs(1);
    let Some(Work::ReadOn(before, to)) = world.core.work(world.now) else { panic!("it looks") };
    assert_eq!((before.seq, to), (last.seq, last.seq), "where it stood");
    let entries = vec![Entry::read(last.clone())];
    let read = LogRead { entries, head, read_at: world.now };
    assert_eq!(world.core.read_on(before, to, read, world.now), Err(Diverged));
}
