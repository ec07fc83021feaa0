//! PostgreSQL's own tools, as `docs/operations.md` has them: a backup that is put back is kept by the same policies.

use std::process::{Command, Output};

use super::role::Owned;
use super::rows::tables;
use crate::harness::environment::{not_run, on_postgres, postgres, variable};
use crate::harness::{Child, PASSWORD, TestDatabase};
use crate::operator::{environment, succeed};

/// Runs a tool of PostgreSQL's; `None` where the tests do not know where they are.
fn tool(name: &str, arguments: &[&str]) -> Option<Output> {
    let bin = variable("ROOMCAST_TEST_POSTGRES_BIN")?;
    Some(Command::new(format!("{bin}/{name}")).args(arguments).output().unwrap())
}

#[track_caller]
fn expect_done(output: &Output) {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_put_back_is_kept_by_the_same_policies() {
    let Some(database) = TestDatabase::create_on_postgres().await else {
        return not_run("it is about PostgreSQL");
    };
    let (url, folder) = (database.url_text(), tempfile::tempdir().unwrap());
    let [dump, sql] = ["hub.dump", "restore.sql"].map(|name| folder.path().join(name).display().to_string());
    let mut child = Child::start(&[], &environment(&url));
    let client = child.listening().await;
    let ana = client.register("Acme", "Ana", "ana@example.com", PASSWORD).await;
    let sent = client.broadcast(&ana, "it is in the backup").await;
    child.stop().await;

    let Some(dumped) = tool("pg_dump", &["--format=custom", "--file", &dump, &url]) else {
        return not_run("PostgreSQL's tools are not known: ROOMCAST_TEST_POSTGRES_BIN");
    };
    expect_done(&dumped);
    expect_done(&tool("pg_restore", &["--no-owner", "--no-acl", "--file", &sql, &dump]).unwrap());
    let replace = "--command=DROP SCHEMA IF EXISTS central, shared CASCADE";
    let all = ["--quiet", "--single-transaction", "--set=ON_ERROR_STOP=1", replace, "--file", &sql, &url];
    expect_done(&tool("psql", &all).unwrap());
    succeed(&["migrate"], &environment(&url)).await;
    succeed(&["epoch", "--new"], &environment(&url)).await;

    let (all, wrong) = tables(&postgres(&url).await).await;
    assert!(all.len() >= 8 && wrong.is_empty(), "{wrong:?} of {all:?}");
    let mut child = Child::start(&[], &environment(&url));
    let client = child.listening().await;
    assert_eq!(client.feed(&ana).await.0.last().unwrap().text, sent.text);
    client.broadcast(&ana, "it goes on").await;
    child.stop().await;
}

/// It would otherwise be a backup without rows.
#[tokio::test(flavor = "multi_thread")]
async fn a_dump_by_whom_policies_hold_fails_and_leaves_nothing_out() {
    if !on_postgres() {
        return not_run("it is about PostgreSQL");
    }
    let owned = Owned::create("CREATEROLE").await.unwrap();
    owned.serves().await;
    if let Some(dumped) = tool("pg_dump", &["--format=custom", "--file=/dev/null", &owned.url]) {
        let told = String::from_utf8_lossy(&dumped.stderr).into_owned();
        assert!(!dumped.status.success() && told.contains("row-level security"), "{told}");
    }
    owned.gone().await;
}
