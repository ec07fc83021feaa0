//! Where organisations are, as far as a node remembers.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use diesel::prelude::*;
use diesel::result::Error as QueryError;
use diesel_async::RunQueryDsl;
use parking_lot::Mutex;

use super::super::schema::organisations;
use super::super::{Conn, Db, DbError, Engine};
use crate::types::{Isolation, OrgId};
use crate::with_conn;

/// Organisations that a node remembers, at most: some 20 MiB.
const MAX_REMEMBERED: usize = 131_072;

/// How long a store that failed is left alone the first time; each further time in a row is twice as long. Whoever
/// asks meanwhile is refused at once, and does not wait as long as it took to find out.
const REST: Duration = Duration::from_millis(500);

/// No rest is longer than this.
const MAX_REST: Duration = Duration::from_secs(15);

/// Where an organisation's rows are.
#[derive(Clone)]
pub(crate) enum Placement {
    /// In the shared tables.
    Shared,
    /// In a store of their own.
    Own(Arc<Tenant>),
    /// In a store of their own, of which the directory says what cannot be.
    Broken { isolation: Isolation, reason: String },
}

impl Placement {
    pub(super) fn isolation(&self) -> Isolation {
        match self {
            Self::Shared => Isolation::Shared,
            Self::Own(tenant) => tenant.isolation,
            Self::Broken { isolation, .. } => *isolation,
        }
    }

    /// The store of their own, if they have one. Fails where nobody can say which.
    pub(super) fn own(self) -> Result<Option<Arc<Tenant>>, DbError> {
        match self {
            Self::Shared => Ok(None),
            Self::Own(tenant) => Ok(Some(tenant)),
            Self::Broken { reason, .. } => Err(DbError::TenantUnavailable(reason)),
        }
    }

    /// A name that no store of ours has is not used: it is written into SQL and into paths.
    fn of(engine: Engine, row: Row) -> Self {
        if row.isolation == Isolation::Shared {
            return Self::Shared;
        }
        let made = row.location.is_some();
        let name = row.location.unwrap_or_else(|| default_name(row.id, row.isolation, engine));
        if !is_name(&name) {
            let reason = format!("{name:?} is no name of a store");
            return Self::Broken { isolation: row.isolation, reason };
        }
        Self::Own(Arc::new(Tenant {
            org: row.id,
            isolation: row.isolation,
            name,
            gate: Arc::default(),
            state: Mutex::new(if made { State::Unknown } else { State::Unmade }),
        }))
    }
}

/// The name of a new store.
fn default_name(org: OrgId, isolation: Isolation, engine: Engine) -> String {
    let id = org.as_uuid().simple();
    match (isolation, engine) {
        (Isolation::Database, Engine::Postgres) => format!("roomcast_{id}"),
        (Isolation::Shared | Isolation::Schema | Isolation::Database, _) => format!("t_{id}"),
    }
}

/// Whether this is a plain identifier, which needs no quotes and means no other place.
fn is_name(name: &str) -> bool {
    let of_name = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    (1..=63).contains(&name.len())
        && name.bytes().all(of_name)
        && name.starts_with(|first: char| first.is_ascii_lowercase())
        && !name.starts_with("pg_")
        && !["central", "shared", "public", "template0", "template1", "postgres"].contains(&name)
}

/// A store of one organisation.
pub(crate) struct Tenant {
    pub(crate) org: OrgId,
    /// A schema or a database.
    pub(crate) isolation: Isolation,
    /// Of the schema, the database or the file, without its ending.
    pub(crate) name: String,
    /// Who holds it looks whether the store is there and up to date.
    pub(super) gate: Arc<tokio::sync::Mutex<()>>,
    pub(super) state: Mutex<State>,
}

/// What a node knows of a store.
#[derive(Debug, Clone)]
pub(super) enum State {
    /// It may not have been made yet.
    Unmade,
    /// It was made; this node has not looked at it.
    Unknown,
    /// It can be used.
    Ready,
    /// It could not be used, and is left alone until then.
    Failed { reason: String, until: Instant, failures: u32 },
}

impl Tenant {
    /// Why it is left alone now.
    pub(super) fn trouble(&self) -> Option<DbError> {
        match &*self.state.lock() {
            State::Failed { reason, until, .. } if Instant::now() < *until => {
                Some(DbError::TenantUnavailable(reason.clone()))
            }
            State::Failed { .. } | State::Unmade | State::Unknown | State::Ready => None,
        }
    }

