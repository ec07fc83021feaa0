//! The data layer: two databases behind one set of queries.
//!
//! [`Db`] holds the pools. Nothing hands out a bare connection: [`Db::central`], [`Db::org`] and
//! [`Db::orgs`] give a [`Scope`], and [`read!`](crate::read) and [`transaction!`](crate::transaction)
//! open it. On PostgreSQL an open scope sees exactly one tenant schema and the directory, and
//! `roomcast.orgs` names exactly the organisations it is for; both end with its transaction.
//!
//! Query functions take `&mut Conn`, so that they compose inside and outside a transaction, and expand
//! once for each database with [`with_conn!`](crate::with_conn).

mod claim;
mod conn;
mod error;
mod hop;
mod migrate;
mod pipeline;
mod postgres;
pub mod probe;
pub mod replace;
pub mod schema;
mod scope;
pub mod snapshot;
mod sqlite;
mod tenants;
mod tx;
mod url;

use std::collections::BTreeSet;
use std::sync::{Arc, OnceLock, Weak};

use anyhow::Context as _;

use crate::types::{Isolation, OrgId};

pub use claim::{Claim, try_claim};
pub use conn::{AsyncSqlite, Conn, PgConn, SqliteConn};
pub use error::{DbError, Unavailable};
pub use migrate::MigrationState;
pub(crate) use postgres::unverified_tls;
use scope::Part;
pub use scope::{Ask, Scope};
use tenants::Tenants;
pub use tenants::{Removal, TenantBounds, TenantMigration, TenantState};
pub use tx::{CommitSink, Last, Patience, Tx};
pub use url::DatabaseUrl;

/// The versions of the migrations that this version has for SQLite.
pub fn known_migrations() -> anyhow::Result<BTreeSet<String>> {
    migrate::known_on_sqlite()
}

/// The database: its pools, and where what is committed goes next. Clones share them.
#[derive(Clone)]
pub struct Db {
    inner: Arc<Inner>,
}

struct Inner {
    pools: Pools,
    tenants: Tenants,
    sink: OnceLock<Weak<dyn CommitSink>>,
}

#[expect(clippy::large_enum_variant, reason = "there is one of it")]
enum Pools {
    Postgres(postgres::Postgres),
    Sqlite(sqlite::Sqlite),
}

impl Pools {
    /// Whether whoever waits for a connection waits for those who have them.
    fn are_all_in_use(&self) -> bool {
        match self {
            Self::Postgres(postgres) => postgres.are_all_in_use(),
            Self::Sqlite(sqlite) => sqlite.are_all_in_use(),
        }
    }
}

/// Which database is behind a [`Db`]; for reports and start-up checks, never for features.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    /// A PostgreSQL server.
    Postgres,
    /// An embedded SQLite file.
    Sqlite,
}

impl Engine {
    /// The engine's name as people write it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Postgres => "PostgreSQL",
            Self::Sqlite => "SQLite",
        }
    }

    /// What every connection is set to so that a commit is on the disk when it returns.
    pub const fn durability(self) -> &'static str {
        match self {
            Self::Postgres => "synchronous_commit=on",
            Self::Sqlite => "journal_mode=WAL, synchronous=FULL",
        }
    }
}

impl Db {
    /// Opens the database as a hub. A PostgreSQL server that is not up yet is waited for, with a log line
    /// each attempt, for a minute; a SQLite file that another hub uses is refused.
    ///
    /// `max_connections` bounds the pool on PostgreSQL.
    pub async fn open(url: &DatabaseUrl, max_connections: usize) -> anyhow::Result<Self> {
        Self::open_bounded(url, max_connections, TenantBounds::default()).await
    }

    /// The same, with other bounds on what databases of organisations take.
    pub async fn open_bounded(
        url: &DatabaseUrl,
        max_connections: usize,
        tenants: TenantBounds,
    ) -> anyhow::Result<Self> {
        Self::open_as(url, max_connections, sqlite::Claim::Alone, tenants).await
    }

    /// Opens a database that exists, beside the hubs that may be running on it: for an operator's command.
    /// It is opened like [`Db::open`] does, save that SQLite is shared with another process.
    pub async fn open_beside(url: &DatabaseUrl, max_connections: usize) -> anyhow::Result<Self> {
        // What the hubs have not brought up to date, a command beside them leaves alone.
        let tenants = TenantBounds { migrate: false, ..TenantBounds::default() };
        Self::open_as(url, max_connections, sqlite::Claim::Beside, tenants).await
    }

