//! What every bus does while nothing fails.

use roomcast::hub::bus::{Exchange, Message};
use roomcast::types::OrgId;

use super::{Node, batch, head};
use crate::harness::eventually;
use crate::harness::redis::{Guard, RedisServer, redis_is_there};

/// Where three nodes meet.
struct Meeting {
    nodes: [Node; 3],
    /// What of it hands on a message as it is, however large.
    is_local: bool,
}

impl Meeting {
    async fn keep(self) {
        delivers_to_others_that_are_subscribed_and_not_to_itself(&self).await;
        keeps_the_order_and_the_bytes(&self).await;
        subscribing_twice_is_once_and_unsubscribing_ends_it(&self).await;
        a_batch_that_is_too_large_comes_as_its_head(&self).await;
        many_organisations_keep_apart(&self).await;
        for node in self.nodes {
            node.stop().await;
        }
    }

    async fn on_redis(url: &str) {
        let prefix = format!("test-{}", OrgId::new());
        let nodes = [
            Node::up_at(url, &prefix).await,
            Node::up_at(url, &prefix).await,
            Node::up_at(url, &prefix).await,
        ];
        // Another cluster of hubs in the same Redis hears nothing of them, nor they of it.
        let stranger = Node::up_at(url, &format!("{prefix}-b")).await;
        Self { nodes, is_local: false }.keep().await;
        assert_eq!(stranger.heard(), []);
        stranger.stop().await;
    }
}

async fn delivers_to_others_that_are_subscribed_and_not_to_itself(meeting: &Meeting) {
    let [one, two, three] = &meeting.nodes;
    let (org, other) = (OrgId::new(), OrgId::new());
    one.open(org).await;
    two.open(org).await;
    three.open(other).await;
    let (first, second) = (batch(org, 1..=3, 10), batch(org, 4..=4, 10));
    one.say(org, &first);
    two.say(org, &second);
    assert_eq!(two.heard_up_to(&first).await, [(org, first)]);
    assert_eq!(one.heard_up_to(&second).await, [(org, second)]);
    // What came through now came after anything that should not have come.
    let last = head(1);
    one.say(other, &last);
    assert_eq!(three.heard_up_to(&last).await, [(other, last)]);
    one.recorder.heard.lock().clear();
    two.recorder.heard.lock().clear();
    three.recorder.heard.lock().clear();
}

async fn keeps_the_order_and_the_bytes(meeting: &Meeting) {
    let [one, two, _] = &meeting.nodes;
    let org = OrgId::new();
    two.open(org).await;
    let said: Vec<Message> = (1..=500).map(|seq| batch(org, seq..=seq, 100)).collect();
    for message in &said {
        one.say(org, message);
    }
    let heard = two.heard_up_to(&said[499]).await;
    assert!(heard.into_iter().map(|(_, message)| message).eq(said));
    two.recorder.heard.lock().clear();
}

async fn subscribing_twice_is_once_and_unsubscribing_ends_it(meeting: &Meeting) {
    let [one, two, _] = &meeting.nodes;
    let (org, other) = (OrgId::new(), OrgId::new());
    two.open(org).await;
    two.open(org).await;
    two.open(other).await;
    let (first, last) = (head(1), head(2));
    one.say(org, &first);
    one.say(other, &last);
    let heard = two.heard_up_to(&last).await;
    // In a cluster the two come by different ways.
    let once = eventually("the first message", async || {
        let heard: Vec<_> = two.heard().into_iter().filter(|(from, _)| *from == org).collect();
        (!heard.is_empty()).then_some(heard)
    });
    assert_eq!(once.await, [(org, first)], "{heard:?}");
    two.close(org).await;
    two.recorder.heard.lock().clear();
    let word = head(3);
    for _ in 0..10 {
        one.say(org, &word);
    }
    one.say(other, &last);
    assert_eq!(two.heard_up_to(&last).await, [(other, last)]);
    two.recorder.heard.lock().clear();
}

async fn a_batch_that_is_too_large_comes_as_its_head(meeting: &Meeting) {
    let [one, two, _] = &meeting.nodes;
    let org = OrgId::new();
    two.open(org).await;
    let large = batch(org, 1..=100, 5000);
    let Message::Committed(entries) = &large else { unreachable!() };
    let last = &entries[99];
    let expected = if meeting.is_local {
        large.clone()
    } else {
        Message::Head { epoch: last.epoch, seq: last.seq, id: last.id }
    };
    one.say(org, &large);
    assert_eq!(two.heard_up_to(&expected).await, [(org, expected)]);
    two.recorder.heard.lock().clear();
}

async fn many_organisations_keep_apart(meeting: &Meeting) {
    let [one, two, three] = &meeting.nodes;
    let orgs: Vec<OrgId> = (0..200).map(|_| OrgId::new()).collect();
    for (index, org) in orgs.iter().enumerate() {
        [two, three][index % 2].open(*org).await;
    }
    for org in &orgs {
        one.say(*org, &head(1));
    }
    for (index, node) in [two, three].into_iter().enumerate() {
        let heard = eventually("all of its own", async || {
            let heard = node.heard();
            (heard.len() == 100).then_some(heard)
        });
        let mut heard: Vec<OrgId> = heard.await.into_iter().map(|(org, _)| org).collect();
        heard.sort();
        let mut own: Vec<OrgId> = orgs.iter().skip(index).step_by(2).copied().collect();
        own.sort();
        assert_eq!(heard, own);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_bus_within_a_process() {
    let exchange = Exchange::default();
    let nodes = [0; 3].map(|_| Node::on(exchange.join()));
    Meeting { nodes, is_local: true }.keep().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_bus_on_a_server_alone() {
    if redis_is_there() {
        let redis = RedisServer::start(Guard::Open).await;
        Meeting::on_redis(&redis.url()).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_bus_on_a_server_with_tls_and_a_password() {
    if redis_is_there() {
        let redis = RedisServer::start(Guard::Locked).await;
        Meeting::on_redis(&redis.url()).await;
    }
}
