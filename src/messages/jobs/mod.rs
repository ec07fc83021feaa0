//! The jobs that send messages: a kind for each channel, so that none waits for the gateway of another.

mod record;

use std::collections::HashMap;
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::StreamExt as _;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;
use tokio::time::Instant;

use self::record::{Closed, record_surely};
use super::model::{Attempt, Message, Outcome, Status};
use super::queries;
use crate::app::App;
use crate::config::{Config, crash_point};
use crate::db::Tx;
use crate::error::Result;
use crate::gateways::{Delivery, Outgoing};
use crate::jobs::{Job, Kind, KindLimits, NewJob, WhileSuspended, Work, service as jobs};
use crate::types::{Channel, MessageId, OrgId, Timestamp};

/// Messages whose end is recorded in one transaction.
const RECORDED_TOGETHER: usize = 64;

#[derive(Serialize, Deserialize)]
struct Payload {
    message: MessageId,
}

/// A message that waits for a gateway which is down is tried all the same once it is this old: it then fails.
const PATIENCE: Duration = Duration::from_hours(24);

/// How long a stop waits for gateways: less than it waits for all that runs.
const STOP: Duration = Duration::from_secs(4);

/// Sends messages on a channel.
pub(crate) struct Send {
    channel: Channel,
    limits: KindLimits,
}

impl Send {
    /// One for each channel.
    pub(crate) fn on_each_channel(config: &Config) -> [Self; Channel::ALL.len()] {
        let (per_org, at_once) = (config.jobs.per_organisation, config.jobs.concurrency);
        let rate = config.messages.rate_per_organisation;
        let per_second = (rate > 0).then_some(rate);
        let limits = KindLimits { batch: RECORDED_TOGETHER, per_org, at_once, per_second };
        Channel::ALL.map(|channel| Self { channel, limits })
    }

    /// The job that sends this message.
    pub(super) fn job(message: MessageId, channel: Channel, attempts: usize) -> Result<NewJob> {
        let attempts = i64::try_from(attempts).unwrap_or(i64::MAX);
        Ok(NewJob::new(kind_of(channel), &Payload { message }, attempts)?)
    }
}

/// Its name in the table of jobs.
const fn kind_of(channel: Channel) -> &'static str {
    match channel {
        Channel::Sms => "messages.send.sms",
        Channel::Email => "messages.send.email",
        Channel::Push => "messages.send.push",
        Channel::Webhook => "messages.send.webhook",
    }
}

impl Kind for Send {
    fn name(&self) -> &'static str {
        kind_of(self.channel)
    }

    fn limits(&self) -> KindLimits {
        self.limits
    }

    fn while_suspended(&self) -> WhileSuspended {
        WhileSuspended::Deferred
    }

    fn begin<'a>(
        &'a self,
        app: &'a App,
        tx: &'a mut Tx,
        jobs: Vec<Job>,
        now: Timestamp,
    ) -> BoxFuture<'a, Result<Work>> {
        begin(app, tx, self.channel, jobs, now).boxed()
    }

    fn give_up<'a>(
        &'a self,
        app: &'a App,
        tx: &'a mut Tx,
        jobs: Vec<Job>,
        why: &'a str,
        now: Timestamp,
    ) -> BoxFuture<'a, Result<()>> {
        give_up(app, tx, self.channel, jobs, why, now).boxed()
    }
}

/// A message that is being sent, and its job.
struct Sending {
    job: Job,
    message: Message,
}

/// What became of it.
struct Ended {
    sending: Sending,
    delivery: Delivery,
}

