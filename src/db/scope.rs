//! Scopes, and the transactions that they open.

use std::fmt::Write as _;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::time::Duration;

use diesel::QueryResult;
use diesel_async::{AsyncPgConnection, SimpleAsyncConnection as _};
use metrics::counter;
use tokio::time::Instant;

use super::tenants::{Ground, InUse, TENANT_SCHEMA};
use super::{AsyncSqlite, Conn, Db, DbError, Pools, error};
use crate::telemetry::metric::TRANSACTIONS;
use crate::types::{LogEntry, OrgId};

/// Is handed what a transaction appended to logs, right after its COMMIT returned.
pub trait CommitSink: Send + Sync {
    /// Takes the entries in the order in which they were appended. Called between two awaits of the
    /// writer, on SQLite before the next writer's turn: it must return at once.
    fn committed(&self, entries: Vec<Arc<LogEntry>>);
}

/// A first question for either database, which PostgreSQL can be sent together with what opens its transaction: each
/// message that is waited for costs a journey to the server.
///
/// A last one cannot go with the COMMIT like this. A statement that a connection has not prepared yet is sent a
/// journey later than it is asked, which for a first one does no harm: what opens the transaction is there by then.
pub trait Ask: Send {
    /// What comes of it.
    type Answer: Send;

    /// Asks PostgreSQL.
    fn on_postgres(self, conn: &AsyncPgConnection) -> impl Future<Output = QueryResult<Self::Answer>> + Send;

    /// Asks SQLite.
    fn on_sqlite(self, conn: &mut AsyncSqlite) -> impl Future<Output = QueryResult<Self::Answer>> + Send;
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
enum Mode {
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
        self.begin(Mode::Read).await
    }

    /// Opens a transaction that writes. Used by [`transaction!`](crate::transaction).
    pub async fn begin_write(self) -> Result<Tx, DbError> {
        self.begin(Mode::Write).await
    }

    /// The same, and asks something first. PostgreSQL is sent both at once.
    pub async fn begin_write_with<A: Ask>(self, first: A) -> Result<(Tx, A::Answer), DbError> {
        let (mut tx, opening) = self.prepare(Mode::Write).await?;
        let patience = tx.patience;
        let asked = async {
            match &mut tx.conn {
                Conn::Postgres(conn) => {
                    let conn: &AsyncPgConnection = conn;
                    let (opened, answer) = tokio::join!(
                        async { (&mut &*conn).batch_execute(&opening).await },
                        first.on_postgres(conn)
                    );
                    opened.and(answer)
                }
                Conn::Sqlite(conn) => {
                    conn.batch_execute(&opening).await?;
                    first.on_sqlite(conn).await
                }
            }
            .map_err(DbError::Query)
        };
        match patience.hold(asked).await {
            Ok(answer) => Ok((tx, answer)),
            Err(error) => {
                tx.rollback().await;
                Err(error)
            }
        }
    }

    async fn begin(self, mode: Mode) -> Result<Tx, DbError> {
        let (mut tx, opening) = self.prepare(mode).await?;
        tx.execute(&opening).await?;
        Ok(tx)
    }

    /// A transaction on a connection of its own, and the statements that open it.
    async fn prepare(self, mode: Mode) -> Result<(Tx, String), DbError> {
        let Self { db, part } = self;
        let ground = db.ground(&part).await?;
        let conn = match &ground {
            Ground::Main | Ground::Schema(_) => lease(db.pools(), mode).await?,
            Ground::Database(own) => {
                lease(&own.pools, mode).await.map_err(|error| own.tenant.refused(&error))?
            }
        };
        counter!(TRANSACTIONS, "mode" => mode.name()).increment(1);
        let opening = match conn {
            Conn::Postgres(_) => postgres_opening(&part, &ground, mode),
            // A deferred transaction that reads first fails at once when it wants to write.
            Conn::Sqlite(_) if mode == Mode::Read => "BEGIN DEFERRED".to_owned(),
            Conn::Sqlite(_) => "BEGIN IMMEDIATE".to_owned(),
        };
        let own = match ground {
            Ground::Main | Ground::Schema(_) => None,
            Ground::Database(own) => Some(own),
        };
        let patience = Patience::with(&conn, own.as_ref());
        let tx = Tx { conn, appended: Vec::new(), db, mode, state: State::Open, patience, own };
        Ok((tx, opening))
    }
}

