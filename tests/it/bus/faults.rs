//! What the bus on Redis does when Redis, or the way there, fails.

use std::time::Duration;

use roomcast::hub::bus::BusDown;
use roomcast::hub::bus::BusState::{Down, Up};
use roomcast::types::OrgId;

use super::{Node, batch, counted, head};
use crate::harness::proxy::{Mode, Proxy};
use crate::harness::redis::{Guard, RedisCluster, RedisServer, Sentinels, redis_is_there};
use crate::harness::{at_last, eventually, within};

const PREFIX: &str = "p";

const OTHER_KEY: &[u8] = b"the signing key of somebody else!";

/// Two nodes that are up, and an organisation that the second listens for.
async fn pair(url: &str) -> (Node, Node, OrgId) {
    let (one, two) = (Node::up_at(url, PREFIX).await, Node::up_at(url, PREFIX).await);
    let org = OrgId::new();
    two.open(org).await;
    (one, two, org)
}

/// The second hears the first once it is up again, although it has subscribed to nothing since.
async fn hear_again(one: &Node, two: &Node, orgs: &[OrgId]) {
    one.is(Up).await;
    two.is(Up).await;
    for org in orgs {
        let message = batch(*org, 1..=1, 10);
        one.say(*org, &message);
        two.heard_up_to(&message).await;
    }
}

