//! One connection of either kind, and the macro that expands a query once for each.

use std::ops::{Deref, DerefMut};

use deadpool::managed;
use diesel::sqlite::SqliteConnection;
use diesel_async::AsyncPgConnection;
use diesel_async::pooled_connection::deadpool::Object;
use diesel_async::sync_connection_wrapper::SyncConnectionWrapper;
use tokio::sync::OwnedMutexGuard;

use super::hop::Hop;
use super::postgres::Maker;

/// The SQLite connection as the async query methods want it.
pub type AsyncSqlite = SyncConnectionWrapper<SqliteConnection, Hop>;

/// A connection inside an open scope. Query functions take it by `&mut`.
#[expect(clippy::large_enum_variant, reason = "it is moved once a transaction, which a box would cost too")]
pub enum Conn {
    /// To a PostgreSQL server.
    Postgres(PgConn),
    /// To a SQLite file.
    Sqlite(SqliteConn),
}

/// A connection to PostgreSQL, leased from the pool.
pub struct PgConn(Option<managed::Object<Maker>>);

/// A connection to SQLite: one of the readers, or the writer for as long as its turn lasts.
pub struct SqliteConn(SqliteLease);

enum SqliteLease {
    Reader(Option<Object<AsyncSqlite>>),
    Writer(OwnedMutexGuard<Option<AsyncSqlite>>),
}

const LEASED: &str = "a lease is emptied only by discard, after which nobody uses it";

impl PgConn {
    pub(super) fn new(object: managed::Object<Maker>) -> Self {
        Self(Some(object))
    }

    /// Whether it has lain in the pool, where it may have died unseen.
    pub(super) fn has_lain(&self) -> bool {
        managed::Object::metrics(self.leased()).recycle_count > 0
    }

    /// Whether it has this statement prepared.
    pub(super) fn knows(&self, statement: &'static str) -> bool {
        self.leased().known.contains(&statement)
    }

    /// It has prepared this statement.
    pub(super) fn learn(&mut self, statement: &'static str) {
        let leased = self.0.as_mut().expect(LEASED);
        if !leased.known.contains(&statement) {
            leased.known.push(statement);
        }
    }

    fn leased(&self) -> &managed::Object<Maker> {
        self.0.as_ref().expect(LEASED)
    }
}

impl SqliteConn {
    pub(super) fn reader(object: Object<AsyncSqlite>) -> Self {
        Self(SqliteLease::Reader(Some(object)))
    }

    /// `guard` holds an open connection.
    pub(super) fn writer(guard: OwnedMutexGuard<Option<AsyncSqlite>>) -> Self {
        Self(SqliteLease::Writer(guard))
    }
}

impl Conn {
    /// Closes the connection instead of giving it back: its state is unknown, and a transaction that is
    /// open on it ends with it.
    pub(super) fn discard(&mut self) {
        match self {
            Self::Postgres(PgConn(object)) => drop(object.take().map(managed::Object::take)),
            Self::Sqlite(SqliteConn(SqliteLease::Reader(object))) => drop(object.take().map(Object::take)),
            Self::Sqlite(SqliteConn(SqliteLease::Writer(guard))) => drop(guard.take()),
        }
    }
}

impl Deref for PgConn {
    type Target = AsyncPgConnection;

    fn deref(&self) -> &Self::Target {
        &self.leased().conn
    }
}

impl DerefMut for PgConn {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.0.as_mut().expect(LEASED).conn
    }
}

impl Deref for SqliteConn {
    type Target = AsyncSqlite;

    fn deref(&self) -> &Self::Target {
        match &self.0 {
            SqliteLease::Reader(object) => object.as_ref().expect(LEASED),
            SqliteLease::Writer(guard) => guard.as_ref().expect(LEASED),
        }
    }
}

impl DerefMut for SqliteConn {
    fn deref_mut(&mut self) -> &mut Self::Target {
        match &mut self.0 {
            SqliteLease::Reader(object) => object.as_mut().expect(LEASED),
            SqliteLease::Writer(guard) => guard.as_mut().expect(LEASED),
        }
    }
}

/// Expands a query once for each database: `with_conn!(conn, |c| users::table.load(c).await)`.
#[macro_export]
macro_rules! with_conn {
    ($conn:expr, |$c:ident| $query:expr) => {
        match $conn {
            $crate::db::Conn::Postgres(lease) => {
                let $c: &mut diesel_async::AsyncPgConnection = lease;
                $query
            }
            $crate::db::Conn::Sqlite(lease) => {
                let $c: &mut $crate::db::AsyncSqlite = lease;
                $query
            }
        }
    };
}
