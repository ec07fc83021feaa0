//! Administrators' sign-in, and that neither kind of token is taken for the other.

use std::time::Duration;

use futures_util::future::join_all;
use reqwest::Method;
use serde_json::json;

use crate::harness::app::SIGNING_KEY;
use crate::harness::client::options;
use crate::harness::platform::create_administrator;
use crate::harness::{Child, Client, PASSWORD, Person, TestApp, TestDatabase};

#[tokio::test(flavor = "multi_thread")]
async fn neither_kind_of_token_is_taken_for_the_other() {
    let app = TestApp::start().await;
    let acme = app.organisation("Acme").create().await;
    let pat = app.operator("super_admin").await;
    for path in
        ["/platform/auth/me", "/platform/organisations", "/platform/audit", "/platform/administrators"]
    {
        app.as_user(&acme.admin).get(path).await.expect_problem(401, "token_invalid");
    }
    let found = app.as_user(&acme.admin).post("/orgs").json(&json!({ "name": "Bolt" }));
    found.await.expect_problem(401, "token_invalid");
    for path in ["/auth/me", "/activities", "/users", "/organisations", "/stream"] {
        app.as_operator(&pat).get(path).await.expect_problem(401, "token_invalid");
    }
    let socket = Person { access_token: pat.access_token.clone(), ..acme.admin.clone() };
    let mut socket = app.open(options(&socket)).await;
    socket.expect_close(roomcast_client::CloseCode::UNAUTHENTICATED).await;
    // Refresh tokens, too.
    let refresh = async |path: &str, token: &str| {
        app.anonymous().post(path).json(&json!({ "refreshToken": token })).await
    };
    let of_member = refresh("/platform/auth/refresh", &acme.admin.refresh_token).await;
    of_member.expect_problem(401, "refresh_token_invalid");
    let of_administrator = refresh("/auth/refresh", &pat.refresh_token).await;
    of_administrator.expect_problem(401, "refresh_token_invalid");
    // Nor are their passwords one.
    let body = json!({ "email": acme.admin.email, "password": PASSWORD });
    let login = app.anonymous().post("/platform/auth/login").json(&body);
    login.await.expect_problem(401, "credentials_invalid");
    let body = json!({ "email": pat.email, "password": PASSWORD });
    let login = app.anonymous().post("/auth/login").json(&body);
    login.await.expect_problem(401, "credentials_invalid");
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_are_turned_and_a_session_ends_at_once() {
    let app = TestApp::start().await;
    let pat = app.operator("support").await;
    let refresh = async |token: &str| {
        let call = app.anonymous().post("/platform/auth/refresh");
        call.json(&json!({ "refreshToken": token })).await
    };
    let second = refresh(&pat.refresh_token).await.expect_json(200);
    let third = refresh(second["refreshToken"].as_str().unwrap()).await.expect_json(200);
    app.advance(Duration::from_mins(1));
    refresh(&pat.refresh_token).await.expect_problem(401, "refresh_token_reused");
    refresh(third["refreshToken"].as_str().unwrap()).await.expect_problem(401, "session_ended");
    app.as_operator(&pat).get("/platform/auth/me").await.expect_problem(401, "session_ended");

    let pat = app.sign_in_operator(&pat.email).await;
    app.as_operator(&pat).post("/platform/auth/logout").await.expect_status(204);
    app.as_operator(&pat).get("/platform/auth/me").await.expect_problem(401, "session_ended");
    refresh(&pat.refresh_token).await.expect_problem(401, "session_ended");
    let pat = app.sign_in_operator(&pat.email).await;
    app.advance(Duration::from_mins(15));
    app.as_operator(&pat).get("/platform/auth/me").await.expect_problem(401, "token_invalid");
}

#[tokio::test(flavor = "multi_thread")]
async fn guesses_are_slowed_down_for_each_administrator_and_address() {
    let app = TestApp::with(|config| config.limits.auth_rate_limit_per_minute = 30).await;
    let pat = app.operator("super_admin").await;
    let login = async |email: &str, password: &str| {
        let body = json!({ "email": email, "password": password });
        app.anonymous().post("/platform/auth/login").json(&body).await.status
    };
    for email in ["nobody@example.com", pat.email.as_str()] {
        // So many that the next delay is 8 seconds, in which even a slow machine asks twice.
        for _ in 0..8 {
            app.advance(Duration::from_mins(1));
            assert_eq!(login(email, "not the password").await, 401, "{email}");
        }
        assert_eq!(login(email, "not the password").await, 429, "{email}");
    }
    // The right one has to wait as well.
    assert_eq!(login(&pat.email, PASSWORD).await, 429);
    app.advance(Duration::from_mins(1));
    assert_eq!(login(&pat.email, PASSWORD).await, 200);
    // A member with that email is not concerned.
    let ana = app.register("Acme", "Ana", &pat.email, PASSWORD).await;
    app.sign_in(&ana).await;
    // Together, since the address may try more as time goes by.
    let emails: Vec<String> = (0..40).map(|number| format!("nobody.{number}@example.com")).collect();
    let statuses = join_all(emails.iter().map(|email| login(email, "not the password"))).await;
    assert!(statuses.contains(&429), "an address has no end of attempts: {statuses:?}");
}

/// How many transactions that write a hub has begun.
async fn writes(hub: &Client) -> u64 {
    let metrics = hub.anonymous().at(Method::GET, "/metrics").await.expect_status(200);
    let series = r#"roomcast_database_transactions_total{mode="write"} "#;
    let value = metrics.text.lines().find_map(|line| line.strip_prefix(series));
    value.map_or(0, |value| value.parse().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_sign_in_is_the_same_work_whoever_is_meant() {
    let database = TestDatabase::create().await;
    let url = database.url_text();
    let environment = [
        ("DATABASE_URL", url.as_str()),
        ("JWT_ACCESS_SECRET", SIGNING_KEY),
        ("PORT", "0"),
        ("RATE_LIMIT_PER_MINUTE", "0"),
        ("AUTH_RATE_LIMIT_PER_MINUTE", "0"),
    ];
    // A hub of its own: the counters of this process are those of all its tests.
    let mut hub = Child::start(&[], &environment);
    let client = hub.listening().await;
    let pat = create_administrator(&url, "super_admin").await;
    let gone = create_administrator(&url, "support").await;
    let (status, output) = Child::start(&["admin", "disable", &gone], &environment).ended_at_last().await;
    assert!(status.success(), "{output}");
    let mut work = Vec::new();
    for (email, password) in [
        (pat.as_str(), "not the password"),
        ("nobody@example.com", "not the password"),
        (&gone, "not the password"),
        (&gone, PASSWORD),
    ] {
        let before = writes(&client).await;
        let body = json!({ "email": email, "password": password });
        let answer = client.anonymous().post("/platform/auth/login").json(&body).await;
        answer.expect_problem(401, "credentials_invalid");
        work.push(writes(&client).await - before);
    }
    assert_eq!(work, [1; 4], "one entry of the audit each");
    hub.stop().await;
}