async fn lease(pools: &Pools, mode: Mode) -> Result<Conn, DbError> {
    Ok(match (pools, mode) {
        (Pools::Postgres(postgres), _) => Conn::Postgres(postgres.lease().await?),
        (Pools::Sqlite(sqlite), Mode::Read) => Conn::Sqlite(sqlite.lease_reader().await?),
        (Pools::Sqlite(sqlite), Mode::Write) => Conn::Sqlite(sqlite.lease_writer().await?),
    })
}

/// How long a server may take over a transaction, all in all. A server that hangs, or its machine, keeps
/// its connections open, so nothing else would ever end the wait. Ours take milliseconds; twice a wait for
/// a lock fits into it.
const PATIENCE: Duration = Duration::from_secs(10);

/// Until when a transaction waits for its server. An embedded database has nobody to wait for.
#[derive(Clone, Copy)]
pub struct Patience {
    deadline: Option<Instant>,
    /// Whether the server is one organisation's alone.
    is_own: bool,
}

impl Patience {
    fn with(conn: &Conn, own: Option<&InUse>) -> Self {
        let deadline = match conn {
            Conn::Postgres(_) => Some(Instant::now() + PATIENCE),
            Conn::Sqlite(_) => None,
        };
        Self { deadline, is_own: own.is_some() }
    }

    /// What `work` on the transaction comes to, or [`DbError::Unreachable`] once it is over. The transaction is
    /// then of no further use: to finish it closes its connection.
    pub async fn hold<T, E: From<DbError>>(self, work: impl Future<Output = Result<T, E>>) -> Result<T, E> {
        let Some(deadline) = self.deadline else { return work.await };
        tokio::time::timeout_at(deadline, work).await.unwrap_or_else(|_elapsed| {
            let reason = format!("it has not answered within {} s", PATIENCE.as_secs());
            let error =
                if self.is_own { DbError::TenantUnavailable(reason) } else { DbError::Unreachable(reason) };
            Err(error.into())
        })
    }
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
        (Part::Of(_), Ground::Main) => sql.push_str("shared, central"),
        (Part::Of(_), Ground::Schema(tenant)) => sql.extend(["\"", &tenant.name, "\", central"]),
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

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Open,
    Ended,
}

/// An open transaction, which is also the connection for query functions. It owns the list of what was
/// appended in it and hands that to the [`CommitSink`] with no await after the return of COMMIT.
///
/// Dropped before it is finished, it closes its connection, so that neither the transaction nor its
/// locks outlive it. There are no savepoints: a transaction commits as a whole or not at all.
pub struct Tx {
    conn: Conn,
    appended: Vec<Arc<LogEntry>>,
    db: Db,
    mode: Mode,
    state: State,
    patience: Patience,
    /// Keeps the connections to the organisation's own database, after the one that is used here.
    own: Option<InUse>,
}

impl Tx {
    /// Within which its body has to end. Used by [`transaction!`](crate::transaction).
    pub fn patience(&self) -> Patience {
        self.patience
    }

    /// Notes an entry that this transaction has appended.
    pub fn note_appended(&mut self, entry: Arc<LogEntry>) {
        self.appended.push(entry);
    }

    /// Commits where `outcome` is `Ok`, else rolls back, and gives the connection back.
    pub async fn finish<T, E: From<DbError>>(mut self, outcome: Result<T, E>) -> Result<T, E> {
        match outcome {
            Ok(value) if self.mode == Mode::Read => {
                // What was read is read: how this ends changes nothing.
                self.rollback().await;
                Ok(value)
            }
            Ok(value) => {
                self.commit().await?;
                Ok(value)
            }
            Err(error) => {
                self.rollback().await;
                Err(error)
            }
        }
    }

