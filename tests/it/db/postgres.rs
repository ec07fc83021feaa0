//! Reaching PostgreSQL: a server that is not up yet, TLS, and the language in which it says what is wrong.

use std::io::Write as _;

use diesel::{QueryableByName, sql_query};
use diesel_async::RunQueryDsl as _;
use roomcast::db::{DatabaseUrl, Db};
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
