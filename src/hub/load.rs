//! What the hub reads from tenant stores besides the log: what a room opens with.

use std::time::Duration;

use diesel::prelude::*;
use diesel_async::RunQueryDsl;

use super::core::{AccessSnapshot, Opening};
use crate::activity;
use crate::db::schema::{sessions, settings, users};
use crate::db::{Conn, Db};
use crate::error::Result;
use crate::types::{EpochId, OrgId, OrganisationStatus, PlanCode, Role, SessionId, Timestamp, UserId};
use crate::{read, transaction, with_conn};

/// Everything that a room starts from, in one snapshot; `None` where there is no such organisation.
/// Sessions that ended before `ended_since` are left out: no token of theirs is alive.
pub(super) async fn opening(db: &Db, org: OrgId, ended_since: Timestamp) -> Result<Option<Opening>> {
    read!(db.org(org), |conn| {
        let Some(head) = activity::queries::find_head(conn, org).await? else {
            return Ok(None);
        };
        let Some((plan, status)) = find_standing(conn, org).await? else {
            return Ok(None);
        };
        let users = list_users(conn, org).await?;
        let ended_sessions = list_ended_sessions(conn, org, ended_since).await?;
        let role_changes = activity::queries::list_role_changes(conn, org).await?;
        Ok(Some(Opening {
            head,
            access: AccessSnapshot { plan, status, users, role_changes, ended_sessions },
        }))
    })
}

/// The organisation's plan, and whether it may be used.
async fn find_standing(conn: &mut Conn, org: OrgId) -> QueryResult<Option<(PlanCode, OrganisationStatus)>> {
    with_conn!(conn, |c| {
        settings::table.find(org).select((settings::plan, settings::status)).get_result(c).await.optional()
    })
}

async fn list_users(conn: &mut Conn, org: OrgId) -> QueryResult<Vec<(UserId, String, Role)>> {
    with_conn!(conn, |c| {
        users::table.filter(users::org_id.eq(org)).select((users::id, users::name, users::role)).load(c).await
    })
}

async fn list_ended_sessions(
    conn: &mut Conn,
    org: OrgId,
    since: Timestamp,
) -> QueryResult<Vec<(SessionId, Timestamp)>> {
    with_conn!(conn, |c| {
        sessions::table
            .filter(sessions::org_id.eq(org).and(sessions::ended_at.ge(since)))
            .select((sessions::id, sessions::ended_at.assume_not_null()))
            .load(c)
            .await
    })
}

/// Gives a log that was replaced a new epoch, unless that has been done since `old` was seen.
pub(super) async fn renew_epoch(db: &Db, org: OrgId, old: EpochId) -> Result<()> {
    transaction!(db.org(org), |tx| Ok(activity::queries::replace_epoch(tx, org, old, EpochId::new()).await?))
}

/// How long to wait after the `failures`th failure in a row to reach the store.
pub(super) fn pause_after(failures: u32) -> Duration {
    Duration::from_millis(50 << failures.min(5))
}
