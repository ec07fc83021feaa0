//! Single rules, each by its shortest story.

use std::sync::Arc;
use std::time::Duration;

use super::Flag;
use super::world::World;
use crate::activity::Head;
use crate::hub::core::*;
use crate::hub::protocol::CloseCode;
use crate::types::{AccessEffect, ActivityId, Audience, EpochId, Role, Seq, SessionId, UserId};

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
