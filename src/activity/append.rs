//! Appending inside a caller's transaction.

use std::sync::Arc;

use super::model::{Activity, Draft};
use super::queries;
use crate::db::{Conn, Tx};
use crate::error::Result;
use crate::types::{ActivityId, Actor, EpochId, LogEntry, OrgId, Timestamp};

/// Where an activity comes from: the organisation, who did it, and from where.
#[derive(Debug, Clone)]
pub struct Origin {
    /// The organisation whose log it goes into.
    pub org: OrgId,
    /// Who did it; `None` for what nobody did.
    pub actor: Option<Actor>,
    /// The address of the request.
    pub ip: Option<String>,
    /// The user agent of the request, cut to 512 characters.
    pub user_agent: Option<String>,
    /// When. The log's own order of time wins where this is earlier than its last entry.
    pub at: Timestamp,
}

/// Appends an activity to its organisation's log. The log's head stays locked until the transaction
/// ends, so this belongs among its last statements. The entry is delivered when the transaction commits.
pub async fn append(tx: &mut Tx, origin: &Origin, activity: Activity) -> Result<Arc<LogEntry>> {
    let id = ActivityId::new();
    let head = queries::advance_head(tx, origin.org, id, origin.at).await?;
    head.require_taken(&activity)?;
    let (row, entry) = Draft { id, origin, activity: &activity }.place(&head)?;
    queries::insert(tx, &row).await?;
    queries::insert_recipients(tx, &entry).await?;
    let entry = Arc::new(entry);
    tx.note_appended(Arc::clone(&entry));
    Ok(entry)
}

/// Appends several activities to the log of one organisation, in this order, with as few statements as one: all of
/// them, or none.
pub async fn append_all(tx: &mut Tx, org: OrgId, activities: Vec<(Origin, Activity)>) -> Result<()> {
    if activities.is_empty() {
        return Ok(());
    }
    let head = queries::lock_head(tx, org).await?;
    let mut head = head.ok_or_else(|| anyhow::anyhow!("the organisation {org} has no log"))?;
    let (mut rows, mut entries) =
        (Vec::with_capacity(activities.len()), Vec::with_capacity(activities.len()));
    for (origin, activity) in &activities {
        head.require_taken(activity)?;
        let id = ActivityId::new();
        head.last_seq = head.last_seq.next();
        head.last_id = Some(id);
        head.last_at = head.last_at.max(origin.at);
        let (row, entry) = Draft { id, origin, activity }.place(&head)?;
        rows.push(row);
        entries.push(Arc::new(entry));
    }
    queries::InsertBatch { rows, heads: vec![head] }.run(tx).await?;
    for entry in entries {
        queries::insert_recipients(tx, &entry).await?;
        tx.note_appended(entry);
    }
    Ok(())
}

/// Notes in the head of a log since when its organisation is suspended, which its settings say too.
pub async fn set_suspended(tx: &mut Tx, org: OrgId, since: Option<Timestamp>) -> Result<()> {
    Ok(queries::update_suspended(tx, org, since).await?)
}

/// Whether the head of a log says that its organisation is suspended.
pub async fn is_suspended(conn: &mut Conn, org: OrgId) -> Result<bool> {
    Ok(queries::find_head(conn, org).await?.is_some_and(|head| head.suspended_at.is_some()))
}

/// The payload of the newest activity of a type, if there is one. The log's head stays locked until the transaction
/// ends: nobody appends another meanwhile.
pub async fn lock_newest(tx: &mut Tx, org: OrgId, kind: &str) -> Result<Option<String>> {
    queries::lock_head(tx, org).await?;
    Ok(queries::find_newest_payload(tx, org, kind).await?)
}

/// Begins the log of a new organisation.
pub async fn create_log(tx: &mut Tx, org: OrgId, at: Timestamp) -> Result<()> {
    Ok(queries::insert_head(tx, org, EpochId::new(), at).await?)
}
