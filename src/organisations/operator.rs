//! What the platform does to an organisation: looking, changing, suspending. Who may, it has decided.

use super::model::{DirectoryEntry, Organisation, Wanted};
use super::queries;
use super::service::{PlanChange, copy_to_directory, lock_settings, rename_locked, with_count};
use crate::activity::{self, Activity, Origin};
use crate::app::App;
use crate::db::Tx;
use crate::error::Result;
use crate::types::{
    Isolation, OrgId, OrganisationName, OrganisationStatus, PlanCode, SuspensionReason, Timestamp,
};
use crate::{read, transaction};

impl Wanted {
    /// Organisations with this in their name or slug, or as their id, that are like this.
    pub(crate) fn new(
        text: Option<&str>,
        plan: Option<PlanCode>,
        status: Option<OrganisationStatus>,
        isolation: Option<Isolation>,
    ) -> Self {
        let id = text.and_then(|text| text.to_lowercase().parse().ok());
        Self { pattern: text.map(queries::pattern_of), id, plan, status, isolation }
    }
}

/// Entries of the directory ordered by id, at most `limit` of those after `after`.
pub(crate) async fn search(
    app: &App,
    wanted: &Wanted,
    after: OrgId,
    limit: i64,
) -> Result<Vec<DirectoryEntry>> {
    read!(app.db.central(), |conn| Ok(queries::search_entries(conn, wanted, after, limit).await?))
}

/// Gives it another name, another plan, or both, all or nothing.
pub(crate) async fn change(
    app: &App,
    origin: &Origin,
    name: Option<OrganisationName>,
    plan: Option<PlanCode>,
) -> Result<Organisation> {
    let plan = match plan {
        Some(code) => Some(PlanChange::load(app, code).await?),
        None => None,
    };
    let organisation = transaction!(app.db.org(origin.org), |tx| {
        let settings = lock_settings(tx, origin.org).await?;
        let mut organisation = with_count(tx, settings).await?;
        if let Some(name) = name {
            organisation = rename_locked(tx, origin, organisation.settings, name).await?;
        }
        if let Some(plan) = plan {
            organisation = plan.apply(tx, origin, organisation.settings).await?;
        }
        Ok(organisation)
    })?;
    copy_to_directory(app, &organisation.settings).await;
    Ok(organisation)
}

/// Keeps everybody out from now on. What is suspended stays as it is.
pub(crate) async fn suspend(app: &App, origin: &Origin, reason: SuspensionReason) -> Result<Organisation> {
    let suspended = Activity::OrganisationSuspended { reason: Some(reason) };
    set_status(app, origin, OrganisationStatus::Suspended, suspended).await
}

/// Lets everybody in again who might before, in the same sessions. What is not suspended stays as it is.
pub(crate) async fn resume(app: &App, origin: &Origin) -> Result<Organisation> {
    let resumed = set_status(app, origin, OrganisationStatus::Active, Activity::OrganisationResumed).await?;
    // Jobs have waited for this.
    app.jobs.wake(origin.org);
    Ok(resumed)
}

async fn set_status(
    app: &App,
    origin: &Origin,
    status: OrganisationStatus,
    activity: Activity,
) -> Result<Organisation> {
    let organisation = transaction!(app.db.org(origin.org), |tx| {
        let settings = lock_settings(tx, origin.org).await?;
        if settings.status == status {
            return with_count(tx, settings).await;
        }
        let at = settings.next_update(origin.at);
        let settings = queries::update_status(tx, origin.org, status, at).await?;
        let organisation = with_count(tx, settings).await?;
        close_log(tx, origin, status, at).await?;
        activity::append(tx, origin, activity).await?;
        Ok(organisation)
    })?;
    copy_to_directory(app, &organisation.settings).await;
    Ok(organisation)
}

async fn close_log(tx: &mut Tx, origin: &Origin, status: OrganisationStatus, at: Timestamp) -> Result<()> {
    let since = match status {
        OrganisationStatus::Suspended => Some(at),
        OrganisationStatus::Active => None,
    };
    activity::set_suspended(tx, origin.org, since).await
}
