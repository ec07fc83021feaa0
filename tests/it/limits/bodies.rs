//! What a body may cost before anybody is counted for it.

use reqwest::Method;

use super::{from, limited};
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

#[tokio::test(flavor = "multi_thread")]
async fn a_refresh_with_a_large_body_counts_against_its_address() {
    let app = limited(|limits| limits.rate_limit_per_minute = 2).await;
    let refresh = |address: &str, length: usize| {
        let body = format!(r#"{{"refreshToken":"{}"}}"#, "x".repeat(length));
        from(address, app.anonymous().post("/auth/refresh").body(Some("application/json"), body))
    };
    // That the token is none of ours counts each time; a large body counts besides.
    for _ in 0..2 {
        refresh("203.0.113.9", 90).await.expect_problem(401, "refresh_token_invalid");
    }
    refresh("203.0.113.10", 5000).await.expect_problem(401, "refresh_token_invalid");
    refresh("203.0.113.10", 5000).await.expect_problem(429, "rate_limited");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_free_to_read_is_not_free_to_send_to() {
    let app = limited(|limits| limits.rate_limit_per_minute = 1).await;
    let send = |method: Method| from("203.0.113.9", app.anonymous().at(method, "/healthz"));
    for _ in 0..3 {
        send(Method::GET).await.expect_status(200);
    }
    send(Method::POST).await.expect_problem(405, "method_not_allowed");
    send(Method::POST).await.expect_problem(429, "rate_limited");
}
