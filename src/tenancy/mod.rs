//! The stores of organisations that are apart, all of them: bringing them up to date.
//!
//! Owns no table. It walks the directory and leaves what is done to a store to [`db`](crate::db). The central part and
//! the shared tables are migrated first and at once; these follow, some at a time. One that fails is reported, is
//! refused to its own callers until it has been mended, and holds up nobody else.

mod fleet;

pub use fleet::{Fleet, Outcome, Step, Task};

use tokio_util::sync::CancellationToken;

use crate::db::Db;
use crate::error::LogFailure as _;

/// Brings the stores of organisations up to date while the hub serves. One that is used before its turn comes is
/// brought up to date then.
pub async fn migrate_in_background(db: Db, stop: CancellationToken) {
    let fleet = Fleet { task: Task::Migrate, ..Fleet::default() };
    let work = async {
        let outcomes = fleet.run(&db, |_| ()).await?;
        let failed = outcomes.iter().filter(|outcome| outcome.step.is_err()).count();
        let migrated = outcomes
            .iter()
            .filter(|outcome| matches!(&outcome.step, Ok(Step::Applied(names)) if !names.is_empty()));
        let migrated = migrated.count();
        if failed > 0 {
            tracing::error!(
                failed,
                "stores of organisations could not be brought up to date; they alone are refused"
            );
        }
        if migrated > 0 {
            tracing::info!(migrated, "stores of organisations were brought up to date");
        }
        Ok(())
    };
    if let Some(outcome) = stop.run_until_cancelled(work).await {
        outcome.log_failure("bring the stores of organisations up to date");
    }
}
