//! `POST /users/accept-invite`, where it works.

use serde_json::json;

use crate::harness::{PASSWORD, Person, TestApp};

#[tokio::test(flavor = "multi_thread")]
async fn makes_an_account_and_a_member_with_a_session() {
    let app = TestApp::start().await;
    let acme = app.organisation("Acme").create().await;
    let invite = app.invite(&acme.admin, "max@example.com", "MEMBER").await;
    let body = json!({ "token": invite["inviteToken"], "name": "Max", "password": "the password of Max" });
    let session = app.anonymous().post("/users/accept-invite").json(&body).await.expect_json(201);
    let max = Person::of(session, "the password of Max");
    assert_eq!(max.email, "max@example.com");
    assert_eq!(max.name, "Max");
    assert_eq!(max.session["user"]["role"], "MEMBER");
    assert_eq!(max.organisation_id, acme.id);
    assert_eq!(max.session["organisation"]["memberCount"], 2);
    app.as_user(&max).get("/auth/me").await.expect_status(200);
    app.sign_in(&max).await;

    let feed = app.feed(&acme.admin).await;
    let joined = feed.of_type("USER_JOINED").pop().unwrap().clone();
    joined.expect_actor(&max).expect_target(&max.id, "Max").expect_payload(&json!({
        "userId": max.id, "name": "Max", "email": "max@example.com", "role": "MEMBER",
    }));
    let started = feed.0.iter().find(|item| item.payload()["sessionId"] == max.session_id()).unwrap();
    assert_eq!(started.kind(), "SESSION_STARTED");
    assert_eq!(started.payload()["reason"], "accept_invite");
    // A member sees what is for everybody, also from before they came.
    let own = app.feed(&max).await;
    assert!(own.kinds().starts_with(&["ORGANISATION_CREATED", "USER_JOINED"]), "{:?}", own.kinds());
    own.expect_none("USER_INVITED");
}

#[tokio::test(flavor = "multi_thread")]
async fn joins_an_account_that_exists_with_its_own_password() {
    let app = TestApp::start().await;
    let acme = app.organisation("Acme").create().await;
    let bolt = app.register("Bolt", "Bo", "bo@example.com", "the password of Bo").await;
    let invite = app.invite(&acme.admin, "bo@example.com", "MEMBER").await;
    let here = app.accept(&invite, "Bo of Acme", "the password of Bo").await;
    assert_ne!(here.id, bolt.id);
    assert_eq!(here.email, bolt.email);
    let mine = app.as_user(&here).get("/auth/organisations").await.expect_status(200).items();
    assert_eq!(mine.len(), 2);
    let me = app.as_user(&bolt).get("/auth/me").await.expect_json(200);
    assert_eq!(me["user"]["name"], "Bo", "the name in the other organisation stays");
    assert_eq!(me["organisation"]["id"], bolt.organisation_id);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_password_than_the_accounts_own_is_refused_and_the_invite_stands() {
    let app = TestApp::start().await;
    let acme = app.organisation("Acme").create().await;
    app.register("Bolt", "Bo", "bo@example.com", "the password of Bo").await;
    let invite = app.invite(&acme.admin, "bo@example.com", "MEMBER").await;
    let head = app.head(&acme.admin).await;
    let body = json!({ "token": invite["inviteToken"], "name": "Bo", "password": "something else" });
    let answer = app.anonymous().post("/users/accept-invite").json(&body).await;
    answer.expect_problem(401, "credentials_invalid");
    assert_eq!(app.head(&acme.admin).await, head);
    app.accept(&invite, "Bo", "the password of Bo").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_account_is_no_stranger_to_its_old_password() {
    let app = TestApp::start().await;
    let acme = app.organisation("Acme").create().await;
    let invite = app.invite(&acme.admin, "max@example.com", "MEMBER").await;
    let max = app.accept(&invite, "Max", PASSWORD).await;
    // The account was made with that invite, and founds an organisation like any other.
    let own = app.register("Own", "Max", "max@example.com", PASSWORD).await;
    assert_ne!(own.organisation_id, max.organisation_id);
}
