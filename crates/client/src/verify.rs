//! Proof that a subscriber got what it was owed.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hasher as _};
use std::ops::RangeInclusive;

use uuid::Uuid;

use crate::position::{self, Moved, Position};
use crate::protocol::{Frame, ResumeGap, Welcome};

/// So many violations are kept as examples; the rest is counted. One fault of a server often shows
/// in every frame that follows.
const KEPT_VIOLATIONS: usize = 64;

/// A promise that the server broke.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Violation {
    /// An activity came before any WELCOME.
    #[error("activity {seq} came before a WELCOME")]
    NotWelcomed {
        /// The activity.
        seq: i64,
    },
    /// A WELCOME names another organisation than the one subscribed to.
    #[error("welcomed by organisation {found} instead of {expected}")]
    WrongOrganisation {
        /// The subscriber's.
        expected: Uuid,
        /// The one in the WELCOME.
        found: Uuid,
    },
    /// A WELCOME continues from another position than the subscriber's, without a `RESUME_GAP`.
    #[error("resumed after {start} instead of {position}")]
    WrongStart {
        /// The subscriber's position.
        position: i64,
        /// Where the socket starts.
        start: i64,
    },
    /// An activity lies at or below the position where the subscription started.
    #[error("activity {seq} is not after the start at {start}")]
    BeforeStart {
        /// The activity.
        seq: i64,
        /// Where the subscription started.
        start: i64,
    },
    /// An activity came a second time.
    #[error("activity {seq} came twice")]
    Doubled {
        /// The activity.
        seq: i64,
    },
    /// An activity came after a later one, or after a PONG that covers it.
    #[error("activity {seq} came after position {position}")]
    OutOfOrder {
        /// The activity.
        seq: i64,
        /// The subscriber's position at that time.
        position: i64,
    },
    /// Something came, or was said to have been sent, after activities that never came. Only a verifier
    /// that is told that its subscriber may see everything can know.
    #[error("activities {first} to {last} never came")]
    Lost {
        /// The first of them.
        first: i64,
        /// The last of them.
        last: i64,
    },
}

impl Violation {
    /// Where in the log it shows, as far as that can be told.
    pub fn seq(&self) -> i64 {
        match *self {
            Self::NotWelcomed { seq }
            | Self::BeforeStart { seq, .. }
            | Self::Doubled { seq }
            | Self::OutOfOrder { seq, .. } => seq,
            Self::WrongStart { start, .. } => start,
            Self::Lost { first, .. } => first,
            Self::WrongOrganisation { .. } => 0,
        }
    }
}

/// What a subscriber received, beside what it should have.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Comparison {
    /// Expected and not received, in order.
    pub lost: Vec<i64>,
    /// Received and not expected, in order.
    pub unexpected: Vec<i64>,
    /// Received with other bytes than expected, in order.
    pub altered: Vec<i64>,
}

/// Whether a subscriber has to be sent an entry of the log that it may see.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Claim {
    /// It has to.
    Owed,
    /// It may or may not: its access narrowed when the entry was on its way.
    Allowed,
}

/// An entry of the log that a subscriber may see.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Expected {
    /// Where it is.
    pub seq: i64,
    /// The [`digest`] of its text.
    pub digest: u64,
    /// Whether it is owed.
    pub claim: Claim,
}

/// Stands for the bytes of an activity, in the same process.
pub fn digest(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write(text.as_bytes());
    hasher.finish()
}

impl Comparison {
    /// Whether exactly the expected was received.
    pub fn is_exact(&self) -> bool {
        self.lost.is_empty() && self.unexpected.is_empty() && self.altered.is_empty()
    }
}

