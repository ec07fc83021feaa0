//! The tables of organisations, plans and settings. Nothing but diesel.

use std::time::Duration;

use diesel::QueryResult;
use diesel::prelude::*;
use diesel_async::RunQueryDsl;

use super::model::{Apart, DirectoryEntry, Plan, Settings, Wanted};
use crate::db::Conn;
use crate::db::schema::{organisations, plans, settings};
use crate::types::{Isolation, OrgId, OrganisationName, OrganisationStatus, Slug, Timestamp};
use crate::with_conn;

diesel::define_sql_function! {
    /// In lower case: on SQLite its ASCII letters alone.
    fn lower(text: diesel::sql_types::Text) -> diesel::sql_types::Text;
}

/// Adds an entry to the directory. `false` where its slug is taken, or its id.
pub(super) async fn insert_entry(conn: &mut Conn, entry: &DirectoryEntry) -> QueryResult<bool> {
    let inserted = with_conn!(conn, |c| diesel::insert_into(organisations::table)
        .values(entry)
        .on_conflict_do_nothing()
        .execute(c)
        .await)?;
    Ok(inserted == 1)
}

/// Takes an entry over that another attempt to found the same organisation has made; `None` where there is
/// none. From then on it is this attempt's: its time is another, which tells the other attempt and the
/// janitor to leave it alone.
pub(super) async fn adopt_entry(
    conn: &mut Conn,
    org: OrgId,
    now: Timestamp,
) -> QueryResult<Option<DirectoryEntry>> {
    // An update of nothing locks the row on both databases.
    let made: Option<Timestamp> = with_conn!(&mut *conn, |c| {
        diesel::update(organisations::table.find(org))
            .set(organisations::created_at.eq(organisations::created_at))
            .returning(organisations::created_at)
            .get_result(c)
            .await
            .optional()
    })?;
    let Some(made) = made else {
        return Ok(None);
    };
    let at = now.max(made.plus(Duration::from_millis(1)));
    with_conn!(conn, |c| {
        diesel::update(organisations::table.find(org))
            .set(organisations::created_at.eq(at))
            .returning(DirectoryEntry::as_returning())
            .get_result(c)
            .await
            .optional()
    })
}

/// The directory's entries ordered by id, at most `limit` of those after `after`.
pub(super) async fn list_entries(
    conn: &mut Conn,
    after: OrgId,
    limit: i64,
) -> QueryResult<Vec<DirectoryEntry>> {
    with_conn!(conn, |c| {
        organisations::table
            .filter(organisations::id.gt(after))
            .order(organisations::id)
            .limit(limit)
            .select(DirectoryEntry::as_select())
            .load(c)
            .await
    })
}

/// The directory's entry of an organisation.
pub(super) async fn find_entry(conn: &mut Conn, org: OrgId) -> QueryResult<Option<DirectoryEntry>> {
    with_conn!(conn, |c| {
        organisations::table.find(org).select(DirectoryEntry::as_select()).get_result(c).await.optional()
    })
}

/// The directory's entry of the organisation with this slug.
pub(super) async fn find_entry_by_slug(conn: &mut Conn, slug: &Slug) -> QueryResult<Option<DirectoryEntry>> {
    with_conn!(conn, |c| {
        organisations::table
            .filter(organisations::slug.eq(slug))
            .select(DirectoryEntry::as_select())
            .get_result(c)
            .await
            .optional()
    })
}

/// Entries that are looked for, ordered by id, at most `limit` of those after `after`.
pub(super) async fn search_entries(
    conn: &mut Conn,
    wanted: &Wanted,
    after: OrgId,
    limit: i64,
) -> QueryResult<Vec<DirectoryEntry>> {
    with_conn!(conn, |c| {
        let mut entries = organisations::table.select(DirectoryEntry::as_select()).into_boxed();
        if let Some(pattern) = &wanted.pattern {
            let name = lower(organisations::name).like(pattern).escape(ESCAPE);
            let slug = organisations::slug.like(pattern).escape(ESCAPE);
            entries = match wanted.id {
                Some(id) => entries.filter(name.or(slug).or(organisations::id.eq(id))),
                None => entries.filter(name.or(slug)),
            };
        }
        if let Some(plan) = &wanted.plan {
            entries = entries.filter(organisations::plan.eq(plan));
        }
        if let Some(status) = wanted.status {
            entries = entries.filter(organisations::status.eq(status));
        }
        if let Some(isolation) = wanted.isolation {
            entries = entries.filter(organisations::isolation.eq(isolation));
        }
        let after = organisations::id.gt(after);
        entries.filter(after).order(organisations::id).limit(limit).load(c).await
    })
}

/// Stands before what is no wildcard in a pattern.
const ESCAPE: char = '\\';

/// What a search for `text` matches: it, anywhere, in any case.
pub(super) fn pattern_of(text: &str) -> String {
    let mut pattern = "%".to_owned();
    for letter in text.to_lowercase().chars() {
        if matches!(letter, '%' | '_' | ESCAPE) {
            pattern.push(ESCAPE);
        }
        pattern.push(letter);
    }
    pattern.push('%');
    pattern
}

