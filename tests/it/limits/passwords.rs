//! The delay after wrong passwords, account by account.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::{Value, json};

use super::{expect_limited, limited, refusals};
use crate::harness::{Answer, Call, PASSWORD, TestApp};

/// Wrong passwords that cost nothing.
const FREE: u32 = 5;

/// The longest delay.
const LONGEST: Duration = Duration::from_mins(1);

/// Addresses are not what limits here.
async fn app() -> TestApp {
    limited(|limits| limits.auth_rate_limit_per_minute = 10_000).await
}

fn login(app: &TestApp, email: &str, password: &str) -> Call {
    app.anonymous().post("/auth/login").json(&json!({ "email": email, "password": password }))
}

async fn try_wrong(app: &TestApp, email: &str) {
    login(app, email, "not it at all").await.expect_problem(401, "credentials_invalid");
}

/// Tries so many that the next delay is 8 seconds, in which even a slow machine asks twice.
async fn wear_out(app: &TestApp, email: &str) {
    for _ in 0..FREE + 3 {
        app.advance(LONGEST);
        try_wrong(app, email).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_passwords_are_followed_by_a_delay_that_grows_and_has_an_end() {
    let app = app().await;
    app.register("Acme", "Ana", "ana@example.com", PASSWORD).await;
    let before = refusals(&app, "account").await;
    wear_out(&app, "ana@example.com").await;
    let mut delays = Vec::new();
    for _ in 0..5 {
        // Even the right one is not looked at, and asking again prolongs nothing.
        expect_limited(login(&app, "Ana@Example.com", PASSWORD).await, FREE);
        let delay = expect_limited(login(&app, "ana@example.com", PASSWORD).await, FREE);
        delays.push(delay.as_secs());
        app.advance(delay);
        try_wrong(&app, "ana@example.com").await;
    }
    assert!(delays.is_sorted(), "{delays:?}");
    assert!(delays[0] <= 8 && delays[1] > 8 && delays[2] > 16 && delays[4] > 32, "{delays:?}");
    assert!(refusals(&app, "account").await >= before + 10.0);
    app.advance(LONGEST);
    login(&app, "ana@example.com", PASSWORD).await.expect_status(200);
    // A success forgets what was wrong before.
    for _ in 0..FREE {
        try_wrong(&app, "ana@example.com").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_email_is_answered_like_a_known_one() {
    let app = app().await;
    app.register("Acme", "Ana", "ana@example.com", PASSWORD).await;
    let bare = |answer: Answer| {
        let mut problem = answer.json();
        problem.as_object_mut().unwrap().remove("requestId");
        let limit = answer.header("ratelimit-limit").map(str::to_owned);
        (answer.status, limit, problem)
    };
    let mut told: Vec<Vec<(u16, Option<String>, Value)>> = Vec::new();
    for email in ["ana@example.com", "nobody@example.com"] {
        wear_out(&app, email).await;
        let mut answers = vec![bare(login(&app, email, PASSWORD).await)];
        app.advance(LONGEST);
        answers.push(bare(login(&app, email, "not it at all").await));
        told.push(answers);
    }
    assert_eq!(told[0], told[1]);
    assert_eq!((told[0][0].0, told[0][1].0), (429, 401));
}

#[tokio::test(flavor = "multi_thread")]
async fn guesses_that_come_together_do_not_slip_by() {
    let app = app().await;
    app.register("Acme", "Ana", "ana@example.com", PASSWORD).await;
    wear_out(&app, "ana@example.com").await;
    app.advance(LONGEST);
    let guesses =
        (0..20).map(|number| login(&app, "ana@example.com", &format!("guess {number}")).into_future());
    let answers = join_all(guesses).await;
    let wrong = answers.iter().filter(|answer| answer.status == 401).count();
    assert_eq!(wrong, 1, "{answers:?}");
    for answer in answers.into_iter().filter(|answer| answer.status != 401) {
        expect_limited(answer, FREE);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_way_to_try_a_password_counts() {
    let app = app().await;
    let acme = app.organisation("Acme").create().await;
    let ana = app.register("Bolt", "Ana", "ana@example.com", PASSWORD).await;
    let invite = app.invite(&acme.admin, "ana@example.com", "MEMBER").await;
    let accept = || {
        let body = json!({ "token": invite["inviteToken"], "name": "Ana", "password": "not it at all" });
        app.anonymous().post("/users/accept-invite").json(&body)
    };
    let register = || {
        let body = json!({
            "organisationName": "Mine", "name": "Eve", "email": "ana@example.com", "password": "not it at all",
        });
        app.anonymous().post("/auth/register").json(&body)
    };
    let change = || {
        let body = json!({ "password": "a new password", "currentPassword": "not it at all" });
        app.as_user(&ana).patch("/auth/me").json(&body)
    };
    accept().await.expect_problem(401, "credentials_invalid");
    register().await.expect_problem(409, "email_taken");
    change().await.expect_problem(401, "credentials_invalid");
    try_wrong(&app, "ana@example.com").await;
    change().await.expect_problem(401, "credentials_invalid");
    for _ in 0..3 {
        app.advance(LONGEST);
        change().await.expect_problem(401, "credentials_invalid");
    }
    // Had one of them not counted, the delay were half as long.
    assert!(expect_limited(change().await, FREE) > Duration::from_secs(4));
    for call in [accept(), register(), change(), login(&app, "ana@example.com", PASSWORD)] {
        expect_limited(call.await, FREE);
    }
    // Who is signed in goes on, and can wait it out.
    app.as_user(&ana).get("/auth/me").await.expect_status(200);
    app.advance(LONGEST);
    login(&app, "ana@example.com", PASSWORD).await.expect_status(200);
    change().await.expect_problem(401, "credentials_invalid");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_limit_of_attempts_there_is_no_delay() {
    let app = limited(|limits| limits.auth_rate_limit_per_minute = 0).await;
    app.register("Acme", "Ana", "ana@example.com", PASSWORD).await;
    for _ in 0..FREE * 2 {
        try_wrong(&app, "ana@example.com").await;
    }
    login(&app, "ana@example.com", PASSWORD).await.expect_status(200);
}
