//! The job that sends an email of the hub's own.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, join_all};
use serde::{Deserialize, Serialize};

use super::Letter;
use crate::app::App;
use crate::config::Config;
use crate::db::Tx;
use crate::error::Result;
use crate::gateways::{Delivery, Outgoing};
use crate::jobs::{Job, Kind, KindLimits, WhileSuspended, Work, service as jobs};
use crate::transaction;
use crate::types::{Channel, OrgId, Timestamp};

/// Its name in the table of jobs.
pub(super) const SEND: &str = "mail.send";

#[derive(Serialize, Deserialize)]
pub(super) struct Payload {
    /// A [`Letter`], sealed, in base64.
    pub(super) sealed: String,
}

/// What a letter is sealed for: it is opened nowhere else.
pub(super) fn context(org: OrgId) -> Vec<u8> {
    [b"roomcast mail v1 ".as_slice(), org.as_uuid().as_bytes()].concat()
}

/// Sends emails of the hub's own.
pub(crate) struct Send {
    limits: KindLimits,
}

impl Send {
    pub(crate) fn new(config: &Config) -> Self {
        let (per_org, at_once) = (config.jobs.per_organisation, config.jobs.concurrency);
        Self { limits: KindLimits { batch: 16, per_org, at_once, per_second: None } }
    }
}

impl Kind for Send {
    fn name(&self) -> &'static str {
        SEND
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
        begin(app, tx, jobs, now).boxed()
    }
}

async fn begin(app: &App, tx: &mut Tx, claimed: Vec<Job>, now: Timestamp) -> Result<Work> {
    let mut letters = Vec::with_capacity(claimed.len());
    for job in claimed {
        let Some(Payload { sealed }) = jobs::payload(tx, &job, now).await? else { continue };
        if let Err(wait) = app.gateways.admit(job.org_id, Channel::Email) {
            let why = "the gateway is down: its breaker is open";
            jobs::defer(tx, &job, now.plus(wait), why, now).await?;
            continue;
        }
        match open(app, job.org_id, &sealed) {
            Some(letter) => letters.push((job, letter)),
            None => jobs::bury(tx, &job, "it was sealed with a key that the hub has no more", now).await?,
        }
    }
    Ok(Box::new(move |app, _until| {
        async move {
            let sent = join_all(letters.into_iter().map(|(job, letter)| deliver(&app, job, letter))).await;
            sent.into_iter().collect()
        }
        .boxed()
    }))
}

fn open(app: &App, org: OrgId, sealed: &str) -> Option<Letter> {
    let opened = app.mail.seals.open(&context(org), &STANDARD.decode(sealed).ok()?)?;
    serde_json::from_slice(&opened).ok()
}

async fn deliver(app: &App, job: Job, letter: Letter) -> Result<()> {
    let outgoing = Outgoing {
        // The same at each attempt.
        id: job.id.as_uuid().into(),
        to: letter.to,
        channel: Channel::Email,
        body: letter.body,
    };
    let delivery = app.gateways.send(job.org_id, &outgoing).await;
    transaction!(app.db.org(job.org_id), |tx| {
        let now = app.clock.now();
        match &delivery {
            Delivery::Sent(_) => jobs::complete(tx, std::slice::from_ref(&job)).await,
            Delivery::Rejected(detail) => jobs::bury(tx, &job, detail, now).await,
            Delivery::Unavailable(detail) | Delivery::Unknown(detail) => {
                jobs::retry(tx, &job, detail, now).await
            }
        }
    })
}
