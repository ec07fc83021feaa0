//! Who is online, across nodes that share a Redis.

use std::time::Duration;

use futures_util::future::join_all;
use roomcast::app::App;
use roomcast::config::{Config, PresenceTimes};
use serde_json::Value;

use crate::harness::redis::{Guard, RedisServer, redis_is_there};
use crate::harness::{Client, Organisation, Person, TestApp, at_last, eventually};
use crate::hub::presence::{changes_before, next_change, watch};
use crate::routes::organisations::presence::{eventually_online, online};

/// Shorter than usual, but for the time in which a node connects again.
fn quick() -> PresenceTimes {
    PresenceTimes {
        gather: Duration::from_millis(50),
        debounce: Duration::from_secs(2),
        renewal: Duration::from_secs(1),
        lease: Duration::from_secs(3),
        recovery: Duration::from_secs(6),
    }
}

fn on(redis: &RedisServer) -> impl FnOnce(&mut Config) {
    move |config| {
        config.redis.url = Some(redis.url().parse().unwrap());
        config.hub.presence = quick();
    }
}

/// Two nodes, and an organisation of three.
struct Site {
    redis: RedisServer,
    first: TestApp,
    second: TestApp,
    acme: Organisation,
}

impl Site {
    #[track_caller]
    fn start() -> impl Future<Output = Option<Self>> {
        let is_there = redis_is_there();
        async move {
            if !is_there {
                return None;
            }
            let redis = RedisServer::start(Guard::Open).await;
            let first = TestApp::with(on(&redis)).await;
            let second = first.another_node().await;
            let acme = first.organisation("Acme").with_member("mia").with_member("bo").create().await;
            let site = Self { redis, first, second, acme };
            for node in [&site.first, &site.second] {
                site.eventually_complete(node, true).await;
            }
            Some(site)
        }
    }

    fn mia(&self) -> &Person {
        &self.acme["mia"]
    }

    fn bo(&self) -> &Person {
        &self.acme["bo"]
    }

    async fn eventually_complete(&self, node: &Client, expected: bool) {
        eventually(
            if expected { "a complete answer" } else { "an answer that is not complete" },
            async || {
                let answer = node.as_user(&self.acme.admin).get("/organisations/presence").await;
                // Until the node knows the organisation.
                (answer.status == 200 && answer.json()["complete"] == expected).then_some(())
            },
        )
        .await;
    }

    /// Once a node that died, or an outage, is over and done with.
    async fn at_last_gone(&self, node: &Client, whom: &Person) {
        at_last("somebody's being gone", async || {
            let items = online(node, &self.acme.admin).await;
            items.iter().all(|item| item["userId"] != whom.id).then_some(())
        })
        .await;
    }

