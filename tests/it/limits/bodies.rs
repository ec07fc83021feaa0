//! How deep a JSON body may go.

use super::limited;
use crate::harness::{PASSWORD, TestApp};

/// A broadcast whose body has so many levels.
async fn broadcast(app: &TestApp, token: &str, depth: usize) -> crate::harness::Answer {
    let (open, close) = ("[".repeat(depth - 2), "]".repeat(depth - 2));
    let body = format!(r#"{{"message":"[[[ {{{{","data":{{"deep":{open}{close}}}}}"#);
    let call = app.with_token(token).post("/organisations/broadcast");
    call.body(Some("application/json"), body).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_goes_as_deep_as_is_set_and_no_deeper() {
    let app = limited(|limits| limits.max_json_depth = 5).await;
    let ana = app.register("Acme", "Ana", "ana@example.com", PASSWORD).await;
    broadcast(&app, &ana.access_token, 5).await.expect_status(201);
    broadcast(&app, &ana.access_token, 6).await.expect_problem(400, "malformed_json");

    let app = TestApp::start().await;
    let ana = app.register("Acme", "Ana", "ana@example.com", PASSWORD).await;
    broadcast(&app, &ana.access_token, 64).await.expect_status(201);
    broadcast(&app, &ana.access_token, 65).await.expect_problem(400, "malformed_json");
}
