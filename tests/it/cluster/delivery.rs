//! What is sent on one node arrives on the others, once and in order.

use roomcast::config::{Config, Protection};

use super::{Bus, pair, pair_with};
use crate::harness::TestApp;
use crate::harness::environment::{not_run, on_postgres};
use crate::hub::texts;

/// Whatever arrives has come over the bus.
fn without_sweep(config: &mut Config) {
    config.hub.broken = config.hub.broken.without(Protection::Sweep);
}

/// Sends on one and on the other in turns; a member gets all of it on both.
pub(super) async fn expect_both_to_deliver(first: &TestApp, second: &TestApp) {
    let acme = first.organisation("Acme").with_member("mia").create().await;
    let mut here = first.connect(&acme["mia"]).await;
    let mut there = second.connect(&acme["mia"]).await;
    let start = first.head(&acme.admin).await;
    for number in 0..30 {
        let node = if number % 2 == 0 { first } else { second };
        node.broadcast(&acme.admin, &number.to_string()).await;
    }
    let head = first.head(&acme.admin).await;
    let feed = first.feed_after(&acme["mia"], start).await;
    assert_eq!(feed.0.len(), 30);
    assert_eq!(texts(&here.up_to(head).await), feed.texts());
    assert_eq!(texts(&there.up_to(head).await), feed.texts());
}

#[tokio::test(flavor = "multi_thread")]
async fn redis_alone_carries_over_what_is_sent() {
    let Some([first, second]) = pair_with(Bus::Carries, without_sweep).await else { return };
    expect_both_to_deliver(&first, &second).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_exchange_within_the_process_carries_over_what_is_sent() {
    if !on_postgres() {
        return not_run("a SQLite folder takes one node");
    }
    let nodes = TestApp::on_one_exchange(2, without_sweep).await;
    expect_both_to_deliver(&nodes[0], &nodes[1]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_bus_loses_is_found_by_the_sweep() {
    let Some([first, second]) = pair(Bus::IsIgnored).await else { return };
    expect_both_to_deliver(&first, &second).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_redis_the_sweep_delivers() {
    let Some([first, second]) = pair(Bus::IsGone).await else { return };
    expect_both_to_deliver(&first, &second).await;
}
