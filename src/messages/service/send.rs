//! Queueing messages.
//!
//! Ledger and messages are in two stores. The ledger goes first, under the messages' ids; the transaction that
//! writes the messages decides. Where it fails, what was reserved is given back at once; where nobody can say so
//! any more, by the janitor.

use std::collections::HashMap;

use super::super::jobs::Send;
use super::super::model::{Message, Status};
use super::super::queries;
use super::super::wire::{BatchBody, BatchResult, MessageBody, SendMessage, SendMessages, SendOne};
use crate::activity::{self, Activity, MessageEvent, Origin};
use crate::app::App;
use crate::config::crash_point;
use crate::credits::service::{Low, Reserved};
use crate::credits::{self, Closing, Wanted};
use crate::error::{Code, Error, LogFailure as _, Problem, Result};
use crate::http::Member;
use crate::idempotency::{Answer, Claimed, Once};
use crate::jobs::{NewJob, service as jobs};
use crate::transaction;
use crate::types::{MessageId, Timestamp};

/// Queues one message, and answers with it. Fails with `insufficient_credits`.
pub(crate) async fn one(app: &App, member: &Member, body: SendOne, once: &Once) -> Result<Answer> {
    let SendOne(message, to) = body;
    let answer = |queued: &[Option<Message>]| match queued {
        [Some(message)] => Answer::created(&MessageBody::from(message)),
        _ => Err(insufficient()),
    };
    queue(app, member, vec![(message, to)], once, answer).await
}

/// Queues messages, as far as credits go, and answers with what became of each.
pub(crate) async fn batch(app: &App, member: &Member, body: SendMessages, once: &Once) -> Result<Answer> {
    let (mut valid, mut refused) = (Vec::new(), HashMap::new());
    let count = body.messages.len();
    for (place, message) in body.messages.into_iter().enumerate() {
        match message.recipient() {
            Ok(to) => valid.push((message, to)),
            Err(error) => drop(refused.insert(place, error)),
        }
    }
    let answer = |queued: &[Option<Message>]| {
        let mut queued = queued.iter();
        let result = |place| match refused.get(&place) {
            Some(error) => refusal(error),
            None => match queued.next() {
                Some(Some(message)) => {
                    BatchResult { status: 201, message: Some(MessageBody::from(message)), problem: None }
                }
                Some(None) | None => refusal(&insufficient()),
            },
        };
        let results: Vec<BatchResult<'_>> = (0..count).map(result).collect();
        let queued = results.iter().filter(|result| result.message.is_some()).count();
        Answer::created(&BatchBody { refused: count - queued, queued, results })
    };
    queue(app, member, valid, once, answer).await
}

fn refusal(error: &Error) -> BatchResult<'static> {
    BatchResult { status: error.code().status().as_u16(), message: None, problem: Some(Problem::of(error)) }
}

fn insufficient() -> Error {
    Error::refused(Code::InsufficientCredits, "The organisation has fewer credits than this message costs.")
}

/// Queues those messages that can be paid for. `answer` makes the answer of them, or refuses it all.
async fn queue(
    app: &App,
    member: &Member,
    wanted: Vec<(SendMessage, String)>,
    once: &Once,
    answer: impl Fn(&[Option<Message>]) -> Result<Answer>,
) -> Result<Answer> {
    if let Some(answer) = once.answered().await? {
        return Ok(answer);
    }
    let now = app.clock.now();
    let (messages, new_jobs) = prepare(app, member, wanted, now)?;
    let prices: Vec<Wanted> = messages.iter().map(price).collect();
    let Reserved { granted, low } = credits::service::reserve(app, member.org, &prices, now).await?;
    crash_point("message-reserved");
    let queued: Vec<Option<Message>> =
        messages.into_iter().zip(&granted).map(|(message, granted)| granted.then_some(message)).collect();
    let new_jobs = new_jobs.into_iter().zip(&granted).filter_map(|(job, granted)| granted.then_some(job));
    let ids: Vec<MessageId> = queued.iter().flatten().map(|message| message.id).collect();
    let written = write(app, member, &queued, new_jobs.collect(), low, once, answer, now).await;
    match &written {
        Ok(answer) if !answer.is_replayed() => {
            app.jobs.wake(member.org);
            if low.is_some() {
                credits::service::told_of_low(app, member.org).await.log_failure("note that credits are low");
            }
        }
        // The janitor finds out.
        Err(error) if error.outcome_is_unknown() => {}
        _ if ids.is_empty() => {}
        _ => {
            let closings = ids.into_iter().map(|id| (id, Closing::Unwritten)).collect();
            let given_back = credits::service::close(app, member.org, &closings, now).await;
            given_back.log_failure("give credits back that were reserved for messages that were not written");
        }
    }
    written
}

fn price(message: &Message) -> Wanted {
    Wanted { message: message.id, channel: message.channel, price: message.price }
}

fn prepare(
    app: &App,
    member: &Member,
    wanted: Vec<(SendMessage, String)>,
    now: Timestamp,
) -> Result<(Vec<Message>, Vec<NewJob>)> {
    let (mut messages, mut new_jobs) = (Vec::with_capacity(wanted.len()), Vec::with_capacity(wanted.len()));
    for (SendMessage { channel, body, .. }, recipient) in wanted {
        let id = MessageId::new();
        let job = Send::job(id, channel, app.config.messages.attempts)?;
        messages.push(Message {
            org_id: member.org,
            id,
            recipient,
            channel,
            body: body.as_str().to_owned(),
            status: Status::Queued,
            price: app.config.messages.prices.of(channel),
            created_by: member.user,
            job_id: job.id,
            created_at: now,
            updated_at: now,
        });
        new_jobs.push(job);
    }
    Ok((messages, new_jobs))
}

/// Writes messages, their jobs and their activities.
#[expect(clippy::too_many_arguments, reason = "all of it goes into one transaction")]
async fn write(
    app: &App,
    member: &Member,
    queued: &[Option<Message>],
    new_jobs: Vec<NewJob>,
    low: Option<Low>,
    once: &Once,
    answer: impl Fn(&[Option<Message>]) -> Result<Answer>,
    now: Timestamp,
) -> Result<Answer> {
    let answer = answer(queued)?;
    let messages: Vec<Message> = queued.iter().flatten().cloned().collect();
    let origin = member.origin(now);
    let mut activities: Vec<(Origin, Activity)> = Vec::with_capacity(messages.len() + 1);
    for message in &messages {
        let queued = Activity::MessageMoved { message: message.facts(), event: MessageEvent::Queued };
        activities.push((origin.clone(), queued));
    }
    if let Some(Low { balance, low_at }) = low {
        let origin = Origin { actor: None, ip: None, user_agent: None, ..origin };
        activities.push((origin, Activity::CreditsLow { balance, low_at }));
    }
    transaction!(app.db.org(member.org), |tx| {
        let fresh = match once.claim(tx).await? {
            Claimed::Fresh(fresh) => fresh,
            Claimed::Again(answer) => return Ok(answer),
        };
        queries::insert_all(tx, &messages).await?;
        jobs::enqueue(tx, member.org, new_jobs, now).await?;
        // The key before the head of the log, which is locked last.
        let answer = fresh.keep(tx, answer).await?;
        activity::append_all(tx, member.org, activities).await?;
        Ok(answer)
    })
}
