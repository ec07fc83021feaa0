//! The checker can fail: a hub from which one protection is taken is caught, in a situation that needs just
//! that protection. The same situation is first lived through with it.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use fred::prelude::{Builder, ClientLike as _, Config, EventInterface as _, PubsubInterface as _};
use tokio::task::JoinSet;

use super::cluster::{Cluster, KeepLogs};
use super::house::{Crowd, House};
use super::subscriber::Over;
use crate::harness::environment::not_run;
use crate::harness::eventually;
use crate::harness::proxy::Mode;

/// How long what is on its way may take. With all protections it takes a second or two.
const PATIENCE: Duration = Duration::from_secs(6);

/// What somebody was sent against the contract after `happens`, with these protections taken from all nodes.
/// `None` where there is nothing to run it on.
async fn violations(taken: &str, happens: impl AsyncFn(&Cluster, &House)) -> Option<Result<(), Vec<String>>> {
    let cluster = Arc::new(Cluster::start(taken, &[("ROOMCAST_BREAK", taken)]).await?);
    let _logs = KeepLogs(Arc::clone(&cluster));
    let nodes = cluster.clients();
    let house = House::found(&nodes, "Acme", Crowd::Many, PATIENCE).await;
    house.watched(&nodes[0]).await;
    happens(&cluster, &house).await;
    let checked = house.check(&nodes[0]).await;
    Some(checked.map(|_| ()).map_err(|faults| faults.into_iter().map(|fault| fault.what).collect()))
}

/// Fails unless taking `protection` away is seen by a violation that says this. What the situation needs to
/// be taken besides, because it would mend what is to be seen, is in `besides`.
async fn is_caught(protection: &str, besides: &str, says: &str, happens: impl AsyncFn(&Cluster, &House)) {
    let Some(whole) = violations(besides, &happens).await else {
        return not_run("it starts a PostgreSQL and a Redis of its own, in the run on PostgreSQL");
    };
    assert_eq!(whole, Ok(()), "with the {protection}");
    let taken = [protection, besides].join(",");
    let found = violations(&taken, &happens).await.unwrap().expect_err("a violation");
    assert!(found.iter().any(|violation| violation.contains(says)), "{found:#?}");
}

/// So many messages, each in a commit of its own, at the first node.
async fn publish(cluster: &Cluster, house: &House, what: &str, count: usize) {
    for number in 0..count {
        house.publish(&cluster.nodes[0].client, &format!("{what} {number}")).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hub_without_its_sweep_is_caught() {
    is_caught("sweep", "", "and the log has", async |cluster, house| {
        cluster.set_redis(Mode::Refuse);
        publish(cluster, house, "nobody tells of this", 5).await;
    })
    .await;
}

/// Hears what the nodes say to each other, and says each message once more.
struct Echo {
    _repeating: JoinSet<()>,
    said: Arc<AtomicUsize>,
}

impl Echo {
    async fn start(redis: &str) -> Self {
        let client = Builder::from_config(Config::from_url(redis).unwrap()).build().unwrap();
        let hearing = client.clone_new();
        for connection in [&client, &hearing] {
            drop(connection.init().await.unwrap());
        }
        let mut heard = hearing.message_rx();
        hearing.psubscribe("*:org:*").await.unwrap();
        let said = Arc::<AtomicUsize>::default();
        let (mut repeating, count) = (JoinSet::new(), Arc::clone(&said));
        repeating.spawn(async move {
            let (mut known, _hearing) = (HashSet::new(), hearing);
            while let Ok(message) = heard.recv().await {
                let bytes = message.value.into_owned_bytes().unwrap();
                if known.insert(bytes.clone()) {
                    client.publish::<(), _, _>(message.channel, bytes.as_slice()).await.unwrap();
                    count.fetch_add(1, Ordering::SeqCst);
                }
            }
        });
        Self { _repeating: repeating, said }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hub_without_its_duplicate_drop_is_caught() {
    const MESSAGES: usize = 5;
    is_caught("duplicate-drop", "", "came twice", async |cluster, house| {
        let echo = Echo::start(&cluster.redis_url().await).await;
        publish(cluster, house, "said twice", MESSAGES).await;
        let all = async || (echo.said.load(Ordering::SeqCst) >= MESSAGES).then_some(());
        eventually("the echo of every message", all).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hub_without_its_reorder_window_is_caught() {
    // The sweep would find what the others were not told of.
    is_caught("reorder-window", "sweep", "was never sent", async |cluster, house| {
        let teller = &cluster.nodes[0];
        let before = cluster.bus_connects().await;
        teller.set_redis(Mode::Refuse);
        publish(cluster, house, "nobody tells of this", 5).await;
        // What it would still have told goes with it.
        teller.kill(Duration::ZERO).await;
        teller.set_redis(Mode::Pass);
        eventually("a bus that comes up again", async || {
            (cluster.bus_connects().await[0] > before[0]).then_some(())
        })
        .await;
        house.publish(&cluster.nodes[1].client, "and this is ahead").await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hub_without_its_access_view_is_caught() {
    is_caught("access-view", "", "was sent, and may not see,", async |cluster, house| {
        let node = &cluster.nodes[0].client;
        let bo = node.add(&house.admin, "bo", "ADMIN").await;
        house.watch(Over::Socket, &cluster.clients(), 1, &bo, Some(0));
        node.change_role(&house.admin, &bo, "MEMBER").await;
        node.invite(&house.admin, "for.admins@example.com", "MEMBER").await;
        publish(cluster, house, "for everybody", 1).await;
    })
    .await;
}
