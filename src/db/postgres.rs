//! The pool of connections to a PostgreSQL server.

mod role;
mod tls;

use std::io;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use deadpool::managed::{self, Metrics, RecycleError, RecycleResult};
use diesel::sql_types::{BigInt, Text};
use diesel::{ConnectionError, ConnectionResult, QueryableByName, sql_query};
use diesel_async::pooled_connection::PoolableConnection as _;
use diesel_async::{AsyncPgConnection, RunQueryDsl as _, SimpleAsyncConnection as _};
use tokio_postgres::error::SqlState;

pub(super) use self::role::Role;
use self::tls::PostgresConfig;
pub(crate) use self::tls::unverified as unverified_tls;
use super::{DbError, PgConn};

/// How long a caller waits for a connection that lives: as long as a request may reasonably hang.
pub(super) const LEASE_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a pooled connection may take to show that it lives, in its answer to what opens a transaction. One that
/// does not is dropped, and the caller has time left for another.
pub(super) const LIFE_TIMEOUT: Duration = Duration::from_secs(2);

/// How long the server may take to let us in. It may take a connection and then say nothing.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a server that is not up yet is waited for at start.
const START_TIMEOUT: Duration = Duration::from_mins(1);

/// Between two attempts to reach it.
const START_RETRY: Duration = Duration::from_secs(1);

/// What every connection is set to. Outside a scope no table of ours is on the path. What the server says
/// is wrong is known by its words, so they should be English; whom it does not allow to choose, keeps its
/// language.
const SETTINGS: &str = "SET search_path TO pg_catalog; SET lock_timeout TO '4s'; \
    SET idle_in_transaction_session_timeout TO '12s'; SET synchronous_commit TO on; \
    DO $$ BEGIN PERFORM set_config('lc_messages', 'C', false); \
    EXCEPTION WHEN insufficient_privilege THEN NULL; END $$";

/// The server's version, and how many connections it leaves to whoever asks.
const PROBE: &str = "SELECT current_setting('server_version') AS version, least(
    current_setting('max_connections')::bigint - current_setting('superuser_reserved_connections')::bigint,
    coalesce(nullif((SELECT rolconnlimit FROM pg_roles WHERE rolname = current_user), -1), 2147483647),
    coalesce(nullif((SELECT datconnlimit FROM pg_database WHERE datname = current_database()), -1), 2147483647)
) AS connections";

#[derive(QueryableByName)]
struct Probed {
    #[diesel(sql_type = Text)]
    version: String,
    #[diesel(sql_type = BigInt)]
    connections: i64,
}

pub(super) struct Postgres {
    pool: managed::Pool<Maker>,
    config: PostgresConfig,
    role: Role,
}

/// Makes the connections of a pool. It gives none out again that is known to have ended, and does not ask whether the
/// others live: what opens the next transaction finds that out ([`LIFE_TIMEOUT`]) and costs no journey more.
pub(super) struct Maker {
    config: PostgresConfig,
    /// What each of them is set to, once.
    setup: String,
}

/// A connection of a pool.
pub(super) struct Pooled {
    pub(super) conn: AsyncPgConnection,
    /// Last statements that it has prepared.
    pub(super) known: Vec<&'static str>,
}

impl managed::Manager for Maker {
    type Type = Pooled;
    type Error = ConnectionError;

    async fn create(&self) -> ConnectionResult<Pooled> {
        Ok(Pooled { conn: connect_with(&self.config, &self.setup).await?, known: Vec::new() })
    }

    async fn recycle(&self, pooled: &mut Pooled, _: &Metrics) -> RecycleResult<ConnectionError> {
        if pooled.conn.is_broken() { Err(RecycleError::message("it has ended")) } else { Ok(()) }
    }
}

impl Postgres {
    pub(super) async fn open(url: &str, max_connections: usize) -> anyhow::Result<Self> {
        let config = PostgresConfig::parse(url)?;
        wait_until_up(&config).await?;
        let mut conn = connect(&config).await?;
        warn_of_its_language(&mut conn).await?;
        let role = Role::of(&mut conn).await?;
        Self::pooled(config, role, max_connections)
    }

