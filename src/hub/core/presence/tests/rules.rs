//! What holds, case by case.

use super::*;
use crate::hub::core::presence::changes::{CHUNK, MAX_OFFLINE};

/// A node that is alone, and the moment at which it starts.
fn alone() -> (Presence, Instant) {
    let now = Instant::now() + Duration::from_hours(1);
    (Presence::new(times(), Company::Alone, now), now)
}

fn told(presence: &mut Presence, watch: &mut Watch) -> Vec<(UserId, bool)> {
    presence.difference(watch).unwrap().map(|chunk| chunk.users.clone()).unwrap_or_default()
}

/// Somebody new comes, and goes.
fn come_and_go(changes: &mut Changes) {
    let user = UserId::new();
    changes.set(user, true);
    changes.set(user, false);
}

#[test]
fn a_reconnect_within_the_debounce_is_silent_and_keeps_the_moment() {
    let (mut presence, now) = alone();
    let (ana, mut watch) = (UserId::new(), presence.watch());
    presence.joined(ana, Timestamp::from_millis(7), now);
    presence.settle(now, |_| true);
    assert_eq!(told(&mut presence, &mut watch), [(ana, true)]);
    presence.left(ana, now);
    let back = now + times().debounce;
    presence.settle(back, |_| true);
    presence.joined(ana, Timestamp::from_millis(5000), back);
    presence.settle(back + times().gather, |_| true);
    assert_eq!(told(&mut presence, &mut watch), []);
    let online: Vec<Online> = presence.online().collect();
    assert_eq!(online, [Online { user: ana, since: Timestamp::from_millis(7), sockets: 1 }]);
    presence.left(ana, back);
    presence.settle(back + times().stay(), |_| true);
    presence.settle(back + times().stay() + times().gather, |_| true);
    assert_eq!(told(&mut presence, &mut watch), [(ana, false)]);
    assert_eq!(presence.due(), None);
}

#[test]
fn who_is_not_in_the_organisation_is_not_seen_from_then_on() {
    let (mut presence, now) = alone();
    let (ana, mut watch) = (UserId::new(), presence.watch());
    presence.joined(ana, Timestamp::from_millis(0), now);
    presence.settle(now, |_| false);
    assert_eq!(told(&mut presence, &mut watch), []);
    presence.access_changed(ana);
    presence.settle(now + times().gather, |_| true);
    assert_eq!(told(&mut presence, &mut watch), [(ana, true)]);
    presence.access_changed(ana);
    presence.settle(now + times().gather * 2, |_| false);
    assert_eq!(told(&mut presence, &mut watch), [(ana, false)]);
}

#[test]
fn what_comes_together_is_told_together() {
    let (mut presence, now) = alone();
    presence.joined(UserId::new(), Timestamp::from_millis(0), now);
    assert!(presence.due().unwrap() <= now, "the first waits for nobody");
    assert!(presence.settle(now, |_| true).seen);
    for _ in 0..1000 {
        presence.joined(UserId::new(), Timestamp::from_millis(0), now);
    }
    assert_eq!(presence.due(), Some(now + times().gather));
    assert!(!presence.settle(now, |_| true).seen);
    assert!(presence.settle(now + times().gather, |_| true).seen);
    let mut watch = presence.watch();
    let mut lengths = Vec::new();
    while let Some(chunk) = presence.difference(&mut watch).unwrap() {
        lengths.push(chunk.users.len());
    }
    assert_eq!(lengths, [CHUNK, CHUNK, CHUNK, 1001 - 3 * CHUNK]);
    let (mut one, mut other) = (presence.watch(), presence.watch());
    let (one, other) = (presence.difference(&mut one), presence.difference(&mut other));
    assert!(std::sync::Arc::ptr_eq(&one.unwrap().unwrap(), &other.unwrap().unwrap()), "made once for all");
}

#[test]
fn those_who_went_are_remembered_within_a_bound() {
    let mut changes = Changes::default();
    let mut slow = changes.watch();
    for _ in 0..=MAX_OFFLINE {
        come_and_go(&mut changes);
        assert!(changes.offline() <= MAX_OFFLINE);
    }
    assert_eq!(changes.offline(), MAX_OFFLINE);
    // It was there from the start, and has to be told of those who have been forgotten.
    assert_eq!(changes.difference(&mut slow).unwrap_err(), Lagging);
    let mut fresh = changes.watch();
    assert!(changes.difference(&mut fresh).unwrap().is_none());
}

#[test]
fn whoever_was_told_everything_is_told_of_all_who_go_at_once() {
    const USERS: usize = 10_000;
    let (mut presence, now) = alone();
    let users: Vec<UserId> = (0..USERS).map(|_| UserId::new()).collect();
    // Those who went earlier are still remembered, for somebody who is slower.
    for _ in 0..MAX_OFFLINE {
        come_and_go(&mut presence.changes);
    }
    for user in &users {
        presence.joined(*user, Timestamp::from_millis(0), now);
    }
    presence.settle(now, |_| true);
    let mut watch = presence.watch();
    while !told(&mut presence, &mut watch).is_empty() {}
    assert!(presence.is_told(&watch));
    for user in &users {
        presence.left(*user, now);
    }
    let gone = now + times().stay();
    presence.settle(gone, |_| true);
    presence.settle(gone + times().gather, |_| true);
    let mut went = HashSet::new();
    while went.len() < USERS {
        let chunk = told(&mut presence, &mut watch);
        assert!(chunk.len() <= CHUNK && chunk.iter().all(|(_, online)| !online));
        went.extend(chunk.into_iter().map(|(user, _)| user));
        // For those who go meanwhile, those are forgotten of whom it was told.
        come_and_go(&mut presence.changes);
        assert_eq!(presence.changes.offline(), USERS);
    }
    assert!(users.iter().all(|user| went.contains(user)));
    // Once nobody is to be told of them, no more are remembered than before.
    while !presence.is_told(&watch) {
        told(&mut presence, &mut watch);
    }
    presence.prune([&watch].into_iter());
    for _ in 0..=MAX_OFFLINE {
        come_and_go(&mut presence.changes);
    }
    assert_eq!(presence.changes.offline(), MAX_OFFLINE);
}

#[test]
fn a_node_that_dies_is_missed_after_two_renewals_and_the_debounce() {
    let mut world = World::new();
    let user = world.users[0];
    world.open(0, user);
    world.pass(40);
    assert!(world.nodes[1].seen.contains(&user));
    world.kill(0);
    let died = world.now;
    while world.nodes[1].seen.contains(&user) {
        world.pass(1);
    }
    let took = world.now - died;
    let times = times();
    assert!(took >= times.debounce && took <= times.lease + times.debounce + times.gather * 4, "{took:?}");
}
