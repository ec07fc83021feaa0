use super::*;

const LIMITS: KindLimits = KindLimits { batch: 4, per_org: 8, at_once: 12, per_second: None };

const NOW: Timestamp = Timestamp::from_millis(1_000_000);

fn ring() -> Ring {
    Ring::new(vec![LIMITS])
}

/// A turn of which so many jobs of each kind came, and no others wait.
fn claimed(counts: &[usize]) -> Claimed {
    Claimed { counts: counts.to_vec(), waits: vec![false; counts.len()], next_due: None }
}

/// Gives turns until nobody has one, where each organisation has so many jobs; in which order they are served.
fn serve(ring: &mut Ring, jobs: &mut HashMap<OrgId, usize>) -> Vec<OrgId> {
    let mut served = Vec::new();
    while let Some(turn) = ring.next_turn(Lane::Sound, NOW) {
        let left = jobs.get_mut(&turn.org).unwrap();
        let count = turn.room[0].min(*left);
        *left -= count;
        ring.claimed(&turn, &claimed(&[count]));
        served.extend(std::iter::repeat_n(turn.org, count));
    }
    served
}

#[test]
fn one_with_many_jobs_does_not_keep_those_with_one_waiting() {
    let mut ring = ring();
    let large = OrgId::new();
    let small: Vec<OrgId> = (0..100).map(|_| OrgId::new()).collect();
    let mut jobs: HashMap<OrgId, usize> = small.iter().map(|org| (*org, 1)).collect();
    jobs.insert(large, 100_000);
    ring.wake(large, None);
    for org in &small {
        ring.wake(*org, None);
    }
    let mut served_large = 0;
    let mut served_small = 0;
    while served_small < small.len() {
        let served = serve(&mut ring, &mut jobs);
        assert!(!served.is_empty());
        for org in served {
            if org == large {
                served_large += 1;
            } else {
                served_small += 1;
            }
            ring.finished(org, 0, 1);
        }
    }
    assert!(served_large <= 3 * small.len(), "{served_large} jobs of the large one went before");
}

#[test]
fn nobody_has_more_than_its_share_and_all_together_no_more_than_there_is() {
    let mut ring = ring();
    let orgs = [OrgId::new(), OrgId::new(), OrgId::new()];
    let mut jobs: HashMap<OrgId, usize> = orgs.iter().map(|org| (*org, 100)).collect();
    for org in &orgs {
        ring.wake(*org, None);
    }
    let served = serve(&mut ring, &mut jobs);
    assert_eq!(served.len(), 12);
    for org in orgs {
        assert!(served.iter().filter(|other| **other == org).count() <= 8);
    }
    for org in served {
        ring.finished(org, 0, 1);
    }
    assert_eq!(serve(&mut ring, &mut jobs).len(), 12, "what has ended makes room");
}

#[test]
fn no_kind_takes_the_room_of_another() {
    let mut ring = Ring::new(vec![LIMITS, LIMITS]);
    let org = OrgId::new();
    for count in [4, 4, 0] {
        ring.wake(org, None);
        let turn = ring.next_turn(Lane::Sound, NOW).unwrap();
        assert_eq!(turn.room, [4, count]);
        ring.claimed(&turn, &claimed(&[0, count]));
    }
}

/// Two wait for the room that one takes. It is offered to the first, who needs it no more, so it is the second's.
#[test]
fn room_that_is_not_used_is_offered_to_the_next() {
    let limits = KindLimits { batch: 1, per_org: 1, at_once: 1, per_second: None };
    let mut ring = Ring::new(vec![limits]);
    let orgs = [OrgId::new(), OrgId::new(), OrgId::new()];
    for org in orgs {
        ring.wake(org, None);
    }
    let turn = ring.next_turn(Lane::Sound, NOW).unwrap();
    assert_eq!(turn.org, orgs[0]);
    ring.claimed(&turn, &claimed(&[1]));
    for _ in 0..3 {
        for org in &orgs {
            ring.wake(*org, None);
        }
        assert!(ring.next_turn(Lane::Sound, NOW).is_none());
    }
    ring.finished(orgs[0], 0, 1);
    let mut asked = Vec::new();
    while let Some(turn) = ring.next_turn(Lane::Sound, NOW) {
        asked.push(turn.org);
        ring.claimed(&turn, &claimed(&[0]));
    }
    asked.sort();
    let mut expected = orgs.to_vec();
    expected.sort();
    assert_eq!(asked, expected, "each is asked once");
}

