//! What a start refuses, and says so.

use diesel::connection::SimpleConnection as _;
use diesel::prelude::*;
use roomcast::db::DatabaseUrl;

use crate::harness::app::SIGNING_KEY;
use crate::harness::environment::{not_run, on_postgres, postgres};
use crate::harness::{Child, PASSWORD, TestDatabase};

fn environment(url: &str) -> Vec<(&str, &str)> {
    vec![("DATABASE_URL", url), ("JWT_ACCESS_SECRET", SIGNING_KEY), ("PORT", "0")]
}

async fn expect_refused(child: Child, words: &[&str]) {
    let (status, output) = child.ended().await;
    assert!(!status.success(), "{output}");
    for word in words {
        assert!(output.contains(word), "{word:?} in:\n{output}");
    }
    assert!(!output.contains("listening on"), "{output}");
    assert!(!output.contains("panicked"), "{output}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_process_on_one_folder_is_refused_and_harms_nothing() {
    if on_postgres() {
        return not_run("it is about SQLite");
    }
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().to_str().unwrap();
    let environment = [("ROOMCAST_DATA_DIR", data), ("PORT", "0")];
    let mut first = Child::start(&[], &environment);
    let client = first.listening().await;
    for command in [&[][..], &["migrate"]] {
        let second = Child::start(command, &environment);
        expect_refused(second, &["another process uses this database", "ROOMCAST_DATA_DIR"]).await;
    }
    client.register("Acme", "Ana", "ana@example.com", PASSWORD).await;
    first.stop().await;
    // The lock goes with its process.
    let mut third = Child::start(&[], &environment);
    third.listening().await;
    third.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_process_leaves_no_lock_and_loses_nothing() {
    if on_postgres() {
        return not_run("it is about SQLite");
    }
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().to_str().unwrap();
    let environment = [("ROOMCAST_DATA_DIR", data), ("PORT", "0")];
    let mut first = Child::start(&[], &environment);
    let client = first.listening().await;
    let ana = client.register("Acme", "Ana", "ana@example.com", PASSWORD).await;
    let sent = client.broadcast(&ana, "before the crash").await;
    // Dropping it kills it outright.
    drop(first);
    let mut second = Child::start(&[], &environment);
    let client = second.listening().await;
    let feed = client.feed(&ana).await;
    assert_eq!(feed.0.last().unwrap().text, sent.text);
    second.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_of_a_newer_version_is_refused() {
    let database = TestDatabase::create().await;
    let newer = "INSERT INTO __diesel_schema_migrations (version, run_on) VALUES ('29991231000000', CURRENT_TIMESTAMP)";
    match database.url() {
        DatabaseUrl::Sqlite(path) => {
            let mut conn = SqliteConnection::establish(path.to_str().unwrap()).unwrap();
            conn.batch_execute(newer).unwrap();
        }
        DatabaseUrl::Postgres(url) => {
            let client = postgres(&url).await;
            client.batch_execute(&format!("SET search_path TO shared; {newer}")).await.unwrap();
        }
    }
    let url = database.url_text();
    let words = ["newer than this version", "29991231000000"];
    expect_refused(Child::start(&[], &environment(&url)), &words).await;
    expect_refused(Child::start(&["migrate"], &environment(&url)), &words).await;
    let mut unchecked = environment(&url);
    unchecked.push(("RUN_MIGRATIONS", "false"));
    expect_refused(Child::start(&[], &unchecked), &words).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_migrations_it_runs_and_is_not_ready_until_they_have_run() {
    if on_postgres() {
        return not_run("it begins with an empty SQLite file");
    }
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().to_str().unwrap();
    let environment = [("ROOMCAST_DATA_DIR", data), ("PORT", "0"), ("RUN_MIGRATIONS", "false")];
    let mut child = Child::start(&[], &environment);
    let client = child.listening().await;
    let ready = client.anonymous().at(reqwest::Method::GET, "/readyz").await.expect_json(503);
    assert_eq!(ready["status"], "migrations_pending");
    client.anonymous().at(reqwest::Method::GET, "/healthz").await.expect_status(200);
    child.stop().await;
    let (status, output) = Child::start(&["migrate"], &environment).ended().await;
    assert!(status.success() && output.contains("applied"), "{output}");
    let (status, output) = Child::start(&["migrate"], &environment).ended().await;
    assert!(status.success() && output.contains("up to date"), "{output}");
    let mut child = Child::start(&[], &environment);
    let client = child.listening().await;
    client.anonymous().at(reqwest::Method::GET, "/readyz").await.expect_status(200);
    child.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_that_contradict_each_other_are_named() {
    let short = [("JWT_ACCESS_SECRET", "short"), ("PORT", "0")];
    expect_refused(Child::start(&[], &short), &["JWT_ACCESS_SECRET"]).await;
    let redis = [("REDIS_URL", "redis://localhost"), ("PORT", "0")];
    expect_refused(Child::start(&[], &redis), &["REDIS_URL", "SQLite"]).await;
    let password = "a-password-7713";
    let wrong = format!("http://u:{password}@localhost");
    let child = Child::start(&[], &[("REDIS_URL", &wrong), ("PORT", "0")]);
    let (status, output) = child.ended().await;
    assert!(!status.success() && output.contains("REDIS_URL must begin with redis://"), "{output}");
    assert!(!output.contains(password), "{output}");
    let prefix = [("REDIS_PREFIX", "a b"), ("PORT", "0")];
    expect_refused(Child::start(&[], &prefix), &["--redis-prefix", "1 to 64"]).await;
    let scheme = [("DATABASE_URL", "mysql://localhost/x"), ("PORT", "0")];
    expect_refused(Child::start(&[], &scheme), &["postgres://", "sqlite:"]).await;
    let keyless = [("DATABASE_URL", "postgres://u:a-password-7712@127.0.0.1:1/x"), ("PORT", "0")];
    let child = Child::start(&[], &keyless);
    let (status, output) = child.ended().await;
    assert!(!status.success() && output.contains("JWT_ACCESS_SECRET"), "{output}");
    assert!(!output.contains("a-password-7712"), "{output}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_that_is_taken_is_named() {
    let database = TestDatabase::create().await;
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let url = database.url_text();
    let mut environment = environment(&url);
    environment.retain(|(name, _)| *name != "PORT");
    environment.push(("PORT", &port));
    expect_refused(Child::start(&[], &environment), &[&port, "PORT"]).await;
}
