//! `roomcast credits`.

use anyhow::{Context as _, bail};

use crate::config::Config;
use crate::credits::EntryKind;
use crate::credits::changes::{self, Change};
use crate::db::Db;
use crate::organisations;
use crate::transaction;
use crate::types::{Clock, CreditReason};

/// What is done to an account.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct Arguments {
    /// The organisation: its id or its slug
    organisation: String,
    /// How many credits
    #[arg(allow_negative_numbers = true)]
    amount: i64,
    /// Why, as the organisation's admins will read it
    #[arg(long)]
    reason: String,
}

/// Changes an organisation's credits beside hubs that may be running, and says what came of it.
pub(super) async fn run(config: &Config, kind: EntryKind, arguments: Arguments) -> anyhow::Result<()> {
    let Arguments { organisation, amount, reason } = arguments;
    if kind == EntryKind::TopUp && amount <= 0 {
        bail!("AMOUNT must be above zero: `roomcast credits adjust` takes credits away");
    }
    let db = Db::open_beside(&config.database_url()?, config.database.max_connections).await?;
    db.require_current().await?;
    let org = organisations::service::find_id(&db, &organisation).await?;
    let org = org.with_context(|| format!("there is no organisation {organisation}"))?;
    let reason = CreditReason::try_from(reason).context("--reason is invalid")?;
    let change = Change { org, kind, amount, reason, at: Clock::default().now() };
    let balance = make(&db, &change).await?;
    println!("{organisation} has {balance} credits");
    // The change stands, whether or not its log can be written now: to be told otherwise would have it made twice.
    if let Err(error) = changes::tell(&db, org, None).await {
        println!("its admins are told later, by a hub: {error}");
    }
    Ok(())
}

async fn make(db: &Db, change: &Change) -> crate::error::Result<i64> {
    transaction!(db.central(), |tx| Ok(changes::make(tx, change).await?.0.balance))
}
