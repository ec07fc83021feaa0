//! Reading the log back, for the hub.

use crate::activity::{Head, queries};
use crate::db::Db;
use crate::error::{Error, Result};
use crate::read;
use crate::types::{LogEntry, OrgId, Seq};

/// The entries from `from` to `to`, both included, in order, and the log's head at that moment. Those that
/// are not kept are left out. Each is byte for byte what was delivered when it was committed. Fails with
/// `not_found` where there is no such log.
pub async fn read_range(db: &Db, org: OrgId, from: Seq, to: Seq) -> Result<(Vec<LogEntry>, Head)> {
    let (rows, head) = read!(db.org(org), |conn| {
        let rows = queries::list_range(conn, org, from, to).await?;
        Ok((rows, queries::find_head(conn, org).await?))
    })?;
    let head = head.ok_or_else(no_log)?;
    let entries: anyhow::Result<Vec<LogEntry>> =
        rows.into_iter().map(|(row, recipients)| row.to_entry(recipients, head.epoch)).collect();
    Ok((entries?, head))
}

/// Where a log stands; fails with `not_found` where there is no such log.
pub async fn load_head(db: &Db, org: OrgId) -> Result<Head> {
    read!(db.org(org), |conn| Ok(queries::find_head(conn, org).await?))?.ok_or_else(no_log)
}

fn no_log() -> Error {
    Error::not_found("organisation")
}

/// Where the named logs stand, in no order. What does not exist is left out, so the caller must not take
/// a missing head for one that has not moved.
pub async fn load_heads(db: &Db, orgs: &[OrgId]) -> Result<Vec<Head>> {
    read!(db.orgs(orgs.to_vec()), |conn| Ok(queries::list_heads(conn, orgs).await?))
}
