//! Accounts and sessions.

use serde_json::{Value, json};

use super::{at_once, count};
use crate::harness::{PASSWORD, TestApp};

#[tokio::test(flavor = "multi_thread")]
async fn registers_with_one_email_and_several_passwords_make_one_account() {
    let app = TestApp::start().await;
    let calls = (0..8).map(|number| {
        let body = json!({
            "organisationName": format!("Org {number}"), "name": "Ana", "email": "ana@example.com",
            "password": format!("password number {number}"),
        });
        app.anonymous().post("/auth/register").json(&body)
    });
    let answers = at_once(calls.collect()).await;
    assert_eq!(count(&answers, 201), 1, "{answers:?}");
    for answer in answers.iter().filter(|answer| answer.status != 201) {
        answer.clone().expect_problem(409, "email_taken");
    }
    // Nobody is left half way: the winner has one organisation.
    let winner = answers.iter().find(|answer| answer.status == 201).unwrap().json();
    let caller = app.with_token(winner["accessToken"].as_str().unwrap());
    assert_eq!(caller.get("/auth/organisations").await.expect_status(200).items().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn registers_with_one_email_and_one_password_found_one_organisation_each() {
    let app = TestApp::start().await;
    let calls = (0..6).map(|_| {
        let body = json!({
            "organisationName": "Acme", "name": "Ana", "email": "ana@example.com", "password": PASSWORD,
        });
        app.anonymous().post("/auth/register").json(&body)
    });
    let answers = at_once(calls.collect()).await;
    assert_eq!(count(&answers, 201), 6, "{answers:?}");
    let slugs: std::collections::BTreeSet<String> =
        answers.iter().map(|answer| answer.json()["organisation"]["slug"].to_string()).collect();
    assert_eq!(slugs.len(), 6);
    let caller = app.with_token(answers[0].json()["accessToken"].as_str().unwrap());
    assert_eq!(caller.get("/auth/organisations").await.expect_status(200).items().len(), 6);
}

#[tokio::test(flavor = "multi_thread")]
async fn refreshes_of_one_token_at_once_end_with_one_pair_that_works() {
    let app = TestApp::start().await;
    let ana = app.register("Acme", "Ana", "ana@example.com", PASSWORD).await;
    let body = json!({ "refreshToken": ana.refresh_token });
    let calls = (0..10).map(|_| app.anonymous().post("/auth/refresh").json(&body));
    let answers = at_once(calls.collect()).await;
    // None of the successors was used, so each of these is a lost answer asked for again.
    assert_eq!(count(&answers, 200), 10, "{answers:?}");
    let me = app.as_user(&ana).get("/auth/me").await;
    me.expect_status(200);
    let pairs: Vec<Value> = answers.iter().map(crate::harness::Answer::json).collect();
    let mut distinct: Vec<&str> = pairs.iter().map(|pair| pair["refreshToken"].as_str().unwrap()).collect();
    distinct.sort_unstable();
    distinct.dedup();
    assert_eq!(distinct.len(), 10, "each answer is a pair of its own");
    for pair in &pairs {
        let caller = app.with_token(pair["accessToken"].as_str().unwrap());
        caller.get("/auth/me").await.expect_status(200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn logouts_of_one_session_at_once_are_recorded_once() {
    let app = TestApp::start().await;
    let ana = app.register("Acme", "Ana", "ana@example.com", PASSWORD).await;
    let watcher = app.sign_in(&ana).await;
    let calls = (0..8).map(|_| app.as_user(&ana).post("/auth/logout"));
    let answers = at_once(calls.collect()).await;
    assert!(answers.iter().all(|answer| [204, 401].contains(&answer.status)), "{answers:?}");
    assert!(count(&answers, 204) >= 1);
    app.feed(&watcher).await.only("SESSION_ENDED");
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_of_role_at_once_read_as_one_story() {
    let app = TestApp::start().await;
    let acme = app.organisation("Acme").with_member("mia").create().await;
    let head = app.head(&acme.admin).await;
    let calls = (0..10).map(|number| {
        let role = if number % 2 == 0 { "ADMIN" } else { "MEMBER" };
        let call = app.as_user(&acme.admin).patch(format!("/users/{}", acme["mia"].id));
        call.json(&json!({ "role": role }))
    });
    let answers = at_once(calls.collect()).await;
    assert_eq!(count(&answers, 200), 10, "{answers:?}");
    let feed = app.feed_after(&acme.admin, head).await;
    let mut role = json!("MEMBER");
    for item in &feed.0 {
        assert_eq!(item.payload()["from"], role, "{}", item.text);
        assert_ne!(item.payload()["to"], role, "{}", item.text);
        role = item.payload()["to"].clone();
    }
    let me = app.as_user(&acme["mia"]).get("/auth/me").await.expect_json(200);
    assert_eq!(me["user"]["role"], role);
}