    /// A pool that connects when it is asked to, and works under this role.
    fn pooled(config: PostgresConfig, role: Role, max_connections: usize) -> anyhow::Result<Self> {
        let maker = Maker { config: config.clone(), setup: format!("{SETTINGS}; {}", role.take_on()) };
        // Who comes alone finds the connection that was used last, of which the server remembers most.
        let pool = managed::Pool::builder(maker)
            .max_size(max_connections)
            .queue_mode(managed::QueueMode::Lifo)
            .build()?;
        Ok(Self { pool, config, role })
    }

    /// Another database of the same server, with a pool of its own, under the same role.
    pub(super) fn of_database(&self, name: &str, max_connections: usize) -> anyhow::Result<Self> {
        Self::pooled(self.config.with_database(name), self.role.clone(), max_connections)
    }

    /// A connection to another database of the same server, outside any pool: for migrations.
    pub(super) async fn connect_to(&self, name: &str) -> anyhow::Result<AsyncPgConnection> {
        Ok(connect(&self.config.with_database(name)).await?)
    }

    /// Where the server is and what it is, and how many connections it leaves to this user. Does not wait for
    /// one that is not up.
    pub(super) async fn probe(url: &str) -> anyhow::Result<(String, usize)> {
        let config = PostgresConfig::parse(url)?;
        let server = config.server();
        let mut conn =
            connect(&config).await.with_context(|| format!("no connection to PostgreSQL at {server}"))?;
        let found: Probed = sql_query(PROBE).get_result(&mut conn).await?;
        let connections = usize::try_from(found.connections).unwrap_or(0);
        Ok((format!("PostgreSQL {} at {server}", found.version), connections))
    }

    /// A connection, from the pool or fresh, if there is one until then.
    pub(super) async fn lease(&self, until: tokio::time::Instant) -> Result<PgConn, DbError> {
        let Ok(leased) = tokio::time::timeout_at(until, self.pool.get()).await else {
            let reason = format!("none was free or answered within {} s", LEASE_TIMEOUT.as_secs());
            return Err(DbError::Unreachable(reason));
        };
        let object = leased.map_err(|error| DbError::Unreachable(error.to_string()))?;
        Ok(PgConn::new(object))
    }

    /// Whether its pool has all its connections, and lent them.
    pub(super) fn are_all_in_use(&self) -> bool {
        let status = self.pool.status();
        status.available == 0 && status.size >= status.max_size
    }

    /// A connection of its own, outside the pool, as whoever the URL names: for migrations.
    pub(super) async fn connect_for_migrations(&self) -> anyhow::Result<AsyncPgConnection> {
        Ok(connect(&self.config).await?)
    }

    /// The role that the pooled connections work under.
    pub(super) fn role(&self) -> &Role {
        &self.role
    }

    /// Fails unless they can, and row-level security holds them in these schemas.
    pub(super) async fn require_role(&self, schemas: &[&str]) -> anyhow::Result<()> {
        let mut conn = connect(&self.config).await?;
        expect_no_pooler(&mut conn, &self.config).await?;
        self.role.require(&mut conn, schemas).await
    }
}

/// Fails where something between us and the server lends its connections for a transaction at a time: what one of
/// ours is set to, its role included, would be another's.
async fn expect_no_pooler(conn: &mut AsyncPgConnection, config: &PostgresConfig) -> anyhow::Result<()> {
    #[derive(QueryableByName)]
    struct Backend {
        #[diesel(sql_type = diesel::sql_types::Integer)]
        pid: i32,
    }

    const PID: &str = "SELECT pg_backend_pid() AS pid";
    let mut other = connect(config).await?;
    let here: Backend = sql_query(PID).get_result(conn).await?;
    let there: Backend = sql_query(PID).get_result(&mut other).await?;
    if here.pid == there.pid {
        anyhow::bail!(
            "a pooler at {} lends its connections for a transaction at a time, so the role and the settings of one \
             are another's, and organisations in shared tables are not safe from each other. Have it pool by \
             session (pgbouncer: pool_mode = session), or name the server itself in DATABASE_URL",
            config.server()
        );
    }
    Ok(())
}