/// Jobs of a kind wait for room while another kind has some: the end of others' jobs wakes, whatever else runs.
#[test]
fn who_waits_for_one_kind_is_woken_though_it_has_jobs_of_another() {
    let limits = KindLimits { batch: 1, per_org: 1, at_once: 1, per_second: None };
    let mut ring = Ring::new(vec![limits, LIMITS]);
    let (first, second) = (OrgId::new(), OrgId::new());
    ring.wake(first, None);
    let turn = ring.next_turn(Lane::Sound, NOW).unwrap();
    ring.claimed(&turn, &claimed(&[1, 0]));
    while let Some(turn) = ring.next_turn(Lane::Sound, NOW) {
        ring.claimed(&turn, &claimed(&[0, 0]));
    }
    ring.wake(second, None);
    let turn = ring.next_turn(Lane::Sound, NOW).unwrap();
    assert_eq!((turn.org, turn.room[0]), (second, 0));
    let waits = vec![true, false];
    ring.claimed(&turn, &Claimed { counts: vec![0, 1], waits, next_due: None });
    assert!(ring.next_turn(Lane::Sound, NOW).is_none(), "there is no room yet, and nobody asks for it");
    ring.finished(first, 0, 1);
    let turns: Vec<Turn> = std::iter::from_fn(|| ring.next_turn(Lane::Sound, NOW)).collect();
    let of_second = turns.iter().find(|turn| turn.org == second).unwrap();
    assert_eq!(of_second.room[0] + turns.iter().find(|turn| turn.org == first).unwrap().room[0], 1);
    for turn in &turns {
        ring.claimed(turn, &claimed(&[0, 0]));
    }
}

/// Room was made while a turn was under way that had none.
#[test]
fn room_that_came_during_a_turn_is_seen() {
    let limits = KindLimits { batch: 1, per_org: 1, at_once: 1, per_second: None };
    let mut ring = Ring::new(vec![limits, LIMITS]);
    let (first, second) = (OrgId::new(), OrgId::new());
    ring.wake(first, None);
    let turn = ring.next_turn(Lane::Sound, NOW).unwrap();
    ring.claimed(&turn, &claimed(&[1, 0]));
    ring.wake(second, None);
    let turns: Vec<Turn> = std::iter::from_fn(|| ring.next_turn(Lane::Sound, NOW)).collect();
    let turn = turns.iter().find(|turn| turn.org == second).unwrap();
    ring.finished(first, 0, 1);
    let waits = vec![true, false];
    ring.claimed(turn, &Claimed { counts: vec![0, 0], waits, next_due: None });
    let turn = std::iter::from_fn(|| ring.next_turn(Lane::Sound, NOW)).find(|turn| turn.org == second);
    assert_eq!(turn.unwrap().room[0], 1);
}

#[test]
fn who_is_woken_during_a_turn_gets_another() {
    let mut ring = ring();
    let org = OrgId::new();
    ring.wake(org, None);
    let turn = ring.next_turn(Lane::Sound, NOW).unwrap();
    assert!(ring.next_turn(Lane::Sound, NOW).is_none());
    ring.wake(org, None);
    ring.claimed(&turn, &claimed(&[0]));
    assert!(ring.next_turn(Lane::Sound, NOW).is_some());
}

/// Two whose stores are away fail turn after turn, and take none of a third's.
#[test]
fn those_that_fail_have_a_lane_of_their_own_and_ever_longer_waits() {
    let mut ring = ring();
    let (broken, sound) = ([OrgId::new(), OrgId::new()], OrgId::new());
    for org in &broken {
        ring.wake(*org, None);
    }
    for org in broken {
        let turn = ring.next_turn(Lane::Sound, NOW).unwrap();
        assert_eq!(turn.org, org);
        ring.failed(&turn, NOW);
    }
    let mut now = NOW;
    for wait in [1, 2, 4, 8, 16, 32, 60, 60] {
        for org in broken {
            ring.wake(org, Some(now));
        }
        assert!(ring.next_turn(Lane::Failing, now).is_none(), "nobody's word shortens the wait");
        now = ring.next_due().unwrap();
        ring.wake_due(now);
        ring.wake(sound, None);
        let turn = ring.next_turn(Lane::Sound, now).unwrap();
        assert_eq!(turn.org, sound);
        ring.claimed(&turn, &claimed(&[0]));
        for _ in broken {
            let turn = ring.next_turn(Lane::Failing, now).unwrap();
            ring.failed(&turn, now);
        }
        assert!(ring.next_turn(Lane::Sound, now).is_none());
        let next = ring.next_due().unwrap().since(now).as_secs();
        assert_eq!(next, (wait * 2).min(60), "after {wait} s");
    }
    now = ring.next_due().unwrap();
    ring.wake_due(now);
    for _ in broken {
        let turn = ring.next_turn(Lane::Failing, now).unwrap();
        ring.claimed(&turn, &claimed(&[1]));
    }
    ring.wake(broken[0], None);
    assert!(ring.next_turn(Lane::Sound, now).is_some(), "it is sound again");
}

