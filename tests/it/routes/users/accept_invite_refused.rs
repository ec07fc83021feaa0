//! `POST /users/accept-invite`, where it is refused: what is wrong with the token comes first.

use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::{Answer, PASSWORD, TestApp};

/// Longer than any invite stands.
const LATER: Duration = Duration::from_hours(24 * 366);

async fn accept(app: &TestApp, token: &Value, name: &str) -> Answer {
    let body = json!({ "token": token, "name": name, "password": PASSWORD });
    app.anonymous().post("/users/accept-invite").json(&body).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_names_no_invite() {
    let app = TestApp::start().await;
    let acme = app.organisation("Acme").create().await;
    let invite = app.invite(&acme.admin, "max@example.com", "MEMBER").await;
    let token = invite["inviteToken"].as_str().unwrap();
    let mut changed = token.to_owned();
    let last = if changed.pop() == Some('A') { 'B' } else { 'A' };
    changed.push(last);
    let longer = format!("{token}x");
    for bad in ["garbage", "", &changed, &longer, &acme.admin.refresh_token, &acme.admin.access_token] {
        accept(&app, &json!(bad), "Max").await.expect_problem(404, "invite_invalid");
    }
    accept(&app, &invite["inviteToken"], "Max").await.expect_status(201);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_was_used_also_once_it_has_expired_and_the_house_is_full() {
    let app = TestApp::start().await;
    let acme = app.organisation("Acme").with_member("mia").create().await;
    let invite = app.invite(&acme.admin, "max@example.com", "MEMBER").await;
    app.accept(&invite, "Max", PASSWORD).await;
    accept(&app, &invite["inviteToken"], "Max").await.expect_problem(409, "invite_used");
    app.advance(LATER);
    accept(&app, &invite["inviteToken"], "Max").await.expect_problem(409, "invite_used");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_has_expired_also_where_the_house_is_full() {
    let app = TestApp::start().await;
    let acme = app.organisation("Acme").with_member("mia").create().await;
    let late = app.invite(&acme.admin, "late@example.com", "MEMBER").await;
    let last = app.invite(&acme.admin, "last@example.com", "MEMBER").await;
    app.accept(&last, "Last", PASSWORD).await;
    accept(&app, &late["inviteToken"], "Late").await.expect_problem(403, "member_limit_reached");
    app.advance(LATER);
    accept(&app, &late["inviteToken"], "Late").await.expect_problem(410, "invite_expired");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invite_stands_until_the_moment_it_says() {
    let app = TestApp::start().await;
    let acme = app.organisation("Acme").create().await;
    let invite = app.invite(&acme.admin, "max@example.com", "MEMBER").await;
    let other = app.invite(&acme.admin, "moe@example.com", "MEMBER").await;
    let expires = chrono::DateTime::parse_from_rfc3339(invite["expiresAt"].as_str().unwrap()).unwrap();
    let left = expires.timestamp_millis() - app.clock().now().as_millis();
    let left = Duration::from_millis(u64::try_from(left).expect("it expires later"));
    assert!(left >= Duration::from_hours(24), "a day at least");
    app.advance(left.checked_sub(Duration::from_secs(30)).unwrap());
    accept(&app, &invite["inviteToken"], "Max").await.expect_status(201);
    app.advance(Duration::from_secs(31));
    accept(&app, &other["inviteToken"], "Moe").await.expect_problem(410, "invite_expired");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_house_leaves_no_trace_and_the_invite_standing() {
    let app = TestApp::start().await;
    let acme = app.organisation("Acme").with_member("mia").create().await;
    let late = app.invite(&acme.admin, "late@example.com", "MEMBER").await;
    let last = app.invite(&acme.admin, "last@example.com", "MEMBER").await;
    app.accept(&last, "Last", PASSWORD).await;
    let head = app.head(&acme.admin).await;
    accept(&app, &late["inviteToken"], "Late").await.expect_problem(403, "member_limit_reached");
    assert_eq!(app.head(&acme.admin).await, head);
    let organisation = app.as_user(&acme.admin).get("/organisations").await.expect_json(200);
    assert_eq!(organisation["memberCount"], 3);
    app.change_plan(&acme.admin, "PRO").await;
    app.accept(&late, "Late", PASSWORD).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_is_told() {
    let app = TestApp::start().await;
    let send = async |body: Value| app.anonymous().post("/users/accept-invite").json(&body).await;
    send(json!({})).await.expect_invalid(&["token", "name", "password"]);
    let wrong = json!({ "token": 1, "name": 2, "password": 3, "email": "x@example.com" });
    send(wrong).await.expect_invalid(&["token", "name", "password", "email"]);
    let wrong = json!({ "token": "t", "name": "", "password": "short" });
    send(wrong).await.expect_invalid(&["name", "password"]);
}
