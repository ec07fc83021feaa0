//! What the platform does to credits, and what it sees of messages.

use crate::app::App;
use crate::credits::changes::{self, Change};
use crate::credits::{self, ChangeCredits, EntryBody, TotalsOf};
use crate::error::{LogFailure as _, Result};
use crate::http::{Page, PageQuery};
use crate::idempotency::{Answer, Claimed, Once};
use crate::platform::extract::Operator;
use crate::transaction;
use crate::types::OrgId;

/// Appends what an administrator decided to an organisation's ledger, and tells its admins. Fails with
/// `insufficient_credits`.
pub(crate) async fn change(
    app: &App,
    by: &Operator,
    org: OrgId,
    body: ChangeCredits,
    once: &Once,
) -> Result<Answer> {
    let now = app.clock.now();
    let ChangeCredits { kind, amount, reason } = body;
    let change = Change { org, kind, amount, reason, at: now };
    let (answer, seq) = transaction!(app.db.central(), |tx| {
        // First the account: of two with one key the second waits here.
        credits::service::lock(tx, org).await?;
        let fresh = match once.claim(tx).await? {
            Claimed::Fresh(fresh) => fresh,
            Claimed::Again(answer) => return Ok((answer, None)),
        };
        let (_, entry) = changes::make(tx, &change).await?;
        let seq = entry.seq;
        let answer = fresh.keep(tx, Answer::created(&EntryBody::from(entry))?).await?;
        Ok((answer, Some(seq)))
    })?;
    if let Some(seq) = seq {
        let origin = by.origin(org, now);
        let told = changes::tell(&app.db, org, Some((seq, &origin))).await;
        told.log_failure("tell an organisation that its credits were changed");
    }
    Ok(answer)
}

/// A page of organisations that have sent messages, ordered by id, with how many of them stand where.
pub(crate) async fn list_totals(app: &App, query: &PageQuery) -> Result<Page<TotalsOf>> {
    let after = query.after.map_or(OrgId::NIL, OrgId::from);
    let totals = credits::service::list_totals(app, after, query.limit + 1).await?;
    Ok(Page::new(totals, query.limit, |totals| totals.organisation_id.to_string()))
}
