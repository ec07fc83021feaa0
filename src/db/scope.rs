//! Scopes, and how they open transactions.

use std::borrow::Cow;
use std::fmt::Write as _;

use diesel::QueryResult;
use diesel::result::Error as QueryError;
use diesel_async::{AsyncPgConnection, SimpleAsyncConnection as _};
use metrics::counter;
use tokio::time::Instant;

use super::postgres::{LEASE_TIMEOUT, LIFE_TIMEOUT};
use super::tenants::{Ground, TENANT_SCHEMA};
use super::{AsyncSqlite, Conn, Db, DbError, Pools, Tx, pipeline};
use crate::telemetry::metric::TRANSACTIONS;
use crate::types::OrgId;

/// A first question for either database, which PostgreSQL is sent together with what opens its transaction: each
/// message that is waited for costs a journey to the server. It may be asked again, on another connection.
pub trait Ask: Sync {
    /// What comes of it.
    type Answer: Send;

    /// Asks PostgreSQL.
    fn on_postgres(&self, conn: &AsyncPgConnection)
    -> impl Future<Output = QueryResult<Self::Answer>> + Send;

    /// Asks SQLite.
    fn on_sqlite(&self, conn: &mut AsyncSqlite) -> impl Future<Output = QueryResult<Self::Answer>> + Send;
}

/// Nothing.
impl Ask for () {
    type Answer = ();

    async fn on_postgres(&self, _: &AsyncPgConnection) -> QueryResult<()> {
        Ok(())
    }

    async fn on_sqlite(&self, _: &mut AsyncSqlite) -> QueryResult<()> {
        Ok(())
    }
}

/// A part of the database that is bound to named organisations, not yet open.
pub struct Scope {
    db: Db,
    part: Part,
}

/// Which part of a database.
pub(super) enum Part {
    /// The directory.
    Central,
    /// What belongs to these organisations of one store. There may be none of them, and it is still the store.
    Of(Vec<OrgId>),
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    Read,
    Write,
}

impl Mode {
    fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
        }
    }
}

impl Scope {
    pub(super) fn new(db: Db, part: Part) -> Self {
        Self { db, part }
    }

    /// Opens a transaction that only reads, from one snapshot. Used by [`read!`](crate::read).
    pub async fn begin_read(self) -> Result<Tx, DbError> {
        Ok(Box::pin(self.begin(Mode::Read, ())).await?.0)
    }

    /// The same, and asks something first. PostgreSQL is sent both at once.
    pub async fn begin_read_with<A: Ask>(self, first: A) -> Result<(Tx, A::Answer), DbError> {
        Box::pin(self.begin(Mode::Read, first)).await
    }

    /// Opens a transaction that writes. Used by [`transaction!`](crate::transaction).
    pub async fn begin_write(self) -> Result<Tx, DbError> {
        Ok(Box::pin(self.begin(Mode::Write, ())).await?.0)
    }

    /// The same, and asks something first. PostgreSQL is sent both at once.
    pub async fn begin_write_with<A: Ask>(self, first: A) -> Result<(Tx, A::Answer), DbError> {
        Box::pin(self.begin(Mode::Write, first)).await
    }

    /// Its callers have it in a box: everything that opens a scope would be as large otherwise.
    async fn begin<A: Ask>(self, mode: Mode, first: A) -> Result<(Tx, A::Answer), DbError> {
        counter!(TRANSACTIONS, "mode" => mode.name()).increment(1);
        let ground = match self.db.known_ground(&self.part) {
            Some(ground) => ground,
            // In a box, as what makes a store is large.
            None => Box::pin(self.db.ground(&self.part)).await?,
        };
        let until = Instant::now() + LEASE_TIMEOUT;
        loop {
            let mut tx = self.lease(&ground, mode, until).await?;
            match open(&mut tx, &self.opening(&ground, mode), &first).await {
                Ok(answer) => return Ok((tx, answer)),
                // Dropping it closes that connection, in either case: one on which nothing opens may be read-only for
                // good. The next one may live.
                Err(Unopened::Dead) => {}
                Err(Unopened::Failed(error)) => return Err(error),
            }
        }
    }

