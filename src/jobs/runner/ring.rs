//! Whose turn it is: a state machine without I/O.
//!
//! Organisations stand in a ring and get a turn each, at which some of their jobs are claimed, never more than
//! a node runs of one organisation. So one with a million jobs is served as often as one with one. Those whose last
//! turn failed stand in a ring of their own: where they are kept is most likely away, which takes its time to say so.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::time::Duration;

use crate::jobs::KindLimits;
use crate::types::{OrgId, Timestamp};

/// In which a rate counts.
const WINDOW: Duration = Duration::from_secs(1);

/// How long until other nodes are told again of an organisation.
const TELL: Duration = Duration::from_millis(100);

/// How long after a failed turn the next is: it doubles with each that fails.
const AFTER_FAILURE: Duration = Duration::from_secs(1);

/// The longest.
const MAX_AFTER_FAILURE: Duration = Duration::from_mins(1);

/// How many jobs of each kind, in the order in which the kinds are known.
pub(super) type Counts = Vec<usize>;

/// In which of the rings an organisation stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lane {
    /// That of those whose last turn went well.
    Sound,
    /// That of those whose last turn failed.
    Failing,
}

impl Lane {
    pub(super) const ALL: [Self; 2] = [Self::Sound, Self::Failing];

    pub(super) const fn place(self) -> usize {
        match self {
            Self::Sound => 0,
            Self::Failing => 1,
        }
    }
}

/// An organisation's turn: up to so many of its jobs of each kind may be claimed.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Turn {
    pub(super) org: OrgId,
    pub(super) lane: Lane,
    pub(super) room: Counts,
    /// When the directory last heard of jobs to come, where it was asked.
    pub(super) announced_at: Option<Timestamp>,
}

/// What came of a turn.
#[derive(Debug)]
pub(super) struct Claimed {
    pub(super) counts: Counts,
    /// For each kind, whether jobs wait for which there was no room.
    pub(super) waits: Vec<bool>,
    /// When the next job can be claimed, where that is known.
    pub(super) next_due: Option<Timestamp>,
}

#[derive(Default)]
struct Org {
    running: Counts,
    /// A turn is under way.
    claiming: bool,
    /// It was woken during its turn, which may have missed what it was woken for.
    again: bool,
    queued: bool,
    /// For each kind, whether it waits for others to finish some.
    starved: Vec<bool>,
    announced_at: Option<Timestamp>,
    /// When it is woken by the clock.
    due_at: Option<Timestamp>,
    /// Of each kind with a rate, how many were claimed since when.
    spent: Vec<(Timestamp, usize)>,
    /// When the other nodes were last told of it.
    told_at: Option<Timestamp>,
    /// Turns in a row that failed.
    failures: u32,
}

impl Org {
    fn lane(&self) -> Lane {
        if self.failures == 0 { Lane::Sound } else { Lane::Failing }
    }

    /// After a failure it waits for the clock, whoever wakes it.
    fn is_held_back(&self) -> bool {
        self.failures > 0 && self.due_at.is_some()
    }
}

/// The rings of one node.
pub(super) struct Ring {
    limits: Vec<KindLimits>,
    orgs: HashMap<OrgId, Org>,
    queues: [VecDeque<OrgId>; Lane::ALL.len()],
    running: Counts,
    /// For each kind, who waits for others to finish some, and who did.
    starved: Vec<VecDeque<OrgId>>,
    /// Who is woken by the clock, and when.
    timed: BTreeSet<(Timestamp, OrgId)>,
}

impl Ring {
    pub(super) fn new(limits: Vec<KindLimits>) -> Self {
        let kinds = limits.len();
        Self {
            limits,
            orgs: HashMap::new(),
            queues: [VecDeque::new(), VecDeque::new()],
            running: vec![0; kinds],
            starved: vec![VecDeque::new(); kinds],
            timed: BTreeSet::new(),
        }
    }

    /// How many jobs of each kind run.
    pub(super) fn counts(&self) -> &Counts {
        &self.running
    }

    /// An organisation may have jobs that can be claimed.
    pub(super) fn wake(&mut self, org: OrgId, announced_at: Option<Timestamp>) {
        let kinds = self.limits.len();
        let entry = self.orgs.entry(org).or_default();
        entry.running.resize(kinds, 0);
        entry.starved.resize(kinds, false);
        entry.spent.resize(kinds, (Timestamp::from_millis(0), 0));
        if announced_at.is_some() {
            entry.announced_at = announced_at;
        }
        if entry.claiming {
            entry.again = true;
        } else if !entry.queued && !entry.is_held_back() {
            entry.queued = true;
            self.queues[entry.lane().place()].push_back(org);
        }
    }