    async fn commit(&mut self) -> Result<(), DbError> {
        let commit = match &self.conn {
            // Where a failed statement has aborted the transaction, and its failure was swallowed,
            // PostgreSQL answers COMMIT with success and rolls back. Any other statement fails there.
            Conn::Postgres(_) => "SELECT 1; COMMIT",
            Conn::Sqlite(_) => "COMMIT",
        };
        match self.execute(commit).await {
            Ok(()) => {}
            Err(DbError::Query(error)) if !error::commit_outcome_is_unknown(&error) => {
                self.rollback().await;
                // It did not outlive its failure, in whatever words it was told: nor may the answer.
                let is_lost = self.state == State::Open && matches!(self.conn, Conn::Postgres(_));
                return Err(if is_lost { DbError::OutcomeUnknown(error) } else { DbError::Query(error) });
            }
            Err(DbError::Query(error) | DbError::OutcomeUnknown(error)) => {
                return Err(DbError::OutcomeUnknown(error));
            }
            Err(DbError::Unreachable(reason) | DbError::TenantUnavailable(reason)) => {
                return Err(DbError::OutcomeUnknown(error::silence(reason)));
            }
        }
        self.state = State::Ended;
        let appended = std::mem::take(&mut self.appended);
        if !appended.is_empty()
            && let Some(sink) = self.db.sink()
        {
            sink.committed(appended);
        }
        Ok(())
    }

    /// Where even this fails, dropping the transaction closes the connection.
    async fn rollback(&mut self) {
        match self.execute("ROLLBACK").await {
            Ok(()) => self.state = State::Ended,
            Err(DbError::Query(error)) if error::has_rolled_back(&error) => self.state = State::Ended,
            Err(_) => {}
        }
    }

    async fn execute(&mut self, sql: &str) -> Result<(), DbError> {
        let executed = async {
            match &mut self.conn {
                Conn::Postgres(conn) => conn.batch_execute(sql).await,
                Conn::Sqlite(conn) => conn.batch_execute(sql).await,
            }
            .map_err(DbError::Query)
        };
        let executed = self.patience.hold(executed).await;
        if let (Some(own), Err(DbError::TenantUnavailable(reason))) = (&self.own, &executed) {
            own.tenant.failed(reason);
        }
        executed
    }
}

impl Drop for Tx {
    fn drop(&mut self) {
        if self.state == State::Open {
            self.conn.discard();
        }
    }
}

impl Deref for Tx {
    type Target = Conn;

    fn deref(&self) -> &Conn {
        &self.conn
    }
}

impl DerefMut for Tx {
    fn deref_mut(&mut self) -> &mut Conn {
        &mut self.conn
    }
}

/// Runs a body in a transaction of a scope: `transaction!(app.db.org(id), |tx| { … Ok(value) })`. It
/// commits where the body ends in `Ok`, and rolls back where it ends in `Err`.
#[macro_export]
macro_rules! transaction {
    ($scope:expr, |$tx:ident| $body:expr) => {{
        let mut owned: $crate::db::Tx = $scope.begin_write().await?;
        let patience = owned.patience();
        let $tx: &mut $crate::db::Tx = &mut owned;
        let outcome: $crate::error::Result<_> = patience.hold(async { $body }).await;
        owned.finish(outcome).await
    }};
}

/// Runs a body that only reads, from one snapshot of a scope: `read!(app.db.org(id), |conn| …)`.
#[macro_export]
macro_rules! read {
    ($scope:expr, |$conn:ident| $body:expr) => {{
        let mut owned: $crate::db::Tx = $scope.begin_read().await?;
        let patience = owned.patience();
        let $conn: &mut $crate::db::Conn = &mut owned;
        let outcome: $crate::error::Result<_> = patience.hold(async { $body }).await;
        owned.finish(outcome).await
    }};
}
