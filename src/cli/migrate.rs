//! `roomcast migrate`.

use crate::config::Config;
use crate::db::Db;

/// Runs what is pending and says what that was.
pub(super) async fn run(config: &Config) -> anyhow::Result<()> {
    let db = Db::open(&config.database_url()?, config.database.max_connections).await?;
    let applied = db.migrate().await?;
    for name in &applied {
        println!("applied {name}");
    }
    if applied.is_empty() {
        println!("the database is up to date");
    }
    Ok(())
}
