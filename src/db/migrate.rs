//! Migrations: embedded, in pairs, and apart for the directory and for tenant stores. On PostgreSQL each
//! set keeps its own list in its own schema; in the one SQLite file they share a list.

use std::collections::BTreeSet;

use anyhow::{Context as _, bail};
use diesel::migration::{Migration, MigrationSource};
use diesel::pg::Pg;
use diesel::sqlite::Sqlite as SqliteBackend;
use diesel::{QueryableByName, RunQueryDsl as _, sql_query, sql_types};
use diesel_async::{AsyncMigrationHarness, AsyncPgConnection, SimpleAsyncConnection as _};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};

use super::sqlite::Sqlite;
use super::{Db, Pools};

const POSTGRES_CENTRAL: EmbeddedMigrations = embed_migrations!("migrations/postgres/central");
const POSTGRES_TENANT: EmbeddedMigrations = embed_migrations!("migrations/postgres/tenant");
const SQLITE_CENTRAL: EmbeddedMigrations = embed_migrations!("migrations/sqlite/central");
const SQLITE_TENANT: EmbeddedMigrations = embed_migrations!("migrations/sqlite/tenant");

/// The advisory lock under which PostgreSQL is migrated: "roomcast" in ASCII.
const ADVISORY_LOCK: i64 = 0x726F_6F6D_6361_7374;

/// The PostgreSQL schemas and what is migrated into each. Central first: a tenant store relies on it.
const POSTGRES_SETS: [(&str, &EmbeddedMigrations); 2] =
    [("central", &POSTGRES_CENTRAL), ("shared", &POSTGRES_TENANT)];

/// Whether a database is at this version's migrations.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MigrationState {
    /// All are applied.
    Current,
    /// These are not applied yet.
    Pending(Vec<String>),
}

/// Runs what is pending and returns its names, in order.
pub(super) async fn run(db: &Db) -> anyhow::Result<Vec<String>> {
    match db.pools() {
        Pools::Postgres(postgres) => {
            let mut conn = postgres.connect_for_migrations().await?;
            let lock = format!("SELECT pg_advisory_lock({ADVISORY_LOCK})");
            // Another node may be at it; its migrations may take longer than a request may wait.
            conn.batch_execute(&format!("SET lock_timeout TO 0; {lock}")).await?;
            let mut applied = Vec::new();
            for (schema, migrations) in POSTGRES_SETS {
                let enter = format!("CREATE SCHEMA IF NOT EXISTS {schema}; SET search_path TO {schema}");
                conn.batch_execute(&enter).await?;
                let mut harness = AsyncMigrationHarness::new(conn);
                let ran = run_set::<Pg, _>(&mut harness, &[migrations]);
                conn = harness.into_inner();
                applied.extend(ran.with_context(|| format!("migrating the schema {schema}"))?);
            }
            postgres.role().settle(&mut conn, &POSTGRES_SETS.map(|(schema, _)| schema)).await?;
            Ok(applied)
        }
        Pools::Sqlite(sqlite) => {
            let path = sqlite.path().to_owned();
            blocking(move || {
                let mut conn = Sqlite::connect_for_migrations(&path)?;
                let applied = run_set::<SqliteBackend, _>(&mut conn, &[&SQLITE_CENTRAL, &SQLITE_TENANT])?;
                check_foreign_keys(&mut conn)?;
                Ok(applied)
            })
            .await
        }
    }
}

/// Fails where PostgreSQL does not hold the hub to the organisations that it names.
pub(super) async fn require_role(db: &Db) -> anyhow::Result<()> {
    match db.pools() {
        Pools::Postgres(postgres) => postgres.require_role(&POSTGRES_SETS.map(|(schema, _)| schema)).await,
        Pools::Sqlite(_) => Ok(()),
    }
}

