//! Open transactions, and how they end.

use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::time::Duration;

use diesel::QueryResult;
use diesel::result::Error as QueryError;
use diesel_async::{AsyncPgConnection, SimpleAsyncConnection as _};
use tokio::time::Instant;

use super::scope::Mode;
use super::tenants::InUse;
use super::{AsyncSqlite, Conn, Db, DbError, error, pipeline};
use crate::types::LogEntry;

/// Is handed what a transaction appended to logs, right after its COMMIT returned.
pub trait CommitSink: Send + Sync {
    /// Takes the entries in the order in which they were appended. Called between two awaits of the
    /// writer, on SQLite before the next writer's turn: it must return at once.
    fn committed(&self, entries: Vec<Arc<LogEntry>>);
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
    /// On a connection on which nothing is open yet: whoever makes it opens it there.
    pub(super) fn new(db: Db, conn: Conn, mode: Mode, own: Option<InUse>) -> Self {
        let patience = Patience::with(&conn, own.as_ref());
        Self { conn, appended: Vec::new(), db, mode, state: State::Open, patience, own }
    }

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

/// Sends a statement that this connection has prepared and its COMMIT, without an answer in between. What becomes of the
/// statement is left in `failed`; what becomes of the transaction is what the COMMIT says.
async fn commit_together<L: Last>(
    conn: &AsyncPgConnection,
    last: L,
    failed: &mut Option<QueryError>,
) -> Result<(), DbError> {
    let mut commit = conn;
    let commit = commit.batch_execute("SELECT current_setting('roomcast.written')::int; COMMIT");
    // A task that has had its share of work would be told to come back before the statement is sent.
    let together = tokio::task::coop::unconstrained(pipeline::both(last.on_postgres(conn), commit));
    let (done, committed) = together.await;
    *failed = done.and_then(Result::err);
    Ok(committed?)
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