    /// Why it could not be used the last time, unless it has been since.
    pub(super) fn last_trouble(&self) -> Option<DbError> {
        match &*self.state.lock() {
            State::Failed { reason, .. } => Some(DbError::TenantUnavailable(reason.clone())),
            State::Unmade | State::Unknown | State::Ready => None,
        }
    }

    pub(super) fn is_ready(&self) -> bool {
        matches!(*self.state.lock(), State::Ready)
    }

    /// Whether the last that is known of it is that it failed.
    pub(super) fn has_failed(&self) -> bool {
        matches!(*self.state.lock(), State::Failed { .. })
    }

    pub(super) fn succeeded(&self) {
        *self.state.lock() = State::Ready;
    }

    /// Leaves it alone for a while, because it could not be reached. What its caller is told.
    pub(crate) fn refused(&self, error: &DbError) -> DbError {
        let reason = error.to_string();
        self.failed(&reason);
        DbError::TenantUnavailable(reason)
    }

    /// Leaves it alone for a while.
    pub(crate) fn failed(&self, reason: &str) {
        let mut state = self.state.lock();
        let failures = match &*state {
            State::Failed { until, failures, .. } if Instant::now() < *until => *failures,
            State::Failed { failures, .. } => failures + 1,
            State::Unmade | State::Unknown | State::Ready => {
                tracing::warn!(
                    organisation.id = %self.org,
                    store = self.name,
                    error = reason,
                    "the store of an organisation cannot be used; it alone is refused"
                );
                0
            }
        };
        let rest = (REST * (1 << failures.min(5))).min(MAX_REST);
        *state = State::Failed { reason: reason.to_owned(), until: Instant::now() + rest, failures };
    }
}

/// A bounded memory: what was not asked for while half of it filled anew is forgotten.
#[derive(Default)]
pub(super) struct Remembered {
    young: HashMap<OrgId, Placement>,
    old: HashMap<OrgId, Placement>,
}

impl Remembered {
    fn insert(&mut self, org: OrgId, placement: Placement) {
        if self.young.len() >= MAX_REMEMBERED / 2 {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(org, placement);
    }

    fn remove(&mut self, org: OrgId) {
        self.young.remove(&org);
        self.old.remove(&org);
    }
}

/// What the directory says of an organisation.
#[derive(Queryable, Selectable)]
#[diesel(table_name = organisations)]
pub(super) struct Row {
    pub(super) id: OrgId,
    isolation: Isolation,
    pub(super) location: Option<String>,
}

impl Db {
    /// What is remembered of an organisation.
    pub(super) fn recall(&self, org: OrgId) -> Option<Placement> {
        let remembered = &self.tenants().remembered;
        if let Some(placement) = remembered.read().young.get(&org) {
            return Some(placement.clone());
        }
        let mut remembered = remembered.write();
        let placement = remembered.old.remove(&org)?;
        remembered.insert(org, placement.clone());
        Some(placement)
    }

    /// Where these organisations of one store are.
    pub(super) async fn placement(&self, orgs: &[OrgId]) -> Result<Placement, DbError> {
        let [org] = orgs else {
            self.remember_all(orgs).await?;
            let is_apart = |org: &OrgId| self.known_isolation(*org).is_some_and(Isolation::is_apart);
            return if orgs.iter().any(is_apart) {
                // It would read from one of them what the others are asked for, and find nothing.
                let mistake = "a scope over organisations of several stores".into();
                Err(DbError::Query(QueryError::QueryBuilderError(mistake)))
            } else {
                Ok(Placement::Shared)
            };
        };
        match self.recall(*org) {
            // Somebody may have mended it.
            Some(Placement::Broken { .. }) => self.forget(*org),
            Some(placement) => return Ok(placement),
            None => {}
        }
        self.remember_all(orgs).await?;
        // What the directory does not have has nothing anywhere, and is not remembered: it may be founded.
        Ok(self.recall(*org).unwrap_or(Placement::Shared))
    }

