//! What became of messages, as it is written.

use std::collections::HashMap;
use std::time::Duration;

use tokio::time::Instant;

use super::{Ended, Sending};
use crate::activity::{self, Activity, MessageEvent, Origin};
use crate::app::App;
use crate::credits::{self, Closing};
use crate::db::Tx;
use crate::error::Result;
use crate::gateways::Delivery;
use crate::jobs::service as jobs;
use crate::messages::model::{Message, Outcome, Status};
use crate::messages::queries;
use crate::transaction;
use crate::types::{MessageId, OrgId, Timestamp};

/// How long to wait before what became of messages is recorded again where that failed: the last wait is that of
/// all further ones, for as long as the claim lasts. Whoever else gets the jobs would send the messages again.
const RECORD_AGAIN: [Duration; 4] =
    [Duration::from_millis(100), Duration::from_millis(500), Duration::from_secs(2), Duration::from_secs(5)];

/// Records what became of messages; where the database is away, again and again until then.
pub(super) async fn record_surely(app: &App, org: OrgId, ended: &[Ended], until: Instant) -> Result<()> {
    let mut waits = RECORD_AGAIN.into_iter();
    let mut wait = RECORD_AGAIN[0];
    loop {
        let error = match record(app, org, ended).await {
            Ok(()) => return Ok(()),
            Err(error) => error,
        };
        wait = waits.next().unwrap_or(wait);
        if Instant::now() + wait >= until {
            return Err(error);
        }
        tracing::warn!(
            organisation.id = %org,
            messages = ended.len(),
            error = %error,
            "what became of messages could not be recorded; trying again"
        );
        tokio::time::sleep(wait).await;
    }
}

/// Messages that have ended, and what follows from that in the same transaction.
#[derive(Default)]
pub(super) struct Closed {
    closings: Vec<(MessageId, Closing)>,
    events: Vec<(Timestamp, Activity)>,
}

impl Closed {
    fn add(&mut self, message: &Message, closing: Closing, event: MessageEvent, now: Timestamp) {
        self.closings.push((message.id, closing));
        self.events.push((now, Activity::MessageMoved { message: message.facts(), event }));
    }

    fn sent(&mut self, message: &Message, gateway: &'static str, detail: String, now: Timestamp) {
        self.add(message, Closing::Sent, MessageEvent::Sent { gateway, detail }, now);
    }

    pub(super) fn failed(
        &mut self,
        message: &Message,
        gateway: &'static str,
        detail: String,
        now: Timestamp,
    ) {
        self.add(message, Closing::Failed, MessageEvent::Failed { gateway, detail }, now);
    }

    /// Writes the job that ends their reservations, and their activities: the last of a transaction.
    pub(super) async fn write(self, tx: &mut Tx, org: OrgId, now: Timestamp) -> Result<()> {
        if self.closings.is_empty() {
            return Ok(());
        }
        jobs::enqueue(tx, org, vec![credits::jobs::close(self.closings)?], now).await?;
        let nobody = |at| Origin { org, actor: None, ip: None, user_agent: None, at };
        let activities = self.events.into_iter().map(|(at, activity)| (nobody(at), activity)).collect();
        activity::append_all(tx, org, activities).await
    }
}

/// Where a message stands after an attempt that came to this.
fn judge(delivery: &Delivery, is_last: bool) -> (Outcome, &String, Status) {
    let unless_last = if is_last { Status::Failed } else { Status::Queued };
    match delivery {
        Delivery::Sent(detail) => (Outcome::Sent, detail, Status::Sent),
        Delivery::Rejected(detail) => (Outcome::Rejected, detail, Status::Failed),
        Delivery::Unavailable(detail) => (Outcome::Unavailable, detail, unless_last),
        Delivery::Unknown(detail) => (Outcome::Unknown, detail, unless_last),
    }
}

/// Records what became of messages: status, attempt, activity, the end of the job, and the job that settles.
async fn record(app: &App, org: OrgId, ended: &[Ended]) -> Result<()> {
    transaction!(app.db.org(org), |tx| {
        let now = app.clock.now();
        let (mut done, mut closed) = (Vec::new(), Closed::default());
        let mut attempts: HashMap<(Outcome, &String), Vec<MessageId>> = HashMap::new();
        let mut moved: HashMap<Status, Vec<MessageId>> = HashMap::new();
        for Ended { sending: Sending { job, message }, delivery } in ended {
            let gateway = app.gateways.of(message.channel).name();
            let (outcome, detail, status) = judge(delivery, job.is_last_attempt());
            match status {
                Status::Sent => closed.sent(message, gateway, detail.clone(), now),
                Status::Failed => closed.failed(message, gateway, detail.clone(), now),
                Status::Queued | Status::Sending | Status::Cancelled => {}
            }
            if status == Status::Queued {
                jobs::retry(tx, job, detail, now).await?;
            } else {
                done.push(job.clone());
            }
            moved.entry(status).or_default().push(message.id);
            attempts.entry((outcome, detail)).or_default().push(message.id);
        }
        jobs::complete(tx, &done).await?;
        for ((outcome, detail), ids) in attempts {
            queries::end_attempts(tx, org, &ids, outcome, detail, now).await?;
        }
        for (to, ids) in moved {
            queries::transition(tx, org, &ids, &[Status::Sending], to, now).await?;
        }
        closed.write(tx, org, now).await
    })
}