#[test]
fn a_rate_is_kept() {
    let mut ring = Ring::new(vec![KindLimits { per_second: Some(3), ..LIMITS }]);
    let org = OrgId::new();
    ring.wake(org, None);
    let turn = ring.next_turn(Lane::Sound, NOW).unwrap();
    assert_eq!(turn.room, [3]);
    ring.claimed(&turn, &claimed(&[2]));
    ring.finished(org, 0, 2);
    let turn = ring.next_turn(Lane::Sound, NOW).unwrap();
    assert_eq!(turn.room, [1], "what was not claimed is left");
    ring.claimed(&turn, &claimed(&[1]));
    assert!(ring.next_turn(Lane::Sound, NOW).is_none());
    assert_eq!(ring.next_due(), Some(NOW.plus(WINDOW)));
    ring.wake_due(NOW.plus(WINDOW));
    assert_eq!(ring.next_turn(Lane::Sound, NOW.plus(WINDOW)).unwrap().room, [3]);
}

#[test]
fn who_waits_for_a_rate_is_woken_by_the_clock_alone() {
    let mut ring = Ring::new(vec![KindLimits { per_second: Some(3), ..LIMITS }, LIMITS]);
    let org = OrgId::new();
    ring.wake(org, None);
    let turn = ring.next_turn(Lane::Sound, NOW).unwrap();
    assert_eq!(turn.room, [3, 4]);
    ring.claimed(&turn, &claimed(&[3, 0]));
    let turn = ring.next_turn(Lane::Sound, NOW).unwrap();
    assert_eq!(turn.room, [0, 4]);
    ring.claimed(&turn, &Claimed { waits: vec![true, false], ..claimed(&[0, 0]) });
    assert!(ring.next_turn(Lane::Sound, NOW).is_none(), "it would be asked again and again");
    assert_eq!(ring.next_due(), Some(NOW.plus(WINDOW)));
}

#[test]
fn who_is_held_back_takes_nobodys_place() {
    let mut ring = Ring::new(vec![KindLimits { at_once: 1, ..LIMITS }]);
    let [busy, failing, waiting] = [OrgId::new(), OrgId::new(), OrgId::new()];
    ring.wake(busy, None);
    let turn = ring.next_turn(Lane::Sound, NOW).unwrap();
    // While it is away, the others find no room, and one of them then fails.
    for org in [failing, waiting] {
        ring.wake(org, None);
    }
    assert!(ring.next_turn(Lane::Sound, NOW).is_none());
    ring.failed(&Turn { org: failing, lane: Lane::Sound, room: vec![0], announced_at: None }, NOW);
    ring.claimed(&turn, &claimed(&[1]));
    ring.finished(busy, 0, 1);
    assert!(ring.queues[Lane::Sound.place()].contains(&waiting));
}

#[test]
fn nothing_is_kept_of_who_has_no_jobs() {
    let mut ring = ring();
    let later = NOW.plus(WINDOW);
    for next_due in [None, Some(later)] {
        let org = OrgId::new();
        ring.wake(org, None);
        let turn = ring.next_turn(Lane::Sound, NOW).unwrap();
        ring.claimed(&turn, &Claimed { next_due, ..claimed(&[0]) });
    }
    assert_eq!(ring.orgs.len(), 1, "who is due later");
    assert_eq!(ring.next_due(), Some(later));
    ring.wake_due(NOW);
    assert!(ring.next_turn(Lane::Sound, NOW).is_none());
    ring.wake_due(later);
    let turn = ring.next_turn(Lane::Sound, NOW).unwrap();
    ring.claimed(&turn, &claimed(&[0]));
    assert!(ring.orgs.is_empty() && ring.timed.is_empty());
}
