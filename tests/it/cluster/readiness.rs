//! A lost bus is told, and no reason to be sent nothing.

use reqwest::Method;

use super::{Bus, pair};

#[tokio::test(flavor = "multi_thread")]
async fn a_hub_without_its_bus_is_degraded_and_takes_requests() {
    let Some([first, _second]) = pair(Bus::IsGone).await else { return };
    let ready = first.anonymous().at(Method::GET, "/readyz").await.expect_json(200);
    assert_eq!(ready["status"], "degraded");
    assert_eq!(ready["bus"], serde_json::json!({ "kind": "redis", "status": "down" }));
    let acme = first.organisation("Acme").create().await;
    first.broadcast(&acme.admin, "it goes on").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hub_with_its_bus_is_ready() {
    let Some([first, _second]) = pair(Bus::Carries).await else { return };
    let ready = first.anonymous().at(Method::GET, "/readyz").await.expect_json(200);
    assert_eq!(ready["status"], "ready");
    assert_eq!(ready["bus"], serde_json::json!({ "kind": "redis", "status": "ok" }));
}