    async fn open_as(
        url: &DatabaseUrl,
        max_connections: usize,
        claim: sqlite::Claim,
        tenants: TenantBounds,
    ) -> anyhow::Result<Self> {
        let pools = match url {
            DatabaseUrl::Postgres(url) => {
                Pools::Postgres(postgres::Postgres::open(url, max_connections).await?)
            }
            DatabaseUrl::Sqlite(path) => Pools::Sqlite(
                sqlite::Sqlite::open(path, claim)
                    .await
                    .with_context(|| format!("cannot open the SQLite database {}", path.display()))?,
            ),
        };
        let tenants = Tenants::new(tenants);
        Ok(Self { inner: Arc::new(Inner { pools, tenants, sink: OnceLock::new() }) })
    }

    /// Which database this is.
    pub fn engine(&self) -> Engine {
        match self.inner.pools {
            Pools::Postgres(_) => Engine::Postgres,
            Pools::Sqlite(_) => Engine::Sqlite,
        }
    }

    /// Whether an organisation can be this far apart from others here.
    pub fn offers(&self, isolation: Isolation) -> bool {
        match (isolation, self.engine()) {
            (Isolation::Shared | Isolation::Database, _) | (Isolation::Schema, Engine::Postgres) => true,
            (Isolation::Schema, Engine::Sqlite) => false,
        }
    }

    /// Registers who is handed every committed append, for as long as it lives. The first registration
    /// stands. Weak, because who is handed appends has the database itself.
    pub fn on_commit(&self, sink: Weak<dyn CommitSink>) {
        self.inner.sink.get_or_init(|| sink);
    }

    /// The directory: organisations, accounts, memberships, plans.
    pub fn central(&self) -> Scope {
        Scope::new(self.clone(), Part::Central)
    }

    /// What belongs to one organisation.
    pub fn org(&self, org: OrgId) -> Scope {
        Scope::new(self.clone(), Part::Of(vec![org]))
    }

    /// What belongs to several organisations of one store: for the log's writer and the sweep.
    pub fn orgs(&self, orgs: Vec<OrgId>) -> Scope {
        Scope::new(self.clone(), Part::Of(orgs))
    }

    /// Runs the migrations that are missing. A database that a newer version has migrated is refused.
    pub async fn migrate(&self) -> anyhow::Result<Vec<String>> {
        migrate::run(self).await
    }

    /// Whether the database is at this version's migrations.
    pub async fn migration_state(&self) -> anyhow::Result<MigrationState> {
        migrate::state(self).await
    }

    /// Fails unless the hub works under a role that row-level security holds, which is what keeps organisations
    /// in shared tables apart where a query forgets to. SQLite has no such thing.
    pub async fn require_role(&self) -> anyhow::Result<()> {
        migrate::require_role(self).await
    }

    /// Fails unless the database is at this version's migrations: for a command that runs none.
    pub async fn require_current(&self) -> anyhow::Result<()> {
        match self.migration_state().await? {
            MigrationState::Current => self.require_role().await,
            MigrationState::Pending(_) => {
                anyhow::bail!(
                    "the database is not up to date: run `roomcast migrate`, or start the hub, first"
                )
            }
        }
    }

    /// Returns once the database has answered.
    pub async fn ping(&self) -> Result<(), DbError> {
        self.central().begin_read().await?.finish(Ok(())).await
    }

    /// Runs `work`, which asks this database one thing after the other and does little in between, with as few
    /// changes of threads as it needs: on SQLite every statement would cost two of its own. There `work` has a thread
    /// for itself, on which it may wait, but not for ever: the runtime waits for it when it ends.
    pub async fn in_one_hop<T: Send + 'static>(&self, work: impl Future<Output = T> + Send + 'static) -> T {
        match self.engine() {
            Engine::Postgres => work.await,
            Engine::Sqlite => hop::in_one(work).await,
        }
    }

    fn pools(&self) -> &Pools {
        &self.inner.pools
    }

    fn tenants(&self) -> &Tenants {
        &self.inner.tenants
    }

    fn sink(&self) -> Option<Arc<dyn CommitSink>> {
        self.inner.sink.get()?.upgrade()
    }
}
