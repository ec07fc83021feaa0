//! Having emails sent.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::Letter;
use super::jobs::{Payload, SEND, context};
use crate::app::App;
use crate::db::Tx;
use crate::error::Result;
use crate::gateways::{Delivery, Outgoing};
use crate::jobs::{NewJob, service as jobs};
use crate::transaction;
use crate::types::{Channel, MessageId, OrgId, Timestamp};

/// Says that an organisation is about to have an email to be sent, where any are: before the transaction that
/// [posts](post) it.
pub(crate) async fn announce(app: &App, org: OrgId, now: Timestamp) -> Result<()> {
    if !app.mail.is_on() {
        return Ok(());
    }
    transaction!(app.db.central(), |tx| jobs::announce(tx, org, now).await)
}

/// Has an email sent once the transaction is committed; nothing happens where none are.
pub(crate) async fn post(app: &App, tx: &mut Tx, org: OrgId, letter: &Letter, now: Timestamp) -> Result<()> {
    if !app.mail.is_on() {
        return Ok(());
    }
    let written = serde_json::to_vec(letter).map_err(anyhow::Error::from)?;
    let sealed = STANDARD.encode(app.mail.seals.seal(&context(org), &written)?);
    let attempts = i64::try_from(app.config.messages.attempts).unwrap_or(i64::MAX);
    jobs::enqueue(tx, org, vec![NewJob::new(SEND, &Payload { sealed }, attempts)?], now).await
}

/// How long to wait before an email that no job is for is tried again.
const AGAIN: [Duration; 2] = [Duration::from_secs(2), Duration::from_secs(10)];

/// Sends an email that belongs to no organisation, with a few attempts; whoever waits for it may ask again.
pub(crate) async fn send(app: &App, letter: Letter) {
    let outgoing =
        Outgoing { id: MessageId::new(), to: letter.to, channel: Channel::Email, body: letter.body };
    for wait in AGAIN {
        match app.gateways.send(OrgId::NIL, &outgoing).await {
            Delivery::Sent(_) | Delivery::Rejected(_) => return,
            Delivery::Unavailable(_) | Delivery::Unknown(_) => {}
        }
        if app.stop.run_until_cancelled(tokio::time::sleep(wait)).await.is_none() {
            return;
        }
    }
    let _: Delivery = app.gateways.send(OrgId::NIL, &outgoing).await;
}