/// Notes that the messages are being sent, before anything leaves.
async fn begin(app: &App, tx: &mut Tx, channel: Channel, claimed: Vec<Job>, now: Timestamp) -> Result<Work> {
    let Some(org) = claimed.first().map(|job| job.org_id) else {
        return Ok(Box::new(|_, _| async { Ok(()) }.boxed()));
    };
    let mut by_message = HashMap::with_capacity(claimed.len());
    for job in claimed {
        let Some(Payload { message }) = jobs::payload(tx, &job, now).await? else { continue };
        match app.gateways.admit(org, channel) {
            Err(wait) if now.since(job.created_at) < PATIENCE => {
                jobs::defer(tx, &job, now.plus(wait), "the gateway is down: its breaker is open", now)
                    .await?;
            }
            Ok(()) | Err(_) => drop(by_message.insert(message, job)),
        }
    }
    let ids: Vec<MessageId> = by_message.keys().copied().collect();
    let again: Vec<MessageId> =
        by_message.iter().filter(|(_, job)| job.attempts > 1).map(|(id, _)| *id).collect();
    if !again.is_empty() {
        let detail = "who made this attempt went away before its end: the message may have left";
        queries::end_attempts(tx, org, &again, Outcome::Unknown, detail, now).await?;
    }
    let open = [Status::Queued, Status::Sending];
    let messages = queries::transition(tx, org, &ids, &open, Status::Sending, now).await?;
    let (mut attempts, mut sending) = (Vec::new(), Vec::new());
    for message in messages {
        let Some(job) = by_message.remove(&message.id) else { continue };
        attempts.push(Attempt {
            org_id: org,
            message_id: message.id,
            number: job.attempts,
            gateway: app.gateways.of(channel).name().to_owned(),
            started_at: now,
            ended_at: None,
            outcome: None,
            detail: None,
        });
        sending.push(Sending { job, message });
    }
    queries::insert_attempts(tx, attempts).await?;
    // What is left has ended before: its job is too many.
    let over: Vec<Job> = by_message.into_values().collect();
    jobs::complete(tx, &over).await?;
    Ok(Box::new(move |app, until| send(app, org, sending, until).boxed()))
}

/// Has messages failed whose last attempt nobody told the end of.
async fn give_up(
    app: &App,
    tx: &mut Tx,
    channel: Channel,
    held: Vec<Job>,
    why: &str,
    now: Timestamp,
) -> Result<()> {
    let mut by_message = HashMap::with_capacity(held.len());
    for job in held {
        if let Some(Payload { message }) = jobs::payload(tx, &job, now).await? {
            by_message.insert(message, job);
        }
    }
    let Some(org) = by_message.values().next().map(|job| job.org_id) else { return Ok(()) };
    let ids: Vec<MessageId> = by_message.keys().copied().collect();
    let detail = format!("{why}: the message may have left");
    queries::end_attempts(tx, org, &ids, Outcome::Unknown, &detail, now).await?;
    let open = [Status::Queued, Status::Sending];
    let failed = queries::transition(tx, org, &ids, &open, Status::Failed, now).await?;
    let over: Vec<Job> = by_message.into_values().collect();
    jobs::complete(tx, &over).await?;
    let gateway = app.gateways.of(channel).name();
    let mut closed = Closed::default();
    for message in &failed {
        closed.failed(message, gateway, detail.clone(), now);
    }
    closed.write(tx, org, now).await
}

/// Sends messages, and records what became of each as soon as that is known. While that is done, the others are
/// listened to: who answers a request that nobody listens to would be asked again.
async fn send(app: App, org: OrgId, sending: Vec<Sending>, until: Instant) -> Result<()> {
    crash_point("message-begun");
    let (told, mut known) = mpsc::channel(sending.len().max(1));
    let deliveries = async {
        let mut deliveries: FuturesUnordered<_> =
            sending.into_iter().map(|sending| deliver(&app, sending)).collect();
        while let Some(ended) = deliveries.next().await {
            // There is room for all of them, and who takes them stays to the end.
            drop(told.send(ended).await);
        }
        drop(told);
    };
    let records = async {
        let (mut outcome, mut ended) = (Ok(()), Vec::new());
        while known.recv_many(&mut ended, RECORDED_TOGETHER).await > 0 {
            crash_point("message-sent");
            let recorded = record_surely(&app, org, &ended, until).await;
            crash_point("message-recorded");
            if recorded.is_ok() {
                // There may be credits to settle.
                app.jobs.wake(org);
            }
            outcome = outcome.and(recorded);
            ended.clear();
        }
        outcome
    };
    tokio::join!(deliveries, records).1
}

async fn deliver(app: &App, sending: Sending) -> Ended {
    let Message { org_id, id, recipient, channel, body, .. } = &sending.message;
    let outgoing = Outgoing { id: *id, to: recipient.clone(), channel: *channel, body: body.clone() };
    let stopped = async {
        app.stop.cancelled().await;
        tokio::time::sleep(STOP).await;
    };
    let delivery = tokio::select! {
        delivery = app.gateways.send(*org_id, &outgoing) => delivery,
        () = stopped => Delivery::Unknown("the hub stopped before the gateway had answered".to_owned()),
    };
    Ended { sending, delivery }
}
