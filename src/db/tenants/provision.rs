//! Making a store, and bringing it up to date.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use diesel::prelude::*;
use diesel::sql_types::{Bool, Text};
use diesel::{QueryableByName, sql_query};
use diesel_async::{AsyncPgConnection, RunQueryDsl, SimpleAsyncConnection as _};
use uuid::Uuid;

use super::super::postgres::Postgres;
use super::super::schema::organisations;
use super::super::sqlite::Sqlite;
use super::super::{Conn, Db, DbError, Pools, migrate};
use super::Busy;
use super::placement::{State, Tenant};
use crate::config::crash_point;
use crate::types::{Isolation, OrgId};
use crate::with_conn;

/// The schema of an organisation in a database of its own.
pub(crate) const TENANT_SCHEMA: &str = "tenant";

/// How long somebody waits while a store is being looked at, made or brought up to date for somebody else.
pub(super) const GATE_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a look at a store may take.
const LOOK_TIMEOUT: Duration = Duration::from_secs(5);

/// How a store stands to this version's migrations.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TenantState {
    /// All are applied.
    Current,
    /// These are not applied yet.
    Pending(Vec<String>),
    /// It has not been made: the organisation was never used.
    Unmade,
}

/// What bringing a store up to date came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TenantMigration {
    /// What was applied, in order.
    pub applied: Vec<String>,
}

/// What a look at a store found.
enum Look {
    /// It is up to date.
    Current,
    /// It is there, and these migrations are missing.
    Behind(Vec<String>),
    /// It is not there.
    Absent,
}

/// How a store is made ready.
#[derive(Clone, Copy)]
pub(super) struct Making {
    /// Whether one that is there and behind is brought up to date.
    pub(super) migrate: bool,
    /// How long a lock is waited for, another node's on the store among them; `None` is for ever.
    pub(super) lock_timeout: Option<Duration>,
    /// Whether it waits for its turn among those that requests ask for; whoever goes through all has a bound of their own.
    pub(super) takes_turns: bool,
}

impl Db {
    /// Sees to it that a store is there and up to date. Whoever comes while somebody is at it waits, or is refused
    /// where that has failed before.
    pub(super) async fn make_ready(&self, tenant: &Arc<Tenant>) -> Result<(), DbError> {
        if tenant.is_ready() {
            return Ok(());
        }
        if let Some(trouble) = tenant.trouble() {
            return Err(trouble);
        }
        let busy = || DbError::TenantUnavailable("it is being made ready".to_owned());
        let _at_it = if tenant.has_failed() {
            tenant.gate.try_lock().map_err(|_| busy())?
        } else {
            tokio::time::timeout(GATE_TIMEOUT, tenant.gate.lock()).await.map_err(|_| busy())?
        };
        if tenant.is_ready() {
            return Ok(());
        }
        if let Some(trouble) = tenant.trouble() {
            return Err(trouble);
        }
        let making = Making {
            migrate: self.tenants().bounds.migrate,
            lock_timeout: Some(GATE_TIMEOUT),
            takes_turns: true,
        };
        // In a box: it asks the directory, which is a scope, too.
        match Box::pin(self.make(tenant, making)).await {
            Ok(_) => {
                tenant.succeeded();
                Ok(())
            }
            Err(error) => {
                let reason = format!("{error:#}");
                if !error.is::<Busy>() {
                    tenant.failed(&reason);
                }
                Err(DbError::TenantUnavailable(reason))
            }
        }
    }

    /// Makes a store that was never made, and brings one up to date that may be; what was applied.
    pub(super) async fn make(&self, tenant: &Tenant, making: Making) -> anyhow::Result<Vec<String>> {
        let state = tenant.state.lock().clone();
        let was_made = match state {
            State::Unmade => false,
            // Making it may be what failed.
            State::Failed { .. } => !self.is_unmade(tenant.org).await?,
            State::Unknown | State::Ready => true,
        };
        if was_made {
            match self.look(tenant, making.takes_turns).await? {
                Look::Current => return Ok(Vec::new()),
                Look::Behind(names) if !making.migrate => {
                    bail!("{} migrations are pending: run `roomcast migrate`", names.len())
                }
                Look::Behind(_) => {}
                Look::Absent => bail!("the {} {} is gone", kind(tenant.isolation), tenant.name),
            }
        }
        let _turn = self.tenants().makes.take(tenant.isolation, making.takes_turns).await?;
        let applied = match self.pools() {
            Pools::Postgres(postgres) => self.make_on_postgres(postgres, tenant, making).await?,
            Pools::Sqlite(sqlite) => {
                let _turn = self.tenants().files.read().await;
                let path = sqlite.tenant_path(&tenant.name);
                let may_create = self.is_unmade(tenant.org).await?;
                let applied = tokio::task::spawn_blocking(move || make_file(&path, may_create)).await??;
                self.note_made(tenant).await?;
                applied
            }
        };
        Ok(applied)
    }

