//! A store that has no room left, takes no changes or cannot use its disk: writes are refused, everything
//! else goes on, and so do writes once it can.

use std::path::Path;

use diesel_async::SimpleAsyncConnection as _;
use reqwest::Method;
use rlimit::Resource;
use roomcast::with_conn;
use serde_json::json;

use super::disk::{SmallDisk, size};
use super::load::{Load, Stage};
use super::server::Server;
use super::site::{Site, database_file, disconnects};
use crate::harness::environment::{not_run, on_postgres, postgres, report, variable};
use crate::harness::{Answer, Call, Client, Person, TestApp, at_last};

/// So many writes are acknowledged before the disk is full, and again after it.
const ACKNOWLEDGEMENTS: usize = 60;

/// Bytes of data in a broadcast: a disk is full soon.
const BULK: usize = 4_000;

async fn acknowledged(load: &mut Load) {
    let enough = load.counts().acknowledged + ACKNOWLEDGEMENTS;
    at_last("acknowledgements", async || {
        load.expect_no_failure().await;
        (load.counts().acknowledged >= enough).then_some(())
    })
    .await;
}

/// Waits until every kind of write was refused, or failed, `again` and again doing what makes them.
async fn failing(load: &mut Load, stage: &Stage, again: impl Fn()) {
    let before = stage.ledger.failures();
    at_last("the failure of every kind of write", async || {
        again();
        load.expect_no_failure().await;
        stage.has_failed_throughout(&before).then_some(())
    })
    .await;
}

/// What needs no room goes on.
async fn expect_reads(site: &Site, client: &Client, admin: &Person) {
    for path in ["/activities", "/users", "/auth/me", "/organisations"] {
        client.as_user(admin).get(path).await.expect_status(200);
    }
    let ready = site.expect_ready(200).await;
    assert_eq!(ready["database"]["status"], "ok", "{ready}");
    let mut socket = client.resume(admin, 0).await;
    socket.up_to(1).await;
    socket.close().await;
}

