//! The pool of connections to a PostgreSQL server.

mod tls;

use std::io;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use diesel::sql_types::{BigInt, Text};
use diesel::{ConnectionError, ConnectionResult, QueryableByName, sql_query};
use diesel_async::pooled_connection::deadpool::Pool;
use diesel_async::pooled_connection::{AsyncDieselConnectionManager, ManagerConfig};
use diesel_async::{AsyncPgConnection, RunQueryDsl as _, SimpleAsyncConnection as _};
use futures_util::FutureExt as _;
use tokio_postgres::error::SqlState;

use self::tls::PostgresConfig;
pub(crate) use self::tls::unverified as unverified_tls;
use super::{DbError, PgConn};

/// How long a caller waits for a connection: as long as a request may reasonably hang.
const LEASE_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a server that is not up yet is waited for at start.
const START_TIMEOUT: Duration = Duration::from_mins(1);

/// Between two attempts to reach it.
const START_RETRY: Duration = Duration::from_secs(1);

/// What every connection is set to. Outside a scope no table of ours is on the path.
const SETTINGS: &str = "SET search_path TO pg_catalog; SET lock_timeout TO '4s'; \
    SET idle_in_transaction_session_timeout TO '60s'; SET synchronous_commit TO on";

#[derive(QueryableByName)]
struct Probed {
    #[diesel(sql_type = Text)]
    version: String,
    #[diesel(sql_type = BigInt)]
    connections: i64,
}

pub(super) struct Postgres {
    pool: Pool<AsyncPgConnection>,
    config: PostgresConfig,
}

impl Postgres {
    pub(super) async fn open(url: &str, max_connections: usize) -> anyhow::Result<Self> {
        let config = PostgresConfig::parse(url)?;
        wait_until_up(&config).await?;
        let for_pool = config.clone();
        let mut manager = ManagerConfig::default();
        manager.custom_setup = Box::new(move |_| {
            let config = for_pool.clone();
            async move { connect(&config).await }.boxed()
        });
        let manager = AsyncDieselConnectionManager::new_with_config(String::new(), manager);
        let pool = Pool::builder(manager)
            .max_size(max_connections)
            .wait_timeout(Some(LEASE_TIMEOUT))
            .create_timeout(Some(LEASE_TIMEOUT))
            .runtime(deadpool::Runtime::Tokio1)
            .build()?;
        Ok(Self { pool, config })
    }

    /// Where the server is and what it is, and how many connections it leaves to this user. Does not wait for
    /// one that is not up.
    pub(super) async fn probe(url: &str) -> anyhow::Result<(String, usize)> {
        let config = PostgresConfig::parse(url)?;
        let server = config.server();
        let mut conn =
            connect(&config).await.with_context(|| format!("no connection to PostgreSQL at {server}"))?;
        let query = "SELECT current_setting('server_version') AS version,              least(current_setting('max_connections')::bigint - current_setting('superuser_reserved_connections')::bigint,              coalesce(nullif((SELECT rolconnlimit FROM pg_roles WHERE rolname = current_user), -1), 2147483647),              coalesce(nullif((SELECT datconnlimit FROM pg_database WHERE datname = current_database()), -1), 2147483647)             ) AS connections";
        let found: Probed = sql_query(query).get_result(&mut conn).await?;
        let connections = usize::try_from(found.connections).unwrap_or(0);
        Ok((format!("PostgreSQL {} at {server}", found.version), connections))
    }

    pub(super) async fn lease(&self) -> Result<PgConn, DbError> {
        let object = self.pool.get().await.map_err(|error| DbError::Unreachable(error.to_string()))?;
        Ok(PgConn::new(object))
    }

    /// A connection of its own, outside the pool: for migrations.
    pub(super) async fn connect_for_migrations(&self) -> anyhow::Result<AsyncPgConnection> {
        Ok(connect(&self.config).await?)
    }
}

/// Returns once the server takes a connection; gives up after [`START_TIMEOUT`], or at once where waiting
/// cannot help.
async fn wait_until_up(config: &PostgresConfig) -> anyhow::Result<()> {
    let started = Instant::now();
    loop {
        let Err(error) = config.connect().await else { return Ok(()) };
        let server = config.server();
        let may_come_up = may_come_up(&error);
        if !may_come_up || started.elapsed() >= START_TIMEOUT {
            return Err(error).with_context(|| {
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
            error = %cause(&error),
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

async fn connect(config: &PostgresConfig) -> ConnectionResult<AsyncPgConnection> {
    let bad = |error: &tokio_postgres::Error| ConnectionError::BadConnection(cause(error));
    let (client, connection) = config.connect().await.map_err(|error| bad(&error))?;
    let mut conn = AsyncPgConnection::try_from_client_and_connection(client, connection).await?;
    conn.batch_execute(SETTINGS).await.map_err(ConnectionError::CouldntSetupConfiguration)?;
    Ok(conn)
}
