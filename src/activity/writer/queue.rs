//! What waits to be appended: a queue for each organisation, taken from in turns.

use std::collections::{HashMap, VecDeque};
use std::io;

use tokio::sync::oneshot;

use super::Appended;
use crate::activity::{Activity, Origin};
use crate::error::{Code, Error, Result};
use crate::idempotency::Claim;
use crate::types::{ActivityId, Audience, Isolation, OrgId};

/// Organisations whose shares make up the whole.
const SHARES: usize = 8;

/// An append weighs one more for each of these; twenty ordinary ones fit into it.
const BYTES_OF_WEIGHT: usize = 4096;

/// The most that one append can weigh, so that every append fits into a share of the smallest queue that
/// may be set.
const MAX_WEIGHT: usize = 256;

/// What the first row of an organisation costs a transaction besides its own weight: a head to lock and
/// to move, and other pages to write to.
const ORG_WEIGHT: usize = 3;

/// One append and who waits for it.
pub(super) struct Waiting {
    /// Fixed from the start, so that an attempt whose outcome is unknown can be looked for in the log.
    pub(super) id: ActivityId,
    pub(super) origin: Origin,
    pub(super) activity: Activity,
    /// The idempotency key under which it is asked for, if it is.
    pub(super) claim: Option<Claim>,
    /// How far its organisation is apart.
    isolation: Isolation,
    weight: usize,
    answer: oneshot::Sender<Result<Appended>>,
}

impl Waiting {
    pub(super) fn new(
        origin: Origin,
        activity: Activity,
        claim: Option<Claim>,
        isolation: Isolation,
        answer: oneshot::Sender<Result<Appended>>,
    ) -> Self {
        // A key's row holds the entry once more.
        let copies = if claim.is_some() { 2 } else { 1 };
        let weight = (weight(&activity) * copies).min(MAX_WEIGHT);
        Self { id: ActivityId::new(), origin, activity, claim, isolation, weight, answer }
    }

    /// Tells the caller, who may be gone.
    pub(super) fn answer(self, answer: Result<Appended>) {
        drop(self.answer.send(answer));
    }
}

/// What an append costs in memory and in its transaction, in ordinary appends.
fn weight(activity: &Activity) -> usize {
    /// Counts what is written to it.
    struct Length(usize);

    impl io::Write for Length {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0 += bytes.len();
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    // Only a broadcast has a size of its own; all others are a few ids and a name.
    let Activity::BroadcastMessage { message, data, audience } = activity else {
        return 1;
    };
    let mut length = Length(message.as_str().len());
    // What cannot be encoded is found out when it is written.
    drop(data.as_ref().map(|data| serde_json::to_writer(&mut length, data)));
    let recipients = match audience {
        Audience::Users(users) => users.len(),
        Audience::Everyone | Audience::Admins | Audience::AdminsAnd(_) => 0,
    };
    1 + length.0 / BYTES_OF_WEIGHT + recipients
}

/// How much one transaction of the writer may do.
#[derive(Debug, Clone, Copy)]
pub(super) struct BatchLimits {
    pub(super) rows: usize,
    pub(super) weight: usize,
}

impl BatchLimits {
    /// Everything that waits.
    pub(super) const NONE: Self = Self { rows: usize::MAX, weight: usize::MAX };

    /// Uses up a row of this weight, if there is room for it. The first one always has room.
    fn use_up(&mut self, weight: usize, is_first: bool) -> bool {
        let fits = is_first || (self.rows > 0 && self.weight >= weight);
        if fits {
            self.rows = self.rows.saturating_sub(1);
            self.weight = self.weight.saturating_sub(weight);
        }
        fits
    }
}

/// Why an append was not let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rejection {
    /// Its organisation holds its share.
    OverShare,
    /// All organisations together hold all that there is.
    Full,
    /// The writer is stopping.
    Draining,
}

impl Rejection {
    /// As metrics name it.
    pub(super) const fn reason(self) -> &'static str {
        match self {
            Self::OverShare => "over_share",
            Self::Full => "full",
            Self::Draining => "draining",
        }
    }
}

impl From<Rejection> for Error {
    fn from(rejection: Rejection) -> Self {
        match rejection {
            Rejection::OverShare => Self::refused(
                Code::Overloaded,
                "Too much of this organisation waits to be stored. Try again shortly.",
            ),
            Rejection::Full => {
                Self::refused(Code::Overloaded, "Too much waits to be stored. Try again shortly.")
            }
            Rejection::Draining => Self::refused(Code::Draining, "The node is going away. Try again."),
        }
    }
}

