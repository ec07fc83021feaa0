//! What concerns all organisations alike: deleting what is over, and new epochs after a restore.
//!
//! Owns no table. It walks the directory, names the organisations that it goes on with, and leaves to each
//! feature what of its own is over.

mod deletion;

pub use crate::organisations::janitor::run as check_directory;
pub use deletion::{run, start};

use anyhow::anyhow;

use crate::activity;
use crate::app::App;
use crate::db::Db;
use crate::error::Result;
use crate::organisations;
use crate::types::{OrgId, OrgIds};

/// Organisations in one scope: so few that the primary keys' indexes are used.
const ORGS: i64 = 64;

/// Compares the whole directory with what stands behind it, and puts right what does not agree.
pub async fn compare_directory(app: &App) -> Result<()> {
    organisations::janitor::run(app).await
}

/// Gives the log of every organisation a new epoch, beside hubs that may be running; how many there are.
/// Interrupted, it has renewed some; done again, it renews all. Where an organisation's own store cannot be used it goes
/// on with the others, and fails at the end.
pub async fn renew_epochs(db: &Db) -> Result<usize> {
    let mut renewed = 0;
    let mut failed = Vec::new();
    let mut after = OrgId::from(uuid::Uuid::nil());
    loop {
        let orgs = organisations::service::list_ids(db, after, ORGS).await?;
        let Some(last) = orgs.last() else { break };
        after = *last;
        for orgs in db.by_made_store(&orgs).await? {
            match activity::renew_epochs(db, &orgs).await {
                Ok(logs) => renewed += logs,
                Err(error) if db.is_own_store(&orgs) => failed.push(format!("{}: {error:#}", OrgIds(orgs))),
                Err(error) => return Err(error),
            }
        }
    }
    if failed.is_empty() {
        return Ok(renewed);
    }
    let reasons = failed.join("\n");
    Err(anyhow!("{renewed} activity logs have a new epoch, these organisations' have not:\n{reasons}").into())
}