/// Watches the frames of one subscriber, in the order in which they came, across its reconnects.
///
/// It takes the frames of a client that resumes with `after`; one that starts again at the head
/// starts with a new verifier. It does no input or output, and its memory does not grow with the
/// number of frames, unless it is [recording](Self::recording).
///
/// ```
/// use roomcast_client::{Frame, Verifier, Violation};
/// use uuid::Uuid;
///
/// # fn activity(seq: i64) -> Frame {
/// #     let text = format!(r#"{{"type":"X","seq":{seq},"id":"{0}","payload":{{}},"createdAt":""}}"#, Uuid::nil());
/// #     Frame::decode(&text).expect("a valid frame")
/// # }
/// # let welcome = r#"{"type":"WELCOME","payload":{"connectionId":"ID","organisationId":"ID","userId":"ID",
/// #   "role":"ADMIN","seq":3,"headSeq":3,"epoch":"ID","resumed":false,"heartbeatSeconds":25,"tokenExpiresAt":""}}"#;
/// # let welcome = Frame::decode(&welcome.replace("ID", &Uuid::nil().to_string())).expect("a valid frame");
/// let mut verifier = Verifier::new(Uuid::nil());
/// verifier.observe(&welcome); // starts at 3
/// verifier.observe(&activity(4));
/// verifier.observe(&activity(4));
/// assert_eq!(verifier.violations(), [Violation::Doubled { seq: 4 }]);
/// ```
#[derive(Debug, Clone)]
pub struct Verifier {
    organisation_id: Uuid,
    position: Option<Position>,
    /// Where the present log was entered.
    start: i64,
    recent: Recent,
    /// Where a WELCOME started elsewhere than at the position: the next frame must explain it.
    unexplained_start: Option<i64>,
    activities: u64,
    gaps: u64,
    violations: Vec<Violation>,
    violation_count: u64,
    lost: u64,
    sees_all: bool,
    record: Option<Record>,
}

/// Which of the last 128 seqs were received: bit *n* stands for the position less *n*.
#[derive(Debug, Clone, Copy, Default)]
struct Recent(u128);

/// What a comparison needs.
#[derive(Debug, Clone, Default)]
struct Record {
    /// With the digests of their texts, where those were given.
    received: Vec<(i64, Option<u64>)>,
    skipped: Vec<RangeInclusive<i64>>,
}

impl Verifier {
    /// A verifier of a subscriber of this organisation, in constant memory.
    pub fn new(organisation_id: Uuid) -> Self {
        Self {
            organisation_id,
            position: None,
            start: 0,
            recent: Recent::default(),
            unexplained_start: None,
            activities: 0,
            gaps: 0,
            violations: Vec::new(),
            violation_count: 0,
            lost: 0,
            sees_all: false,
            record: None,
        }
    }

    /// The verifier of a subscriber that may see every activity, as an admin may: its log has no holes, so
    /// that what is lost shows at once.
    #[must_use]
    pub fn seeing_all(self) -> Self {
        Self { sees_all: true, ..self }
    }

    /// The same of a subscriber whose position is known without a WELCOME.
    #[must_use]
    pub fn starting_at(self, seq: i64) -> Self {
        Self { position: Some(Position { seq, epoch: None }), start: seq, ..self }
    }

    /// A verifier that also keeps every `seq` with a digest of its text, 24 bytes each, for
    /// [`compare`](Self::compare) and [`compare_texts`](Self::compare_texts).
    pub fn recording(organisation_id: Uuid) -> Self {
        Self { record: Some(Record::default()), ..Self::new(organisation_id) }
    }

    /// Takes the subscriber's next frame.
    pub fn observe(&mut self, frame: &Frame) {
        self.take(frame, None);
    }

    /// The same with the bytes in which it came, for [`compare_texts`](Self::compare_texts).
    pub fn observe_text(&mut self, frame: &Frame, text: &str) {
        self.take(frame, Some(text));
    }

    fn take(&mut self, frame: &Frame, text: Option<&str>) {
        if let Frame::Activity(activity) = frame {
            return self.take_activity(activity.seq, text.map(digest));
        }
        let before = self.position;
        let moved = position::advance(&mut self.position, frame);
        if moved != Moved::Not {
            self.explain_start(before, matches!(frame, Frame::ResumeGap(_)));
        }
        match frame {
            Frame::Welcome(welcome) => self.welcomed(before, welcome, moved),
            Frame::ResumeGap(gap) => self.skipped(before, gap, moved),
            Frame::Pong(pong) if moved == Moved::Forward => {
                self.missed(before, pong.seq.saturating_add(1));
                self.move_recent(before, pong.seq);
            }
            _ => {}
        }
    }

