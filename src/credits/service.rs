//! Reserving, settling and giving back; the ledger as its organisation sees it.

use std::collections::{BTreeMap, HashMap};

use super::model::{Account, Closing, Entry, EntryKind, QUEUED, Reservation, Wanted};
use super::queries;
use super::wire::{Total, TotalsOf};
use crate::app::App;
use crate::db::Tx;
use crate::error::{Error, Result};
use crate::http::Page;
use crate::jobs::service as jobs;
use crate::types::{Channel, MessageId, OrgId, Timestamp};
use crate::{read, transaction};

/// Opens the account of a new organisation, in the transaction of its entry in the directory.
pub(crate) async fn open_account(central: &mut Tx, org: OrgId, initial: i64, at: Timestamp) -> Result<()> {
    let mut account = Account {
        org_id: org,
        initial,
        balance: 0,
        reserved: 0,
        last_seq: 0,
        low_since: None,
        untold_seq: None,
        created_at: at,
        updated_at: at,
    };
    let first = account.append(EntryKind::Initial, initial, at);
    if queries::insert_account(central, &account).await? {
        queries::insert_entries(central, vec![first]).await?;
    }
    Ok(())
}

/// What came of asking for credits.
#[derive(Debug)]
pub(crate) struct Reserved {
    /// For each message, whether its price is reserved.
    pub(crate) granted: Vec<bool>,
    /// The balance has come to be low by this: the organisation is to be told.
    pub(crate) low: Option<Low>,
}

/// A balance that is low.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Low {
    pub(crate) balance: i64,
    pub(crate) low_at: i64,
}

/// Reserves the prices of messages, in their order, as far as the balance goes. Also announces the jobs that will
/// send them.
pub(crate) async fn reserve(app: &App, org: OrgId, wanted: &[Wanted], now: Timestamp) -> Result<Reserved> {
    transaction!(app.db.central(), |tx| {
        let mut account = lock(tx, org).await?;
        let before = account.balance;
        let (mut granted, mut entries, mut reservations) = (Vec::new(), Vec::new(), Vec::new());
        for Wanted { message, channel, price } in wanted.iter().copied() {
            let fits = price <= account.balance;
            granted.push(fits);
            if fits {
                account.reserved += price;
                let entry = account.append(EntryKind::Reserved, -price, now);
                entries.push(Entry { message_id: Some(message), ..entry });
                let created_at = now;
                reservations.push(Reservation {
                    org_id: org,
                    message_id: message,
                    channel,
                    amount: price,
                    created_at,
                });
            }
        }
        if entries.is_empty() {
            return Ok(Reserved { granted, low: None });
        }
        let low_at = account.low_at();
        let low = (before > low_at && account.balance <= low_at)
            .then_some(Low { balance: account.balance, low_at });
        if low.is_some() {
            account.low_since = Some(now);
        }
        count(tx, org, reservations.iter().map(|reservation| (reservation.channel, QUEUED, 1))).await?;
        queries::insert_reservations(tx, reservations).await?;
        queries::insert_entries(tx, entries).await?;
        queries::update_account(tx, &account).await?;
        jobs::announce(tx, org, now).await?;
        Ok(Reserved { granted, low })
    })
}

/// Ends the reservations of these messages; what has none any more is left alone.
pub(crate) async fn close(
    app: &App,
    org: OrgId,
    closings: &HashMap<MessageId, Closing>,
    now: Timestamp,
) -> Result<()> {
    let messages: Vec<MessageId> = closings.keys().copied().collect();
    transaction!(app.db.central(), |tx| {
        // First the account, as everybody does: whoever comes second waits here.
        let mut account = lock(tx, org).await?;
        let mut taken = queries::take_reservations(tx, org, &messages).await?;
        taken.sort_by_key(|reservation| reservation.message_id);
        let (mut entries, mut counts) = (Vec::new(), Vec::new());
        for reservation in taken {
            let Some(closing) = closings.get(&reservation.message_id).copied() else { continue };
            let kind = closing.entry();
            let amount = if kind == EntryKind::Refunded { reservation.amount } else { 0 };
            account.reserved -= reservation.amount;
            let entry = account.append(kind, amount, now);
            entries.push(Entry { message_id: Some(reservation.message_id), ..entry });
            counts.push((reservation.channel, QUEUED, -1));
            counts.extend(closing.status().map(|status| (reservation.channel, status, 1)));
        }
        if entries.is_empty() {
            return Ok(());
        }
        count(tx, org, counts.into_iter()).await?;
        queries::insert_entries(tx, entries).await?;
        Ok(queries::update_account(tx, &account).await?)
    })
}

