//! Stub.
use super::{Activity, Origin};
use crate::db::Db;
use crate::error::Result;
use crate::transaction;
use crate::types::LogEntry;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
/// Appends what comes with no other change.
#[derive(Clone)]
pub struct Writer {
    db: Db,
}
impl Writer {
    /// Starts it.
    pub fn start(db: Db, _tasks: &TaskTracker, _stop: CancellationToken) -> Self {
        Self { db }
    }
    /// Appends; returns once committed.
    pub async fn append(&self, origin: Origin, activity: Activity) -> Result<Arc<LogEntry>> {
        transaction!(self.db.org(origin.org), |tx| super::append(tx, &origin, activity).await)
    }
}
