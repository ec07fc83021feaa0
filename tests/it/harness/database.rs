//! A database for each test: fresh, migrated, its own, and gone afterwards.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use roomcast::db::{DatabaseUrl, Db};
use tempfile::TempDir;
use tokio::sync::{Mutex, OnceCell};

/// Connections of a test's pool. Few, because many tests share one server.
const MAX_CONNECTIONS: usize = 10;

/// What an earlier run may have left behind is deleted when it is this old.
const STALE_AFTER: Duration = Duration::from_hours(1);

/// A database that belongs to one test. Which kind it is says `ROOMCAST_TEST_DATABASE`.
pub(crate) struct TestDatabase {
    /// Before `place`: what is open in a folder is closed before that is deleted.
    db: OnceCell<Db>,
    place: Place,
}

enum Place {
    Sqlite(TempDir),
    Postgres(PostgresDatabase),
}

impl TestDatabase {
    /// Makes one. It is not opened yet, so that a server under test can be the one to open it.
    pub(crate) async fn create() -> Self {
        let place = match variable("ROOMCAST_TEST_DATABASE").as_deref() {
            None | Some("sqlite") => {
                let folder = tempfile::tempdir().unwrap();
                let db = open(&sqlite_url(&folder)).await;
                db.migrate().await.unwrap();
                Place::Sqlite(folder)
            }
            Some("postgres") => Place::Postgres(PostgresDatabase::create().await),
            Some(other) => panic!("ROOMCAST_TEST_DATABASE is sqlite or postgres, not {other}"),
        };
        Self { db: OnceCell::new(), place }
    }

    /// Makes one for a test of what only PostgreSQL does; `None` where the tests run on SQLite.
    pub(crate) async fn create_on_postgres() -> Option<Self> {
        let database = Self::create().await;
        matches!(database.place, Place::Postgres(_)).then_some(database)
    }

    /// Where it is.
    pub(crate) fn url(&self) -> DatabaseUrl {
        match &self.place {
            Place::Sqlite(folder) => sqlite_url(folder),
            Place::Postgres(database) => DatabaseUrl::Postgres(database.url.clone()),
        }
    }

    /// Where it is, as `DATABASE_URL` says it.
    pub(crate) fn url_text(&self) -> String {
        match self.url() {
            DatabaseUrl::Postgres(url) => url,
            DatabaseUrl::Sqlite(path) => format!("sqlite:{}", path.display()),
        }
    }

    /// Opened: the first time it is asked for, and then the same one.
    pub(crate) async fn db(&self) -> Db {
        let url = self.url();
        self.db.get_or_init(|| open(&url)).await.clone()
    }

    /// Opened for as long as it is held: nobody else opens a file of SQLite's meanwhile.
    pub(crate) async fn opened(&self) -> Db {
        open(&self.url()).await
    }

    /// Opened by so many nodes, each with a pool of its own. SQLite takes one only.
    pub(crate) async fn nodes(&self, count: usize) -> Vec<Db> {
        let mut nodes = vec![self.db().await];
        if matches!(self.place, Place::Postgres(_)) {
            for _ in 1..count {
                nodes.push(open(&self.url()).await);
            }
        }
        nodes
    }
}

async fn open(url: &DatabaseUrl) -> Db {
    Db::open(url, MAX_CONNECTIONS).await.unwrap()
}

fn sqlite_url(folder: &TempDir) -> DatabaseUrl {
    DatabaseUrl::Sqlite(folder.path().join("roomcast.db"))
}

#[expect(clippy::disallowed_methods, reason = "the tests have no configuration but these variables")]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// A database on the server of `ROOMCAST_TEST_POSTGRES_URL`, which is dropped with it.
struct PostgresDatabase {
    name: String,
    url: String,
}

/// The migrated database that all others of this process are copies of. The lock also keeps copies
/// from being made at the same time.
static TEMPLATE: Mutex<Option<String>> = Mutex::const_new(None);

static CREATED: AtomicU32 = AtomicU32::new(0);

impl PostgresDatabase {
    async fn create() -> Self {
        let server = server_url();
        let name = format!("{}_{}", prefix(), CREATED.fetch_add(1, Ordering::Relaxed));
        let mut template = TEMPLATE.lock().await;
        if template.is_none() {
            *template = Some(create_template(&server).await);
        }
        let template_name = template.as_deref().unwrap();
        administer(&server, &format!("CREATE DATABASE {name} TEMPLATE {template_name}")).await;
        let database = Self { url: with_database(&server, &name), name };
        // The role that the hub works under is not the template's.
        open(&DatabaseUrl::Postgres(database.url.clone())).await.migrate().await.unwrap();
        database
    }
}