/// Notes that the organisation was told that its balance is low.
pub(crate) async fn told_of_low(app: &App, org: OrgId) -> Result<()> {
    transaction!(app.db.central(), |tx| {
        let account = lock(tx, org).await?;
        Ok(queries::update_account(tx, &Account { low_since: None, ..account }).await?)
    })
}

/// An organisation's account, which nobody else changes until the transaction ends.
pub(crate) async fn lock(tx: &mut Tx, org: OrgId) -> Result<Account> {
    queries::lock_account(tx, org).await?.ok_or_else(|| Error::not_found("account"))
}

/// Adds to the totals, each once.
async fn count(
    tx: &mut Tx,
    org: OrgId,
    counts: impl Iterator<Item = (Channel, &'static str, i64)>,
) -> Result<()> {
    let mut sums: BTreeMap<(Channel, &str), i64> = BTreeMap::new();
    for (channel, status, count) in counts {
        *sums.entry((channel, status)).or_default() += count;
    }
    for ((channel, status), count) in sums.into_iter().filter(|(_, count)| *count != 0) {
        queries::add_to_total(tx, org, channel, status, count).await?;
    }
    Ok(())
}

/// Where an organisation's ledger stands.
pub(crate) async fn load(app: &App, org: OrgId) -> Result<Account> {
    let account = read!(app.db.central(), |conn| Ok(queries::find_account(conn, org).await?))?;
    account.ok_or_else(|| Error::not_found("account"))
}

/// A page of the ledger, the newest entries first.
pub(crate) async fn list_entries(app: &App, org: OrgId, before: i64, limit: i64) -> Result<Page<Entry>> {
    let entries =
        read!(app.db.central(), |conn| Ok(queries::list_entries(conn, org, before, limit + 1).await?))?;
    Ok(Page::new(entries, limit, |entry| entry.seq.to_string()))
}

/// Reservations of all organisations from before `before`, the oldest first: at most `limit` after that of
/// `after`.
pub(crate) async fn list_open(
    app: &App,
    before: Timestamp,
    after: Option<(Timestamp, MessageId)>,
    limit: i64,
) -> Result<Vec<Reservation>> {
    read!(app.db.central(), |conn| Ok(queries::list_reservations(conn, before, after, limit).await?))
}

/// Accounts that have been low since before `before`, of which nobody was told.
pub(crate) async fn list_untold(app: &App, before: Timestamp) -> Result<Vec<Account>> {
    read!(app.db.central(), |conn| Ok(queries::list_untold(conn, before).await?))
}

/// How many messages of an organisation stand where, and its open reservations; nobody changes either until the
/// transaction ends.
pub(crate) async fn lock_totals(
    central: &mut Tx,
    org: OrgId,
) -> Result<(BTreeMap<(Channel, &'static str), i64>, Vec<(MessageId, Channel)>)> {
    lock(central, org).await?;
    let known = [QUEUED, "SENT", "FAILED", "CANCELLED"];
    let totals =
        queries::list_totals(central, org).await?.into_iter().filter_map(|(channel, status, count)| {
            let status = known.into_iter().find(|known| *known == status)?;
            Some(((channel, status), count))
        });
    Ok((totals.collect(), queries::list_reservations_of(central, org).await?))
}

/// A page of organisations that have messages, ordered by id, with how many stand where.
pub(crate) async fn list_totals(app: &App, after: OrgId, limit: i64) -> Result<Vec<TotalsOf>> {
    let rows = read!(app.db.central(), |conn| {
        let orgs = queries::list_orgs_with_totals(conn, after, limit).await?;
        Ok(queries::list_totals_of(conn, &orgs).await?)
    })?;
    let mut page: Vec<TotalsOf> = Vec::new();
    for (org, channel, status, count) in rows {
        let total = Total { channel, status, count };
        match page.last_mut().filter(|last| last.organisation_id == org) {
            Some(last) => last.totals.push(total),
            None => page.push(TotalsOf { organisation_id: org, totals: vec![total] }),
        }
    }
    Ok(page)
}

/// Sets a total right.
pub(crate) async fn correct_total(
    central: &mut Tx,
    org: OrgId,
    channel: Channel,
    status: &'static str,
    by: i64,
) -> Result<()> {
    Ok(queries::add_to_total(central, org, channel, status, by).await?)
}
