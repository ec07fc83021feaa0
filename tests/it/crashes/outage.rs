//! PostgreSQL hangs, or goes away and comes back, behind a hub that goes on running.

use std::time::Instant;

use futures_util::future::join_all;
use reqwest::Method;
use roomcast_client::ClientFrame;

use super::ledger::Resolved;
use super::load::{Load, Stage};
use super::server::{Server, Shutdown};
use super::site::{Site, disconnects};
use crate::harness::environment::{not_run, report};
use crate::harness::{Call, Client, Person, at_last};

/// So many writes are acknowledged before the outage, and again after it.
const ACKNOWLEDGEMENTS: usize = 60;

/// So many requests are answered at once when the outage is over: more than the pool has connections.
const AFTERWARDS: usize = 40;

/// How a server is away.
#[derive(Debug, Clone, Copy)]
enum Outage {
    /// It keeps its connections and says nothing.
    Hangs,
    /// It ends, and is started again.
    Ends(Shutdown),
}

async fn begin(server: &mut Server, outage: Outage) {
    match outage {
        Outage::Hangs => server.freeze(),
        Outage::Ends(shutdown) => server.stop(shutdown).await,
    }
}

async fn end(server: &mut Server, outage: Outage) {
    match outage {
        Outage::Hangs => server.thaw(),
        Outage::Ends(_) => server.start().await,
    }
}

async fn acknowledged(load: &mut Load, more: usize) {
    let enough = load.counts().acknowledged + more;
    at_last("acknowledgements", async || {
        load.expect_no_failure().await;
        (load.counts().acknowledged >= enough).then_some(())
    })
    .await;
}

/// Whatever is asked of the hub is answered, by 503 where it takes the database.
async fn expect_refusals(client: &Client, admin: &Person) {
    client.anonymous().at(Method::GET, "/healthz").await.expect_status(200);
    let invite = client.as_user(admin).post("/users/invite");
    let login = serde_json::json!({ "email": admin.email, "password": admin.password });
    let calls = [
        client.as_user(admin).get("/activities"),
        client
            .as_user(admin)
            .post("/organisations/broadcast")
            .json(&serde_json::json!({ "message": "lost?" })),
        invite.json(&serde_json::json!({ "email": "lost@example.com" })),
        client.anonymous().post("/auth/login").json(&login),
        client.as_user(admin).get("/users"),
    ];
    for answer in join_all(calls.map(Call::into_future)).await {
        assert_eq!(answer.status, 503, "{answer:?}");
        assert!(answer.header("retry-after").is_some(), "{answer:?}");
        let code = answer.json()["code"].as_str().unwrap().to_owned();
        assert!(["store_unavailable", "access_unknown"].contains(&code.as_str()), "{answer:?}");
    }
}

/// Once it says that it is ready, no dead connection is left for a request to fail on.
async fn expect_service(client: &Client, admin: &Person) {
    let calls =
        (0..AFTERWARDS).map(|_| async { client.as_user(admin).get("/users").await.expect_status(200) });
    join_all(calls).await;
}

/// What happens while it is away, up to its return. Says in how many seconds five requests were answered.
async fn live_through(
    outage: Outage,
    server: &mut Server,
    site: &Site,
    client: &Client,
    admin: &Person,
    load: &mut Load,
) -> u64 {
    assert!(load.in_flight() > 0, "the outage hits requests that are under way");
    begin(server, outage).await;
    let not_ready = site.expect_ready(503).await;
    assert_eq!(not_ready["database"]["status"], "unavailable", "{not_ready}");
    let away = Instant::now();
    expect_refusals(client, admin).await;
    let answered_in = away.elapsed();
    let before = load.counts();
    at_last("refusals to those who write", async || {
        let now = load.counts();
        (now.refused + now.unknown >= before.refused + before.unknown + 20).then_some(())
    })
    .await;
    end(server, outage).await;
    site.expect_ready(200).await;
    answered_in.as_secs()
}

async fn is_outlived(outage: Outage) {
    let Some(mut server) = Server::create().await else {
        return not_run("it stops a PostgreSQL of its own, in the run on PostgreSQL");
    };
    let started = Instant::now();
    let mut site = Site::at(&server.url());
    let client = site.start().await;
    site.expect_ready(200).await;
    let stages = [Stage::set(&client, "Acme", 0).await, Stage::set(&client, "Bolt", 500).await];
    let admin = stages[0].admin().clone();
    // Somebody who only waits, with a socket that says so when it is gone.
    let mut idle = client.connect(&admin).await;
    let mut load = Load::start(&client, &stages);
    acknowledged(&mut load, ACKNOWLEDGEMENTS).await;
    let seconds = live_through(outage, &mut server, &site, &client, &admin, &mut load).await;
    acknowledged(&mut load, ACKNOWLEDGEMENTS).await;
    expect_service(&client, &admin).await;
    let counts = load.counts();
    load.stop().await;

    idle.send(&ClientFrame::Ping).await;
    idle.up_to(client.head(&admin).await).await;
    let (mut resolved, mut failures) = (Resolved::default(), Vec::new());
    for stage in stages {
        resolved.add(stage.check(&client, true).await);
        failures.push(stage.ledger.failures());
        assert_eq!(disconnects(&stage.subscribers), 0, "sockets stay open");
        stage.close().await;
    }
    site.stop().await;
    report(&format!(
        "{outage:?}: {} s; {} acknowledged, {} refused, {} unknown; of what was not acknowledged {} happened, \
         among them sign-ins that failed late; five requests were answered in {seconds} s; {failures:?}",
        started.elapsed().as_secs(),
        counts.acknowledged,
        counts.refused,
        counts.unknown,
        resolved.happened,
    ));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_postgresql_that_hangs_is_outlived() {
    is_outlived(Outage::Hangs).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_postgresql_that_is_started_again_is_outlived() {
    is_outlived(Outage::Ends(Shutdown::Fast)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_postgresql_that_crashes_is_outlived() {
    is_outlived(Outage::Ends(Shutdown::Immediate)).await;
}
