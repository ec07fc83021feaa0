//! What the bus on Redis does when Redis, or the way there, fails.

use roomcast::hub::bus::BusState;
use roomcast::types::OrgId;

use super::{Node, batch};
use crate::harness::redis::{Guard, RedisServer, redis_is_there};

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_restarted_is_found_again() {
    if !redis_is_there() {
        return;
    }
    let mut redis = RedisServer::start(Guard::Open).await;
    let (one, two) = (Node::up_at(&redis.url(), "p").await, Node::up_at(&redis.url(), "p").await);
    let org = OrgId::new();
    two.open(org).await;
    redis.stop();
    two.is(BusState::Down).await;
    one.is(BusState::Down).await;
    let early = OrgId::new();
    two.recorder.rooms.lock().insert(early);
    assert!(two.bus.subscribe(early).await.is_err());
    redis.resurrect().await;
    one.is(BusState::Up).await;
    two.is(BusState::Up).await;
    assert_eq!(*two.recorder.changes.lock(), [BusState::Up, BusState::Down, BusState::Up]);
    for org in [org, early] {
        let message = batch(org, 1..=1, 10);
        one.say(org, &message);
        two.heard_up_to(&message).await;
    }
    one.stop().await;
    two.stop().await;
}