/// Fails unless all is as it was answered, and says what that was.
async fn settle(what: &str, mut site: Site, client: &Client, stage: Stage) {
    let resolved = stage.check(client, true).await;
    let counts = stage.ledger.counts();
    report(&format!(
        "{what}: {} acknowledged, {} refused, {} unknown ({} happened); {:?}",
        counts.acknowledged,
        counts.refused,
        counts.unknown,
        resolved.happened,
        stage.ledger.failures(),
    ));
    stage.close().await;
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_refuses_writes_until_there_is_room() {
    if on_postgres() {
        return not_run("it is about SQLite");
    }
    let Some(disk) = SmallDisk::mount(&std::env::temp_dir(), 24) else {
        return not_run("it may not mount a small disk");
    };
    let data = disk.path().join("data");
    let mut site = Site::in_folder(&data);
    let client = site.start().await;
    let stage = Stage::set(&client, "Acme", BULK).await;
    let mut load = Load::start(&client, std::slice::from_ref(&stage));
    for _ in 0..2 {
        acknowledged(&mut load).await;
        // The log of SQLite first writes to where it has been, and then grows.
        failing(&mut load, &stage, || disk.fill(0)).await;
        expect_reads(&site, &client, stage.admin()).await;
        assert_eq!(disconnects(&stage.subscribers), 0);
        disk.free();
        acknowledged(&mut load).await;
    }
    let codes = stage.ledger.failures();
    assert!(codes.keys().all(|(_, code)| code == "store_unavailable"), "{codes:?}");

    // Killed while the disk is full, it comes back and shows what there is.
    failing(&mut load, &stage, || disk.fill(0)).await;
    site.kill().await;
    load.stop().await;
    disk.fill(0);
    assert!(size(&data.join("roomcast.db-wal")) > 0);
    let client = site.start().await;
    expect_reads(&site, &client, stage.admin()).await;
    let mut load = Load::start(&client, std::slice::from_ref(&stage));
    failing(&mut load, &stage, || disk.fill(0)).await;
    disk.free();
    acknowledged(&mut load).await;
    load.stop().await;
    settle("full disk, SQLite", site, &client, stage).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_fails_is_survived() {
    if on_postgres() {
        return not_run("it is about SQLite");
    }
    let folder = tempfile::tempdir().unwrap();
    // Otherwise a file that may not grow ends the process, which no disk does.
    let mut site = Site::in_folder(folder.path()).under(&["sh", "-c", "trap '' XFSZ; exec \"$0\" \"$@\""]);
    let client = site.start().await;
    let stage = Stage::set(&client, "Acme", BULK).await;
    let mut load = Load::start(&client, std::slice::from_ref(&stage));
    acknowledged(&mut load).await;
    let limit = |bytes: u64| {
        let process = i32::try_from(site.child().id()).unwrap();
        rlimit::prlimit(process, Resource::FSIZE, Some((bytes, rlimit::INFINITY)), None).unwrap();
    };
    limit(size(&database_file(folder.path())).min(4096));
    failing(&mut load, &stage, || {}).await;
    expect_reads(&site, &client, stage.admin()).await;
    limit(rlimit::INFINITY);
    acknowledged(&mut load).await;
    load.stop().await;
    assert_eq!(disconnects(&stage.subscribers), 0);
    settle("failing disk, SQLite", site, &client, stage).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_of_postgresql_refuses_writes_until_there_is_room() {
    let Some(server) = Server::create().await else {
        return not_run("it fills the disk of a PostgreSQL of its own, in the run on PostgreSQL");
    };
    let home = variable("ROOMCAST_TEST_POSTGRES_HOME").unwrap();
    let Some(disk) = SmallDisk::mount(Path::new(&home), 8) else {
        return not_run("it may not mount a small disk");
    };
    let place = disk.path().join("tables");
    std::fs::create_dir(&place).unwrap();
    server.own(&place);
    let mut site = Site::at(&server.url());
    let client = site.start().await;
    let superuser = postgres(&server.url()).await;
    let create = format!("CREATE TABLESPACE small LOCATION '{}'", place.display());
    superuser.batch_execute(&create).await.unwrap();
    superuser.batch_execute("ALTER TABLE shared.activities SET TABLESPACE small").await.unwrap();
    let stage = Stage::set(&client, "Acme", BULK).await;
    let mut load = Load::start(&client, std::slice::from_ref(&stage));
    acknowledged(&mut load).await;
    failing(&mut load, &stage, || disk.fill(0)).await;
    expect_reads(&site, &client, stage.admin()).await;
    let codes = stage.ledger.failures();
    assert!(codes.keys().all(|(_, code)| code == "store_unavailable"), "{codes:?}");
    disk.free();
    acknowledged(&mut load).await;
    load.stop().await;
    assert_eq!(disconnects(&stage.subscribers), 0);
    settle("full disk, PostgreSQL", site, &client, stage).await;
    // Its table goes before the disk on which it lies.
    drop(server);
}

#[track_caller]
fn expect_refused(answer: Answer, words: &str) {
    assert_eq!(answer.header("retry-after"), Some("1"), "{answer:?}");
    let problem = answer.expect_problem(503, "store_unavailable");
    assert!(problem["detail"].as_str().unwrap().contains(words), "{problem}");
}

/// Runs SQL on the connection that writes.
async fn execute(app: &TestApp, sql: &str) {
    let mut tx = app.app.db.central().begin_write().await.unwrap();
    let conn = &mut *tx;
    with_conn!(conn, |c| c.batch_execute(sql).await).unwrap();
    let outcome: roomcast::error::Result<()> = tx.finish(Ok(())).await;
    outcome.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_may_not_grow_refuses_writes_in_words() {
    if on_postgres() {
        return not_run("it is about SQLite");
    }
    let app = TestApp::start().await;
    let acme = app.organisation("Acme").with_member("mia").create().await;
    let mut socket = app.connect(&acme["mia"]).await;
    let bulk = "x".repeat(12_000);
    let broadcast = |number: usize| -> Call {
        let body = json!({ "message": number.to_string(), "data": { "bulk": bulk } });
        app.as_user(&acme.admin).post("/organisations/broadcast").json(&body)
    };
    let invite = |number: usize| {
        let body = json!({ "email": format!("guest.{number}@example.com") });
        app.as_user(&acme.admin).post("/users/invite").json(&body)
    };
    let login = || {
        let body = json!({ "email": acme.admin.email, "password": acme.admin.password });
        app.anonymous().post("/auth/login").json(&body)
    };
    // No less than it has: SQLite goes by that.
    execute(&app, "PRAGMA max_page_count = 1").await;
    let mut acknowledged = Vec::new();
    let refused = loop {
        let answer = broadcast(acknowledged.len()).await;
        if answer.status != 201 {
            break answer;
        }
        acknowledged.push(answer.text);
        assert!(acknowledged.len() < 100, "it grows without end");
    };
    expect_refused(refused, "no room left");
    // Smaller ones find room for longer.
    let mut invited = 0;
    while let answer = invite(invited).await
        && answer.status == 201
    {
        invited += 1;
        assert!(invited < 1_000, "it grows without end");
    }
    expect_refused(invite(invited).await, "no room left");
    let mut signed_in = 0;
    while login().await.status == 200 {
        signed_in += 1;
        assert!(signed_in < 100, "it grows without end");
    }
    expect_refused(login().await, "no room left");

    let head = app.head(&acme.admin).await;
    socket.up_to(head).await;
    app.anonymous().at(Method::GET, "/readyz").await.expect_status(200);

    execute(&app, "PRAGMA max_page_count = 1073741823").await;
    acknowledged.push(broadcast(acknowledged.len()).await.expect_status(201).text);
    invite(invited).await.expect_status(201);
    login().await.expect_status(200);
    let feed = app.feed(&acme.admin).await;
    assert_eq!(feed.seqs(), (1..=app.head(&acme.admin).await).collect::<Vec<_>>());
    let broadcasts: Vec<&str> = feed.of_type("BROADCAST_MESSAGE").iter().map(|item| &*item.text).collect();
    assert_eq!(broadcasts, acknowledged);
    assert_eq!(feed.of_type("USER_INVITED").len(), invited + 2, "mia's, and the last");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_takes_no_changes_says_so() {
    let app = TestApp::start().await;
    let acme = app.organisation("Acme").create().await;
    let rename = |name: &str| app.as_user(&acme.admin).patch("/organisations").json(&json!({ "name": name }));
    if on_postgres() {
        let client = postgres(&app.database_url()).await;
        let name: String = client.query_one("SELECT current_database()", &[]).await.unwrap().get(0);
        // As a server does that was made a replica.
        let everybody_anew = async |setting: &str| {
            client.batch_execute(&format!("ALTER DATABASE {name} {setting}")).await.unwrap();
            let end = "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity
                WHERE datname = current_database() AND pid <> pg_backend_pid()";
            client.query(end, &[]).await.unwrap();
        };
        everybody_anew("SET default_transaction_read_only TO on").await;
        expect_refused(rename("Read only").await, "takes no changes");
        let sent =
            app.as_user(&acme.admin).post("/organisations/broadcast").json(&json!({ "message": "no" }));
        expect_refused(sent.await, "takes no changes");
        app.as_user(&acme.admin).get("/users").await.expect_status(200);
        app.anonymous().at(Method::GET, "/readyz").await.expect_status(200);
        everybody_anew("RESET default_transaction_read_only").await;
    } else {
        // The connection that is so is given up, and the next one is as ever.
        execute(&app, "PRAGMA query_only = ON").await;
        expect_refused(rename("Read only").await, "takes no changes");
    }
    rename("As ever").await.expect_status(200);
    let feed = app.feed(&acme.admin).await;
    assert_eq!(feed.of_type("ORGANISATION_UPDATED").len(), 1);
}
