//! `roomcast messages totals`.

use anyhow::bail;

use crate::config::Config;
use crate::db::Db;
use crate::messages::totals::{self, Found};

/// Counts the messages of every organisation anew, beside hubs that may be running, and compares.
pub(super) async fn run(config: &Config, repair: bool) -> anyhow::Result<()> {
    let db = Db::open_beside(&config.database_url()?, config.database.max_connections).await?;
    db.require_current().await?;
    let Found { organisations, totals, differences } = totals::recount(&db, repair).await?;
    for ((channel, status), count) in totals {
        println!("{:8} {status:10} {count}", channel.as_str());
    }
    for difference in &differences {
        println!("{difference}");
    }
    println!("{organisations} organisations, {} totals that differ", differences.len());
    if !differences.is_empty() && !repair {
        bail!("the totals are not those of the messages: --repair sets them right");
    }
    Ok(())
}
