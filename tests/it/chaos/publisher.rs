//! Who publishes: each message is sent, to one node after the other, until it is acknowledged.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use roomcast_client::digest;
use serde::Deserialize;
use serde_json::json;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::harness::{Answer, Client, Person};

/// How long one who was not answered waits.
const PAUSE: Duration = Duration::from_millis(20);

/// What is acknowledged to the publishers of an organisation.
#[derive(Default)]
pub(super) struct Ledger {
    /// By message: where it is in the log, and the digest of the answer.
    acknowledged: Mutex<HashMap<String, (i64, u64)>>,
    /// The highest of them.
    highest: AtomicI64,
    /// How many answers were lost, or said that nobody knows.
    unknown: AtomicU64,
    /// How many messages were acknowledged after that.
    resolved: AtomicU64,
    refused: AtomicU64,
}

impl Ledger {
    pub(super) fn acknowledged(&self) -> HashMap<String, (i64, u64)> {
        self.acknowledged.lock().clone()
    }

    pub(super) fn count(&self) -> usize {
        self.acknowledged.lock().len()
    }

    /// The highest position that was acknowledged.
    pub(super) fn highest(&self) -> i64 {
        self.highest.load(Ordering::SeqCst)
    }

    pub(super) fn unknown(&self) -> u64 {
        self.unknown.load(Ordering::SeqCst)
    }

    pub(super) fn resolved(&self) -> u64 {
        self.resolved.load(Ordering::SeqCst)
    }

    pub(super) fn refused(&self) -> u64 {
        self.refused.load(Ordering::SeqCst)
    }

    fn acknowledge(&self, message: String, answer: &Answer, was_unknown: bool) {
        #[derive(Deserialize)]
        struct Numbered {
            seq: i64,
        }
        let Numbered { seq } = serde_json::from_str(&answer.text).unwrap();
        self.acknowledged.lock().insert(message, (seq, digest(&answer.text)));
        self.highest.fetch_max(seq, Ordering::SeqCst);
        self.resolved.fetch_add(u64::from(was_unknown), Ordering::SeqCst);
    }
}

/// How much all publishers send together. What an outage kept them from is made up for.
pub(super) struct Pace {
    per_second: u64,
    started: Instant,
    sent: AtomicU64,
}

impl Pace {
    pub(super) fn new(per_second: u64) -> Self {
        Self { per_second, started: Instant::now(), sent: AtomicU64::new(0) }
    }

    async fn turn(&self) {
        let number = self.sent.fetch_add(1, Ordering::SeqCst);
        let due = Duration::from_micros(number * 1_000_000 / self.per_second);
        tokio::time::sleep_until((self.started + due).into()).await;
    }
}

/// Sends one message after the other.
pub(super) struct Publisher {
    pub(super) nodes: Vec<Client>,
    /// Which node it asks, until that fails it.
    pub(super) node: usize,
    pub(super) admin: Person,
    /// Tells its messages from those of others.
    pub(super) name: String,
    pub(super) ledger: Arc<Ledger>,
    pub(super) pace: Arc<Pace>,
    pub(super) stop: CancellationToken,
}

impl Publisher {
    /// Until it is stopped; what it has begun then is still acknowledged.
    pub(super) async fn publish(mut self) {
        let mut number = 0_u64;
        while self.stop.run_until_cancelled(self.pace.turn()).await.is_some() {
            number += 1;
            let message = format!("{} {number}", self.name);
            let (answer, was_unknown) = self.send(&message).await;
            self.ledger.acknowledge(message, &answer, was_unknown);
        }
    }

    /// Sends it under one key until it is acknowledged; whether an answer was lost on the way.
    async fn send(&mut self, message: &str) -> (Answer, bool) {
        let key = Uuid::now_v7().to_string();
        let body = json!({ "message": message });
        let mut was_unknown = false;
        loop {
            let call = self.nodes[self.node].as_user(&self.admin).post("/organisations/broadcast");
            let answer = call.json(&body).header("idempotency-key", &key).into_sent().await;
            match judge(answer) {
                Judgement::Done(answer) => return (answer, was_unknown),
                Judgement::Refused => self.ledger.refused.fetch_add(1, Ordering::SeqCst),
                Judgement::Unknown => {
                    was_unknown = true;
                    self.ledger.unknown.fetch_add(1, Ordering::SeqCst)
                }
            };
            self.node = (self.node + 1) % self.nodes.len();
            tokio::time::sleep(PAUSE).await;
        }
    }
}

/// What an answer to a write means.
pub(super) enum Judgement {
    Done(Answer),
    /// It has not happened.
    Refused,
    /// It may have happened.
    Unknown,
}

/// Fails on an answer that no fault explains.
pub(super) fn judge(answer: Option<Answer>) -> Judgement {
    let Some(answer) = answer else { return Judgement::Unknown };
    if answer.status < 300 {
        return Judgement::Done(answer);
    }
    let code = answer.json()["code"].as_str().unwrap_or_default().to_owned();
    match (answer.status, code.as_str()) {
        // The attempt before this one is still running.
        (409, "idempotency_in_progress") | (503, "outcome_unknown") => Judgement::Unknown,
        (503, _) => Judgement::Refused,
        _ => panic!("{answer:?}"),
    }
}
