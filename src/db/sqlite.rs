//! The embedded database: a few readers, and one writer that everybody takes turns with.

use std::fs::File;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use diesel::sqlite::SqliteConnection;
use diesel::{Connection as _, ConnectionError, ConnectionResult};
use diesel_async::pooled_connection::deadpool::Pool;
use diesel_async::pooled_connection::{AsyncDieselConnectionManager, ManagerConfig, RecyclingMethod};
use futures_util::FutureExt as _;
use tokio::sync::Mutex;

use super::conn::AsyncSqlite;
use super::{DbError, SqliteConn, replace};

/// Readers beside the writer. SQLite reads are short: these are two more than the hub may hold for its rooms.
const READERS: usize = 6;

/// How long a caller waits for a reader, or for its turn with the writer.
const LEASE_TIMEOUT: Duration = Duration::from_secs(5);

/// What every connection is set to. A commit is on the disk when it returns (`FULL`).
const PRAGMAS: &str = "PRAGMA busy_timeout = 5000;
    PRAGMA journal_mode = WAL;
    PRAGMA synchronous = FULL;
    PRAGMA foreign_keys = ON;
    PRAGMA cache_size = -16384;
    PRAGMA journal_size_limit = 67108864;";

/// Between processes SQLite has no queue: who waits looks again and again, and a busy hub is seldom between
/// two transactions. A command beside it has the time.
const PATIENCE: &str = "PRAGMA busy_timeout = 30000;";

/// How a process uses a SQLite file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Claim {
    /// As the one hub on it. It makes the file where there is none.
    Alone,
    /// Beside the hub that may be running on it.
    Beside,
}

/// The pools of one SQLite file, locked as claimed for as long as they live.
pub(super) struct Sqlite {
    path: PathBuf,
    /// What connections are opened by.
    url: String,
    claim: Claim,
    readers: Pool<AsyncSqlite>,
    /// A fair queue: batches of the log and transactions of requests take turns in it. Empty after a
    /// connection was discarded; the next turn opens another.
    writer: Arc<Mutex<Option<AsyncSqlite>>>,
    /// Of the main file, which stands for those of organisations, too.
    lock: Option<replace::Lock>,
}

impl Sqlite {
    pub(super) async fn open(path: &Path, claim: Claim) -> anyhow::Result<Self> {
        let lock = match claim {
            Claim::Alone => {
                replace::make_folder(path)?;
                let lock = replace::lock_alone(path)?;
                replace::finish(path)?;
                // SQLite gives its other files the mode of this one.
                let made = File::options().create(true).truncate(false).write(true).mode(0o600).open(path);
                made.with_context(|| format!("cannot write {}", path.display()))?;
                lock
            }
            Claim::Beside => replace::lock_as_guest(path)?,
        };
        let url = path.to_str().context("the path of the database must be UTF-8")?.to_owned();
        let writer = connect(url.clone(), claim).await?;
        let mut sqlite = Self::with_readers(path, url, claim, READERS)?;
        sqlite.writer = Arc::new(Mutex::new(Some(writer)));
        sqlite.lock = Some(lock);
        Ok(sqlite)
    }

    fn with_readers(path: &Path, url: String, claim: Claim, readers: usize) -> anyhow::Result<Self> {
        let mut config = ManagerConfig::default();
        // There is no server that could have gone: asking first whether it lives would be a statement more a read.
        config.recycling_method = RecyclingMethod::Fast;
        config.custom_setup = Box::new(move |url| connect(url.to_owned(), claim).boxed());
        let manager = AsyncDieselConnectionManager::new_with_config(url.as_str(), config);
        let readers = Pool::builder(manager)
            .max_size(readers)
            .wait_timeout(Some(LEASE_TIMEOUT))
            .runtime(deadpool::Runtime::Tokio1)
            .build()?;
        Ok(Self { path: path.to_owned(), url, claim, readers, writer: Arc::default(), lock: None })
    }

    /// The file of an organisation, which exists. It is opened when it is used.
    pub(super) fn of_tenant(&self, name: &str, readers: usize) -> anyhow::Result<Self> {
        let path = self.tenant_path(name);
        let url = existing(&path);
        Self::with_readers(&path, url, self.claim, readers)
    }

    /// Where the file of an organisation is: in a folder beside the main one.
    pub(super) fn tenant_path(&self, name: &str) -> PathBuf {
        tenant_folder(&self.path).join(format!("{name}.db"))
    }

    /// Makes an empty file for an organisation, readable by its owner alone, in a folder that is.
    pub(super) fn create_tenant_file(path: &Path) -> anyhow::Result<()> {
        replace::make_folder(path)?;
        let made = File::options().create(true).truncate(false).write(true).mode(0o600).open(path);
        made.with_context(|| format!("cannot write {}", path.display()))?;
        replace::sync_folder(path)
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
            let fresh = connect(self.url.clone(), self.claim).await;
            let fresh = fresh.map_err(|error| DbError::Unreachable(error.to_string()))?;
            *guard = Some(fresh);
        }
        Ok(SqliteConn::writer(guard))
    }

    /// Whether somebody has the writer, or all readers.
    pub(super) fn are_all_in_use(&self) -> bool {
        let readers = self.readers.status();
        self.writer.try_lock().is_err() || (readers.available == 0 && readers.size >= readers.max_size)
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

/// A URL by which SQLite opens a file, and makes none where there is none.
fn existing(path: &Path) -> String {
    let path = path.to_string_lossy().replace('%', "%25").replace('?', "%3f").replace('#', "%23");
    format!("file:{path}?mode=rw")
}

/// The folder of the files of organisations that are apart, beside the main file.
pub(super) fn tenant_folder(path: &Path) -> PathBuf {
    replace::with_suffix(path, ".tenants")
}

async fn connect(url: String, claim: Claim) -> ConnectionResult<AsyncSqlite> {
    let opened = tokio::task::spawn_blocking(move || {
        let mut conn = SqliteConnection::establish(&url)?;
        let patience = if claim == Claim::Beside { PATIENCE } else { "" };
        diesel::connection::SimpleConnection::batch_execute(&mut conn, &format!("{PRAGMAS}{patience}"))
            .map_err(ConnectionError::CouldntSetupConfiguration)?;
        Ok::<_, ConnectionError>(conn)
    });
    let conn = opened.await.map_err(|error| ConnectionError::BadConnection(error.to_string()))??;
    Ok(AsyncSqlite::new(conn))
}