    /// Takes the subscriber's next frame, an activity of which this is the `seq`. For who reads that much of
    /// a frame and no more, with [`Glance`](crate::Glance).
    pub fn observe_activity(&mut self, seq: i64) {
        self.take_activity(seq, None);
    }

    fn take_activity(&mut self, seq: i64, digest: Option<u64>) {
        let before = self.position;
        let moved = position::forward(&mut self.position, seq);
        self.explain_start(before, false);
        self.received(before, seq, moved);
        if let Some(record) = &mut self.record {
            record.received.push((seq, digest));
        }
    }

    /// Where the subscriber stands, or none before its first WELCOME.
    pub fn position(&self) -> Option<Position> {
        self.position
    }

    /// The number of activities received once and in order.
    pub fn activities(&self) -> u64 {
        self.activities
    }

    /// The number of gaps that the server announced. They are no violations: each says that the log
    /// does not hold something any more.
    pub fn gaps(&self) -> u64 {
        self.gaps
    }

    /// The first violations, at most 64 of them.
    pub fn violations(&self) -> &[Violation] {
        &self.violations
    }

    /// The number of all violations.
    pub fn violation_count(&self) -> u64 {
        self.violation_count
    }

    /// The number of activities that never came, as far as a verifier [seeing all](Self::seeing_all) knows.
    pub fn lost(&self) -> u64 {
        self.lost
    }

    /// Compares what was received with the seqs that were addressed to this subscriber, in any
    /// order. None if the verifier is not [recording](Self::recording).
    ///
    /// What lies at or below the start or in an announced gap is not owed. If the log was replaced,
    /// this speaks of the present one.
    pub fn compare(&self, expected: &[i64]) -> Option<Comparison> {
        let record = self.record.as_ref()?;
        let received: BTreeSet<i64> = record.received.iter().map(|(seq, _)| *seq).collect();
        let expected: BTreeSet<i64> = expected.iter().copied().collect();
        Some(Comparison {
            lost: expected.difference(&received).copied().filter(|seq| self.is_owed(record, *seq)).collect(),
            unexpected: received.difference(&expected).copied().collect(),
            altered: Vec::new(),
        })
    }

    /// Compares what was received with the entries of the log that this subscriber may see, byte for byte.
    /// None if the verifier is not [recording](Self::recording).
    ///
    /// What lies at or below the start or in an announced gap is not owed.
    pub fn compare_texts(&self, expected: impl IntoIterator<Item = Expected>) -> Option<Comparison> {
        let record = self.record.as_ref()?;
        let mut received: BTreeMap<i64, Option<u64>> = record.received.iter().copied().collect();
        let mut comparison = Comparison::default();
        for Expected { seq, digest, claim } in expected {
            match received.remove(&seq) {
                None if claim == Claim::Owed && self.is_owed(record, seq) => comparison.lost.push(seq),
                Some(Some(found)) if found != digest => comparison.altered.push(seq),
                None | Some(_) => {}
            }
        }
        comparison.unexpected = received.into_keys().collect();
        Some(comparison)
    }

    fn is_owed(&self, record: &Record, seq: i64) -> bool {
        seq > self.start && !record.skipped.iter().any(|range| range.contains(&seq))
    }

    fn welcomed(&mut self, before: Option<Position>, welcome: &Welcome, moved: Moved) {
        if welcome.organisation_id != self.organisation_id {
            self.violated(Violation::WrongOrganisation {
                expected: self.organisation_id,
                found: welcome.organisation_id,
            });
        }
        if moved == Moved::Restarted {
            self.restart(welcome.seq);
        } else if before.is_some_and(|before| before.seq != welcome.seq) {
            self.unexplained_start = Some(welcome.seq);
        }
    }