/// What was taken of one organisation for one transaction.
pub(super) struct Taken {
    pub(super) org: OrgId,
    pub(super) items: Vec<Waiting>,
    /// What has to be given back to [`Queues::release`].
    pub(super) weight: usize,
}

/// The queues. An organisation of which something was taken gives nothing more until that is released,
/// so its order holds; what was taken counts as held until then.
pub(super) struct Queues {
    /// How much may be held in all, in weights. An ordinary append weighs 1, so it is a number of appends.
    capacity: usize,
    by_org: HashMap<OrgId, OrgQueue>,
    /// The organisations that have something to give, each once, in the order of their turns.
    turns: VecDeque<OrgId>,
    /// The same, of those with a schema of their own: a batch is of one store.
    schema_turns: VecDeque<OrgId>,
    /// The same, of those with a database of their own.
    database_turns: VecDeque<OrgId>,
    weight: usize,
    waiting: usize,
    closed: bool,
}

struct OrgQueue {
    waiting: VecDeque<Waiting>,
    weight: usize,
    away: bool,
    isolation: Isolation,
}

impl Queues {
    pub(super) fn new(capacity: usize) -> Self {
        Self {
            capacity,
            by_org: HashMap::new(),
            turns: VecDeque::new(),
            schema_turns: VecDeque::new(),
            database_turns: VecDeque::new(),
            weight: 0,
            waiting: 0,
            closed: false,
        }
    }

    /// The turns of organisations that are so far apart.
    fn turns(&mut self, isolation: Isolation) -> &mut VecDeque<OrgId> {
        match isolation {
            Isolation::Shared => &mut self.turns,
            Isolation::Schema => &mut self.schema_turns,
            Isolation::Database => &mut self.database_turns,
        }
    }

    /// How much one organisation may hold.
    pub(super) fn share(&self) -> usize {
        self.capacity / SHARES
    }

    /// Lets an append in at the end of its organisation's queue.
    pub(super) fn push(&mut self, waiting: Waiting) -> Result<(), Rejection> {
        let org = waiting.origin.org;
        let held = self.by_org.get(&org).map_or(0, |queue| queue.weight);
        if self.closed {
            return Err(Rejection::Draining);
        }
        if held + waiting.weight > self.share() {
            return Err(Rejection::OverShare);
        }
        if self.weight + waiting.weight > self.capacity {
            return Err(Rejection::Full);
        }
        let isolation = waiting.isolation;
        let fresh = || OrgQueue { waiting: VecDeque::new(), weight: 0, away: false, isolation };
        let queue = self.by_org.entry(org).or_insert_with(fresh);
        let has_turn = queue.away || !queue.waiting.is_empty();
        self.weight += waiting.weight;
        self.waiting += 1;
        queue.weight += waiting.weight;
        queue.waiting.push_back(waiting);
        if !has_turn {
            queue.isolation = isolation;
            self.turns(isolation).push_back(org);
        }
        Ok(())
    }

    /// Takes what one transaction may do: from each organisation in turn one, and again, until nothing
    /// waits or `limits` are reached.
    pub(super) fn take(&mut self, mut limits: BatchLimits) -> Vec<Taken> {
        let mut taken: Vec<Taken> = Vec::new();
        while let Some(org) = self.turns.front().copied() {
            let is_first = taken.is_empty();
            let Some(queue) = self.by_org.get_mut(&org) else {
                break;
            };
            let Some(item) = queue.pop_within(&mut limits, ORG_WEIGHT, is_first) else {
                break;
            };
            queue.away = true;
            self.turns.pop_front();
            taken.push(Taken { org, weight: item.weight, items: vec![item] });
        }
        let mut found = true;
        while found {
            found = false;
            for part in &mut taken {
                let queue = self.by_org.get_mut(&part.org);
                if let Some(item) = queue.and_then(|queue| queue.pop_within(&mut limits, 0, false)) {
                    part.weight += item.weight;
                    part.items.push(item);
                    found = true;
                }
            }
        }
        self.waiting -= taken.iter().map(|part| part.items.len()).sum::<usize>();
        taken
    }

