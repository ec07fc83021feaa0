//! Access that ends or narrows on one node does so on the others, whatever becomes of the bus.

use std::time::Duration;

use roomcast_client::CloseCode;
use serde_json::json;

use super::{Bus, pair};
use crate::harness::{PASSWORD, Person, TestApp, eventually};
use crate::platform::suspension::on_two_nodes;

/// A request on this node is refused, as the end of access is.
async fn expect_session_ended(node: &TestApp, person: &Person) {
    let ended = eventually("the end of access on the other node", async || {
        let answer = node.as_user(person).get("/auth/me").await;
        (answer.status != 200).then_some(answer)
    });
    ended.await.expect_problem(401, "session_ended");
}

async fn a_removal(first: &TestApp, second: &TestApp) {
    let acme = first.organisation("Acme").with_member("mia").create().await;
    let mia = &acme["mia"];
    let mut there = second.connect(mia).await;
    first.remove(&acme.admin, mia).await;
    first.broadcast(&acme.admin, "not for Mia").await;
    let owed = there.expect_close(CloseCode::REMOVED).await;
    assert!(owed.is_empty(), "owed nothing more, not even its own USER_REMOVED");
    expect_session_ended(second, mia).await;
}

async fn a_logout(first: &TestApp, second: &TestApp) {
    let acme = first.organisation("Acme").with_member("mia").create().await;
    let phone = first.sign_in(&acme["mia"]).await;
    let (mut ended, mut kept) = (second.connect(&phone).await, second.connect(&acme["mia"]).await);
    first.as_user(&phone).post("/auth/logout").await.expect_status(204);
    ended.expect_close(CloseCode::UNAUTHENTICATED).await;
    expect_session_ended(second, &phone).await;
    let marker = first.broadcast(&acme.admin, "still here").await;
    kept.expect_only(marker.seq(), &["SESSION_ENDED", "BROADCAST_MESSAGE"]).await;
}

async fn a_refresh_token_used_twice(first: &TestApp, second: &TestApp) {
    let acme = first.organisation("Acme").with_member("mia").create().await;
    let mia = &acme["mia"];
    let mut there = second.connect(mia).await;
    let body = json!({ "refreshToken": mia.refresh_token });
    first.anonymous().post("/auth/refresh").json(&body).await.expect_status(200);
    first.advance(Duration::from_secs(31));
    first.anonymous().post("/auth/refresh").json(&body).await.expect_problem(401, "refresh_token_reused");
    there.expect_close(CloseCode::UNAUTHENTICATED).await;
    expect_session_ended(second, mia).await;
}

async fn a_new_password(first: &TestApp, second: &TestApp) {
    let acme = first.organisation("Acme").with_member("mia").create().await;
    let mia = &acme["mia"];
    let phone = first.sign_in(mia).await;
    let (mut ended, mut kept) = (second.connect(&phone).await, second.connect(mia).await);
    let body = json!({ "password": "a fresh password", "currentPassword": PASSWORD });
    first.as_user(mia).patch("/auth/me").json(&body).await.expect_status(200);
    ended.expect_close(CloseCode::UNAUTHENTICATED).await;
    expect_session_ended(second, &phone).await;
    kept.up_to(first.head(mia).await).await;
}

async fn a_demotion(first: &TestApp, second: &TestApp) {
    let acme = first.organisation("Acme").with_admin("bo").create().await;
    let bo = &acme["bo"];
    let mut there = second.connect(bo).await;
    second.as_user(bo).get("/users").await.expect_status(200);
    first.change_role(&acme.admin, bo, "MEMBER").await;
    first.invite(&acme.admin, "for-admins@example.com", "MEMBER").await;
    let marker = first.broadcast(&acme.admin, "for all").await;
    there.expect_only(marker.seq(), &["USER_ROLE_CHANGED", "BROADCAST_MESSAGE"]).await;
    second.as_user(bo).get("/users").await.expect_problem(403, "role_forbidden");
}

async fn everything_that_ends_access_ends_it(bus: Bus) {
    let Some([first, second]) = pair(bus).await else { return };
    a_removal(&first, &second).await;
    a_logout(&first, &second).await;
    a_refresh_token_used_twice(&first, &second).await;
    a_new_password(&first, &second).await;
    a_demotion(&first, &second).await;
    on_two_nodes(&first, &second).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn access_ends_on_every_node_with_the_bus() {
    Box::pin(everything_that_ends_access_ends_it(Bus::Carries)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn access_ends_on_every_node_though_nothing_is_heard_of_it() {
    Box::pin(everything_that_ends_access_ends_it(Bus::IsIgnored)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn access_ends_on_every_node_without_redis() {
    Box::pin(everything_that_ends_access_ends_it(Bus::IsGone)).await;
}
