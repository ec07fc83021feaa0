use super::samples::{ORGANISATION, activity, welcome};
use super::*;
use crate::protocol::{GapReason, Pong, Presence};

const EPOCH: Uuid = Uuid::from_u128(1);
const OTHER_EPOCH: Uuid = Uuid::from_u128(2);

fn pong(seq: i64) -> Frame {
    Frame::Pong(Pong { seq })
}

fn gap(reason: GapReason, next_seq: i64) -> Frame {
    Frame::ResumeGap(ResumeGap { reason, next_seq })
}

fn start(seq: i64) -> Frame {
    welcome(seq, EPOCH, false)
}

fn resume(seq: i64) -> Frame {
    welcome(seq, EPOCH, true)
}

fn observed(frames: impl IntoIterator<Item = Frame>) -> Verifier {
    let mut verifier = Verifier::recording(ORGANISATION);
    frames.into_iter().for_each(|frame| verifier.observe(&frame));
    verifier
}

fn violations(frames: impl IntoIterator<Item = Frame>) -> Vec<Violation> {
    observed(frames).violations().to_vec()
}

fn compared(frames: impl IntoIterator<Item = Frame>, expected: &[i64]) -> Comparison {
    observed(frames).compare(expected).expect("the verifier is recording")
}

#[test]
fn a_stream_with_holes_across_reconnects_is_clean() {
    let verifier = observed([
        start(10),
        activity(11),
        activity(15),
        pong(15),
        pong(40),
        resume(40),
        activity(41),
        pong(40),
        resume(41),
        Frame::UserOnline(Presence { user_id: Uuid::nil() }),
        activity(1000),
    ]);
    assert_eq!(verifier.violations(), []);
    assert_eq!(verifier.activities(), 4);
    assert_eq!(verifier.position(), Some(Position { seq: 1000, epoch: Some(EPOCH) }));
}

#[test]
fn each_kind_of_violation_is_caught() {
    let stranger = Verifier::new(Uuid::from_u128(7));
    let mut verifier = stranger;
    verifier.observe(&start(0));
    let wrong = Violation::WrongOrganisation { expected: Uuid::from_u128(7), found: ORGANISATION };
    assert_eq!(verifier.violations(), [wrong]);

    assert_eq!(violations([activity(3)]), [Violation::NotWelcomed { seq: 3 }]);
    assert_eq!(
        violations([start(5), activity(5), activity(4), activity(6)]),
        [5, 4].map(|seq| Violation::BeforeStart { seq, start: 5 })
    );
    assert_eq!(violations([start(0), activity(1), activity(1)]), [Violation::Doubled { seq: 1 }]);
    assert_eq!(
        violations([start(0), activity(3), activity(2)]),
        [Violation::OutOfOrder { seq: 2, position: 3 }]
    );
    assert_eq!(
        violations([start(0), activity(3), resume(9), activity(10)]),
        [Violation::WrongStart { position: 3, start: 9 }]
    );
}

#[test]
fn a_replay_after_a_reconnect_is_doubled() {
    let frames = [start(0), activity(1), activity(4), pong(9), resume(9), activity(1), activity(4)];
    assert_eq!(violations(frames), [1, 4].map(|seq| Violation::Doubled { seq }));
}

#[test]
fn an_activity_that_a_pong_covers_is_late() {
    let late = Violation::OutOfOrder { seq: 3, position: 5 };
    assert_eq!(violations([start(0), pong(5), activity(3)]), [late]);
}

#[test]
fn doubles_are_told_from_late_ones_among_the_last_128() {
    let found = violations([start(0), activity(1), activity(2), activity(129), activity(2)]);
    assert_eq!(found, [Violation::Doubled { seq: 2 }]);
    let found = violations([start(0), activity(1), activity(2), activity(129), activity(1)]);
    assert_eq!(found, [Violation::OutOfOrder { seq: 1, position: 129 }]);
    let found = violations([start(0), activity(1), activity(i64::MAX), activity(1)]);
    assert_eq!(found, [Violation::OutOfOrder { seq: 1, position: i64::MAX }]);
}

#[test]
fn an_announced_gap_explains_a_start_elsewhere() {
    let frames = [
        start(0),
        activity(1),
        welcome(1, EPOCH, false),
        gap(GapReason::Expired, 50),
        activity(50),
        welcome(90, EPOCH, false),
        gap(GapReason::Expired, 91),
        activity(91),
        gap(GapReason::Expired, 99),
        activity(99),
    ];
    let verifier = observed(frames);
    assert_eq!(verifier.violations(), []);
    assert_eq!(verifier.gaps(), 3);
}

#[test]
fn an_unexplained_start_is_seen_at_the_next_welcome_too() {
    let frames = [start(0), activity(1), resume(5), resume(1), activity(2)];
    assert_eq!(violations(frames), [Violation::WrongStart { position: 1, start: 5 }]);
}

