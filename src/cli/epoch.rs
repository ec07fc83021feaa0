//! `roomcast epoch --new`.

use crate::config::Config;
use crate::db::Db;
use crate::upkeep;

/// Gives every log a new epoch.
pub(super) async fn run(config: &Config) -> anyhow::Result<()> {
    let db = Db::open_beside(&config.database_url()?, config.database.max_connections).await?;
    db.require_current().await?;
    let logs = upkeep::renew_epochs(&db).await?;
    println!("{logs} activity logs have a new epoch");
    Ok(())
}
