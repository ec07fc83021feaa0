//! Scopes, and the transactions that they open.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::future::poll_fn;
use std::ops::{Deref, DerefMut};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use diesel::QueryResult;
use diesel::result::Error as QueryError;
use diesel_async::{AsyncPgConnection, SimpleAsyncConnection as _};
use metrics::counter;
use tokio::time::Instant;

use super::postgres::{LEASE_TIMEOUT, LIFE_TIMEOUT};
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

/// A last statement, which PostgreSQL is sent together with the COMMIT.
///
/// On PostgreSQL it is one statement that stays prepared, and it sets `roomcast.written` to 1 until its transaction
/// ends. The COMMIT that goes with it fails without that: one that overtakes its statement, as it would where the
/// statement has to be prepared first, commits nothing.
pub trait Last: Send {
    /// Names its statement among others.
    const NAME: &'static str;

    /// Has PostgreSQL execute it.
    fn on_postgres(self, conn: &AsyncPgConnection) -> impl Future<Output = QueryResult<()>> + Send;

    /// Has SQLite execute it.
    fn on_sqlite(self, conn: &mut AsyncSqlite) -> impl Future<Output = QueryResult<()>> + Send;
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
        Ok(Box::pin(self.begin(Mode::Read, ())).await?.0)
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
            match tx.open(&self.opening(&ground, mode), &first).await {
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
        let patience = Patience::with(&conn, own.as_ref());
        Ok(Tx { conn, appended: Vec::new(), db: self.db.clone(), mode, state: State::Open, patience, own })
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

/// Sends a statement that this connection has prepared and its COMMIT, without an answer in between. What becomes of the
/// statement is left in `failed`; what becomes of the transaction is what the COMMIT says.
async fn commit_together<L: Last>(
    conn: &AsyncPgConnection,
    last: L,
    failed: &mut Option<QueryError>,
) -> Result<(), DbError> {
    let mut commit = conn;
    let mut commit = pin!(commit.batch_execute("SELECT current_setting('roomcast.written')::int; COMMIT"));
    let mut last = pin!(last.on_postgres(conn));
    let mut is_done = false;
    let together = poll_fn(|cx| {
        // First, so that it is sent first.
        if !is_done && let Poll::Ready(done) = last.as_mut().poll(cx) {
            is_done = true;
            *failed = done.err();
        }
        commit.as_mut().poll(cx)
    });
    // A task that has had its share of work would be told to come back before the statement is sent.
    Ok(tokio::task::coop::unconstrained(together).await?)
}

async fn lease(pools: &Pools, mode: Mode, until: Instant) -> Result<Conn, DbError> {
    Ok(match (pools, mode) {
        (Pools::Postgres(postgres), _) => Conn::Postgres(postgres.lease(until).await?),
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

    /// Commits after a last statement where `outcome` has one, commits where it has none, else rolls back, and gives
    /// the connection back.
    pub async fn finish_with<L: Last, E: From<DbError>>(
        mut self,
        outcome: Result<Option<L>, E>,
    ) -> Result<(), E> {
        match outcome {
            Ok(Some(last)) => Ok(self.commit_with(last).await?),
            Ok(None) => Ok(self.commit().await?),
            Err(error) => {
                self.rollback().await;
                Err(error)
            }
        }
    }

    /// Opens it on its connection, which shows so that it lives.
    async fn open<A: Ask>(&mut self, opening: &str, first: &A) -> Result<A::Answer, Unopened> {
        let asked = async {
            match &mut self.conn {
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
                    // In this order they are sent and answered.
                    tokio::try_join!(biased; opened, asked).map(|((), answer)| answer)
                }
                Conn::Sqlite(conn) => {
                    conn.batch_execute(opening).await?;
                    Ok(first.on_sqlite(conn).await?)
                }
            }
        };
        self.patience.hold(asked).await
    }

    async fn commit(&mut self) -> Result<(), DbError> {
        let commit = match &self.conn {
            // Where a failed statement has aborted the transaction, and its failure was swallowed,
            // PostgreSQL answers COMMIT with success and rolls back. Any other statement fails there.
            Conn::Postgres(_) => "SELECT 1; COMMIT",
            Conn::Sqlite(_) => "COMMIT",
        };
        let committed = self.execute(commit).await;
        self.end(committed, None).await
    }

    async fn commit_with<L: Last>(&mut self, last: L) -> Result<(), DbError> {
        let patience = self.patience;
        let executed = match &mut self.conn {
            Conn::Postgres(conn) if conn.knows(L::NAME) => {
                let mut failed = None;
                let committed = patience.hold(commit_together(conn, last, &mut failed)).await;
                self.note_silence(&committed);
                return self.end(committed, failed).await;
            }
            Conn::Postgres(conn) => {
                let executed = async { last.on_postgres(conn).await.map_err(DbError::Query) };
                let executed = patience.hold(executed).await;
                if executed.is_ok() {
                    conn.learn(L::NAME);
                }
                executed
            }
            Conn::Sqlite(conn) => last.on_sqlite(conn).await.map_err(DbError::Query),
        };
        if executed.is_err() {
            self.rollback().await;
            return executed;
        }
        self.commit().await
    }

    /// What a COMMIT came to, and `failed` before it, if something did.
    async fn end(
        &mut self,
        committed: Result<(), DbError>,
        failed: Option<QueryError>,
    ) -> Result<(), DbError> {
        match committed {
            Ok(()) => {}
            Err(DbError::Query(error)) if !error::commit_outcome_is_unknown(&error) => {
                self.rollback().await;
                let error = failed.unwrap_or(error);
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
        self.note_silence(&executed);
        executed
    }

    /// An organisation's own server that does not answer is left alone for a while.
    fn note_silence(&self, executed: &Result<(), DbError>) {
        if let (Some(own), Err(DbError::TenantUnavailable(reason))) = (&self.own, executed) {
            own.tenant.failed(reason);
        }
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
