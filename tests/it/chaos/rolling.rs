//! A rolling restart: every node drains and starts again, one after the other, under traffic.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::cluster::{Cluster, KeepLogs};
use super::director::forward;
use super::house::{Crowd, House};
use crate::harness::environment::{not_run, report};
use crate::harness::{Client, at_last};

/// How many publish at each node.
const PUBLISHERS: usize = 3;

/// So many more are acknowledged before the next node goes.
const BETWEEN: usize = 100;

/// How long what is on its way at the end may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// Publishes at one node unless that is being restarted. What was begun before is under way when the drain
/// begins, and has to be acknowledged like all else.
async fn publish(
    house: Arc<House>,
    node: Client,
    name: String,
    away: Arc<AtomicBool>,
    stop: CancellationToken,
) {
    let mut number = 0;
    while !stop.is_cancelled() {
        if away.load(Ordering::SeqCst) {
            tokio::time::sleep(Duration::from_millis(10)).await;
            continue;
        }
        number += 1;
        house.publish(&node, &format!("{name} {number}")).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rolling_restart_refuses_nothing_and_loses_nothing() {
    let Some(cluster) = Cluster::start("rolling", &[]).await else {
        not_run("it starts a PostgreSQL of its own, in the run on PostgreSQL");
        return;
    };
    let cluster = Arc::new(cluster);
    let _logs = KeepLogs(Arc::clone(&cluster));
    let house = Arc::new(House::found(&cluster.clients(), "Acme", Crowd::Many, PATIENCE).await);
    house.watched(&cluster.nodes[0].client).await;
    let (stop, mut publishers) = (CancellationToken::new(), JoinSet::new());
    let away: Vec<Arc<AtomicBool>> = cluster.nodes.iter().map(|_| Arc::default()).collect();
    for (number, (node, away)) in cluster.nodes.iter().zip(&away).enumerate() {
        for publisher in 0..PUBLISHERS {
            // With more patience than those who would go to another node.
            let client = Client::of(node.client.base.clone());
            let name = format!("{publisher} at node {number}");
            publishers.spawn(publish(Arc::clone(&house), client, name, Arc::clone(away), stop.clone()));
        }
    }
    for (node, away) in cluster.nodes.iter().zip(&away) {
        let enough = house.ledger.count() + BETWEEN;
        at_last("traffic", async || {
            assert_eq!(publishers.len(), cluster.nodes.len() * PUBLISHERS);
            (house.ledger.count() >= enough).then_some(())
        })
        .await;
        away.store(true, Ordering::SeqCst);
        node.drain(Duration::ZERO).await;
        node.expect_ready().await;
        away.store(false, Ordering::SeqCst);
    }
    stop.cancel();
    while let Some(done) = publishers.join_next().await {
        forward(done);
    }
    let house = Arc::into_inner(house).expect("nobody else uses it any more");
    let tally = match house.check(&cluster.nodes[0].client).await {
        Ok(tally) => tally,
        Err(faults) => panic!("{:#?}", faults.iter().map(|fault| &fault.what).collect::<Vec<_>>()),
    };
    assert!(tally.resumes >= tally.subscribers as u64, "everybody has lost a node: {tally:?}");
    report(&format!(
        "rolling restart of {} nodes: {} publishes, all acknowledged; {} deliveries to {} subscribers, {} resumes",
        cluster.nodes.len(),
        tally.acknowledged,
        tally.delivered,
        tally.subscribers,
        tally.resumes,
    ));
    cluster.stop().await;
}