    /// A store of PostgreSQL, under a lock that other nodes take, too. It is one of the main database, as a store may
    /// not be there yet.
    async fn make_on_postgres(
        &self,
        postgres: &Postgres,
        tenant: &Tenant,
        making: Making,
    ) -> anyhow::Result<Vec<String>> {
        let mut main = postgres.connect_for_migrations().await?;
        lock(&mut main, tenant.org, making.lock_timeout).await?;
        // Under the lock: another node may just have made it.
        let may_create = self.is_unmade(tenant.org).await?;
        let exists = exists(&mut main, tenant).await?;
        if !exists && !may_create {
            bail!("the {} {} is gone", kind(tenant.isolation), tenant.name);
        }
        match tenant.isolation {
            Isolation::Shared | Isolation::Schema => {
                let (mut main, applied) = migrate::tenant_on_postgres(main, &tenant.name).await?;
                postgres.role().settle(&mut main, &[tenant.name.as_str()]).await?;
                self.note_made(tenant).await?;
                // Until here, so that nobody else is at it.
                drop(main);
                Ok(applied)
            }
            Isolation::Database => {
                if !exists {
                    // Not template1: whoever is connected to that would be in the way.
                    let create = format!("CREATE DATABASE \"{}\" TEMPLATE template0", tenant.name);
                    main.batch_execute(&create).await.context("creating the database of an organisation")?;
                    crash_point("store-created");
                }
                let mut own = postgres.connect_to(&tenant.name).await?;
                own.batch_execute(&settings(making.lock_timeout)).await?;
                let (mut own, applied) = migrate::tenant_on_postgres(own, TENANT_SCHEMA).await?;
                postgres.role().settle(&mut own, &[TENANT_SCHEMA]).await?;
                self.note_made(tenant).await?;
                drop(main);
                Ok(applied)
            }
        }
    }

    /// How a store stands that was made.
    async fn look(&self, tenant: &Tenant, takes_turns: bool) -> anyhow::Result<Look> {
        let _turn = self.tenants().looks.take(tenant.isolation, takes_turns).await?;
        let look = async {
            match self.pools() {
                Pools::Postgres(postgres) => {
                    let (mut conn, schema) = match tenant.isolation {
                        Isolation::Shared | Isolation::Schema => {
                            (postgres.connect_for_migrations().await?, tenant.name.as_str())
                        }
                        Isolation::Database => (postgres.connect_to(&tenant.name).await?, TENANT_SCHEMA),
                    };
                    look_on_postgres(&mut conn, schema).await
                }
                Pools::Sqlite(sqlite) => {
                    let path = sqlite.tenant_path(&tenant.name);
                    tokio::task::spawn_blocking(move || {
                        if !path.is_file() {
                            return Ok(Look::Absent);
                        }
                        Ok(Look::of(migrate::tenant_pending_on_sqlite(&path)?))
                    })
                    .await?
                }
            }
        };
        match tokio::time::timeout(LOOK_TIMEOUT, look).await {
            Ok(look) => look,
            Err(_) => bail!("it has not answered within {} s", LOOK_TIMEOUT.as_secs()),
        }
    }

    /// Whether the directory says that the organisation's store was never made.
    async fn is_unmade(&self, org: OrgId) -> anyhow::Result<bool> {
        let mut tx = self.central().begin_read().await?;
        let conn: &mut Conn = &mut tx;
        let location: QueryResult<Option<Option<String>>> = with_conn!(conn, |c| {
            organisations::table.find(org).select(organisations::location).get_result(c).await.optional()
        });
        let location = tx.finish(location.map_err(DbError::Query)).await?;
        Ok(location.context("the directory has no such organisation")?.is_none())
    }

    /// Notes in the directory that a store was made. Fails where that has no such organisation.
    async fn note_made(&self, tenant: &Tenant) -> anyhow::Result<()> {
        crash_point("store-made");
        let mut tx = self.central().begin_write().await?;
        let conn: &mut Conn = &mut tx;
        let noted = with_conn!(conn, |c| {
            diesel::update(organisations::table.find(tenant.org))
                .filter(organisations::location.is_null())
                .set(organisations::location.eq(&tenant.name))
                .execute(c)
                .await
        });
        if tx.finish(noted.map_err(DbError::Query)).await? == 0 {
            // It was noted before, unless there is no entry any more: then it is nobody's.
            self.is_unmade(tenant.org).await?;
        }
        crash_point("store-noted");
        Ok(())
    }

