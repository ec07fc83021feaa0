//! The job that ends reservations: written with the end of the messages that they are for.

use std::collections::HashMap;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use serde::{Deserialize, Serialize};

use super::model::Closing;
use super::service;
use crate::app::App;
use crate::config::crash_point;
use crate::db::Tx;
use crate::error::Result;
use crate::jobs::{Job, Kind, KindLimits, NewJob, WhileSuspended, Work, service as jobs};
use crate::transaction;
use crate::types::{MessageId, Timestamp};

/// Its name in the table of jobs.
const CLOSE: &str = "credits.close";

/// The directory may be away for longer than a message is tried: with its waits, these are some five hours.
const ATTEMPTS: i64 = 30;

#[derive(Serialize, Deserialize)]
struct Payload {
    closed: Vec<(MessageId, Closing)>,
}

/// The job that ends the reservations of these messages.
pub(crate) fn close(closed: Vec<(MessageId, Closing)>) -> Result<NewJob> {
    Ok(NewJob::new(CLOSE, &Payload { closed }, ATTEMPTS)?)
}

/// What it does.
pub(crate) struct Close;

impl Kind for Close {
    fn name(&self) -> &'static str {
        CLOSE
    }

    fn limits(&self) -> KindLimits {
        KindLimits { batch: 64, per_org: 64, at_once: 256, per_second: None }
    }

    fn while_suspended(&self) -> WhileSuspended {
        WhileSuspended::Done
    }

    fn begin<'a>(
        &'a self,
        _app: &'a App,
        tx: &'a mut Tx,
        jobs: Vec<Job>,
        now: Timestamp,
    ) -> BoxFuture<'a, Result<Work>> {
        begin(tx, jobs, now).boxed()
    }
}

async fn begin(tx: &mut Tx, claimed: Vec<Job>, now: Timestamp) -> Result<Work> {
    let (mut readable, mut closings) = (Vec::with_capacity(claimed.len()), HashMap::new());
    for job in claimed {
        if let Some(Payload { closed }) = jobs::payload(tx, &job, now).await? {
            closings.extend(closed);
            readable.push(job);
        }
    }
    Ok(Box::new(move |app, _until| run(app, readable, closings).boxed()))
}

async fn run(app: App, done: Vec<Job>, closings: HashMap<MessageId, Closing>) -> Result<()> {
    let Some(org) = done.first().map(|job| job.org_id) else { return Ok(()) };
    service::close(&app, org, &closings, app.clock.now()).await?;
    crash_point("message-closed");
    transaction!(app.db.org(org), |tx| jobs::complete(tx, &done).await)
}
