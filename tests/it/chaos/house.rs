//! An organisation under test: who publishes in it, who watches it, and whether they got what was theirs.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;

use super::log::Log;
use super::publisher::{Ledger, Pace, Publisher};
use super::subscriber::{Session, Subscriber};
use crate::harness::{Client, Person, at_last};

/// So many violations are shown of each subscriber.
const SHOWN: usize = 5;

pub(super) struct House {
    pub(super) admin: Person,
    pub(super) ledger: Arc<Ledger>,
    /// Those whose access lasts: recovery is measured by them.
    pub(super) steady: Vec<Subscriber>,
    /// Changes between the roles.
    pub(super) ben: Session,
    /// Signs out, and in again.
    pub(super) lou: Session,
    /// Those who come and go.
    pub(super) passing: Mutex<Vec<Subscriber>>,
}

/// What the check of a house has seen.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Tally {
    pub(super) acknowledged: usize,
    pub(super) logged: usize,
    pub(super) delivered: u64,
    pub(super) subscribers: usize,
    pub(super) resumes: u64,
    pub(super) unknown: u64,
    pub(super) resolved: u64,
    pub(super) refused: u64,
}

impl Tally {
    pub(super) fn plus(self, other: &Self) -> Self {
        Self {
            acknowledged: self.acknowledged + other.acknowledged,
            logged: self.logged + other.logged,
            delivered: self.delivered + other.delivered,
            subscribers: self.subscribers + other.subscribers,
            resumes: self.resumes + other.resumes,
            unknown: self.unknown + other.unknown,
            resolved: self.resolved + other.resolved,
            refused: self.refused + other.refused,
        }
    }
}

impl House {
    pub(super) async fn found(nodes: &[Client], name: &str) -> Self {
        let organisation =
            nodes[0].organisation(name).on_plan("ENTERPRISE").with_member("mia").with_member("ben");
        let organisation = organisation.with_member("lou").create().await;
        let admin = organisation.admin.clone();
        let session = |name: &str| Session::new(organisation[name].clone());
        let (ada, mia, ben, lou) =
            (Session::new(admin.clone()), session("mia"), session("ben"), session("lou"));
        let watching = [(&ada, 0), (&ada, 1), (&mia, 2), (&mia, 0), (&ben, 1), (&lou, 2)];
        let start = |(session, node): (&Session, usize)| Subscriber::start(nodes, node, session, Some(0));
        let steady = watching.map(start).into();
        Self { admin, ledger: Arc::default(), steady, ben, lou, passing: Mutex::default() }
    }

    /// So many who publish, spread over the nodes.
    pub(super) fn publishers(
        &self,
        nodes: &[Client],
        count: usize,
        pace: &Arc<Pace>,
        stop: &CancellationToken,
    ) -> Vec<Publisher> {
        let publisher = |number: usize| Publisher {
            nodes: nodes.to_vec(),
            node: number % nodes.len(),
            admin: self.admin.clone(),
            name: format!("publisher {number}"),
            ledger: Arc::clone(&self.ledger),
            pace: Arc::clone(pace),
            stop: stop.clone(),
        };
        (0..count).map(publisher).collect()
    }

    /// Waits until every steady subscriber has everything up to `seq`.
    pub(super) async fn up_to(&self, seq: i64) {
        at_last(&format!("the delivery of everything up to {seq}"), async || {
            self.steady.iter().all(|subscriber| subscriber.position() >= seq).then_some(())
        })
        .await;
    }

    /// The same where the last entries are not for everybody.
    async fn settle(&self, head: i64) {
        at_last(&format!("positions at the head {head}"), async || {
            let behind: Vec<&Subscriber> =
                self.steady.iter().filter(|subscriber| subscriber.position() < head).collect();
            for subscriber in &behind {
                subscriber.ping();
            }
            if !behind.is_empty() {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            behind.is_empty().then_some(())
        })
        .await;
    }

    /// Holds the log to what was acknowledged, and what everybody was sent to the log. Nobody writes any more.
    pub(super) async fn check(self, node: &Client) -> Result<Tally, Vec<Fault>> {
        let log = Log::read(node, &self.admin).await;
        log.expect_sound();
        log.expect_acknowledged(&self.ledger.acknowledged());
        self.settle(log.0.last().unwrap().seq).await;
        let mut tally = Tally {
            acknowledged: self.ledger.count(),
            logged: log.0.len(),
            unknown: self.ledger.unknown(),
            resolved: self.ledger.resolved(),
            refused: self.ledger.refused(),
            ..Tally::default()
        };
        let mut faults = Vec::new();
        for subscriber in self.steady.into_iter().chain(self.passing.into_inner()) {
            tally.delivered += subscriber.deliveries();
            // The first socket was given a position, too.
            tally.resumes += subscriber.resumes().saturating_sub(1);
            tally.subscribers += 1;
            faults.extend(check(subscriber, &log).await);
        }
        if faults.is_empty() { Ok(tally) } else { Err(faults) }
    }
}

/// What a subscriber was sent against the contract.
pub(super) struct Fault {
    /// Where in the log.
    pub(super) seq: i64,
    pub(super) what: String,
    /// What became of the subscriber's sockets.
    pub(super) story: Vec<String>,
}

async fn check(subscriber: Subscriber, log: &Log) -> Vec<Fault> {
    let (user, name, story) = (subscriber.session.person().id, subscriber.name.clone(), subscriber.story());
    if log.has_removed(&user) {
        at_last(&format!("the end of {name}'s socket"), async || subscriber.has_ended().then_some(())).await;
    }
    let verifier = subscriber.stop().await;
    let position = verifier.position().map_or(0, |position| position.seq);
    let comparison = verifier.compare_texts(log.addressed_to(&user, position)).unwrap();
    let mut found = Vec::new();
    let mut note = |seq: i64, what: String| {
        found.push(Fault { seq, what: format!("{name} ({user}): {what}"), story: story.clone() });
    };
    for violation in verifier.violations().iter().take(SHOWN) {
        note(violation.seq(), violation.to_string());
    }
    let kinds = [
        ("was never sent", &comparison.lost),
        ("was sent, and may not see,", &comparison.unexpected),
        ("was sent with other bytes", &comparison.altered),
    ];
    for (what, seqs) in kinds {
        for seq in seqs.iter().take(SHOWN) {
            let index = usize::try_from(*seq - 1).unwrap();
            let kind = log.0.get(index).map_or("which is not in the log", |entry| entry.kind.as_str());
            note(*seq, format!("{what} {seq} ({kind}); {} in all", seqs.len()));
        }
    }
    found
}