    async fn eventually_sockets(&self, node: &Client, of: &Person, sockets: u64) {
        eventually_online(node, &self.acme.admin, of, |item| {
            item.is_some_and(|item| item["sockets"] == sockets)
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_online_on_one_node_is_so_on_all() {
    let Some(site) = Site::start().await else { return };
    let mut watching = watch(&site.second, &site.acme.admin).await;
    changes_before(&mut watching, &site.acme.admin, true).await;
    let here = site.first.connect(site.mia()).await;
    assert_eq!(next_change(&mut watching).await, (site.mia().id.clone(), true));
    let since = |items: Vec<Value>| {
        items.iter().find(|item| item["userId"] == site.mia().id).map(|item| item["since"].clone()).unwrap()
    };
    let came = since(online(&site.first, site.mia()).await);
    let there = site.second.connect(site.mia()).await;
    site.eventually_sockets(&site.first, site.mia(), 2).await;
    site.eventually_sockets(&site.second, site.mia(), 2).await;
    here.close().await;
    site.eventually_sockets(&site.first, site.mia(), 1).await;
    assert_eq!(since(online(&site.first, site.mia()).await), came);
    assert_eq!(since(online(&site.second, site.mia()).await), came);
    // A node that nobody has asked of this organisation yet.
    let third = site.first.another_node().await;
    site.eventually_sockets(&third, site.mia(), 1).await;
    let answer = third.as_user(site.mia()).get("/organisations/presence").await.expect_json(200);
    assert_eq!((&answer["complete"], answer["items"].as_array().unwrap().len()), (&true.into(), 2));
    let items = third.as_user(&site.acme.admin).get("/users").await.expect_status(200).items();
    let of_mia = items.iter().find(|item| item["id"] == site.mia().id).unwrap();
    assert_eq!(of_mia["online"], true);
    there.close().await;
    assert_eq!(next_change(&mut watching).await, (site.mia().id.clone(), false));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reconnect_to_another_node_is_silent() {
    let Some(site) = Site::start().await else { return };
    let mut watching =
        [watch(&site.first, &site.acme.admin).await, watch(&site.second, &site.acme.admin).await];
    let mut socket = site.first.connect(site.mia()).await;
    for watching in &mut watching {
        changes_before(watching, site.mia(), true).await;
    }
    for node in [&site.second, &site.first, &site.second] {
        socket.close().await;
        socket = node.connect(site.mia()).await;
    }
    site.first.connect(site.bo()).await.close().await;
    for watching in &mut watching {
        assert_eq!(changes_before(watching, site.bo(), false).await, [(site.bo().id.clone(), true)]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_was_on_a_node_that_died_is_offline_in_time() {
    let Some(site) = Site::start().await else { return };
    let mut watching = watch(&site.first, &site.acme.admin).await;
    // With its runtime, everything of the node ends at one moment, as when it is killed.
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let ground = site.first.ground().clone();
    let node = runtime.spawn(App::start(ground.config, ground.clock)).await.unwrap().unwrap();
    let third = Client::of(node.url());
    let _socket = third.connect(site.mia()).await;
    changes_before(&mut watching, site.mia(), true).await;
    let _bo = site.second.connect(site.bo()).await;
    changes_before(&mut watching, site.bo(), true).await;
    runtime.shutdown_background();
    for node in [&site.first, &site.second] {
        site.at_last_gone(node, site.mia()).await;
        site.eventually_sockets(node, site.bo(), 1).await;
    }
    assert_eq!(next_change(&mut watching).await, (site.mia().id.clone(), false));
    drop(node);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_stops_says_so() {
    let Some(site) = Site::start().await else { return };
    // So long that nothing but its own word is what is known in time.
    let patient = TestApp::with(|config| {
        on(&site.redis)(config);
        "stops".clone_into(&mut config.redis.prefix);
        config.hub.presence.renewal = Duration::from_mins(10);
        config.hub.presence.lease = Duration::from_mins(30);
    });
    let first = patient.await;
    let second = first.another_node().await;
    let acme = first.organisation("Acme").with_member("mia").create().await;
    let mut watching = watch(&first, &acme.admin).await;
    let _socket = second.connect(&acme["mia"]).await;
    changes_before(&mut watching, &acme["mia"], true).await;
    second.stop().await;
    assert_eq!(next_change(&mut watching).await, (acme["mia"].id.clone(), false));
}

#[tokio::test(flavor = "multi_thread")]
async fn to_flush_redis_is_silent() {
    let Some(site) = Site::start().await else { return };
    let mut watching =
        [watch(&site.first, &site.acme.admin).await, watch(&site.second, &site.acme.admin).await];
    let _socket = site.second.connect(site.mia()).await;
    for watching in &mut watching {
        changes_before(watching, site.mia(), true).await;
    }
    for _ in 0..3 {
        site.redis.flush();
        site.first.connect(site.bo()).await.close().await;
        for watching in &mut watching {
            assert_eq!(changes_before(watching, site.bo(), false).await, [(site.bo().id.clone(), true)]);
        }
    }
    for node in [&site.first, &site.second] {
        site.eventually_complete(node, true).await;
        site.eventually_sockets(node, site.mia(), 1).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_redis_nobody_is_said_to_have_gone() {
    let Some(mut site) = Site::start().await else { return };
    let mut watching = watch(&site.first, &site.acme.admin).await;
    let socket = site.second.connect(site.mia()).await;
    let bo = site.first.connect(site.bo()).await;
    changes_before(&mut watching, site.mia(), true).await;
    site.redis.stop();
    for node in [&site.first, &site.second] {
        site.eventually_complete(node, false).await;
    }
    // One changes nodes in the outage, the other goes.
    let _back = site.first.connect(site.mia()).await;
    socket.close().await;
    bo.close().await;
    site.redis.resurrect().await;
    for node in [&site.first, &site.second] {
        site.at_last_gone(node, site.bo()).await;
        site.eventually_complete(node, true).await;
        site.eventually_sockets(node, site.mia(), 1).await;
    }
    let before = changes_before(&mut watching, site.bo(), false).await;
    assert!(!before.contains(&(site.mia().id.clone(), false)), "{before:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_removed_is_gone_on_all_nodes() {
    let Some(site) = Site::start().await else { return };
    let mut watching = watch(&site.second, &site.acme.admin).await;
    let mut socket = site.first.connect(site.mia()).await;
    changes_before(&mut watching, site.mia(), true).await;
    site.first.remove(&site.acme.admin, site.mia()).await;
    assert_eq!(next_change(&mut watching).await, (site.mia().id.clone(), false));
    assert!(online(&site.second, &site.acme.admin).await.iter().all(|item| item["userId"] != site.mia().id));
    socket.expect_removed().await;
}

/// What it takes for nodes that no longer renew to be taken for dead, and for who was there to be taken for gone.
fn until_missed() -> Duration {
    quick().lease + quick().debounce + quick().renewal
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_one_organisations_leases_is_its_own_affair() {
    if !redis_is_there() {
        return;
    }
    let redis = RedisServer::start(Guard::Open).await;
    let first = TestApp::with(on(&redis)).await;
    let second = first.another_node().await;
    // More than are renewed at once.
    let orgs = join_all((0..72).map(|_| first.organisation("Acme").create())).await;
    let _sockets = join_all(orgs.iter().map(|acme| second.connect(&acme.admin))).await;
    let is_seen = async |node: &Client, acme: &Organisation| {
        let answer = node.as_user(&acme.admin).get("/organisations/presence").await.expect_json(200);
        let items = answer["items"].as_array().unwrap();
        (answer["complete"] == true, items.iter().any(|item| item["userId"] == acme.admin.id))
    };
    for acme in &orgs {
        eventually("everybody being seen", async || {
            (is_seen(&first, acme).await == (true, true)).then_some(())
        })
        .await;
    }
    let key = |acme: &Organisation, of: &str| format!("roomcast:presence:{{{}}}:{of}", acme.id);
    let (broken, foreign) = (&orgs[..2], &orgs[2]);
    for acme in broken {
        redis.cli(&["SET", &key(acme, "nodes"), "no hash"]);
    }
    for lease in redis.cli(&["KEYS", &key(foreign, "*")]).lines() {
        redis.cli(&["HSET", lease, "nobody", "99999999999999 5"]);
    }
    let since: u128 = redis.cli(&["TIME"]).lines().next().unwrap().parse::<u128>().unwrap() * 1000;
    let third = first.another_node().await;
    for acme in &orgs[broken.len()..] {
        at_last("leases being renewed for long", async || {
            let seen = is_seen(&first, acme).await;
            assert_eq!(seen, (true, true), "somebody's leases were left to run out");
            let renewed = redis.cli(&["HVALS", &key(acme, "nodes")]);
            let at = |held: &str| held.split(' ').next().unwrap().parse::<u128>().unwrap();
            renewed.lines().map(at).min().filter(|at| *at > since + until_missed().as_millis())
        })
        .await;
        eventually("what a node sees that comes later", async || {
            (is_seen(&third, acme).await == (true, true)).then_some(())
        })
        .await;
    }
    // Of the others nothing is known, and nobody is said to have gone.
    for acme in broken {
        assert_eq!(is_seen(&first, acme).await, (false, true));
        redis.cli(&["DEL", &key(acme, "nodes")]);
    }
    for acme in broken {
        at_last("what was wrong being mended", async || {
            (is_seen(&first, acme).await == (true, true)).then_some(())
        })
        .await;
    }
}
