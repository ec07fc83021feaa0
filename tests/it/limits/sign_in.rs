//! Attempts of an address to get in.

use serde_json::json;

use super::{MINUTE, expect_limited, from, limited, refusals, standing};
use crate::harness::{Call, PASSWORD, TestApp};

fn login(app: &TestApp, address: &str, email: &str) -> Call {
    let body = json!({ "email": email, "password": PASSWORD });
    from(address, app.anonymous().post("/auth/login").json(&body))
}

fn register(app: &TestApp, address: &str, email: &str) -> Call {
    let body = json!({ "organisationName": "Acme", "name": "Ana", "email": email, "password": PASSWORD });
    from(address, app.anonymous().post("/auth/register").json(&body))
}

fn accept(app: &TestApp, address: &str) -> Call {
    let body = json!({ "token": "none", "name": "Ana", "password": PASSWORD });
    from(address, app.anonymous().post("/users/accept-invite").json(&body))
}

#[tokio::test(flavor = "multi_thread")]
async fn register_login_and_accept_invite_share_a_limit_of_their_address() {
    let app = limited(|limits| limits.auth_rate_limit_per_minute = 3).await;
    let (here, there) = ("203.0.113.1", "203.0.113.2");
    let before = refusals(&app, "sign_in").await;
    let answer = register(&app, here, "ana@example.com").await.expect_status(201);
    assert_eq!(standing(&answer).1, 2);
    login(&app, here, "ana@example.com").await.expect_status(200);
    accept(&app, here).await.expect_problem(404, "invite_invalid");
    let retry_after = expect_limited(login(&app, here, "ana@example.com").await, 3);
    expect_limited(register(&app, here, "bo@example.com").await, 3);
    expect_limited(accept(&app, here).await, 3);
    assert!(refusals(&app, "sign_in").await >= before + 3.0);

    let session = login(&app, there, "ana@example.com").await.expect_json(200);
    // What is no attempt to get in does not count.
    let caller = app.with_token(session["accessToken"].as_str().unwrap());
    from(here, caller.get("/auth/me")).await.expect_status(200);

    app.advance(retry_after);
    login(&app, here, "ana@example.com").await.expect_status(200);
    expect_limited(login(&app, here, "ana@example.com").await, 3);
    app.advance(MINUTE);
    assert_eq!(standing(&login(&app, here, "ana@example.com").await.expect_status(200)).1, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_attempt_is_also_a_request_of_its_address() {
    let app = limited(|limits| {
        limits.rate_limit_per_minute = 2;
        limits.auth_rate_limit_per_minute = 10;
    })
    .await;
    register(&app, "203.0.113.1", "ana@example.com").await.expect_status(201);
    let answer = login(&app, "203.0.113.1", "ana@example.com").await.expect_status(200);
    assert_eq!(standing(&answer), (2, 0, 60), "of two limits the tighter one is told");
    expect_limited(login(&app, "203.0.113.1", "ana@example.com").await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_network_of_ipv6_is_one_address() {
    let app = limited(|limits| limits.auth_rate_limit_per_minute = 1).await;
    accept(&app, "2001:db8:0:1::1").await.expect_status(404);
    expect_limited(accept(&app, "2001:db8:0:1:ffff::2").await, 1);
    accept(&app, "2001:db8:0:2::1").await.expect_status(404);
    accept(&app, "::ffff:203.0.113.1").await.expect_status(404);
    expect_limited(accept(&app, "203.0.113.1").await, 1);
}
