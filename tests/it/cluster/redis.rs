//! Nodes as their settings have them: on one Redis.

use roomcast::config::Protection;
use roomcast::hub::bus::BusState;

use crate::harness::redis::{Guard, RedisServer, redis_is_there};
use crate::harness::{TestApp, eventually};
use crate::hub::texts;

#[tokio::test(flavor = "multi_thread")]
async fn two_nodes_meet_over_redis() {
    if !redis_is_there() {
        return;
    }
    let redis = RedisServer::start(Guard::Locked).await;
    let first = TestApp::with(|config| {
        config.redis.url = Some(redis.url().parse().unwrap());
        // So that nothing but the bus carries over.
        config.hub.broken = config.hub.broken.without(Protection::Sweep);
    })
    .await;
    let second = first.another_node().await;
    for node in [&first, &second] {
        eventually("the bus", async || (node.app.hub.bus_state() == BusState::Up).then_some(())).await;
    }
    let acme = first.organisation("Acme").with_member("mia").create().await;
    let mut there = second.connect(&acme["mia"]).await;
    let sent = first.broadcast(&acme.admin, "over Redis").await;
    assert_eq!(texts(&there.up_to(sent.seq()).await), [sent.text.as_str()]);
}