    /// How an organisation's store stands to this version's migrations, without changing it. `None` where its rows are
    /// in the shared tables.
    pub async fn tenant_state(&self, org: OrgId) -> anyhow::Result<Option<TenantState>> {
        let Some(tenant) = self.placement(&[org]).await?.own()? else { return Ok(None) };
        if self.is_unmade(org).await? {
            return Ok(Some(TenantState::Unmade));
        }
        match self.look(&tenant, false).await? {
            Look::Current => Ok(Some(TenantState::Current)),
            Look::Behind(names) => Ok(Some(TenantState::Pending(names))),
            Look::Absent => bail!("the {} {} is gone", kind(tenant.isolation), tenant.name),
        }
    }

    /// Brings an organisation's store up to date, waiting so long for locks. `None` where its rows are in the shared
    /// tables, or its store was never made.
    pub async fn migrate_tenant(
        &self,
        org: OrgId,
        lock_timeout: Option<Duration>,
    ) -> anyhow::Result<Option<TenantMigration>> {
        let Some(tenant) = self.placement(&[org]).await?.own()? else { return Ok(None) };
        if self.is_unmade(org).await? {
            return Ok(None);
        }
        let _at_it = tenant.gate.lock().await;
        if tenant.is_ready() {
            return Ok(Some(TenantMigration { applied: Vec::new() }));
        }
        match self.make(&tenant, Making { migrate: true, lock_timeout, takes_turns: false }).await {
            Ok(applied) => {
                tenant.succeeded();
                Ok(Some(TenantMigration { applied }))
            }
            Err(error) => {
                tenant.failed(&format!("{error:#}"));
                Err(error)
            }
        }
    }
}

impl Look {
    fn of(pending: Vec<String>) -> Self {
        if pending.is_empty() { Self::Current } else { Self::Behind(pending) }
    }
}

/// What people call such a store.
const fn kind(isolation: Isolation) -> &'static str {
    match isolation {
        Isolation::Shared | Isolation::Schema => "schema",
        Isolation::Database => "database",
    }
}

/// A store's number among the server's locks: as good as its own.
fn lock_key(org: OrgId) -> i64 {
    let (high, low) = Uuid::as_u64_pair(&org.as_uuid());
    i64::from_ne_bytes((high ^ low.rotate_left(17)).to_ne_bytes())
}

/// What a connection is set to that makes or migrates a store.
fn settings(lock_timeout: Option<Duration>) -> String {
    format!("SET lock_timeout TO {}", lock_timeout.map_or(0, |timeout| timeout.as_millis()))
}

/// Takes a store's lock, which ends with the connection.
pub(super) async fn lock(
    main: &mut AsyncPgConnection,
    org: OrgId,
    lock_timeout: Option<Duration>,
) -> anyhow::Result<()> {
    let take = format!("{}; SELECT pg_advisory_lock({})", settings(lock_timeout), lock_key(org));
    main.batch_execute(&take).await.context("waiting for whoever is at this store")
}

#[derive(QueryableByName)]
struct Found {
    #[diesel(sql_type = Bool)]
    found: bool,
}

/// Whether the server has it.
pub(super) async fn exists(main: &mut AsyncPgConnection, tenant: &Tenant) -> anyhow::Result<bool> {
    let query = match tenant.isolation {
        Isolation::Shared | Isolation::Schema => {
            "SELECT EXISTS (SELECT FROM pg_namespace WHERE nspname = $1) AS found"
        }
        Isolation::Database => "SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1) AS found",
    };
    let found: Found = sql_query(query).bind::<Text, _>(&tenant.name).get_result(main).await?;
    Ok(found.found)
}

async fn look_on_postgres(conn: &mut AsyncPgConnection, schema: &str) -> anyhow::Result<Look> {
    #[derive(QueryableByName)]
    struct Version {
        #[diesel(sql_type = Text)]
        version: String,
    }

    let query = sql_query("SELECT to_regclass($1 || '.__diesel_schema_migrations') IS NOT NULL AS found");
    let found: Found = query.bind::<Text, _>(schema).get_result(conn).await?;
    if !found.found {
        return Ok(Look::Absent);
    }
    let versions = format!("SELECT version FROM \"{schema}\".__diesel_schema_migrations");
    let applied: Vec<Version> = sql_query(versions).load(conn).await?;
    let applied: BTreeSet<String> = applied.into_iter().map(|row| row.version).collect();
    Ok(Look::of(migrate::tenant_pending(&applied)?))
}

/// Makes or migrates a file. Blocks.
fn make_file(path: &std::path::Path, may_create: bool) -> anyhow::Result<Vec<String>> {
    if !path.is_file() {
        if !may_create {
            bail!("the file {} is gone", path.display());
        }
        Sqlite::create_tenant_file(path)?;
    }
    migrate::tenant_on_sqlite(path)
}