/// Says once where the server's words will not be understood: a full disk then looks like a fault of ours.
async fn warn_of_its_language(conn: &mut AsyncPgConnection) -> anyhow::Result<()> {
    #[derive(QueryableByName)]
    struct Setting {
        #[diesel(sql_type = diesel::sql_types::Text)]
        lc_messages: String,
    }

    let query = sql_query("SELECT current_setting('lc_messages') AS lc_messages");
    let language = query.get_result::<Setting>(conn).await?.lc_messages;
    let is_english = |language: &str| {
        matches!(language, "" | "C" | "POSIX") || language.starts_with("C.") || language.starts_with("en")
    };
    if !is_english(&language) {
        tracing::warn!(
            lc_messages = language,
            remedy = "ALTER ROLE … SET lc_messages TO 'C', as a superuser",
            "PostgreSQL tells its errors in a language that is not known here"
        );
    }
    Ok(())
}

/// Returns once the server takes a connection; gives up after [`START_TIMEOUT`], or at once where waiting
/// cannot help.
async fn wait_until_up(config: &PostgresConfig) -> anyhow::Result<()> {
    let started = Instant::now();
    loop {
        let (error, may_come_up) = match tokio::time::timeout(CONNECT_TIMEOUT, config.connect()).await {
            Ok(Ok(_)) => return Ok(()),
            Ok(Err(error)) => (cause(&error), may_come_up(&error)),
            Err(_) => (silence(), true),
        };
        let server = config.server();
        if !may_come_up || started.elapsed() >= START_TIMEOUT {
            return Err(anyhow::anyhow!(error)).with_context(|| {
                if may_come_up {
                    let seconds = START_TIMEOUT.as_secs();
                    format!("PostgreSQL at {server} could not be reached for {seconds} seconds; giving up")
                } else {
                    format!("no connection to PostgreSQL at {server} as DATABASE_URL describes it")
                }
            });
        }
        tracing::warn!(
            database.server = server,
            error,
            "PostgreSQL is not up yet; trying again in {} s",
            START_RETRY.as_secs()
        );
        tokio::time::sleep(START_RETRY).await;
    }
}

/// Whether the server may be on its way up: it cannot be reached, or says that it is starting (57P03). A
/// wrong password or certificate will be as wrong in a second.
fn may_come_up(error: &tokio_postgres::Error) -> bool {
    let unreachable = || {
        let source = std::error::Error::source(error).and_then(|source| source.downcast_ref::<io::Error>());
        // TLS tells of a certificate that it does not take as invalid data.
        source.is_some_and(|source| source.kind() != io::ErrorKind::InvalidData)
    };
    match error.code() {
        Some(code) => *code == SqlState::CANNOT_CONNECT_NOW,
        None => error.is_closed() || unreachable(),
    }
}

/// The error with what caused it, which tokio-postgres leaves out of its own text.
fn cause(error: &tokio_postgres::Error) -> String {
    match std::error::Error::source(error) {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}

fn silence() -> String {
    format!("it has not answered within {} s", CONNECT_TIMEOUT.as_secs())
}

async fn connect(config: &PostgresConfig) -> ConnectionResult<AsyncPgConnection> {
    connect_with(config, SETTINGS).await
}

async fn connect_with(config: &PostgresConfig, setup: &str) -> ConnectionResult<AsyncPgConnection> {
    let bad = |error: &tokio_postgres::Error| ConnectionError::BadConnection(cause(error));
    let connecting = async {
        let (client, connection) = config.connect().await.map_err(|error| bad(&error))?;
        let mut conn = AsyncPgConnection::try_from_client_and_connection(client, connection).await?;
        conn.batch_execute(setup).await.map_err(ConnectionError::CouldntSetupConfiguration)?;
        Ok(conn)
    };
    let connected = tokio::time::timeout(CONNECT_TIMEOUT, connecting).await;
    connected.unwrap_or_else(|_elapsed| Err(ConnectionError::BadConnection(silence())))
}
