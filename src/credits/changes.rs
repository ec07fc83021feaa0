//! Top-ups and adjustments: what somebody decides about an organisation's credits.
//!
//! The ledger has them first, then the organisation's log is told, which may be in another store. What it is not
//! told of at once stays noted in the account, and the janitor tells it: each once, and in order, since the log says
//! which it has.

use serde::Deserialize;

use super::model::{Account, Entry, EntryKind};
use super::queries;
use super::service::lock;
use crate::activity::{self, Activity, Origin};
use crate::app::App;
use crate::db::{Db, Tx};
use crate::error::{Code, Error, Result};
use crate::types::{CreditReason, OrgId, Timestamp};
use crate::{read, transaction};

/// A change that somebody decided.
#[derive(Debug, Clone)]
pub(crate) struct Change {
    pub(crate) org: OrgId,
    /// A top-up or an adjustment.
    pub(crate) kind: EntryKind,
    /// What it adds to the balance: from 1 to [`MAX_CHANGE`], or as far below zero.
    pub(crate) amount: i64,
    /// Why, as the organisation's admins read it.
    pub(crate) reason: CreditReason,
    pub(crate) at: Timestamp,
}

/// The most that is added or taken away at once.
pub(crate) const MAX_CHANGE: i64 = 1_000_000_000_000;

/// The most that anybody has: far from where sums could overflow, and exact where numbers are floating.
const MAX_BALANCE: i64 = 1_000_000_000_000_000;

/// Changes an organisation's credits, in a transaction of the directory. Its log is to be told once that is
/// committed. Fails with `insufficient_credits` where it takes more than there is, and on an amount out of bounds.
pub(crate) async fn make(central: &mut Tx, change: &Change) -> Result<(Account, Entry)> {
    let Change { org, kind, amount, reason, at } = change;
    if *amount == 0 || amount.unsigned_abs() > MAX_CHANGE.unsigned_abs() {
        let expected = format!("must be from 1 to {MAX_CHANGE}, or as far below zero");
        return Err(Error::invalid("amount", expected));
    }
    let mut account = lock(central, *org).await?;
    if account.balance + amount < 0 {
        return Err(Error::refused(
            Code::InsufficientCredits,
            format!("The organisation has {} credits, fewer than are to be taken away.", account.balance),
        ));
    }
    if account.balance + amount > MAX_BALANCE {
        return Err(Error::invalid("amount", format!("must leave a balance of at most {MAX_BALANCE}")));
    }
    let entry = account.append(*kind, *amount, *at);
    let entry = Entry { reason: Some(reason.to_string()), ..entry };
    account.untold_seq = account.untold_seq.or(Some(entry.seq));
    queries::insert_entries(central, vec![entry.clone()]).await?;
    queries::update_account(central, &account).await?;
    Ok((account, entry))
}

/// Tells an organisation's admins of the changes that they were not told of, as `CREDITS_CHANGED`. Those whose entry
/// `by` names come from there.
pub(crate) async fn tell(db: &Db, org: OrgId, by: Option<(i64, &Origin)>) -> Result<()> {
    let untold = read!(db.central(), |conn| {
        let account = queries::find_account(conn, org).await?;
        match account.and_then(|account| account.untold_seq) {
            Some(first) => Ok(queries::list_decided(conn, org, first).await?),
            None => Ok(Vec::new()),
        }
    })?;
    let Some(last) = untold.last().map(|entry| entry.seq) else { return Ok(()) };
    transaction!(db.org(org), |tx| {
        let newest = activity::lock_newest(tx, org, CREDITS_CHANGED).await?;
        let told = newest.map_or(0, |payload| told_of(&payload));
        let news = untold.into_iter().filter(|entry| entry.seq > told);
        let activities = news.map(|entry| activity(org, entry, by)).collect();
        activity::append_all(tx, org, activities).await
    })?;
    transaction!(db.central(), |tx| {
        let account = lock(tx, org).await?;
        let next = queries::list_decided(tx, org, last + 1).await?.first().map(|entry| entry.seq);
        Ok(queries::update_account(tx, &Account { untold_seq: next, ..account }).await?)
    })
}

const CREDITS_CHANGED: &str = "CREDITS_CHANGED";

/// The entry of the ledger that an activity is about.
fn told_of(payload: &str) -> i64 {
    #[derive(Deserialize)]
    struct Told {
        entry: i64,
    }
    serde_json::from_str(payload).map_or(0, |Told { entry }| entry)
}

fn activity(org: OrgId, entry: Entry, by: Option<(i64, &Origin)>) -> (Origin, Activity) {
    let Entry { seq, amount, balance, reason, created_at, .. } = entry;
    let by = by.filter(|(of, _)| *of == seq).map(|(_, origin)| origin.clone());
    let nobody = Origin { org, actor: None, ip: None, user_agent: None, at: created_at };
    let changed =
        Activity::CreditsChanged { entry: seq, amount, balance, reason: reason.unwrap_or_default() };
    (by.unwrap_or(nobody), changed)
}

/// Organisations whose admins were not told of a change.
pub(crate) async fn list_untold(app: &App) -> Result<Vec<OrgId>> {
    read!(app.db.central(), |conn| Ok(queries::list_untold_changes(conn).await?))
}