    /// Takes what one transaction may do of the organisation whose turn it is among those that are so far apart.
    pub(super) fn take_own(&mut self, isolation: Isolation, mut limits: BatchLimits) -> Option<Taken> {
        let org = self.turns(isolation).pop_front()?;
        let queue = self.by_org.get_mut(&org)?;
        let mut taken = Taken { org, items: Vec::new(), weight: 0 };
        while let Some(item) = queue.pop_within(&mut limits, 0, taken.items.is_empty()) {
            taken.weight += item.weight;
            taken.items.push(item);
        }
        queue.away = true;
        self.waiting -= taken.items.len();
        Some(taken)
    }

    /// What was taken of this organisation is settled: it has its turn again.
    pub(super) fn release(&mut self, org: OrgId, weight: usize) {
        self.weight -= weight;
        let Some(queue) = self.by_org.get_mut(&org) else {
            return;
        };
        queue.away = false;
        queue.weight -= weight;
        if queue.waiting.is_empty() {
            self.by_org.remove(&org);
        } else {
            let isolation = queue.isolation;
            self.turns(isolation).push_back(org);
        }
    }

    /// Lets nothing more in.
    pub(super) fn close(&mut self) {
        self.closed = true;
    }

    /// Lets nothing more in and gives out all that waits, whoever's turn it is.
    pub(super) fn abandon(&mut self) -> Vec<Waiting> {
        self.closed = true;
        self.waiting = 0;
        self.turns.clear();
        self.schema_turns.clear();
        self.database_turns.clear();
        let queues = self.by_org.values_mut();
        queues.flat_map(|queue| queue.waiting.drain(..)).collect()
    }

    /// Whether nothing waits and nothing ever will.
    pub(super) fn is_drained(&self) -> bool {
        self.closed && self.waiting == 0
    }
}