#[test]
fn another_log_begins_anew() {
    let frames = [
        start(0),
        activity(7),
        welcome(2, OTHER_EPOCH, false),
        gap(GapReason::EpochChanged, 3),
        activity(3),
        activity(7),
    ];
    let verifier = observed(frames);
    assert_eq!(verifier.violations(), []);
    assert_eq!(verifier.activities(), 3);
    assert_eq!(verifier.compare(&[1, 2, 3, 7]), Some(Comparison::default()));
}

#[test]
fn a_log_that_was_cut_begins_anew() {
    let frames =
        [start(0), activity(7), welcome(7, EPOCH, false), gap(GapReason::AheadOfLog, 4), activity(4)];
    assert_eq!(violations(frames), []);
}

#[test]
fn the_lost_and_the_unexpected_are_told() {
    let frames = [start(2), activity(3), activity(5), activity(8)];
    let comparison = compared(frames, &[8, 3, 4, 6, 1, 2]);
    assert_eq!(comparison, Comparison { lost: vec![4, 6], unexpected: vec![5], altered: vec![] });
    assert!(!comparison.is_exact());
}

#[test]
fn nothing_is_owed_before_the_start_or_within_a_gap() {
    let frames = [start(2), activity(3), gap(GapReason::Expired, 10), activity(10)];
    assert!(compared(frames, &[1, 2, 3, 4, 9, 10]).is_exact());
}

#[test]
fn a_late_activity_is_not_lost() {
    let frames = [start(0), activity(2), activity(1)];
    assert!(compared(frames, &[1, 2]).is_exact());
}

#[test]
fn without_a_record_there_is_no_comparison() {
    let mut verifier = Verifier::new(ORGANISATION);
    verifier.observe(&start(0));
    verifier.observe(&activity(1));
    assert_eq!(verifier.compare(&[1]), None);
}

#[test]
fn violations_beyond_the_first_are_counted_only() {
    let mut verifier = Verifier::new(ORGANISATION);
    verifier.observe(&start(1000));
    (0..100).for_each(|seq| verifier.observe(&activity(seq)));
    assert_eq!(verifier.violations().len(), KEPT_VIOLATIONS);
    assert_eq!(verifier.violation_count(), 100);
    assert_eq!(verifier.activities(), 0);
}

fn seen_by_an_admin(frames: impl IntoIterator<Item = Frame>) -> Verifier {
    let mut verifier = Verifier::new(ORGANISATION).seeing_all();
    frames.into_iter().for_each(|frame| verifier.observe(&frame));
    verifier
}

#[test]
fn who_sees_all_knows_at_once_what_is_lost() {
    let clean =
        seen_by_an_admin([start(3), activity(4), pong(4), activity(5), resume(5), activity(6), pong(6)]);
    assert_eq!((clean.violations(), clean.lost()), ([].as_slice(), 0));
    let holed = seen_by_an_admin([start(3), activity(4), activity(7), pong(9)]);
    let lost = [Violation::Lost { first: 5, last: 6 }, Violation::Lost { first: 8, last: 9 }];
    assert_eq!((holed.violations(), holed.lost()), (lost.as_slice(), 4));
    let told = seen_by_an_admin([start(3), resume(3), gap(GapReason::Expired, 8), activity(8)]);
    assert_eq!((told.violations(), told.lost(), told.gaps()), ([].as_slice(), 0, 1));
}

#[test]
fn what_comes_late_is_out_of_order_and_no_longer_lost() {
    let late = seen_by_an_admin([start(3), activity(5), activity(4), activity(4), activity(6)]);
    assert_eq!(late.lost(), 0);
    let expected = [
        Violation::Lost { first: 4, last: 4 },
        Violation::OutOfOrder { seq: 4, position: 5 },
        Violation::Doubled { seq: 4 },
    ];
    assert_eq!(late.violations(), expected);
}

#[test]
fn a_start_that_is_known_needs_no_welcome() {
    let mut verifier = Verifier::new(ORGANISATION).seeing_all().starting_at(0);
    for seq in [1, 2, 2, 4] {
        verifier.observe_activity(seq);
    }
    assert_eq!(verifier.violations(), [Violation::Doubled { seq: 2 }, Violation::Lost { first: 3, last: 3 }]);
    assert_eq!(verifier.activities(), 3);
}

#[test]
fn texts_are_compared_by_their_bytes_and_by_what_is_owed() {
    let mut verifier = Verifier::recording(ORGANISATION);
    for (frame, text) in [(start(0), ""), (activity(1), "one"), (activity(3), "other"), (activity(5), "five")]
    {
        verifier.observe_text(&frame, text);
    }
    let entry = |seq, text, claim| Expected { seq, digest: digest(text), claim };
    let comparison = verifier.compare_texts([
        entry(1, "one", Claim::Owed),
        entry(2, "two", Claim::Allowed),
        entry(3, "three", Claim::Owed),
        entry(4, "four", Claim::Owed),
    ]);
    assert_eq!(comparison, Some(Comparison { lost: vec![4], unexpected: vec![5], altered: vec![3] }));
    assert_eq!(Verifier::new(ORGANISATION).compare_texts([]), None);
}