    /// Wakes those whose time has come.
    pub(super) fn wake_due(&mut self, now: Timestamp) {
        while let Some((at, org)) = self.timed.first().copied().filter(|(at, _)| *at <= now) {
            self.timed.remove(&(at, org));
            if let Some(entry) = self.orgs.get_mut(&org) {
                entry.due_at = None;
            }
            self.wake(org, None);
        }
    }

    /// When the clock wakes somebody next.
    pub(super) fn next_due(&self) -> Option<Timestamp> {
        self.timed.first().map(|(at, _)| *at)
    }

    fn set_due(&mut self, org: OrgId, due_at: Option<Timestamp>) {
        let Some(entry) = self.orgs.get_mut(&org) else { return };
        if let Some(before) = entry.due_at {
            self.timed.remove(&(before, org));
        }
        entry.due_at = due_at;
        self.timed.extend(due_at.map(|at| (at, org)));
    }

    /// The next turn in a lane, if anybody waits there and there is room.
    pub(super) fn next_turn(&mut self, lane: Lane, now: Timestamp) -> Option<Turn> {
        loop {
            let org = self.queues[lane.place()].pop_front()?;
            let Some(entry) = self.orgs.get_mut(&org) else { continue };
            entry.queued = false;
            let mut room = Vec::with_capacity(self.limits.len());
            let mut rated: Option<Timestamp> = None;
            for (kind, limits) in self.limits.iter().enumerate() {
                let of_org = limits.per_org.saturating_sub(entry.running[kind]);
                let of_all = limits.at_once.saturating_sub(self.running[kind]);
                let of_rate = allowance(limits.per_second, &mut entry.spent[kind], now);
                let count = limits.batch.min(of_org).min(of_all).min(of_rate);
                entry.spent[kind].1 += count;
                entry.starved[kind] &= count == 0;
                if of_rate == 0 {
                    let again = entry.spent[kind].0.plus(WINDOW);
                    rated = Some(rated.map_or(again, |due| due.min(again)));
                }
                room.push(count);
            }
            let has_room = room.iter().any(|count| *count > 0);
            let announced_at = if has_room { entry.announced_at.take() } else { None };
            entry.claiming = has_room;
            add(&mut entry.running, &room);
            add(&mut self.running, &room);
            let due_at = [entry.due_at, rated].into_iter().flatten().min();
            self.set_due(org, due_at);
            if has_room {
                return Some(Turn { org, lane, room, announced_at });
            }
            // What it waits for wakes it: the end of one of its own jobs, or of others', or the clock.
            for kind in 0..self.limits.len() {
                self.starve(org, kind);
            }
        }
    }

    /// Has an organisation woken when others finish jobs of a kind, where these take all the room that there is.
    fn starve(&mut self, org: OrgId, kind: usize) {
        let Some(entry) = self.orgs.get_mut(&org) else { return };
        let is_full = self.running[kind] >= self.limits[kind].at_once;
        if is_full && !std::mem::replace(&mut entry.starved[kind], true) {
            self.starved[kind].push_back(org);
        }
    }

    /// A turn is over, and so many jobs run for it.
    pub(super) fn claimed(&mut self, turn: &Turn, claimed: &Claimed) {
        let unused = self.end_turn(turn, &claimed.counts);
        let Some(entry) = self.orgs.get_mut(&turn.org) else { return };
        entry.failures = 0;
        let full = turn.room.iter().zip(&claimed.counts).any(|(room, count)| *room > 0 && room == count);
        // There may be room by now for what there was none for.
        let freed = (0..self.limits.len()).any(|kind| {
            let limits = &self.limits[kind];
            claimed.waits[kind]
                && self.running[kind] < limits.at_once
                && entry.running[kind] < limits.per_org
                // Where a rate is spent, the clock wakes it.
                && left_of(limits.per_second, entry.spent[kind].1) > 0
        });
        if std::mem::take(&mut entry.again) || full || freed {
            self.wake(turn.org, None);
        } else {
            // What was spent of a rate is remembered for as long as it counts.
            let rates = self.limits.iter().zip(&entry.spent);
            let spent = rates.filter(|(limits, (_, spent))| limits.per_second.is_some() && *spent > 0);
            let window = spent.map(|(_, (since, _))| since.plus(WINDOW)).min();
            let due_at = [entry.due_at, claimed.next_due, window].into_iter().flatten().min();
            self.set_due(turn.org, due_at);
        }
        for (kind, _) in claimed.waits.iter().enumerate().filter(|(_, waits)| **waits) {
            self.starve(turn.org, kind);
        }
        self.offer(&unused);
        self.forget(turn.org);
    }

