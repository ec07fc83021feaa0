//! `GET /users/invites` and `DELETE /users/invites/{id}`.

use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::{PASSWORD, Person, TestApp};

async fn pending(app: &TestApp, admin: &Person) -> Vec<Value> {
    app.as_user(admin).get("/users/invites").await.expect_status(200).items()
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_what_is_pending() {
    let app = TestApp::start().await;
    let acme = app.organisation("Acme").with_member("mia").create().await;
    let bolt = app.organisation("Bolt").create().await;
    let invite = app.invite(&acme.admin, "max@example.com", "ADMIN").await;
    app.invite(&bolt.admin, "bob@example.com", "MEMBER").await;
    let items = pending(&app, &acme.admin).await;
    assert_eq!(items.len(), 1, "neither the accepted one nor one of others: {items:?}");
    for field in ["id", "email", "role", "expiresAt"] {
        assert_eq!(items[0][field], invite[field]);
    }
    assert!(items[0].get("inviteToken").is_none(), "the token is shown once");
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_cover_each_once() {
    let app = TestApp::start().await;
    let acme = app.organisation("Acme").create().await;
    for number in 0..5 {
        app.invite(&acme.admin, &format!("guest{number}@example.com"), "MEMBER").await;
    }
    let caller = app.as_user(&acme.admin);
    let all = pending(&app, &acme.admin).await;
    assert_eq!(all.len(), 5);
    let first = caller.get("/users/invites?limit=3").await.expect_status(200);
    let cursor = first.json()["nextCursor"].as_str().unwrap().to_owned();
    let second = caller.get(format!("/users/invites?limit=3&cursor={cursor}")).await.expect_status(200);
    assert!(second.json()["nextCursor"].is_null());
    assert_eq!([first.items(), second.items()].concat(), all);
    caller.get("/users/invites?limit=201").await.expect_invalid(&["limit"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_invite_is_good_for_nothing() {
    let app = TestApp::start().await;
    let acme = app.organisation("Acme").with_member("mia").create().await;
    let invite = app.invite(&acme.admin, "max@example.com", "MEMBER").await;
    let path = format!("/users/invites/{}", invite["id"].as_str().unwrap());
    app.as_user(&acme.admin).delete(&path).await.expect_status(204);
    assert_eq!(pending(&app, &acme.admin).await, [Value::Null; 0]);
    let body = json!({ "token": invite["inviteToken"], "name": "Max", "password": PASSWORD });
    app.anonymous().post("/users/accept-invite").json(&body).await.expect_problem(404, "invite_invalid");
    app.as_user(&acme.admin).delete(&path).await.expect_problem(404, "not_found");

    let feed = app.feed(&acme.admin).await;
    let revoked = feed.only("INVITE_REVOKED").expect_actor(&acme.admin);
    revoked.expect_target(invite["id"].as_str().unwrap(), "max@example.com");
    revoked
        .expect_payload(&json!({ "inviteId": invite["id"], "email": "max@example.com", "role": "MEMBER" }));
    app.feed(&acme["mia"]).await.expect_none("INVITE_REVOKED");
    // The address may be invited again.
    let again = app.invite(&acme.admin, "max@example.com", "MEMBER").await;
    app.accept(&again, "Max", PASSWORD).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_accepted_invite_cannot_be_revoked() {
    let app = TestApp::start().await;
    let acme = app.organisation("Acme").create().await;
    let invite = app.invite(&acme.admin, "max@example.com", "MEMBER").await;
    let max = app.accept(&invite, "Max", PASSWORD).await;
    let path = format!("/users/invites/{}", invite["id"].as_str().unwrap());
    app.as_user(&acme.admin).delete(&path).await.expect_problem(404, "not_found");
    app.as_user(&max).get("/auth/me").await.expect_status(200);
    app.feed(&acme.admin).await.expect_none("INVITE_REVOKED");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_expired_invite_is_revoked_like_any_other() {
    let app = TestApp::start().await;
    let acme = app.organisation("Acme").create().await;
    let invite = app.invite(&acme.admin, "max@example.com", "MEMBER").await;
    app.advance(Duration::from_hours(24 * 366));
    let admin = app.sign_in(&acme.admin).await;
    let again = app.invite(&admin, "max@example.com", "MEMBER").await;
    assert_ne!(again["id"], invite["id"]);
    app.accept(&again, "Max", PASSWORD).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn invites_of_another_organisation_do_not_exist() {
    let app = TestApp::start().await;
    let acme = app.organisation("Acme").create().await;
    let bolt = app.organisation("Bolt").create().await;
    let invite = app.invite(&bolt.admin, "bob@example.com", "MEMBER").await;
    let nowhere = uuid::Uuid::now_v7().to_string();
    for id in [invite["id"].as_str().unwrap(), &nowhere, "garbage"] {
        app.as_user(&acme.admin)
            .delete(format!("/users/invites/{id}"))
            .await
            .expect_problem(404, "not_found");
    }
    assert_eq!(pending(&app, &bolt.admin).await.len(), 1);
    app.feed(&bolt.admin).await.expect_none("INVITE_REVOKED");
    app.accept(&invite, "Bob", PASSWORD).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn are_for_admins() {
    let app = TestApp::start().await;
    let acme = app.organisation("Acme").with_member("mia").create().await;
    let invite = app.invite(&acme.admin, "max@example.com", "MEMBER").await;
    let path = format!("/users/invites/{}", invite["id"].as_str().unwrap());
    app.as_user(&acme["mia"]).get("/users/invites").await.expect_problem(403, "role_forbidden");
    app.as_user(&acme["mia"]).delete(&path).await.expect_problem(403, "role_forbidden");
    app.anonymous().get("/users/invites").await.expect_problem(401, "token_invalid");
    app.anonymous().delete(&path).await.expect_problem(401, "token_invalid");
    assert_eq!(pending(&app, &acme.admin).await.len(), 1);
}
