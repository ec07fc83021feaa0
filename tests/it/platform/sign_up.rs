//! `POST /auth/sign-up`: the first admin of an organisation that the platform founded.

use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::{PASSWORD, TestApp};

async fn redeem(app: &TestApp, token: &Value, email: &str, password: &str) -> crate::harness::Answer {
    let body = json!({ "token": token, "name": "Ana", "email": email, "password": password });
    app.anonymous().post("/auth/sign-up").json(&body).await
}

#[tokio::test(flavor = "multi_thread")]
async fn makes_the_first_admin_who_can_do_everything() {
    let app = TestApp::start().await;
    let pat = app.operator("super_admin").await;
    let founded = app.found(&pat, "Acme").await;
    let ana = app.sign_up(&founded, "Ana", "ana@example.com").await;
    assert_eq!(ana.organisation_id, founded["id"]);
    assert_eq!(ana.session["organisation"]["memberCount"], 1);
    app.sign_in(&ana).await;
    app.add(&ana, "bo", "MEMBER").await;
    let feed = app.feed(&ana).await;
    assert_eq!(feed.kinds()[..3], ["ORGANISATION_CREATED", "USER_JOINED", "SESSION_STARTED"]);
    assert_eq!(feed.0[0].json["actor"], json!({ "id": pat.id, "name": "Pat (platform)" }));
    assert_eq!(feed.0[2].payload()["reason"], "sign_up");
    let mine = app.as_user(&ana).get("/auth/organisations").await.expect_status(200).items();
    assert_eq!(mine.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn works_once_and_for_a_time() {
    let app = TestApp::start().await;
    let pat = app.operator("super_admin").await;
    let founded = app.found(&pat, "Acme").await;
    let token = &founded["signUpToken"];
    app.sign_up(&founded, "Ana", "ana@example.com").await;
    redeem(&app, token, "bo@example.com", PASSWORD).await.expect_problem(409, "sign_up_used");
    // Nobody was made for it.
    let body = json!({ "email": "bo@example.com", "password": PASSWORD });
    app.anonymous().post("/auth/login").json(&body).await.expect_problem(401, "credentials_invalid");
    let late = app.found(&pat, "Bolt").await;
    app.advance(Duration::from_hours(7 * 24));
    let refused = redeem(&app, &late["signUpToken"], "bo@example.com", PASSWORD).await;
    refused.expect_problem(410, "sign_up_expired");
    for invented in ["", "x", &"A".repeat(87)] {
        let refused = redeem(&app, &json!(invented), "bo@example.com", PASSWORD).await;
        refused.expect_problem(404, "sign_up_invalid");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_exists_gives_its_own_password() {
    let app = TestApp::start().await;
    let pat = app.operator("super_admin").await;
    let bo = app.register("Bolt", "Bo", "bo@example.com", "the password of Bo").await;
    let founded = app.found(&pat, "Acme").await;
    let token = &founded["signUpToken"];
    redeem(&app, token, &bo.email, "something else").await.expect_problem(401, "credentials_invalid");
    let session = redeem(&app, token, &bo.email, "the password of Bo").await.expect_json(201);
    assert_eq!(session["organisation"]["id"], founded["id"]);
    let mine = app.as_user(&bo).get("/auth/organisations").await.expect_status(200).items();
    assert_eq!(mine.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_token_takes_the_place_of_the_one_before() {
    let app = TestApp::start().await;
    let pat = app.operator("super_admin").await;
    let founded = app.found(&pat, "Acme").await;
    let path = format!("/platform/organisations/{}/sign-up", founded["id"].as_str().unwrap());
    let reissue = async |key: &str| {
        let call = app.as_operator(&pat).post(&path).header("idempotency-key", key);
        call.json(&json!({})).await
    };
    let second = reissue("one").await.expect_status(201);
    assert_eq!(reissue("one").await.text, second.text);
    let refused = redeem(&app, &founded["signUpToken"], "ana@example.com", PASSWORD).await;
    refused.expect_problem(404, "sign_up_invalid");
    app.sign_up(&second.json(), "Ana", "ana@example.com").await;
    reissue("two").await.expect_problem(409, "already_signed_up");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_suspended_organisation_takes_nobody() {
    let app = TestApp::start().await;
    let pat = app.operator("super_admin").await;
    let founded = app.found(&pat, "Acme").await;
    let org = founded["id"].as_str().unwrap();
    app.suspend(&pat, org).await;
    let refused = redeem(&app, &founded["signUpToken"], "ana@example.com", PASSWORD).await;
    refused.expect_problem(403, "organisation_suspended");
    app.reopen(&pat, org).await;
    app.sign_up(&founded, "Ana", "ana@example.com").await;
}
