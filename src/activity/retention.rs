//! Retention: deleting the oldest entries of a log.
//!
//! Only ever a prefix, and never the newest entry, by which the hub tells whether the log is the one that
//! it followed. `first_seq` moves in the transaction that deletes, so whoever reads from one snapshot sees
//! either the entry or that it is gone.

use super::queries;
use crate::db::{Db, Tx};
use crate::error::Result;
use crate::read;
use crate::types::{OrgId, Timestamp};

/// Entries deleted in one transaction: measured, 4 ms on SQLite, where a broadcast may have to wait for them,
/// and 20 ms on PostgreSQL, where none has to.
pub const CHUNK: i64 = 500;

/// What became of a chunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pruned {
    /// Entries that were deleted.
    pub deleted: u64,
    /// Whether there is more to delete.
    pub more: bool,
}

/// Those of these logs whose oldest entry is from before `before`, and not their newest.
pub async fn list_prunable(db: &Db, orgs: &[OrgId], before: Timestamp) -> Result<Vec<OrgId>> {
    read!(db.orgs(orgs.to_vec()), |conn| Ok(queries::list_prunable(conn, orgs, before).await?))
}

/// Deletes the oldest entries of a log that are from before `before`, at most a chunk of them.
///
/// The rows go first and the head is locked last, so that who appends meanwhile waits for the commit alone.
/// Where another transaction has moved the head's `first_seq` meanwhile, it fails.
pub async fn prune(tx: &mut Tx, org: OrgId, before: Timestamp) -> Result<Pruned> {
    let nothing = Pruned { deleted: 0, more: false };
    let Some(head) = queries::find_head(tx, org).await? else { return Ok(nothing) };
    // Time never runs backwards in a log, so what is old enough is a prefix.
    let oldest = queries::list_oldest(tx, &head, CHUNK).await?;
    let old = oldest.iter().take_while(|(_, created_at)| *created_at < before);
    let Some((last, _)) = old.last() else { return Ok(nothing) };
    let deleted = queries::delete_until(tx, org, *last).await?;
    queries::move_first_seq(tx, &head, last.next()).await?;
    let more = oldest.last().is_some_and(|(seq, _)| seq == last) && last.next() < head.last_seq;
    Ok(Pruned { deleted, more })
}