    /// A turn failed: nothing was claimed. Its organisation has the next after a while, and until one of its turns
    /// goes well in the lane of those that fail.
    pub(super) fn failed(&mut self, turn: &Turn, now: Timestamp) {
        let unused = self.end_turn(turn, &vec![0; turn.room.len()]);
        let Some(entry) = self.orgs.get_mut(&turn.org) else { return };
        let wait = AFTER_FAILURE.saturating_mul(1 << entry.failures.min(16)).min(MAX_AFTER_FAILURE);
        entry.failures = entry.failures.saturating_add(1);
        entry.again = false;
        self.set_due(turn.org, Some(now.plus(wait)));
        self.offer(&unused);
    }

    /// Gives back what a turn has not used of its room, and returns it.
    fn end_turn(&mut self, turn: &Turn, counts: &Counts) -> Counts {
        let unused: Counts = turn.room.iter().zip(counts).map(|(room, count)| room - count).collect();
        subtract(&mut self.running, &unused);
        if let Some(entry) = self.orgs.get_mut(&turn.org) {
            subtract(&mut entry.running, &unused);
            for ((_, spent), unused) in entry.spent.iter_mut().zip(&unused) {
                *spent = spent.saturating_sub(*unused);
            }
            entry.claiming = false;
        }
        unused
    }

    /// So many jobs of a kind have ended.
    pub(super) fn finished(&mut self, org: OrgId, kind: usize, count: usize) {
        self.running[kind] = self.running[kind].saturating_sub(count);
        if let Some(entry) = self.orgs.get_mut(&org) {
            entry.running[kind] = entry.running[kind].saturating_sub(count);
        }
        // More of its own may wait, were written meanwhile, or were given back.
        self.wake(org, None);
        let mut free = vec![0; self.limits.len()];
        free[kind] = count;
        self.offer(&free);
    }

    /// Wakes as many of those who wait for room as there is some for.
    fn offer(&mut self, free: &Counts) {
        for (kind, count) in free.iter().enumerate() {
            let mut left = *count;
            while left > 0
                && let Some(org) = self.starved[kind].pop_front()
            {
                let Some(entry) = self.orgs.get_mut(&org) else { continue };
                // Who had room since stands there no more; whom the clock wakes takes nobody's place.
                if std::mem::take(&mut entry.starved[kind]) && !entry.is_held_back() {
                    self.wake(org, None);
                    left -= 1;
                }
            }
        }
    }

    /// Whether the other nodes are to be told of an organisation: now and then, as long as it has more than this
    /// node takes.
    pub(super) fn may_tell(&mut self, org: OrgId, now: Timestamp) -> bool {
        let Some(entry) = self.orgs.get_mut(&org) else { return false };
        let is_due = entry.told_at.is_none_or(|told| now.since(told) >= TELL);
        if is_due {
            entry.told_at = Some(now);
        }
        is_due
    }

    /// Nothing is kept of who has nothing.
    fn forget(&mut self, org: OrgId) {
        let is_idle = self.orgs.get(&org).is_some_and(|entry| {
            !entry.claiming
                && !entry.queued
                && entry.due_at.is_none()
                && entry.running.iter().all(|count| *count == 0)
                && entry.starved.iter().all(|starved| !starved)
        });
        if is_idle {
            self.orgs.remove(&org);
        }
    }
}

/// What a rate leaves of its window. `spent` begins another where that is over.
fn allowance(per_second: Option<u32>, spent: &mut (Timestamp, usize), now: Timestamp) -> usize {
    if now.since(spent.0) >= WINDOW {
        *spent = (now, 0);
    }
    left_of(per_second, spent.1)
}

/// What a rate leaves, of which so much is spent.
fn left_of(per_second: Option<u32>, spent: usize) -> usize {
    let Some(rate) = per_second else { return usize::MAX };
    usize::try_from(rate).unwrap_or(usize::MAX).saturating_sub(spent)
}

fn add(counts: &mut Counts, more: &Counts) {
    counts.iter_mut().zip(more).for_each(|(count, more)| *count += more);
}

fn subtract(counts: &mut Counts, less: &Counts) {
    counts.iter_mut().zip(less).for_each(|(count, less)| *count = count.saturating_sub(*less));
}

#[cfg(test)]
mod tests;