impl Drop for PostgresDatabase {
    fn drop(&mut self) {
        // On a thread of its own, because the test's runtime is where this blocks.
        let (name, url) = (self.name.clone(), self.url.clone());
        let dropping = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let client = connect(&server_url()).await;
                // First these: they name the role, which goes with the other.
                for tenant in list_tenants(&url).await {
                    client
                        .batch_execute(&format!("DROP DATABASE IF EXISTS {tenant} WITH (FORCE)"))
                        .await
                        .unwrap();
                }
                drop_database(&client, &name).await;
            });
        });
        let dropped = dropping.join().is_ok();
        assert!(dropped || std::thread::panicking(), "{} could not be dropped", self.name);
    }
}

/// The databases of organisations that the directory in this one names.
async fn list_tenants(url: &str) -> Vec<String> {
    // A test may have taken the directory away.
    let query =
        "SELECT location FROM central.organisations WHERE isolation = 'DATABASE' AND location IS NOT NULL";
    let rows = connect(url).await.query(query, &[]).await.unwrap_or_default();
    rows.iter().map(|row| row.get(0)).collect()
}

fn server_url() -> String {
    variable("ROOMCAST_TEST_POSTGRES_URL")
        .expect("ROOMCAST_TEST_POSTGRES_URL names a superuser's URL; scripts/with-services sets it")
}

/// Names say when they were made, so that a later run knows what is stale.
fn prefix() -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    format!("roomcast_test_{}_{}", now.as_secs(), std::process::id())
}

async fn create_template(server: &str) -> String {
    drop_stale(server).await;
    let name = format!("{}_template", prefix());
    administer(server, &format!("CREATE DATABASE {name}")).await;
    let db = open(&DatabaseUrl::Postgres(with_database(server, &name))).await;
    db.migrate().await.unwrap();
    drop(db);
    // A database that somebody is connected to is not copied, and connections close in the background.
    let end =
        format!("SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE datname = '{name}'");
    administer(server, &end).await;
    name
}

/// A run that was killed could not drop its databases, and no run drops its template.
async fn drop_stale(server: &str) {
    let client = connect(server).await;
    let names = "SELECT datname FROM pg_database WHERE datname LIKE 'roomcast\\_%'";
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    for row in client.query(names, &[]).await.unwrap() {
        let name: String = row.get(0);
        let made_at = match name.split('_').nth(2) {
            Some(secs) => secs.parse().ok(),
            // An organisation's own: its id begins with when it was made.
            None => name
                .split('_')
                .nth(1)
                .and_then(|id| Some(u64::from_str_radix(id.get(..12)?, 16).ok()? / 1000)),
        };
        if made_at.is_some_and(|secs| Duration::from_secs(secs) + STALE_AFTER < now) {
            drop_database(&client, &name).await;
        }
    }
}

/// Drops a database, and the role that hubs worked under there.
async fn drop_database(client: &tokio_postgres::Client, name: &str) {
    client.batch_execute(&format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")).await.unwrap();
    // A template's role is named in its copies as long as there are any: a later run drops it.
    drop(client.batch_execute(&format!("DROP ROLE IF EXISTS roomcast_hub_{name}")).await);
}

async fn administer(server: &str, sql: &str) {
    connect(server).await.batch_execute(sql).await.unwrap();
}

async fn connect(server: &str) -> tokio_postgres::Client {
    let (client, connection) = tokio_postgres::connect(server, tokio_postgres::NoTls).await.unwrap();
    #[expect(clippy::disallowed_methods, reason = "it ends with the client, which its caller drops")]
    tokio::spawn(connection);
    client
}

/// The same server's URL for another database.
pub(crate) fn with_database(server: &str, name: &str) -> String {
    let (base, query) = server.split_once('?').map_or((server, None), |(base, query)| (base, Some(query)));
    let (scheme, rest) = base.split_once("://").unwrap();
    let authority = rest.split('/').next().unwrap();
    let query = query.map(|query| format!("?{query}")).unwrap_or_default();
    format!("{scheme}://{authority}/{name}{query}")
}
