//! How long the audit is kept.

use crate::db::Tx;
use crate::error::Result;
use crate::platform::queries;
use crate::types::Timestamp;

/// Deletes the oldest of the entries from before `before`, at most `limit`; how many it were.
pub(crate) async fn delete_over(tx: &mut Tx, before: Timestamp, limit: i64) -> Result<usize> {
    Ok(queries::audit::delete_over(tx, before, limit).await?)
}
