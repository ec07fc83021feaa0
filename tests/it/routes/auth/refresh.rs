//! `POST /auth/refresh`: rotation, its leeway, its end.

use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::{Answer, PASSWORD, Person, TestApp};

/// Longer than the leeway.
const PAST_LEEWAY: Duration = Duration::from_secs(31);

pub(super) async fn refresh(app: &TestApp, token: &str) -> Answer {
    app.anonymous().post("/auth/refresh").json(&json!({ "refreshToken": token })).await
}

/// The pair that a refresh token is good for.
pub(super) async fn rotate(app: &TestApp, token: &str) -> (String, String) {
    let pair = refresh(app, token).await.expect_json(200);
    let text = |field: &str| pair[field].as_str().unwrap().to_owned();
    (text("accessToken"), text("refreshToken"))
}

#[tokio::test(flavor = "multi_thread")]
async fn gives_a_new_pair_of_the_same_session() {
    let app = TestApp::start().await;
    let ana = app.register("Acme", "Ana", "ana@example.com", PASSWORD).await;
    let head = app.head(&ana).await;
    app.advance(Duration::from_mins(1));
    let pair = refresh(&app, &ana.refresh_token).await.expect_json(200);
    assert_eq!(pair["tokenType"], "Bearer");
    assert_eq!(pair["expiresIn"], 900);
    let mut fields: Vec<&String> = pair.as_object().unwrap().keys().collect();
    fields.sort();
    assert_eq!(fields, ["accessToken", "expiresIn", "refreshToken", "tokenType"]);
    assert_ne!(pair["refreshToken"], ana.refresh_token.as_str());
    assert_ne!(pair["accessToken"], ana.access_token.as_str());

    let later = Person { access_token: pair["accessToken"].as_str().unwrap().to_owned(), ..ana.clone() };
    assert_eq!(later.session_id(), ana.session_id());
    assert!(later.claims()["exp"].as_i64() >= ana.claims()["exp"].as_i64().map(|exp| exp + 60));
    let me = app.as_user(&later).get("/auth/me").await.expect_json(200);
    assert_eq!(me["user"]["id"], ana.id);
    // The older access token is good until it expires.
    app.as_user(&ana).get("/auth/me").await.expect_status(200);
    assert_eq!(app.head(&ana).await, head, "a refresh is no activity");
}