impl OrgQueue {
    fn pop_within(&mut self, limits: &mut BatchLimits, extra: usize, is_first: bool) -> Option<Waiting> {
        let weight = self.waiting.front()?.weight + extra;
        if limits.use_up(weight, is_first) { self.waiting.pop_front() } else { None }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Map;

    use super::*;
    use crate::types::{Message, Timestamp, UserId};

    const CAPACITY: usize = 8192;
    const LIMITS: BatchLimits = BatchLimits { rows: 256, weight: 512 };

    fn broadcast(org: OrgId, data_bytes: usize, audience: Audience) -> Waiting {
        let origin = Origin { org, actor: None, ip: None, user_agent: None, at: Timestamp::from_millis(0) };
        let padding = ("padding".to_owned(), "x".repeat(data_bytes).into());
        let activity = Activity::BroadcastMessage {
            message: Message::try_from("hello".to_owned()).unwrap(),
            data: Some(Map::from_iter([padding])),
            audience,
        };
        Waiting::new(origin, activity, None, Isolation::Shared, oneshot::channel().0)
    }

    fn small(org: OrgId) -> Waiting {
        broadcast(org, 0, Audience::Everyone)
    }

    fn sizes(taken: &[Taken]) -> Vec<(OrgId, usize)> {
        taken.iter().map(|part| (part.org, part.items.len())).collect()
    }

    #[test]
    fn turns_are_fair_and_orders_hold() {
        let (busy, calm) = (OrgId::new(), OrgId::new());
        let mut queues = Queues::new(CAPACITY);
        let pushed: Vec<ActivityId> = (0..600)
            .map(|_| {
                let item = small(busy);
                let id = item.id;
                queues.push(item).unwrap();
                id
            })
            .collect();
        for _ in 0..20 {
            queues.push(small(calm)).unwrap();
        }

        let taken = queues.take(LIMITS);
        assert_eq!(sizes(&taken), [(busy, 236), (calm, 20)]);
        let ids: Vec<ActivityId> = taken[0].items.iter().map(|item| item.id).collect();
        assert_eq!(ids, pushed[..236]);

        // What is away is not taken from, and neither is it forgotten.
        queues.push(small(calm)).unwrap();
        assert!(queues.take(LIMITS).is_empty());
        queues.release(calm, 20);
        assert_eq!(sizes(&queues.take(LIMITS)), [(calm, 1)]);
        queues.release(busy, 236);
        assert_eq!(queues.take(LIMITS)[0].items[0].id, pushed[236]);
    }

    #[test]
    fn organisations_that_a_batch_did_not_reach_come_first_in_the_next() {
        let mut queues = Queues::new(CAPACITY);
        let orgs: Vec<OrgId> = (0..200).map(|_| OrgId::new()).collect();
        for _ in 0..2 {
            for org in &orgs {
                queues.push(small(*org)).unwrap();
            }
        }
        let first = queues.take(LIMITS);
        assert_eq!(first.len(), 512 / (1 + ORG_WEIGHT));
        for part in &first {
            queues.release(part.org, part.weight);
        }
        let second = queues.take(LIMITS);
        assert_eq!(second[0].org, orgs[first.len()]);
    }

    #[test]
    fn an_organisation_may_hold_its_share_and_all_together_the_whole() {
        let mut queues = Queues::new(CAPACITY);
        let orgs: Vec<OrgId> = (0..8).map(|_| OrgId::new()).collect();
        for org in &orgs {
            for _ in 0..CAPACITY / SHARES {
                queues.push(small(*org)).unwrap();
            }
            assert_eq!(queues.push(small(*org)).unwrap_err(), Rejection::OverShare);
        }
        assert_eq!(queues.push(small(OrgId::new())).unwrap_err(), Rejection::Full);

        // What is being written still counts.
        let taken = queues.take(LIMITS);
        assert_eq!(queues.push(small(orgs[0])).unwrap_err(), Rejection::OverShare);
        for part in taken {
            queues.release(part.org, part.weight);
        }
        assert_eq!(queues.push(small(orgs[0])), Ok(()));
    }

    #[test]
    fn large_appends_weigh_more_and_never_too_much() {
        let org = OrgId::new();
        assert_eq!(small(org).weight, 1);
        assert_eq!(broadcast(org, 16_000, Audience::Everyone).weight, 4);
        let many: Vec<UserId> = (0..100_000).map(|_| UserId::new()).collect();
        let heavy = || broadcast(org, 0, Audience::Users(many.clone().into()));
        assert_eq!(heavy().weight, MAX_WEIGHT);

        let mut queues = Queues::new(CAPACITY);
        for _ in 0..4 {
            queues.push(heavy()).unwrap();
        }
        assert_eq!(queues.push(small(org)), Err(Rejection::OverShare));
        assert_eq!(queues.take(LIMITS)[0].items.len(), 1);
        queues.release(org, MAX_WEIGHT);
        // Even one that is heavier than the whole batch is taken.
        assert_eq!(queues.take(BatchLimits { rows: 1, weight: 1 })[0].items.len(), 1);
    }

    #[test]
    fn closed_queues_give_what_they_have() {
        let org = OrgId::new();
        let mut queues = Queues::new(CAPACITY);
        queues.push(small(org)).unwrap();
        assert!(!queues.is_drained());
        queues.close();
        assert_eq!(queues.push(small(org)), Err(Rejection::Draining));
        assert!(!queues.is_drained());
        assert_eq!(queues.take(BatchLimits::NONE).len(), 1);
        assert!(queues.is_drained());
    }

    #[test]
    fn who_is_apart_has_turns_among_its_kind() {
        let mut queues = Queues::new(1024);
        let mut push = |isolation| {
            let Waiting { origin, activity, .. } = small(OrgId::new());
            let org = origin.org;
            let waiting = Waiting::new(origin, activity, None, isolation, oneshot::channel().0);
            queues.push(waiting).unwrap();
            org
        };
        let [database, schema, shared] =
            [Isolation::Database, Isolation::Schema, Isolation::Shared].map(&mut push);
        let limits = BatchLimits::NONE;
        assert_eq!(sizes(&queues.take(limits)), [(shared, 1)]);
        for (isolation, org) in [(Isolation::Schema, schema), (Isolation::Database, database)] {
            let taken = queues.take_own(isolation, limits).unwrap();
            assert_eq!(taken.org, org);
            assert!(queues.take_own(isolation, limits).is_none());
            // What comes meanwhile has its turn when that is settled.
            let Waiting { mut origin, activity, .. } = small(org);
            origin.org = org;
            queues.push(Waiting::new(origin, activity, None, isolation, oneshot::channel().0)).unwrap();
            assert!(queues.take_own(isolation, limits).is_none());
            queues.release(org, taken.weight);
            assert_eq!(queues.take_own(isolation, limits).unwrap().org, org);
        }
    }
}