/// The ids of the directory's entries in order, at most `limit` of those after `after`.
pub(super) async fn list_ids(conn: &mut Conn, after: OrgId, limit: i64) -> QueryResult<Vec<OrgId>> {
    with_conn!(conn, |c| {
        organisations::table
            .filter(organisations::id.gt(after))
            .order(organisations::id)
            .limit(limit)
            .select(organisations::id)
            .load(c)
            .await
    })
}

/// The entry with this id, or else with this slug.
pub(super) async fn find_id(conn: &mut Conn, id: Option<OrgId>, slug: &str) -> QueryResult<Option<OrgId>> {
    let id = id.unwrap_or(OrgId::NIL);
    with_conn!(conn, |c| {
        organisations::table
            .filter(organisations::id.eq(id).or(organisations::slug.eq(slug)))
            .select(organisations::id)
            .first(c)
            .await
            .optional()
    })
}

/// The directory's entries of organisations with a store of their own, at most `limit` of those after `after`.
pub(super) async fn list_apart(conn: &mut Conn, after: OrgId, limit: i64) -> QueryResult<Vec<Apart>> {
    with_conn!(conn, |c| {
        organisations::table
            .filter(organisations::id.gt(after).and(organisations::isolation.ne(Isolation::Shared)))
            .order(organisations::id)
            .limit(limit)
            .select(Apart::as_select())
            .load(c)
            .await
    })
}

/// Brings the directory's copies up to `settings`, unless they are of a later change.
pub(super) async fn refresh_entry(conn: &mut Conn, settings: &Settings) -> QueryResult<()> {
    with_conn!(conn, |c| {
        diesel::update(organisations::table.find(settings.org_id))
            .filter(organisations::updated_at.le(settings.updated_at))
            .set((
                organisations::name.eq(&settings.name),
                organisations::plan.eq(&settings.plan),
                organisations::status.eq(settings.status),
                organisations::updated_at.eq(settings.updated_at),
            ))
            .execute(c)
            .await
    })?;
    Ok(())
}

/// All plans, the smallest first.
pub(super) async fn list_plans(conn: &mut Conn) -> QueryResult<Vec<Plan>> {
    with_conn!(conn, |c| plans::table.order(plans::rank).select(Plan::as_select()).load(c).await)
}

/// Adds the settings of a new organisation. `false` where it exists.
pub(super) async fn insert_settings(conn: &mut Conn, row: &Settings) -> QueryResult<bool> {
    let inserted = with_conn!(conn, |c| diesel::insert_into(settings::table)
        .values(row)
        .on_conflict_do_nothing()
        .execute(c)
        .await)?;
    Ok(inserted == 1)
}

/// The settings of an organisation.
pub(super) async fn find_settings(conn: &mut Conn, org: OrgId) -> QueryResult<Option<Settings>> {
    with_conn!(conn, |c| {
        settings::table.find(org).select(Settings::as_select()).get_result(c).await.optional()
    })
}

/// Whether an organisation may be used; `None` where it does not exist.
pub(super) async fn find_status(conn: &mut Conn, org: OrgId) -> QueryResult<Option<OrganisationStatus>> {
    with_conn!(conn, |c| settings::table.find(org).select(settings::status).get_result(c).await.optional())
}

/// Gives an organisation another status.
pub(super) async fn update_status(
    conn: &mut Conn,
    org: OrgId,
    status: OrganisationStatus,
    at: Timestamp,
) -> QueryResult<Settings> {
    with_conn!(conn, |c| {
        diesel::update(settings::table.find(org))
            .set((settings::status.eq(status), settings::updated_at.eq(at)))
            .returning(Settings::as_returning())
            .get_result(c)
            .await
    })
}

/// The settings of these organisations, ordered by id. Those that do not exist are left out.
pub(super) async fn list_settings(conn: &mut Conn, orgs: &[OrgId]) -> QueryResult<Vec<Settings>> {
    with_conn!(conn, |c| {
        settings::table
            .filter(settings::org_id.eq_any(orgs))
            .order(settings::org_id)
            .select(Settings::as_select())
            .load(c)
            .await
    })
}

/// The settings as they are now, which no other transaction changes until this one ends: an update of
/// nothing locks the row on both databases.
pub(super) async fn lock_settings(conn: &mut Conn, org: OrgId) -> QueryResult<Option<Settings>> {
    with_conn!(conn, |c| {
        diesel::update(settings::table.find(org))
            .set(settings::updated_at.eq(settings::updated_at))
            .returning(Settings::as_returning())
            .get_result(c)
            .await
            .optional()
    })
}

/// Gives an organisation another name.
pub(super) async fn update_name(
    conn: &mut Conn,
    org: OrgId,
    name: &OrganisationName,
    at: Timestamp,
) -> QueryResult<Settings> {
    with_conn!(conn, |c| {
        diesel::update(settings::table.find(org))
            .set((settings::name.eq(name), settings::updated_at.eq(at)))
            .returning(Settings::as_returning())
            .get_result(c)
            .await
    })
}

/// Gives an organisation another plan, and its seats.
pub(super) async fn update_plan(
    conn: &mut Conn,
    org: OrgId,
    plan: &Plan,
    at: Timestamp,
) -> QueryResult<Settings> {
    with_conn!(conn, |c| {
        diesel::update(settings::table.find(org))
            .set((settings::plan.eq(&plan.code), settings::seats.eq(plan.seats), settings::updated_at.eq(at)))
            .returning(Settings::as_returning())
            .get_result(c)
            .await
    })
}
