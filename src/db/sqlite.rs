//! The embedded database: a few readers, and one writer that everybody takes turns with.

use std::fs::{DirBuilder, File, TryLockError};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use diesel::sqlite::SqliteConnection;
use diesel::{Connection as _, ConnectionError, ConnectionResult};
use diesel_async::pooled_connection::deadpool::Pool;
use diesel_async::pooled_connection::{AsyncDieselConnectionManager, ManagerConfig};
use futures_util::FutureExt as _;
use tokio::sync::Mutex;

use super::conn::AsyncSqlite;
use super::{DbError, SqliteConn};

/// Readers beside the writer. SQLite reads are short, and more than this many cores do not help them.
const READERS: usize = 4;

/// How long a caller waits for a reader, or for its turn with the writer.
const LEASE_TIMEOUT: Duration = Duration::from_secs(5);

/// What every connection is set to. A commit is on the disk when it returns (`FULL`).
const PRAGMAS: &str = "PRAGMA busy_timeout = 5000;
    PRAGMA journal_mode = WAL;
    PRAGMA synchronous = FULL;
    PRAGMA foreign_keys = ON;
    PRAGMA cache_size = -16384;
    PRAGMA journal_size_limit = 67108864;";

/// The pools of one SQLite file, locked against other processes for as long as they live.
pub(super) struct Sqlite {
    path: PathBuf,
    readers: Pool<AsyncSqlite>,
    /// A fair queue: batches of the log and transactions of requests take turns in it. Empty after a
    /// connection was discarded; the next turn opens another.
    writer: Arc<Mutex<Option<AsyncSqlite>>>,
    _lock: Lock,
}

impl Sqlite {
    pub(super) async fn open(path: &Path) -> anyhow::Result<Self> {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        if let Some(folder) = folder {
            // It holds people's emails and the hashes of their passwords.
            DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(folder)
                .with_context(|| format!("cannot create the folder {}", folder.display()))?;
        }
        let lock = lock(path)?;
        // SQLite gives its other files the mode of this one.
        let made = File::options().create(true).truncate(false).write(true).mode(0o600).open(path);
        made.with_context(|| format!("cannot write {}", path.display()))?;
        let url = path.to_str().context("the path of the database must be UTF-8")?.to_owned();
        let writer = connect(url.clone()).await?;
        let mut config = ManagerConfig::default();
        config.custom_setup = Box::new(|url| connect(url.to_owned()).boxed());
        let manager = AsyncDieselConnectionManager::new_with_config(url, config);
        let readers = Pool::builder(manager)
            .max_size(READERS)
            .wait_timeout(Some(LEASE_TIMEOUT))
            .runtime(deadpool::Runtime::Tokio1)
            .build()?;
        Ok(Self { path: path.to_owned(), readers, writer: Arc::new(Mutex::new(Some(writer))), _lock: lock })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) async fn lease_reader(&self) -> Result<SqliteConn, DbError> {
        let object = self.readers.get().await.map_err(|error| DbError::Unreachable(error.to_string()))?;
        Ok(SqliteConn::reader(object))
    }

    pub(super) async fn lease_writer(&self) -> Result<SqliteConn, DbError> {
        let turn = tokio::time::timeout(LEASE_TIMEOUT, Arc::clone(&self.writer).lock_owned()).await;
        let mut guard = turn.map_err(|_| DbError::Unreachable("the disk is too slow".to_owned()))?;
        if guard.is_none() {
            let url = self.path.to_string_lossy().into_owned();
            let fresh = connect(url).await.map_err(|error| DbError::Unreachable(error.to_string()))?;
            *guard = Some(fresh);
        }
        Ok(SqliteConn::writer(guard))
    }

    /// A connection of its own, outside pool and queue, with foreign keys off: for migrations.
    pub(super) fn connect_for_migrations(path: &Path) -> anyhow::Result<SqliteConnection> {
        let mut conn = SqliteConnection::establish(&path.to_string_lossy())?;
        diesel::connection::SimpleConnection::batch_execute(&mut conn, PRAGMAS)?;
        // Inside a migration's transaction this pragma would do nothing, and dropping a table would
        // then empty those that refer to it.
        diesel::connection::SimpleConnection::batch_execute(&mut conn, "PRAGMA foreign_keys = OFF")?;
        Ok(conn)
    }
}

/// Says which process owns the database. The system gives it up for a process that crashes.
struct Lock(File);

impl Drop for Lock {
    /// Gives it up by name: a process that was being started just now has a copy of the handle for a moment, and
    /// closing ours alone would leave the lock to that.
    fn drop(&mut self) {
        if let Err(error) = self.0.unlock() {
            tracing::debug!(%error, "the lock of the database goes with its file handle alone");
        }
    }
}

/// Takes the lock.
fn lock(path: &Path) -> anyhow::Result<Lock> {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    let name = PathBuf::from(name);
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(0o600)
        .open(&name)
        .with_context(|| format!("cannot open the lock file {}", name.display()))?;
    match file.try_lock() {
        Ok(()) => Ok(Lock(file)),
        Err(TryLockError::WouldBlock) => bail!(
            "another process uses this database (it holds {}); stop it, or give this one another \
             ROOMCAST_DATA_DIR",
            name.display()
        ),
        Err(TryLockError::Error(error)) => {
            Err(error).with_context(|| format!("cannot lock {}", name.display()))
        }
    }
}

async fn connect(url: String) -> ConnectionResult<AsyncSqlite> {
    let opened = tokio::task::spawn_blocking(move || {
        let mut conn = SqliteConnection::establish(&url)?;
        diesel::connection::SimpleConnection::batch_execute(&mut conn, PRAGMAS)
            .map_err(ConnectionError::CouldntSetupConfiguration)?;
        Ok::<_, ConnectionError>(conn)
    });
    let conn = opened.await.map_err(|error| ConnectionError::BadConnection(error.to_string()))??;
    Ok(AsyncSqlite::new(conn))
}