#[tokio::test(flavor = "multi_thread")]
async fn works_when_the_access_token_has_long_expired() {
    let app = TestApp::start().await;
    let ana = app.register("Acme", "Ana", "ana@example.com", PASSWORD).await;
    app.advance(Duration::from_secs(899));
    app.as_user(&ana).get("/auth/me").await.expect_status(200);
    app.advance(Duration::from_secs(2));
    app.as_user(&ana).get("/auth/me").await.expect_problem(401, "token_invalid");
    app.advance(Duration::from_hours(24 * 6));
    let (access, _) = rotate(&app, &ana.refresh_token).await;
    app.with_token(&access).get("/auth/me").await.expect_status(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refresh_token_lives_seven_days() {
    let app = TestApp::start().await;
    let ana = app.register("Acme", "Ana", "ana@example.com", PASSWORD).await;
    app.advance(Duration::from_hours(24 * 7) + Duration::from_secs(1));
    refresh(&app, &ana.refresh_token).await.expect_problem(401, "refresh_token_invalid");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_rotation_begins_seven_days_anew() {
    let app = TestApp::start().await;
    let ana = app.register("Acme", "Ana", "ana@example.com", PASSWORD).await;
    let mut token = ana.refresh_token.clone();
    for _ in 0..3 {
        app.advance(Duration::from_hours(24 * 6));
        (_, token) = rotate(&app, &token).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_refresh_token_of_ours_is_refused() {
    let app = TestApp::start().await;
    let ana = app.register("Acme", "Ana", "ana@example.com", PASSWORD).await;
    let mut changed = ana.refresh_token.clone();
    let last = changed.pop().unwrap();
    changed.insert(0, last);
    for token in ["", "garbage", &ana.access_token, &changed, &format!("{}x", ana.refresh_token)] {
        refresh(&app, token).await.expect_problem(401, "refresh_token_invalid");
    }
    app.anonymous().post("/auth/refresh").json(&json!({})).await.expect_invalid(&["refreshToken"]);
    let body: Value = json!({ "refreshToken": 5, "extra": 1 });
    app.anonymous().post("/auth/refresh").json(&body).await.expect_invalid(&["refreshToken", "extra"]);
    // Nothing of that has harmed the real one.
    rotate(&app, &ana.refresh_token).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_ended_session_cannot_be_refreshed() {
    let app = TestApp::start().await;
    let acme = app.organisation("Acme").with_member("mia").create().await;
    app.as_user(&acme.admin).post("/auth/logout").await.expect_status(204);
    let answer = refresh(&app, &acme.admin.refresh_token).await;
    assert_eq!(answer.status, 401, "{}", answer.text);
    let other = app.sign_in(&acme.admin).await;
    app.remove(&other, &acme["mia"]).await;
    let answer = refresh(&app, &acme["mia"].refresh_token).await;
    assert_eq!(answer.status, 401, "{}", answer.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_answer_may_be_asked_for_again_within_the_leeway() {
    let app = TestApp::start().await;
    let ana = app.register("Acme", "Ana", "ana@example.com", PASSWORD).await;
    let (_, lost) = rotate(&app, &ana.refresh_token).await;
    app.advance(Duration::from_secs(29));
    let (access, second) = rotate(&app, &ana.refresh_token).await;
    assert_ne!(lost, second);
    app.with_token(&access).get("/auth/me").await.expect_status(200);
    let (access, _) = rotate(&app, &second).await;
    app.with_token(&access).get("/auth/me").await.expect_status(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_successor_that_was_replaced_is_no_more() {
    let app = TestApp::start().await;
    let ana = app.register("Acme", "Ana", "ana@example.com", PASSWORD).await;
    let (_, replaced) = rotate(&app, &ana.refresh_token).await;
    let (_, second) = rotate(&app, &ana.refresh_token).await;
    let answer = refresh(&app, &replaced).await;
    assert_eq!(answer.status, 401, "the successor was replaced: {}", answer.text);
    // Two tabs raced; nobody stole anything, unless it says so.
    if answer.json()["code"] == "refresh_token_invalid" {
        rotate(&app, &second).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_leeway_is_a_setting() {
    let app = TestApp::with(|config| config.auth.refresh_leeway = Duration::ZERO).await;
    let ana = app.register("Acme", "Ana", "ana@example.com", PASSWORD).await;
    rotate(&app, &ana.refresh_token).await;
    app.advance(Duration::from_millis(5));
    refresh(&app, &ana.refresh_token).await.expect_problem(401, "refresh_token_reused");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_role_in_a_fresh_token_is_the_present_one() {
    let app = TestApp::start().await;
    let acme = app.organisation("Acme").with_member("mia").create().await;
    app.change_role(&acme.admin, &acme["mia"], "ADMIN").await;
    let (access, _) = rotate(&app, &acme["mia"].refresh_token).await;
    let mia = Person { access_token: access, ..acme["mia"].clone() };
    assert_eq!(mia.claims()["role"], "ADMIN");
}

#[tokio::test(flavor = "multi_thread")]
async fn after_the_leeway_a_second_use_ends_the_session() {
    let app = TestApp::start().await;
    let ana = app.register("Acme", "Ana", "ana@example.com", PASSWORD).await;
    let watcher = app.sign_in(&ana).await;
    let (access, second) = rotate(&app, &ana.refresh_token).await;
    app.advance(PAST_LEEWAY);
    refresh(&app, &ana.refresh_token).await.expect_problem(401, "refresh_token_reused");
    app.with_token(&access).get("/auth/me").await.expect_problem(401, "session_ended");
    assert_eq!(refresh(&app, &second).await.status, 401, "the thief's and the owner's tokens both end");
    // Another session of the same person is none of it.
    let feed = app.feed(&watcher).await;
    let ended = feed.only("SESSION_ENDED");
    assert_eq!(ended.payload()["userId"], ana.id);
    assert_eq!(ended.payload()["sessionId"], ana.session_id());
    assert_eq!(ended.payload()["reason"], "refresh_reuse");
}