    /// A transaction that is not open yet, on a connection of its own.
    async fn lease(&self, ground: &Ground, mode: Mode, until: Instant) -> Result<Tx, DbError> {
        let (conn, own) = match ground {
            Ground::Main | Ground::Schema(_) => (lease(self.db.pools(), mode, until).await?, None),
            Ground::Database(own) => {
                let leased = lease(&own.pools, mode, until).await;
                (leased.map_err(|error| own.refusal(&error))?, Some(own.clone()))
            }
        };
        Ok(Tx::new(self.db.clone(), conn, mode, own))
    }

    /// The statements that open it.
    fn opening(&self, ground: &Ground, mode: Mode) -> Cow<'static, str> {
        match self.db.pools() {
            Pools::Postgres(_) => postgres_opening(&self.part, ground, mode).into(),
            // A deferred transaction that reads first fails at once when it wants to write.
            Pools::Sqlite(_) if mode == Mode::Read => "BEGIN DEFERRED".into(),
            Pools::Sqlite(_) => "BEGIN IMMEDIATE".into(),
        }
    }
}

/// Why a transaction is not open.
enum Unopened {
    /// Its connection had lain in the pool, and gives no sign of life.
    Dead,
    /// The database answered with this, or a fresh connection did not.
    Failed(DbError),
}

impl From<DbError> for Unopened {
    fn from(error: DbError) -> Self {
        Self::Failed(error)
    }
}

impl From<QueryError> for Unopened {
    fn from(error: QueryError) -> Self {
        Self::Failed(DbError::Query(error))
    }
}

/// Opens a transaction on its connection, which shows so that it lives.
async fn open<A: Ask>(tx: &mut Tx, opening: &str, first: &A) -> Result<A::Answer, Unopened> {
    let patience = tx.patience();
    let conn: &mut Conn = tx;
    let asked = async {
        match conn {
            Conn::Postgres(conn) => {
                let has_lain = conn.has_lain();
                let conn: &AsyncPgConnection = conn;
                let opened = async {
                    let mut asker = conn;
                    let answer = asker.batch_execute(opening);
                    if !has_lain {
                        return Ok(answer.await?);
                    }
                    let answer = tokio::time::timeout(LIFE_TIMEOUT, answer).await;
                    answer.ok().and_then(Result::ok).ok_or(Unopened::Dead)
                };
                let asked = async { first.on_postgres(conn).await.map_err(Unopened::from) };
                pipeline::then(opened, asked).await
            }
            Conn::Sqlite(conn) => {
                conn.batch_execute(opening).await?;
                Ok(first.on_sqlite(conn).await?)
            }
        }
    };
    patience.hold(asked).await
}

async fn lease(pools: &Pools, mode: Mode, until: Instant) -> Result<Conn, DbError> {
    Ok(match (pools, mode) {
        (Pools::Postgres(postgres), _) => Conn::Postgres(postgres.lease(until).await?),
        (Pools::Sqlite(sqlite), Mode::Read) => Conn::Sqlite(sqlite.lease_reader().await?),
        (Pools::Sqlite(sqlite), Mode::Write) => Conn::Sqlite(sqlite.lease_writer().await?),
    })
}

/// The statements that open a scope on PostgreSQL, sent as one message. Only ids and plain identifiers are written
/// into it.
fn postgres_opening(part: &Part, ground: &Ground, mode: Mode) -> String {
    let begin = if mode == Mode::Read { "ISOLATION LEVEL REPEATABLE READ READ ONLY" } else { "" };
    let orgs = match part {
        Part::Central => [].as_slice(),
        Part::Of(orgs) => orgs.as_slice(),
    };
    let mut sql = format!("BEGIN {begin}; SET LOCAL search_path TO ");
    match (part, ground) {
        (Part::Central, _) => sql.push_str("central"),
        (Part::Of(_), Ground::Main) => sql.push_str("shared"),
        (Part::Of(_), Ground::Schema(tenant)) => sql.extend(["\"", &tenant.name, "\""]),
        (Part::Of(_), Ground::Database(_)) => sql.push_str(TENANT_SCHEMA),
    }
    sql.push_str("; SET LOCAL roomcast.orgs TO '{");
    for (index, org) in orgs.iter().enumerate() {
        let comma = if index == 0 { "" } else { "," };
        write!(sql, "{comma}{org}").unwrap_or_else(|_| unreachable!("writing to a String cannot fail"));
    }
    sql.push_str("}'");
    sql
}
