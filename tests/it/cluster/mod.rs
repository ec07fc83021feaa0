//! Many nodes on one PostgreSQL and one Redis act as one hub.

mod access;
mod alone;
mod delivery;
mod presence;
mod readiness;
mod restored;
mod stale;

use roomcast::config::{Config, Protection};
use roomcast::hub::bus::BusState;

use crate::harness::environment::{not_run, on_postgres, variable};
use crate::harness::{TestApp, eventually};

/// What becomes of what the nodes say to each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Bus {
    /// Redis carries it.
    Carries,
    /// Redis carries it, and nobody listens.
    IsIgnored,
    /// There is no Redis where it should be.
    IsGone,
}

/// Two nodes, of which each says its part to the other; `None` where the database takes one node only.
#[track_caller]
fn pair(bus: Bus) -> impl Future<Output = Option<[TestApp; 2]>> {
    pair_with(bus, |_| {})
}

#[track_caller]
fn pair_with(bus: Bus, change: impl FnOnce(&mut Config)) -> impl Future<Output = Option<[TestApp; 2]>> {
    let can_run = on_postgres();
    if !can_run {
        not_run("a SQLite folder takes one node");
    }
    async move {
        if !can_run {
            return None;
        }
        let redis = match bus {
            Bus::Carries | Bus::IsIgnored => {
                variable("ROOMCAST_TEST_REDIS_URL").expect("scripts/with-services sets it")
            }
            // A port that nobody may listen on.
            Bus::IsGone => "redis://127.0.0.1:1".to_owned(),
        };
        let first = TestApp::with(|config| {
            config.redis.url = Some(redis.parse().unwrap());
            config.redis.prefix = format!("test-{}", uuid::Uuid::now_v7());
            if bus == Bus::IsIgnored {
                config.hub.broken = config.hub.broken.without(Protection::Bus);
            }
            change(config);
        })
        .await;
        let second = first.another_node().await;
        if bus != Bus::IsGone {
            for node in [&first, &second] {
                expect_up(node).await;
            }
        }
        Some([first, second])
    }
}

async fn expect_up(node: &TestApp) {
    let is_up = async || (node.app.hub.bus_state() == BusState::Up).then_some(());
    eventually("the bus", is_up).await;
}
