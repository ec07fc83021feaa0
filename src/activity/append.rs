//! Appending inside a caller's transaction.

use std::sync::Arc;

use super::model::{Activity, Draft};
use super::queries;
use crate::db::Tx;
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

/// Notes in the head of a log since when its organisation is suspended, which its settings say too.
pub async fn set_suspended(tx: &mut Tx, org: OrgId, since: Option<Timestamp>) -> Result<()> {
    Ok(queries::update_suspended(tx, org, since).await?)
}

/// Begins the log of a new organisation.
pub async fn create_log(tx: &mut Tx, org: OrgId, at: Timestamp) -> Result<()> {
    Ok(queries::insert_head(tx, org, EpochId::new(), at).await?)
}
