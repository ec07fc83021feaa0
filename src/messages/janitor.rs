//! Keeps the ledger true to the messages.
//!
//! A reservation is made before its message is written, and ended after its message has. Where whoever did the
//! first could not do the second and could not take it back either, the janitor finds out from the message what
//! is to become of the reservation. It also tells of low credits and of changes where that was left undone.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use super::model::Status;
use super::queries;
use crate::activity::{self, Activity, Origin};
use crate::app::App;
use crate::credits::{self, Closing};
use crate::error::{LogFailure as _, Result};
use crate::types::{MessageId, OrgId, Timestamp};
use crate::{read, transaction};

/// How long after the start it first looks, and then how often.
const FIRST_AFTER: Duration = Duration::from_secs(5);
const EVERY: Duration = Duration::from_mins(2);

/// How old a reservation must be: far older than a request may take between it and its message.
const GRACE: Duration = Duration::from_mins(5);

/// Reservations looked at in one go.
const PAGE: i64 = 500;

/// Starts the janitor. It ends when the app stops.
pub(crate) fn start(app: &App) {
    let janitor = app.clone();
    app.tasks.spawn(async move {
        let mut pause = FIRST_AFTER;
        loop {
            if janitor.stop.run_until_cancelled(tokio::time::sleep(pause)).await.is_none() {
                return;
            }
            pause = EVERY;
            run(&janitor).await.log_failure("compare the ledger with the messages");
        }
    });
}

/// Looks at every reservation that is older than a while; a stop is heeded between two pages.
pub(crate) async fn run(app: &App) -> Result<()> {
    let before = app.clock.now().minus(GRACE);
    let mut after: Option<(Timestamp, MessageId)> = None;
    loop {
        let open = credits::service::list_open(app, before, after, PAGE).await?;
        after = open.last().map(|reservation| (reservation.created_at, reservation.message_id));
        let mut by_org: BTreeMap<OrgId, Vec<MessageId>> = BTreeMap::new();
        for reservation in &open {
            by_org.entry(reservation.org_id).or_default().push(reservation.message_id);
        }
        for (org, messages) in by_org {
            // Where the store of one is away, the others are not kept waiting.
            check(app, org, &messages).await.log_failure("compare the ledger with the messages");
        }
        if open.len() < usize::try_from(PAGE).unwrap_or(usize::MAX) || app.stop.is_cancelled() {
            break;
        }
    }
    for low in credits::service::list_untold(app, before).await? {
        let told = tell(app, low.org_id, low.balance, low.low_at()).await;
        told.log_failure("tell an organisation that its credits are low");
    }
    for org in credits::changes::list_untold(app).await? {
        let told = credits::changes::tell(&app.db, org, None).await;
        told.log_failure("tell an organisation that its credits were changed");
    }
    Ok(())
}

async fn check(app: &App, org: OrgId, messages: &[MessageId]) -> Result<()> {
    let found = read!(app.db.org(org), |conn| Ok(queries::list_statuses(conn, org, messages).await?))?;
    let found: HashMap<MessageId, Status> = found.into_iter().collect();
    let mut closings = HashMap::new();
    for message in messages {
        let closing = match found.get(message) {
            None => Closing::Unwritten,
            Some(Status::Sent) => Closing::Sent,
            Some(Status::Failed) => Closing::Failed,
            Some(Status::Cancelled) => Closing::Cancelled,
            Some(Status::Queued | Status::Sending) => continue,
        };
        closings.insert(*message, closing);
    }
    if closings.is_empty() {
        return Ok(());
    }
    credits::service::close(app, org, &closings, app.clock.now()).await?;
    tracing::info!(organisation.id = %org, reservations = closings.len(), "ended reservations that were left open");
    Ok(())
}

async fn tell(app: &App, org: OrgId, balance: i64, low_at: i64) -> Result<()> {
    if balance <= low_at {
        let origin = Origin { org, actor: None, ip: None, user_agent: None, at: app.clock.now() };
        let low = Activity::CreditsLow { balance, low_at };
        transaction!(app.db.org(org), |tx| activity::append(tx, &origin, low).await)?;
    }
    credits::service::told_of_low(app, org).await
}
