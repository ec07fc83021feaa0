//! Keeps the directory true to the organisations' own stores.
//!
//! What touches both makes the directory's entry first. Where the rest then failed and taking the entry
//! back failed too, nothing stands behind it: the janitor removes it once nobody can still be at it. It
//! adds nothing. It also refreshes the directory's copies of names, plans and statuses.
//!
//! It reads and writes in chunks, each in a short transaction of its own, so that nobody waits for it.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use super::model::{DirectoryEntry, Settings};
use super::{queries, service};
use crate::app::App;
use crate::auth::{Membership, memberships};
use crate::db::DbError;
use crate::error::{Error, LogFailure as _, Result};
use crate::types::{AccountId, OrgId, OrgIds, Timestamp};
use crate::{read, transaction, users};

/// How long after the start it first looks: what a crash left is from before it, and a start is busy.
const FIRST_AFTER: Duration = Duration::from_secs(20);

/// How often it looks.
const EVERY: Duration = Duration::from_mins(10);

/// How old an entry without anything behind it must be. Far longer than a request may take, so that no
/// entry is removed while the organisation's store is still deciding.
const GRACE: Duration = Duration::from_mins(10);

/// Entries looked at in one go.
const CHUNK: i64 = 64;

/// Entries with nothing behind them are rare. Where a chunk has more than this many, the store is more
/// likely to be the wrong one than the entries, and nothing is removed.
const MAX_ORPHANS: usize = 16;

/// Starts the janitor. It ends when the app stops.
pub(crate) fn start(app: &App) {
    let janitor = app.clone();
    app.tasks.spawn(async move {
        let mut pause = FIRST_AFTER;
        loop {
            tokio::select! {
                () = janitor.stop.cancelled() => return,
                () = tokio::time::sleep(pause) => {}
            }
            pause = EVERY;
            run(&janitor).await.log_failure("compare the directory with the organisations' stores");
        }
    });
}

/// Looks at the whole directory once; a stop is heeded between two chunks.
pub async fn run(app: &App) -> Result<()> {
    let before = app.clock.now().minus(GRACE);
    let mut after = OrgId::from(uuid::Uuid::nil());
    while let Some(last) = check_organisations(app, before, after).await? {
        after = last;
        if app.stop.is_cancelled() {
            return Ok(());
        }
    }
    let mut after = (AccountId::from(uuid::Uuid::nil()), OrgId::from(uuid::Uuid::nil()));
    while let Some(last) = check_memberships(app, before, after).await? {
        after = last;
        if app.stop.is_cancelled() {
            return Ok(());
        }
    }
    Ok(())
}

/// Looks at a chunk of the directory's organisations; where it ended, or `None` after the last.
async fn check_organisations(app: &App, before: Timestamp, after: OrgId) -> Result<Option<OrgId>> {
    let entries = read!(app.db.central(), |conn| Ok(queries::list_entries(conn, after, CHUNK).await?))?;
    let ids: Vec<OrgId> = entries.iter().map(|entry| entry.id).collect();
    let mut settings = HashMap::new();
    let mut unknown = HashSet::new();
    for orgs in app.db.by_made_store(&ids).await? {
        let found: Result<Vec<Settings>> =
            async { read!(app.db.orgs(orgs.clone()), |conn| Ok(queries::list_settings(conn, &orgs).await?)) }
                .await;
        match found {
            Ok(found) => settings.extend(found.into_iter().map(|row| (row.org_id, row))),
            Err(error) => unknown.extend(skip(app, error, orgs)?),
        }
    }
    let mut orphans = Vec::new();
    for entry in entries.iter().filter(|entry| !unknown.contains(&entry.id)) {
        if let Some(settings) = settings.get(&entry.id) {
            if is_stale(entry, settings) {
                refresh(app, settings).await?;
            }
        } else if entry.created_at < before {
            orphans.push(entry);
        }
    }
    if is_plausible(orphans.len()) {
        for entry in orphans {
            match service::remove_entry(app, entry).await {
                Ok(true) => {
                    tracing::info!(organisation.id = %entry.id, "removed a directory entry without an organisation");
                }
                Ok(false) => {}
                Err(error) => Err::<(), _>(error).log_failure("remove the store of nobody"),
            }
        }
    }
    Ok(ids.last().copied())
}

/// Of an organisation's own store that cannot be read nothing is known this time, whatever is wrong with it. Only where it
/// is everybody's does that end the round.
fn skip(app: &App, error: Error, orgs: Vec<OrgId>) -> Result<Vec<OrgId>> {
    if !app.db.is_own_store(&orgs) {
        return Err(error);
    }
    // That a store cannot be used is told by whoever finds it out.
    if !matches!(error, Error::Database(DbError::TenantUnavailable(_))) {
        tracing::error_span!("skip", organisation.ids = %OrgIds(orgs.clone())).in_scope(|| {
            Err::<(), _>(error).log_failure("compare the directory with an organisation's store");
        });
    }
    Ok(orgs)
}

fn is_stale(entry: &DirectoryEntry, settings: &Settings) -> bool {
    (&entry.name, &entry.plan, entry.status) != (&settings.name, &settings.plan, settings.status)
}

async fn refresh(app: &App, settings: &Settings) -> Result<()> {
    transaction!(app.db.central(), |tx| Ok(queries::refresh_entry(tx, settings).await?))
}

/// Looks at a chunk of the directory's memberships; where it ended, or `None` after the last. What counts
/// is whether the account has a user there, whichever the entry names.
async fn check_memberships(
    app: &App,
    before: Timestamp,
    after: (AccountId, OrgId),
) -> Result<Option<(AccountId, OrgId)>> {
    let entries = memberships::list_older(app, before, after, CHUNK).await?;
    let mut orgs: Vec<OrgId> = entries.iter().map(|entry| entry.org_id).collect();
    orgs.sort_unstable();
    orgs.dedup();
    let mut accounts: Vec<AccountId> = entries.iter().map(|entry| entry.account_id).collect();
    accounts.dedup();
    let mut users = HashMap::new();
    let mut unknown = HashSet::new();
    for orgs in app.db.by_made_store(&orgs).await? {
        let found: Result<HashMap<_, _>> = async {
            read!(app.db.orgs(orgs.clone()), |conn| {
                users::service::list_by_accounts(conn, &orgs, &accounts).await
            })
        }
        .await;
        match found {
            Ok(found) => users.extend(found),
            Err(error) => unknown.extend(skip(app, error, orgs)?),
        }
    }
    let is_orphan = |entry: &&Membership| {
        !unknown.contains(&entry.org_id) && !users.contains_key(&(entry.org_id, entry.account_id))
    };
    let orphans: Vec<&Membership> = entries.iter().filter(is_orphan).collect();
    if is_plausible(orphans.len()) {
        for entry in orphans {
            // An entry that was made anew meanwhile names another user, and stays.
            memberships::leave(app, entry.account_id, entry.org_id, entry.user_id).await?;
            tracing::info!(organisation.id = %entry.org_id, "removed a directory entry without a member");
        }
    }
    Ok(entries.last().map(|entry| (entry.account_id, entry.org_id)))
}

fn is_plausible(orphans: usize) -> bool {
    if orphans > MAX_ORPHANS {
        tracing::error!(
            orphans,
            "many entries of the directory have nothing behind them: is this the right store? None of them \
             is removed"
        );
    }
    orphans <= MAX_ORPHANS
}
