//! An organisation under test: who publishes in it, who watches it, and whether they got what was theirs.

use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;

use super::log::Log;
use super::publisher::{Ledger, Pace, Publisher};
use super::subscriber::{Over, Session, Subscriber};
use crate::harness::{Client, Person, at_last};

/// So many violations are shown of each subscriber.
const SHOWN: usize = 5;

/// How many watch an organisation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Crowd {
    /// An admin and a member.
    Few,
    /// Everybody, in both ways.
    Many,
}

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
    /// How long what is on its way may take at the end.
    patience: Duration,
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
    pub(super) async fn found(nodes: &[Client], name: &str, crowd: Crowd, patience: Duration) -> Self {
        let organisation =
            nodes[0].organisation(name).on_plan("ENTERPRISE").with_member("mia").with_member("ben");
        let organisation = organisation.with_member("lou").create().await;
        let admin = organisation.admin.clone();
        let session = |name: &str| Session::new(organisation[name].clone());
        let (ada, mia, ben) = (Session::new(admin.clone()), session("mia"), session("ben"));
        let lou = Session::renewed(organisation["lou"].clone());
        let mut watching = vec![(Over::Socket, &ada, 0), (Over::Stream, &mia, 1)];
        if crowd == Crowd::Many {
            watching.extend([(Over::Stream, &ada, 1), (Over::Socket, &mia, 2), (Over::Socket, &ben, 1)]);
            watching.extend([(Over::Stream, &ben, 2), (Over::Socket, &lou, 2)]);
        }
        let start = |(over, session, node): (Over, &Session, usize)| {
            Subscriber::start(over, nodes, node, session, Some(0))
        };
        let steady = watching.into_iter().map(start).collect();
        Self { admin, ledger: Arc::default(), steady, ben, lou, passing: Mutex::default(), patience }
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

    /// Publishes one message at this node, which has to acknowledge it.
    pub(super) async fn publish(&self, node: &Client, message: &str) {
        let body = serde_json::json!({ "message": message });
        let answer = node.as_user(&self.admin).post("/organisations/broadcast").json(&body).await;
        self.ledger.acknowledge(message.to_owned(), &answer.expect_status(201), false);
    }

    /// Somebody else watches, from `after` or from the head on.
    pub(super) fn watch(
        &self,
        over: Over,
        nodes: &[Client],
        first: usize,
        person: &Person,
        after: Option<i64>,
    ) {
        let subscriber = Subscriber::start(over, nodes, first, &Session::new(person.clone()), after);
        self.passing.lock().push(subscriber);
    }

    /// Waits until everybody who watches hears what is said.
    pub(super) async fn watched(&self, node: &Client) {
        self.publish(node, "the first").await;
        self.up_to(self.ledger.highest()).await;
    }

    /// What every steady subscriber has.
    pub(super) fn least_position(&self) -> i64 {
        self.last().map_or(0, Subscriber::position)
    }

    /// Who has least.
    pub(super) fn last(&self) -> Option<&Subscriber> {
        self.steady.iter().min_by_key(|subscriber| subscriber.position())
    }

    fn behind(&self, head: i64) -> Vec<&Subscriber> {
        self.steady.iter().filter(|subscriber| subscriber.position() < head).collect()
    }

    /// Waits until every steady subscriber has everything up to `seq`.
    pub(super) async fn up_to(&self, seq: i64) {
        at_last(&format!("the delivery of everything up to {seq}"), async || {
            self.behind(seq).is_empty().then_some(())
        })
        .await;
    }

    /// Waits until everybody is at the head, and those are gone who were removed.
    async fn settle(&self, log: &Log) {
        let head = log.0.last().unwrap().seq;
        let until = Instant::now() + self.patience;
        while self.is_unsettled(log, head) && Instant::now() < until {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Whether somebody is still on the way to the head, or out. Asks whoever it is where they are: what was
    /// not for them moves their position, too.
    fn is_unsettled(&self, log: &Log, head: i64) -> bool {
        let passing = self.passing.lock();
        let is_left = |one: &&Subscriber| {
            if log.has_removed(&one.session.person().id) { !one.has_ended() } else { one.position() < head }
        };
        let left: Vec<&Subscriber> = self.steady.iter().chain(passing.iter()).filter(is_left).collect();
        for subscriber in &left {
            subscriber.ping();
        }
        !left.is_empty()
    }

    /// Holds the log to what was acknowledged, and what everybody was sent to the log. Nobody writes any more.
    pub(super) async fn check(self, node: &Client) -> Result<Tally, Vec<Fault>> {
        // The last one is for everybody, so that everybody's position is the head in the end.
        self.publish(node, "the last").await;
        let log = Log::read(node, &self.admin).await;
        log.expect_sound();
        log.expect_acknowledged(&self.ledger.acknowledged());
        self.settle(&log).await;
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
    let (removed, has_ended) = (log.has_removed(&user), subscriber.has_ended());
    let verifier = subscriber.stop().await;
    let position = verifier.position().map_or(0, |position| position.seq);
    let mut found = Vec::new();
    let mut note = |seq: i64, what: String| {
        found.push(Fault { seq, what: format!("{name} ({user}): {what}"), story: story.clone() });
    };
    let head = log.0.last().unwrap().seq;
    if removed != has_ended {
        note(position, format!("removed: {removed}, sent away: {has_ended}"));
    } else if !removed && position < head {
        note(position, format!("was brought to {position}, and the log has {head}"));
    }
    for violation in verifier.violations().iter().take(SHOWN) {
        note(violation.seq(), violation.to_string());
    }
    let comparison = verifier.compare_texts(log.addressed_to(&user, position)).unwrap();
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