    /// Asks the directory for those of these that are not remembered.
    pub(super) async fn remember_all(&self, orgs: &[OrgId]) -> Result<(), DbError> {
        let unknown: Vec<OrgId> = {
            let remembered = self.tenants().remembered.read();
            let is_unknown =
                |org: &&OrgId| !remembered.young.contains_key(org) && !remembered.old.contains_key(org);
            orgs.iter().filter(is_unknown).copied().collect()
        };
        if unknown.is_empty() {
            return Ok(());
        }
        // In a box, as the directory is a scope, too.
        let rows = Box::pin(self.look_up(&unknown)).await?;
        for row in rows {
            self.remember(row);
        }
        Ok(())
    }

    fn remember(&self, row: Row) {
        let org = row.id;
        let placement = Placement::of(self.engine(), row);
        let mut remembered = self.tenants().remembered.write();
        // What this node knows of a store is not thrown away for a copy that knows less.
        if !remembered.young.contains_key(&org) {
            remembered.insert(org, placement);
        }
    }

    pub(super) async fn look_up(&self, orgs: &[OrgId]) -> Result<Vec<Row>, DbError> {
        let mut tx = self.central().begin_read().await?;
        let conn: &mut Conn = &mut tx;
        let rows = with_conn!(conn, |c| {
            organisations::table.filter(organisations::id.eq_any(orgs)).select(Row::as_select()).load(c).await
        });
        tx.finish(rows.map_err(DbError::Query)).await
    }

    /// Notes where an organisation is that is being founded, before anybody else asks. Whatever was known of a store that
    /// an earlier attempt made counts for nothing: another node may be about to remove that one.
    pub fn place(&self, org: OrgId, isolation: Isolation) {
        let mut placement = Placement::of(self.engine(), Row { id: org, isolation, location: None });
        let mut remembered = self.tenants().remembered.write();
        let earlier = remembered.young.get(&org).or_else(|| remembered.old.get(&org));
        // Both wait for the same: nobody makes it while somebody else here does.
        if let (Placement::Own(fresh), Some(Placement::Own(earlier))) = (&mut placement, earlier)
            && let Some(fresh) = Arc::get_mut(fresh)
        {
            fresh.gate = Arc::clone(&earlier.gate);
        }
        remembered.remove(org);
        remembered.insert(org, placement);
    }

    /// Forgets where an organisation is, and what is known of its store.
    pub fn forget(&self, org: OrgId) {
        self.tenants().remembered.write().remove(org);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(isolation: Isolation, location: Option<&str>) -> Row {
        Row { id: OrgId::new(), isolation, location: location.map(str::to_owned) }
    }

    #[test]
    fn a_store_has_a_plain_name() {
        for engine in [Engine::Postgres, Engine::Sqlite] {
            for isolation in [Isolation::Schema, Isolation::Database] {
                assert!(is_name(&default_name(OrgId::new(), isolation, engine)));
            }
        }
        let bad = ["", "a b", "a\"; DROP", "../other", "Upper", "1st", "pg_catalog", "central", "shared"];
        for name in bad.into_iter().chain([&*"x".repeat(64)]) {
            assert!(!is_name(name), "{name}");
            let broken = Placement::of(Engine::Postgres, row(Isolation::Schema, Some(name)));
            assert!(broken.isolation().is_apart() && broken.own().is_err(), "{name}");
        }
    }

    #[test]
    fn memory_is_bounded_and_keeps_what_is_asked_for() {
        let mut remembered = Remembered::default();
        for _ in 0..2 * MAX_REMEMBERED {
            remembered.insert(OrgId::new(), Placement::Shared);
        }
        assert!(remembered.young.len() + remembered.old.len() <= MAX_REMEMBERED);
    }

    #[test]
    fn what_fails_again_rests_longer() {
        let placement = Placement::of(Engine::Sqlite, row(Isolation::Database, None));
        let Placement::Own(tenant) = placement else { panic!("it has a store of its own") };
        assert!(tenant.trouble().is_none());
        tenant.failed("away");
        assert!(matches!(tenant.trouble(), Some(DbError::TenantUnavailable(reason)) if reason == "away"));
        // Who fails while it rests was under way: it is no further attempt.
        tenant.failed("away");
        let State::Failed { failures, .. } = tenant.state.lock().clone() else { panic!("it failed") };
        assert_eq!(failures, 0);
        tenant.succeeded();
        assert!(tenant.trouble().is_none() && tenant.is_ready());
    }
}
