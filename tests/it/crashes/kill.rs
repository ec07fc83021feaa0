//! The program is killed in the middle of its writes, again and again, on one ground.

use std::time::{Duration, Instant};

use super::Dice;
use super::ledger::{Counts, Resolved};
use super::load::{Load, Stage};
use super::site::{Site, database_file, expect_no_fault};
use crate::harness::environment::{on_postgres, postgres, report, variable};
use crate::harness::{TestDatabase, at_last};

/// How often it is killed at work; `ROOMCAST_TEST_ROUNDS` may ask for more.
const ROUNDS: u64 = 20;

/// So many writes are acknowledged before a kill, and up to as many again.
const ACKNOWLEDGEMENTS: u64 = 60;

/// Waits until what a dead process has sent to PostgreSQL was done or given up: the server does not learn at
/// once that nobody waits any more.
async fn settled(database: &TestDatabase) {
    if !on_postgres() {
        return;
    }
    let client = postgres(&database.url_text()).await;
    at_last("the end of every connection of a dead process", async || {
        let query = "SELECT count(*) FROM pg_stat_activity
            WHERE datname = current_database() AND pid <> pg_backend_pid()";
        (client.query_one(query, &[]).await.unwrap().get::<_, i64>(0) == 0).then_some(())
    })
    .await;
}

/// Kills it once a random number of writes were acknowledged, while others are under way.
async fn kill_at_work(site: &mut Site, stages: &[Stage], dice: &mut Dice) -> usize {
    let client = site.client();
    let mut load = Load::start(&client, stages);
    let goal = ACKNOWLEDGEMENTS + dice.below(ACKNOWLEDGEMENTS);
    let enough = load.counts().acknowledged + usize::try_from(goal).unwrap();
    at_last("a number of acknowledgements", async || {
        load.expect_no_failure().await;
        (load.counts().acknowledged >= enough).then_some(())
    })
    .await;
    // Anywhere between the arrival of a request and the answer to it.
    tokio::time::sleep(Duration::from_micros(dice.below(8_000))).await;
    let in_flight = load.in_flight();
    site.kill().await;
    load.stop().await;
    in_flight
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_outlives_a_kill_at_any_moment() {
    let mut dice = Dice::of("kill -9");
    let rounds = variable("ROOMCAST_TEST_ROUNDS").map_or(ROUNDS, |rounds| rounds.parse().unwrap());
    let started = Instant::now();
    let mut site = Site::create().await;
    let client = site.start().await;
    let stages = [Stage::set(&client, "Acme", 0).await, Stage::set(&client, "Bolt", 500).await];
    let (mut in_flight, mut killed_at_start, mut resolved) = (0, 0, Resolved::default());
    for round in 0..rounds {
        in_flight += kill_at_work(&mut site, &stages, &mut dice).await;
        settled(site.database.as_ref().unwrap()).await;
        if dice.below(3) == 0 {
            // Once more, on its way up: while it mends what the last one left, or a moment later.
            site.launch();
            tokio::time::sleep(Duration::from_micros(dice.below(300_000))).await;
            site.kill().await;
            settled(site.database.as_ref().unwrap()).await;
            killed_at_start += 1;
        }
        let client = site.start().await;
        resolved = Resolved::default();
        for stage in &stages {
            resolved.add(stage.check(&client, round + 1 == rounds).await);
        }
    }
    expect_no_fault(&site.stop().await);
    expect_whole_file(&site);
    let mut counts = Counts::default();
    let (mut deliveries, mut resumes) = (0, 0);
    for stage in stages {
        counts.add(stage.ledger.counts());
        deliveries += stage.subscribers.iter().map(super::subscriber::Subscriber::deliveries).sum::<usize>();
        resumes += stage.subscribers.iter().map(super::subscriber::Subscriber::resumes).sum::<usize>();
        stage.close().await;
    }
    assert!(counts.unknown > 0, "no kill hit a request");
    assert!(resumes >= usize::try_from(rounds).unwrap(), "{resumes} resumes");
    report(&format!(
        "kill -9: {rounds} rounds and {killed_at_start} kills at start in {} s; writes: {} acknowledged, all found; \
         {} refused, none found; {} without an answer ({in_flight} under way at the kills), {} of them found whole, \
         {} not at all; {deliveries} deliveries checked, {resumes} resumes",
        started.elapsed().as_secs(),
        counts.acknowledged,
        counts.refused,
        counts.unknown,
        resolved.happened,
        resolved.did_not,
    ));
}

/// Fails unless SQLite finds its file in order.
fn expect_whole_file(site: &Site) {
    use diesel::prelude::*;

    #[derive(QueryableByName)]
    struct Finding {
        #[diesel(sql_type = diesel::sql_types::Text)]
        integrity_check: String,
    }

    let roomcast::db::DatabaseUrl::Sqlite(path) = site.database.as_ref().unwrap().url() else { return };
    assert_eq!(path, database_file(path.parent().unwrap()));
    let mut conn = SqliteConnection::establish(path.to_str().unwrap()).unwrap();
    let findings: Vec<Finding> = diesel::sql_query("PRAGMA integrity_check").load(&mut conn).unwrap();
    let findings: Vec<&str> = findings.iter().map(|finding| finding.integrity_check.as_str()).collect();
    assert_eq!(findings, ["ok"]);
}
