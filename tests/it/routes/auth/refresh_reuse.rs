//! `POST /auth/refresh`: what ends a session, and what does not.

use std::time::Duration;

use super::refresh::{refresh, rotate};
use crate::harness::{PASSWORD, TestApp};

#[tokio::test(flavor = "multi_thread")]
async fn a_second_use_within_the_leeway_ends_it_once_the_successor_was_used() {
    let app = TestApp::start().await;
    let ana = app.register("Acme", "Ana", "ana@example.com", PASSWORD).await;
    let (_, second) = rotate(&app, &ana.refresh_token).await;
    let (access, third) = rotate(&app, &second).await;
    refresh(&app, &ana.refresh_token).await.expect_problem(401, "refresh_token_reused");
    app.with_token(&access).get("/auth/me").await.expect_problem(401, "session_ended");
    assert_eq!(refresh(&app, &third).await.status, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_of_many_rotations_ago_ends_it_too() {
    let app = TestApp::start().await;
    let ana = app.register("Acme", "Ana", "ana@example.com", PASSWORD).await;
    let mut token = ana.refresh_token.clone();
    let mut access = String::new();
    for _ in 0..5 {
        app.advance(Duration::from_mins(1));
        (access, token) = rotate(&app, &token).await;
    }
    refresh(&app, &ana.refresh_token).await.expect_problem(401, "refresh_token_reused");
    app.with_token(&access).get("/auth/me").await.expect_problem(401, "session_ended");
    assert_eq!(refresh(&app, &token).await.status, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_end_is_recorded_once_however_often_it_is_tried() {
    let app = TestApp::start().await;
    let ana = app.register("Acme", "Ana", "ana@example.com", PASSWORD).await;
    let watcher = app.sign_in(&ana).await;
    rotate(&app, &ana.refresh_token).await;
    app.advance(Duration::from_secs(31));
    for _ in 0..3 {
        assert_eq!(refresh(&app, &ana.refresh_token).await.status, 401);
    }
    app.feed(&watcher).await.only("SESSION_ENDED");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_does_not_see_that_another_members_session_ended() {
    let app = TestApp::start().await;
    let acme = app.organisation("Acme").with_member("mia").with_member("max").create().await;
    rotate(&app, &acme["mia"].refresh_token).await;
    app.advance(Duration::from_secs(31));
    refresh(&app, &acme["mia"].refresh_token).await.expect_problem(401, "refresh_token_reused");
    app.feed(&acme.admin).await.only("SESSION_ENDED");
    app.feed(&acme["max"]).await.expect_none("SESSION_ENDED");
    let mia = app.sign_in(&acme["mia"]).await;
    app.feed(&mia).await.only("SESSION_ENDED");
}