async fn stop(nodes: impl IntoIterator<Item = Node>) {
    for node in nodes {
        node.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_restarted_is_found_again() {
    if !redis_is_there() {
        return;
    }
    let mut redis = RedisServer::start(Guard::Open).await;
    let (one, two, org) = pair(&redis.url()).await;
    redis.stop();
    two.is(Down).await;
    one.is(Down).await;
    // A room that opens now is told so, and subscribed when the bus is up again.
    let early = OrgId::new();
    two.recorder.rooms.lock().insert(early);
    assert!(two.bus.subscribe(early).await.is_err());
    redis.resurrect().await;
    hear_again(&one, &two, &[org, early]).await;
    assert_eq!(*two.recorder.changes.lock(), [Up, Down, Up]);
    stop([one, two]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_not_there_yet_holds_nothing_up() {
    if !redis_is_there() {
        return;
    }
    let redis = RedisServer::start(Guard::Open).await;
    let proxy = Proxy::to(&redis.addr());
    let url = redis.url_at(&proxy.addr().to_string());
    for mode in [Mode::Refuse, Mode::Blackhole] {
        proxy.set(mode);
        let node = Node::at(&url, PREFIX);
        let org = OrgId::new();
        node.recorder.rooms.lock().insert(org);
        assert!(node.bus.subscribe(org).await.is_err());
        node.say(org, &head(1));
        assert_eq!(node.bus.state(), Down);
        proxy.set(Mode::Pass);
        let other = Node::up_at(&redis.url(), PREFIX).await;
        hear_again(&other, &node, &[org]).await;
        stop([node, other]).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_stalls_neither_blocks_nor_grows_a_node() {
    if !redis_is_there() {
        return;
    }
    let redis = RedisServer::start(Guard::Open).await;
    let (one, two, org) = pair(&redis.url()).await;
    let dropped = || counted("roomcast_bus_dropped_total{reason=\"outbox_full\"}");
    let before = dropped();
    redis.pause();
    let large = batch(org, 1..=1, 100_000);
    within("publishing", async {
        for _ in 0..20_000 {
            one.say(org, &large);
        }
    })
    .await;
    // What is there waits in the outbox and on the way.
    assert!(dropped() - before > 10_000.0);
    assert!(counted("roomcast_bus_outbox_messages") < 5000.0);
    // Those who open rooms are not held up for long either.
    let late = OrgId::new();
    two.recorder.rooms.lock().insert(late);
    assert!(within("subscribing", two.bus.subscribe(late)).await.is_err());
    one.is(Down).await;
    two.is(Down).await;
    redis.resume();
    one.is(Up).await;
    two.is(Up).await;
    // What waited for long is not sent any more.
    let message = batch(late, 1..=1, 10);
    one.say(late, &message);
    two.heard_up_to(&message).await;
    stop([one, two]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_that_are_killed_come_back() {
    if !redis_is_there() {
        return;
    }
    let redis = RedisServer::start(Guard::Open).await;
    let (one, two, org) = pair(&redis.url()).await;
    for kind in ["pubsub", "normal"] {
        let changes = two.recorder.changes.lock().len();
        redis.cli(&["CLIENT", "KILL", "TYPE", kind]);
        eventually("both noticing", async || {
            (two.recorder.changes.lock().len() >= changes + 2).then_some(())
        })
        .await;
        hear_again(&one, &two, &[org]).await;
    }
    stop([one, two]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_emptied_is_no_fault() {
    if !redis_is_there() {
        return;
    }
    let redis = RedisServer::start(Guard::Open).await;
    let (one, two, org) = pair(&redis.url()).await;
    redis.flush();
    hear_again(&one, &two, &[org]).await;
    assert_eq!(*two.recorder.changes.lock(), [Up]);
    stop([one, two]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subscription_that_is_deaf_is_noticed() {
    if !redis_is_there() {
        return;
    }
    let redis = RedisServer::start(Guard::Open).await;
    let proxy = Proxy::to(&redis.addr());
    let one = Node::up_at(&redis.url(), PREFIX).await;
    let two = Node::up_at(&redis.url_at(&proxy.addr().to_string()), PREFIX).await;
    let org = OrgId::new();
    two.open(org).await;
    proxy.set(Mode::DeafAfter("SUBSCRIBE"));
    // Publishing works all the while.
    two.is(Down).await;
    proxy.set(Mode::Pass);
    hear_again(&one, &two, &[org]).await;
    proxy.set(Mode::Delay(Duration::from_millis(20)));
    hear_again(&one, &two, &[org]).await;
    assert_eq!(*two.recorder.changes.lock(), [Up, Down, Up]);
    stop([one, two]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_room_that_opens_while_connections_break_is_subscribed() {
    if !redis_is_there() {
        return;
    }
    let redis = RedisServer::start(Guard::Open).await;
    let proxy = Proxy::to(&redis.addr());
    let one = Node::up_at(&redis.url(), PREFIX).await;
    let two = Node::up_at(&redis.url_at(&proxy.addr().to_string()), PREFIX).await;
    let (mut rooms, mut opened, mut refused) = (Vec::new(), 0, 0);
    for _ in 0..10 {
        // Some are opened while it is up, and some while it is not.
        let mut after = 5;
        while after > 0 {
            let org = OrgId::new();
            two.recorder.rooms.lock().insert(org);
            match within("subscribing", two.bus.subscribe(org)).await {
                Ok(()) => {
                    opened += 1;
                    after -= 1;
                }
                // It then sees to it.
                Err(BusDown) => refused += 1,
            }
            rooms.push(org);
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        proxy.cut();
    }
    assert!(opened >= 50 && refused > 0, "{opened} opened, {refused} refused");
    // The last cut may not have been noticed yet.
    for org in rooms {
        let message = head(1);
        eventually("a room hearing", async || {
            one.say(org, &message);
            tokio::task::yield_now().await;
            two.heard().iter().any(|(from, _)| *from == org).then_some(())
        })
        .await;
    }
    stop([one, two]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_at_a_stop_is_sent() {
    if !redis_is_there() {
        return;
    }
    let redis = RedisServer::start(Guard::Open).await;
    let (one, two, org) = pair(&redis.url()).await;
    let messages: Vec<_> = (1..=1000).map(|seq| batch(org, seq..=seq, 100)).collect();
    for message in &messages {
        one.say(org, message);
    }
    one.stop().await;
    two.heard_up_to(&messages[999]).await;
    assert_eq!(two.heard().len(), 1000);
    two.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_of_ours_wrote_is_dropped() {
    if !redis_is_there() {
        return;
    }
    let redis = RedisServer::start(Guard::Open).await;
    let (one, two, org) = pair(&redis.url()).await;
    let dropped = |reason: &str| counted(&format!("roomcast_bus_dropped_total{{reason=\"{reason}\"}}"));
    let (unknown, forged) = (dropped("unknown"), dropped("forged"));
    let unmarked = format!("\u{1}{}", "0123456789abcdef".repeat(4));
    for text in ["", "hello", "\u{1}0123456789abcdef\u{1}\u{1}", &unmarked] {
        redis.cli(&["PUBLISH", &format!("{PREFIX}:org:{org}"), text]);
    }
    hear_again(&one, &two, &[org]).await;
    assert_eq!(two.heard().len(), 1);
    assert!(dropped("unknown") - unknown >= 3.0);
    assert!(dropped("forged") - forged >= 1.0);
    stop([one, two]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_marked_with_another_key_changes_nothing() {
    if !redis_is_there() {
        return;
    }
    let redis = RedisServer::start(Guard::Open).await;
    let (one, two, org) = pair(&redis.url()).await;
    let forged = || counted("roomcast_bus_dropped_total{reason=\"forged\"}");
    let before = forged();
    // Another cluster, at the same Redis and with the same prefix.
    let stranger = Node::keyed(&redis.url(), PREFIX, OTHER_KEY, None);
    stranger.is(Up).await;
    stranger.open(org).await;
    for message in [batch(org, 1..=3, 10), head(7)] {
        stranger.say(org, &message);
    }
    eventually("both being dropped", async || (forged() - before >= 2.0).then_some(())).await;
    hear_again(&one, &two, &[org]).await;
    assert_eq!(two.heard().len(), 1);
    eventually("ours being dropped there", async || (forged() - before >= 3.0).then_some(())).await;
    assert_eq!(stranger.heard(), []);
    // One whose key has been replaced is heard by those that know both.
    let rotated = Node::keyed(&redis.url(), PREFIX, OTHER_KEY, Some(super::KEY));
    rotated.is(Up).await;
    rotated.open(org).await;
    hear_again(&one, &rotated, &[org]).await;
    stop([one, two, stranger, rotated]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_that_takes_over_is_followed() {
    if !redis_is_there() {
        return;
    }
    let mut sentinels = Sentinels::start().await;
    let (one, two, org) = pair(&sentinels.url()).await;
    sentinels.primary.stop();
    two.is(Down).await;
    at_last("the fail-over", async || sentinels.has_failed_over().then_some(())).await;
    hear_again(&one, &two, &[org]).await;
    stop([one, two]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shard_whose_replica_takes_over_is_heard_again() {
    if !redis_is_there() {
        return;
    }
    let mut cluster = RedisCluster::start(true).await;
    let (one, two, org) = pair(&cluster.url()).await;
    let owner = cluster.owner(&format!("{PREFIX}:org:{org}"));
    // Of the others nothing is to be heard that would not come anyway.
    cluster.primaries[owner].stop();
    two.is(Down).await;
    at_last("the fail-over", async || (two.bus.state() == Up).then_some(())).await;
    hear_again(&one, &two, &[org]).await;
    stop([one, two]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shard_that_stalls_is_noticed_though_others_answer() {
    if !redis_is_there() {
        return;
    }
    let cluster = RedisCluster::start(false).await;
    let (one, two, org) = pair(&cluster.url()).await;
    let owner = cluster.owner(&format!("{PREFIX}:org:{org}"));
    let other = (owner + 1) % 3;
    cluster.primaries[other].pause();
    one.is(Down).await;
    two.is(Down).await;
    cluster.primaries[other].resume();
    at_last("the bus coming up", async || (two.bus.state() == Up).then_some(())).await;
    hear_again(&one, &two, &[org]).await;
    stop([one, two]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_channel_whose_slot_moves_is_heard_again() {
    if !redis_is_there() {
        return;
    }
    let cluster = RedisCluster::start(false).await;
    let (one, two, org) = pair(&cluster.url()).await;
    let channel = format!("{PREFIX}:org:{org}");
    for _ in 0..2 {
        let to = (cluster.owner(&channel) + 1) % 3;
        cluster.move_slot(&channel, to);
        let message = batch(org, 1..=1, 10);
        eventually("hearing where the slot is now", async || {
            one.say(org, &message);
            tokio::time::sleep(Duration::from_millis(20)).await;
            two.heard().iter().any(|(_, heard)| *heard == message).then_some(())
        })
        .await;
    }
    // Nothing broke: the shards that kept their slots were heard all the while.
    assert_eq!(*two.recorder.changes.lock(), [Up]);
    stop([one, two]).await;
}
