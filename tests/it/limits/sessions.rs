//! Refresh, me and logout, by which an office behind one address comes back after an outage.

use serde_json::json;

use super::{MINUTE, expect_limited, from, limited, refusals, standing};
use crate::harness::{Call, PASSWORD, Person, TestApp};

const OFFICE: &str = "203.0.113.7";

fn refresh(app: &TestApp, token: &str) -> Call {
    from(OFFICE, app.anonymous().post("/auth/refresh").json(&json!({ "refreshToken": token })))
}

fn me(app: &TestApp, person: &Person) -> Call {
    from(OFFICE, app.as_user(person).get("/auth/me"))
}

#[tokio::test(flavor = "multi_thread")]
async fn an_office_comes_back_whatever_else_its_address_sends() {
    let app = limited(|limits| limits.rate_limit_per_minute = 2).await;
    let mut people = Vec::new();
    for number in 0..5 {
        people.push(app.register("Acme", "Ana", &format!("{number}@example.com"), PASSWORD).await);
        app.advance(MINUTE);
    }
    for _ in 0..2 {
        from(OFFICE, app.anonymous().get("/users")).await.expect_status(401);
    }
    expect_limited(from(OFFICE, app.anonymous().get("/users")).await, 2);

    for person in &mut people {
        let answer = refresh(&app, &person.refresh_token).await;
        assert_eq!(standing(&answer).0, 2);
        let pair = answer.expect_json(200);
        person.access_token = pair["accessToken"].as_str().unwrap().to_owned();
        me(&app, person).await.expect_status(200);
    }
    app.advance(MINUTE);
    for person in &people {
        from(OFFICE, app.as_user(person).post("/auth/logout")).await.expect_status(204);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_has_a_limit_of_its_own() {
    let app = limited(|limits| limits.rate_limit_per_minute = 3).await;
    let ana = app.register("Acme", "Ana", "ana@example.com", PASSWORD).await;
    let again = app.sign_in(&ana).await;
    let before = refusals(&app, "session").await;
    for left in [2, 1, 0] {
        assert_eq!(standing(&me(&app, &ana).await.expect_status(200)).1, left);
    }
    expect_limited(me(&app, &ana).await, 3);
    expect_limited(refresh(&app, &ana.refresh_token).await, 3);
    expect_limited(from(OFFICE, app.as_user(&ana).post("/auth/logout")).await, 3);
    assert!(refusals(&app, "session").await >= before + 3.0);
    // What else the user does, and their other session, counts apart.
    app.as_user(&ana).get("/users").await.expect_status(200);
    me(&app, &again).await.expect_status(200);

    app.advance(MINUTE);
    refresh(&app, &ana.refresh_token).await.expect_status(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_names_no_session_counts_by_address() {
    let app = limited(|limits| limits.rate_limit_per_minute = 4).await;
    let ana = app.register("Acme", "Ana", "ana@example.com", PASSWORD).await;
    let broken = || from(OFFICE, app.anonymous().post("/auth/refresh").body(Some("application/json"), "{"));
    refresh(&app, "garbage").await.expect_problem(401, "refresh_token_invalid");
    broken().await.expect_problem(400, "malformed_json");
    from(OFFICE, app.anonymous().get("/auth/me")).await.expect_status(401);
    from(OFFICE, app.with_token("garbage").post("/auth/logout")).await.expect_status(401);
    expect_limited(refresh(&app, "garbage").await, 4);
    expect_limited(broken().await, 4);
    expect_limited(from(OFFICE, app.anonymous().get("/auth/me")).await, 4);
    refresh(&app, &ana.refresh_token).await.expect_status(200);
}
