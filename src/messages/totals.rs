//! Counting messages anew: what the platform's totals have to be.
//!
//! The totals move with the ledger, so a message counts as queued until its reservation is ended. Under the lock
//! of its account nothing of an organisation's ledger moves; what is then read of its messages and its open
//! reservations says what the totals must be, whatever is being sent meanwhile.

use std::collections::BTreeMap;
use std::fmt;

use super::model::Status;
use super::queries;
use crate::db::Db;
use crate::error::Result;
use crate::types::{Channel, MessageId, OrgId};
use crate::{credits, organisations, read, transaction};

/// Organisations that are named at a time.
const CHUNK: i64 = 64;

/// How many messages stand where.
pub(crate) type Totals = BTreeMap<(Channel, &'static str), i64>;

/// What a recount has found.
pub(crate) struct Found {
    pub(crate) organisations: usize,
    pub(crate) totals: Totals,
    pub(crate) differences: Vec<Difference>,
}

/// A total that was not what it has to be.
#[derive(Debug)]
pub(crate) struct Difference {
    org: OrgId,
    channel: Channel,
    status: &'static str,
    kept: i64,
    counted: i64,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { org, channel, status, kept, counted } = self;
        write!(f, "{org} {} {status}: {kept} kept, {counted} counted", channel.as_str())
    }
}

/// Under which status a message is counted.
const fn counted_as(status: Status) -> &'static str {
    match status {
        Status::Queued | Status::Sending => "QUEUED",
        Status::Sent => "SENT",
        Status::Failed => "FAILED",
        Status::Cancelled => "CANCELLED",
    }
}

/// Counts the messages of every organisation, and compares; sets right what differs where asked to.
pub(crate) async fn recount(db: &Db, repair: bool) -> Result<Found> {
    let mut found = Found { organisations: 0, totals: Totals::new(), differences: Vec::new() };
    let mut after = OrgId::NIL;
    loop {
        let orgs = organisations::service::list_ids(db, after, CHUNK).await?;
        let Some(last) = orgs.last() else { return Ok(found) };
        after = *last;
        for org in orgs {
            found.organisations += 1;
            check(db, org, repair, &mut found).await?;
        }
    }
}

async fn check(db: &Db, org: OrgId, repair: bool, found: &mut Found) -> Result<()> {
    let (counted, differences) = transaction!(db.central(), |tx| {
        let (kept, open) = credits::service::lock_totals(tx, org).await?;
        let counted = count(db, org, &open).await?;
        let mut differences = Vec::new();
        for channel in Channel::ALL {
            for status in ["QUEUED", "SENT", "FAILED", "CANCELLED"] {
                let of = |totals: &Totals| totals.get(&(channel, status)).copied().unwrap_or(0);
                let (kept, counted) = (of(&kept), of(&counted));
                if kept != counted {
                    differences.push(Difference { org, channel, status, kept, counted });
                    if repair {
                        credits::service::correct_total(tx, org, channel, status, counted - kept).await?;
                    }
                }
            }
        }
        Ok((counted, differences))
    })?;
    for (place, count) in counted {
        *found.totals.entry(place).or_default() += count;
    }
    found.differences.extend(differences);
    Ok(())
}

async fn count(db: &Db, org: OrgId, open: &[(MessageId, Channel)]) -> Result<Totals> {
    let ids: Vec<MessageId> = open.iter().map(|(id, _)| *id).collect();
    let (counts, statuses) = read!(db.org(org), |conn| {
        let counts = queries::count(conn, org).await?;
        Ok((counts, queries::list_statuses(conn, org, &ids).await?))
    })?;
    let statuses: BTreeMap<MessageId, Status> = statuses.into_iter().collect();
    let mut totals = Totals::new();
    for (channel, status, count) in counts {
        *totals.entry((channel, counted_as(status))).or_default() += count;
    }
    for (id, channel) in open {
        let status = statuses.get(id).copied().map(counted_as);
        if status != Some("QUEUED") {
            *totals.entry((*channel, "QUEUED")).or_default() += 1;
            if let Some(status) = status {
                *totals.entry((*channel, status)).or_default() -= 1;
            }
        }
    }
    totals.retain(|_, count| *count != 0);
    Ok(totals)
}