/// What is pending; fails where the database is newer than this version.
pub(super) async fn state(db: &Db) -> anyhow::Result<MigrationState> {
    let pending = match db.pools() {
        Pools::Postgres(postgres) => {
            let mut conn = postgres.connect_for_migrations().await?;
            let mut pending = Vec::new();
            for (schema, migrations) in POSTGRES_SETS {
                if !postgres_schema_exists(&mut conn, schema).await? {
                    pending.extend(names(&MigrationSource::<Pg>::migrations(migrations).map_err(boxed)?));
                    continue;
                }
                conn.batch_execute(&format!("SET search_path TO {schema}")).await?;
                let mut harness = AsyncMigrationHarness::new(conn);
                let found = pending_set::<Pg, _>(&mut harness, &[migrations]);
                conn = harness.into_inner();
                pending.extend(names(&found?));
            }
            pending
        }
        Pools::Sqlite(sqlite) => {
            let path = sqlite.path().to_owned();
            blocking(move || {
                let mut conn = Sqlite::connect_for_migrations(&path)?;
                let found = pending_set::<SqliteBackend, _>(&mut conn, &[&SQLITE_CENTRAL, &SQLITE_TENANT])?;
                Ok(names(&found))
            })
            .await?
        }
    };
    Ok(if pending.is_empty() { MigrationState::Current } else { MigrationState::Pending(pending) })
}

async fn postgres_schema_exists(conn: &mut AsyncPgConnection, schema: &str) -> anyhow::Result<bool> {
    #[derive(QueryableByName)]
    struct Found {
        #[diesel(sql_type = sql_types::Bool)]
        found: bool,
    }

    let query = sql_query("SELECT to_regclass($1 || '.__diesel_schema_migrations') IS NOT NULL AS found")
        .bind::<sql_types::Text, _>(schema);
    Ok(diesel_async::RunQueryDsl::get_result::<Found>(query, conn).await?.found)
}

fn run_set<DB, H>(harness: &mut H, sets: &[&EmbeddedMigrations]) -> anyhow::Result<Vec<String>>
where
    DB: diesel::backend::Backend,
    H: MigrationHarness<DB>,
    EmbeddedMigrations: MigrationSource<DB>,
{
    let mut applied = Vec::new();
    for migration in pending_set(harness, sets)? {
        let name = migration.name().to_string();
        harness.run_migration(&*migration).map_err(boxed).with_context(|| format!("migration {name}"))?;
        applied.push(name);
    }
    Ok(applied)
}

/// What is not applied yet, in order. Fails where a migration is applied that this version does not
/// know: an older binary would write what the newer schema no longer means.
fn pending_set<DB, H>(
    harness: &mut H,
    sets: &[&EmbeddedMigrations],
) -> anyhow::Result<Vec<Box<dyn Migration<DB>>>>
where
    DB: diesel::backend::Backend,
    H: MigrationHarness<DB>,
    EmbeddedMigrations: MigrationSource<DB>,
{
    let mut unknown = BTreeSet::from_iter(harness.applied_migrations().map_err(boxed)?);
    let mut pending = Vec::new();
    for migrations in sets {
        for migration in MigrationSource::<DB>::migrations(*migrations).map_err(boxed)? {
            if !unknown.remove(&migration.name().version().as_owned()) {
                pending.push(migration);
            }
        }
    }
    if let Some(unknown) = unknown.first() {
        bail!(
            "the database is newer than this version of Roomcast: it has migration {unknown}, which this \
             version does not know. Run the version that made it, or a later one"
        );
    }
    Ok(pending)
}

/// The versions of the migrations that this version has for SQLite.
pub(super) fn known_on_sqlite() -> anyhow::Result<BTreeSet<String>> {
    let mut known = BTreeSet::new();
    for migrations in [&SQLITE_CENTRAL, &SQLITE_TENANT] {
        let migrations = MigrationSource::<SqliteBackend>::migrations(migrations).map_err(boxed)?;
        known.extend(migrations.iter().map(|migration| migration.name().version().to_string()));
    }
    Ok(known)
}

fn names<DB>(migrations: &[Box<dyn Migration<DB>>]) -> Vec<String>
where
    DB: diesel::backend::Backend,
{
    migrations.iter().map(|migration| migration.name().to_string()).collect()
}

fn check_foreign_keys(conn: &mut diesel::SqliteConnection) -> anyhow::Result<()> {
    #[derive(QueryableByName)]
    struct Violation {
        #[diesel(sql_type = sql_types::Text)]
        table: String,
    }

    let broken: Vec<Violation> = sql_query("PRAGMA foreign_key_check").load(conn)?;
    if let Some(violation) = broken.first() {
        bail!("after the migrations, rows of the table {} refer to rows that do not exist", violation.table);
    }
    Ok(())
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> anyhow::Result<T> + Send + 'static,
) -> anyhow::Result<T> {
    tokio::task::spawn_blocking(work).await?
}

fn boxed(error: Box<dyn std::error::Error + Send + Sync>) -> anyhow::Error {
    anyhow::Error::from_boxed(error)
}
