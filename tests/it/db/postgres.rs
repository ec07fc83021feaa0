//! Reaching PostgreSQL: a server that is not up yet, TLS, and the language in which it says what is wrong.

use std::io::Write as _;

use diesel::{QueryResult, QueryableByName, sql_query};
use diesel_async::{AsyncPgConnection, RunQueryDsl as _};
use roomcast::db::{AsyncSqlite, DatabaseUrl, Db, DbError, Last};
use roomcast::error::Result;
use roomcast::{read, with_conn};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};

use crate::harness::app::SIGNING_KEY;
use crate::harness::environment::{not_run, postgres, variable};
use crate::harness::{Child, PASSWORD, TestDatabase};

/// `host:port` of a URL.
fn address(url: &str) -> &str {
    let authority = url.split_once("://").unwrap().1.split(['/', '?']).next().unwrap();
    authority.rsplit_once('@').map_or(authority, |(_, address)| address)
}

fn environment(url: &str) -> [(&str, &str); 4] {
    [("DATABASE_URL", url), ("JWT_ACCESS_SECRET", SIGNING_KEY), ("PORT", "0"), ("RUST_LOG", "info")]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_not_up_yet_is_waited_for() {
    let Some(database) = TestDatabase::create_on_postgres().await else {
        return not_run("the tests run on SQLite");
    };
    let url = database.url_text();
    let server = address(&url).to_owned();
    // A port that is ours, and that nobody listens on until the program has tried it.
    let held = tokio::net::TcpSocket::new_v4().unwrap();
    held.set_reuseaddr(true).unwrap();
    held.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let port = held.local_addr().unwrap();
    let through = url.replace(&server, &port.to_string());
    let mut child = Child::start(&[], &environment(&through));
    child.expect_output("not up yet").await;
    let listener: TcpListener = held.listen(16).unwrap();
    #[expect(clippy::disallowed_methods, reason = "it ends with the test's runtime")]
    let proxy = tokio::spawn(async move {
        loop {
            let (mut here, _) = listener.accept().await.unwrap();
            let mut there = TcpStream::connect(&server).await.unwrap();
            #[expect(clippy::disallowed_methods, reason = "it ends with the test's runtime")]
            tokio::spawn(async move { copy_bidirectional(&mut here, &mut there).await.ok() });
        }
    });
    let client = child.listening().await;
    client.register("Acme", "Ana", "ana@example.com", PASSWORD).await;
    let output = child.stop().await;
    proxy.abort();
    let password = through.split_once(':').unwrap().1.split_once(':').unwrap().1.split_once('@').unwrap().0;
    assert!(!output.contains(password), "{output}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_refuses_is_not_waited_for() {
    let Some(database) = TestDatabase::create_on_postgres().await else {
        return not_run("the tests run on SQLite");
    };
    let url = database.url_text();
    let (before, name) = url.rsplit_once('/').unwrap();
    let missing = format!("{before}/no_such_database_{}", name.len());
    let (status, output) = Child::start(&[], &environment(&missing)).ended().await;
    assert!(!status.success());
    assert!(output.contains("DATABASE_URL") && output.contains("does not exist"), "{output}");
    assert!(!output.contains("not up yet"), "{output}");
}

/// What the server's connections are protected with, as itself sees it.
async fn expect_tls(url: &str) {
    let mut child = Child::start(&[], &environment(url));
    let client = child.listening().await;
    client.register("Acme", "Ana", "ana@example.com", PASSWORD).await;
    child.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_is_as_strict_as_the_url_asks() {
    let authority = variable("ROOMCAST_TEST_POSTGRES_CA");
    let (Some(database), Some(authority)) = (TestDatabase::create_on_postgres().await, authority) else {
        return not_run("there is no PostgreSQL with TLS: ROOMCAST_TEST_POSTGRES_CA");
    };
    let url = database.url_text();
    let joint = if url.contains('?') { '&' } else { '?' };
    expect_tls(&format!("{url}{joint}sslmode=require")).await;

    // The certificate is for this name and this address.
    let verified = format!("{url}{joint}sslmode=verify-full&sslrootcert={authority}");
    let by_name = verified.replace("@127.0.0.1:", "@localhost:");
    for url in [&verified, &by_name] {
        let mut child = Child::start(&[], &environment(url));
        child.listening().await;
        child.stop().await;
    }

    // Another authority, though a proper one.
    let folder = tempfile::tempdir().unwrap();
    let other = folder.path().join("other.crt");
    let made = std::process::Command::new("openssl")
        .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"])
        .args(["-days", "1", "-subj", "/CN=Somebody else", "-keyout", "/dev/null", "-out"])
        .arg(&other)
        .output()
        .unwrap();
    assert!(made.status.success());
    for mode in ["verify-full", "verify-ca"] {
        let wrong = format!("{url}{joint}sslmode={mode}&sslrootcert={}", other.display());
        let child = Child::start(&[], &environment(&wrong));
        child.expect_output("certificate").await;
        assert!(!child.output().contains("listening on"), "{}", child.output());
    }
    // A file that holds no certificate is refused in a sentence.
    let empty = folder.path().join("empty.crt");
    std::fs::File::create(&empty).unwrap().write_all(b"nothing").unwrap();
    let nothing = format!("{url}{joint}sslmode=verify-full&sslrootcert={}", empty.display());
    let child = Child::start(&[], &environment(&nothing));
    child.expect_output("").await;
    let missing = format!("{url}{joint}sslmode=verify-full&sslrootcert={}/nope", folder.path().display());
    let (status, output) = Child::start(&[], &environment(&missing)).ended().await;
    assert!(!status.success() && output.contains("sslrootcert"), "{output}");
}

#[tokio::test(flavor = "multi_thread")]
async fn sslmode_require_really_encrypts() {
    let (Some(database), Some(_)) =
        (TestDatabase::create_on_postgres().await, variable("ROOMCAST_TEST_POSTGRES_CA"))
    else {
        return not_run("there is no PostgreSQL with TLS: ROOMCAST_TEST_POSTGRES_CA");
    };
    let url = database.url_text();
    let joint = if url.contains('?') { '&' } else { '?' };
    let tls = format!("{url}{joint}sslmode=require");
    let mut child = Child::start(&[], &environment(&tls));
    let server = child.listening().await;
    // Opens what the pool then keeps.
    server.register("Acme", "Ana", "ana@example.com", PASSWORD).await;
    let client = postgres(&url).await;
    let query = "SELECT count(*) FILTER (WHERE s.ssl), count(*) FROM pg_stat_ssl s JOIN pg_stat_activity a USING (pid)
        WHERE a.datname = current_database() AND a.pid <> pg_backend_pid()";
    let row = client.query_one(query, &[]).await.unwrap();
    let (encrypted, all): (i64, i64) = (row.get(0), row.get(1));
    assert!(all > 0);
    assert_eq!(encrypted, all);
    child.stop().await;
}

/// The language of a connection of the hub's.
async fn language(url: &str) -> Result<String> {
    #[derive(QueryableByName)]
    struct Setting {
        #[diesel(sql_type = diesel::sql_types::Text)]
        language: String,
    }

    let db = Db::open(&DatabaseUrl::Postgres(url.to_owned()), 2).await.unwrap();
    read!(db.central(), |conn| {
        let query = sql_query("SELECT current_setting('lc_messages') AS language");
        let setting: Setting = with_conn!(conn, |c| query.get_result(c).await)?;
        Ok(setting.language)
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_are_told_in_english_where_the_server_lets_us_choose() {
    let Some(database) = TestDatabase::create_on_postgres().await else {
        return not_run("the tests run on SQLite");
    };
    let url = database.url_text();
    let superuser = postgres(&url).await;
    let name: String = superuser.query_one("SELECT current_database()", &[]).await.unwrap().get(0);
    superuser.batch_execute(&format!("ALTER DATABASE {name} SET lc_messages TO 'C.UTF-8'")).await.unwrap();
    assert_eq!(language(&url).await.unwrap(), "C");

    // Most may not choose; they are let in all the same.
    let role = format!("{name}_nobody");
    let create = format!("CREATE ROLE {role} LOGIN PASSWORD 'a-password-of-nobody'");
    superuser.batch_execute(&format!("{create}; GRANT roomcast_hub_{name} TO {role}")).await.unwrap();
    let (_, server) = url.rsplit_once('@').unwrap();
    let language = language(&format!("postgres://{role}:a-password-of-nobody@{server}")).await;
    superuser.batch_execute(&format!("DROP ROLE {role}")).await.unwrap();
    assert_eq!(language.unwrap(), "C.UTF-8");
}

async fn count_settings(database: &TestDatabase) -> Result<i64> {
    #[derive(QueryableByName)]
    struct Count {
        #[diesel(sql_type = diesel::sql_types::BigInt)]
        count: i64,
    }

    let db = database.db().await;
    read!(db.orgs(Vec::new()), |conn| {
        let query = sql_query("SELECT count(*) AS count FROM settings");
        Ok(with_conn!(conn, |c| query.get_result::<Count>(c).await)?.count)
    })
}

/// The janitor's last chunk is one, and so was its end on PostgreSQL.
#[tokio::test(flavor = "multi_thread")]
async fn the_store_of_no_organisation_is_still_a_store() {
    let database = TestDatabase::create().await;
    assert_eq!(count_settings(&database).await.unwrap(), 0);
}

/// What the plans are called. Its statement is prepared anew each time, as it must not be where it goes with its COMMIT.
struct Rename(&'static str);

impl Last for Rename {
    const NAME: &'static str = "rename";

    async fn on_postgres(self, mut conn: &AsyncPgConnection) -> QueryResult<()> {
        let statement = format!(
            "UPDATE plans SET name = '{}' RETURNING set_config('roomcast.written', '1', true)",
            self.0
        );
        sql_query(statement).execute(&mut conn).await?;
        Ok(())
    }

    async fn on_sqlite(self, _: &mut AsyncSqlite) -> QueryResult<()> {
        unreachable!("the test is about PostgreSQL")
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_that_overtakes_its_statement_commits_nothing() {
    #[derive(QueryableByName)]
    struct Name {
        #[diesel(sql_type = diesel::sql_types::Text)]
        name: String,
    }

    let Some(database) = TestDatabase::create_on_postgres().await else {
        return not_run("the tests run on SQLite");
    };
    let db = Db::open(&database.url(), 1).await.unwrap();
    let rename = async |name| {
        db.central().begin_write().await.unwrap().finish_with::<_, DbError>(Ok(Some(Rename(name)))).await
    };
    let name = async || -> Result<String> {
        read!(db.central(), |conn| {
            let query = sql_query("SELECT name FROM plans LIMIT 1");
            Ok(with_conn!(conn, |c| query.get_result::<Name>(c).await)?.name)
        })
    };
    // A connection that is not known to have prepared it gets the COMMIT after its answer.
    rename("one").await.unwrap();
    assert_eq!(name().await.unwrap(), "one");
    let error = rename("two").await.unwrap_err();
    assert!(matches!(error, DbError::Query(_)), "{error:?}");
    assert_eq!(name().await.unwrap(), "one");
}

/// Ends the connections of everybody else; how many.
async fn end_others(superuser: &tokio_postgres::Client) -> u64 {
    const KILL: &str = "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity
        WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()";
    superuser.execute(KILL, &[]).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_that_died_in_the_pool_are_replaced() {
    let Some(database) = TestDatabase::create_on_postgres().await else {
        return not_run("the tests run on SQLite");
    };
    let db = Db::open(&database.url(), 4).await.unwrap();
    let superuser = postgres(&database.url_text()).await;
    for _ in 0..5 {
        // So many lie in the pool from here on.
        futures_util::future::try_join_all((0..4).map(|_| db.ping())).await.unwrap();
        assert_ne!(end_others(&superuser).await, 0);
        db.ping().await.unwrap();
    }
}

/// What makes the indexes of the migration `2026-11-21-000300` beforehand, statement by statement.
fn documented_indexes() -> Vec<String> {
    let page = include_str!("../../../docs/operations.md");
    let (_, after) = page.split_once("### With a long log on PostgreSQL").unwrap();
    let (_, after) = after.split_once("```sql\n").unwrap();
    let (statements, _) = after.split_once("```").unwrap();
    statements.trim().split_terminator(';').map(str::to_owned).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn indexes_can_be_made_before_an_upgrade_as_it_is_documented() {
    const UNDO: &str =
        include_str!("../../../migrations/postgres/tenant/2026-11-21-000300_feed_indexes/down.sql");
    const INDEXES: &str = "SELECT indexdef FROM pg_indexes WHERE schemaname = 'shared' ORDER BY 1";
    let Some(database) = TestDatabase::create_on_postgres().await else {
        return not_run("the tests run on SQLite");
    };
    let superuser = postgres(&database.url_text()).await;
    let indexes = async || -> Vec<String> {
        superuser.query(INDEXES, &[]).await.unwrap().iter().map(|row| row.get(0)).collect()
    };
    let migrated = indexes().await;
    superuser.batch_execute(&format!("SET search_path TO shared; {UNDO}")).await.unwrap();
    let forget = "DELETE FROM shared.__diesel_schema_migrations WHERE version = '20261121000300'";
    superuser.batch_execute(forget).await.unwrap();
    assert_ne!(indexes().await, migrated);

    for statement in documented_indexes() {
        superuser.batch_execute(&statement).await.unwrap();
    }
    assert_eq!(indexes().await, migrated);
    let nothing: Vec<String> = Vec::new();
    assert_eq!(database.db().await.migrate().await.unwrap(), nothing);
}