    /// A start elsewhere than at the position is right only if a `RESUME_GAP` follows.
    fn explain_start(&mut self, before: Option<Position>, by_gap: bool) {
        let (Some(start), Some(before)) = (self.unexplained_start.take(), before) else {
            return;
        };
        if !by_gap {
            self.violated(Violation::WrongStart { position: before.seq, start });
        }
    }

    fn received(&mut self, before: Option<Position>, seq: i64, moved: Moved) {
        match before {
            None => {
                self.start = seq.saturating_sub(1);
                self.violated(Violation::NotWelcomed { seq });
            }
            Some(before) if moved == Moved::Stale => self.misplaced(seq, before.seq),
            Some(_) => {}
        }
        if moved == Moved::Forward {
            self.activities += 1;
            self.missed(before, seq);
            self.move_recent(before, seq);
            self.recent.insert();
        }
    }

    /// What lies between the position and `next` will not come any more.
    fn missed(&mut self, before: Option<Position>, next: i64) {
        let Some(before) = before.filter(|_| self.sees_all) else { return };
        let (first, last) = (before.seq.saturating_add(1), next.saturating_sub(1));
        if let Ok(missing @ 1..) = u64::try_from(last.saturating_sub(before.seq)) {
            self.lost += missing;
            self.violated(Violation::Lost { first, last });
        }
    }

    fn misplaced(&mut self, seq: i64, position: i64) {
        if seq <= self.start {
            self.violated(Violation::BeforeStart { seq, start: self.start });
        } else if self.recent.contains(position, seq) {
            self.violated(Violation::Doubled { seq });
        } else {
            // It is late, and not lost.
            if self.recent.insert_behind(position, seq) && self.sees_all {
                self.lost = self.lost.saturating_sub(1);
            }
            self.violated(Violation::OutOfOrder { seq, position });
        }
    }

    fn skipped(&mut self, before: Option<Position>, gap: &ResumeGap, moved: Moved) {
        self.gaps += 1;
        let last = gap.next_seq.saturating_sub(1);
        match (before, moved) {
            (Some(before), Moved::Forward) => {
                self.move_recent(Some(before), last);
                if let Some(record) = &mut self.record {
                    record.skipped.push(before.seq.saturating_add(1)..=last);
                }
            }
            (_, Moved::Restarted) | (None, _) => self.restart(last),
            (Some(_), _) => {}
        }
    }

    /// Enters a log after `start`; seqs of the one before mean nothing in it.
    fn restart(&mut self, start: i64) {
        self.start = start;
        self.recent = Recent::default();
        if let Some(record) = &mut self.record {
            *record = Record::default();
        }
    }

    fn move_recent(&mut self, before: Option<Position>, seq: i64) {
        let distance = before.map_or(0, |before| seq.saturating_sub(before.seq));
        self.recent.shift(distance);
    }

    fn violated(&mut self, violation: Violation) {
        self.violation_count += 1;
        if self.violations.len() < KEPT_VIOLATIONS {
            self.violations.push(violation);
        }
    }
}

impl Recent {
    /// Follows a position that moved on.
    fn shift(&mut self, distance: i64) {
        let shifted = u32::try_from(distance).ok().and_then(|by| self.0.checked_shl(by));
        self.0 = shifted.unwrap_or(0);
    }

    /// Notes that the activity at the position was received.
    fn insert(&mut self) {
        self.0 |= 1;
    }

    /// Notes that one behind the position was received; whether it is near enough to be noted.
    fn insert_behind(&mut self, position: i64, seq: i64) -> bool {
        let back = position.saturating_sub(seq);
        let bit = u32::try_from(back).ok().and_then(|by| 1u128.checked_shl(by));
        self.0 |= bit.unwrap_or(0);
        bit.is_some()
    }

    /// Farther back nothing is known, and the answer is no.
    fn contains(self, position: i64, seq: i64) -> bool {
        let back = position.saturating_sub(seq);
        let bits = u32::try_from(back).ok().and_then(|by| self.0.checked_shr(by));
        bits.is_some_and(|bits| bits & 1 == 1)
    }
}

#[cfg(test)]
pub(crate) mod samples;

#[cfg(test)]
mod tests;
