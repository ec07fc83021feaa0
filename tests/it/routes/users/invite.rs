//! `POST /users/invite`.

use serde_json::{Value, json};

use crate::harness::{Answer, PASSWORD, Person, TestApp};

async fn invite(app: &TestApp, person: &Person, body: Value) -> Answer {
    app.as_user(person).post("/users/invite").json(&body).await
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_with_a_token_that_is_shown_once() {
    let app = TestApp::start().await;
    let acme = app.organisation("Acme").create().await;
    let created = invite(&app, &acme.admin, json!({ "email": "Max@Example.com" })).await.expect_json(201);
    assert_eq!(created["email"], "max@example.com");
    assert_eq!(created["role"], "MEMBER", "unless said otherwise");
    assert!(created["expiresAt"].as_str().unwrap() > app.clock().now().to_string().as_str());
    let mut fields: Vec<&String> = created.as_object().unwrap().keys().collect();
    fields.sort();
    assert_eq!(fields, ["email", "expiresAt", "id", "inviteToken", "role"]);
    let token = created["inviteToken"].as_str().unwrap();

    let feed = app.feed(&acme.admin).await;
    let invited = feed.only("USER_INVITED").expect_actor(&acme.admin);
    invited.expect_target(created["id"].as_str().unwrap(), "max@example.com");
    invited
        .expect_payload(&json!({ "inviteId": created["id"], "email": "max@example.com", "role": "MEMBER" }));
    assert!(!invited.text.contains(token));
    let listed = app.as_user(&acme.admin).get("/users/invites").await.expect_status(200);
    assert!(!listed.text.contains(token));
    let organisation = app.as_user(&acme.admin).get("/organisations").await.expect_json(200);
    assert_eq!(organisation["memberCount"], 1, "an invite takes no seat");
}

#[tokio::test(flavor = "multi_thread")]
async fn may_name_a_role_and_a_name() {
    let app = TestApp::start().await;
    let acme = app.organisation("Acme").create().await;
    let body = json!({ "email": "max@example.com", "role": "ADMIN", "name": "Max" });
    let created = invite(&app, &acme.admin, body).await.expect_json(201);
    assert_eq!(created["role"], "ADMIN");
    let max = app.accept(&created, "Max", PASSWORD).await;
    assert_eq!(max.session["user"]["role"], "ADMIN");
}

#[tokio::test(flavor = "multi_thread")]
async fn members_do_not_see_it() {
    let app = TestApp::start().await;
    let acme = app.organisation("Acme").with_member("mia").create().await;
    app.invite(&acme.admin, "max@example.com", "MEMBER").await;
    let feed = app.feed(&acme["mia"]).await;
    feed.expect_none("USER_INVITED");
    assert!(!feed.texts().concat().contains("max@example.com"));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_a_member_is_not_invited_again() {
    let app = TestApp::start().await;
    let acme = app.organisation("Acme").with_member("mia").create().await;
    for email in [&acme["mia"].email, &acme["mia"].email.to_uppercase(), &acme.admin.email] {
        invite(&app, &acme.admin, json!({ "email": email })).await.expect_problem(409, "already_member");
    }
    assert_eq!(
        app.feed(&acme.admin).await.of_type("USER_INVITED").len(),
        1,
        "only the one that was accepted"
    );
    // Once removed, they may come back.
    app.remove(&acme.admin, &acme["mia"]).await;
    let back = app.invite(&acme.admin, &acme["mia"].email, "MEMBER").await;
    let mia = app.accept(&back, "Mia again", PASSWORD).await;
    assert_ne!(mia.id, acme["mia"].id, "a membership of its own");
    app.as_user(&acme["mia"]).get("/auth/me").await.expect_problem(401, "session_ended");
}

#[tokio::test(flavor = "multi_thread")]
async fn pending_invites_take_no_seat_but_a_full_house_takes_no_invites() {
    let app = TestApp::start().await;
    let acme = app.organisation("Acme").with_member("mia").create().await;
    for number in 0..5 {
        app.invite(&acme.admin, &format!("guest{number}@example.com"), "MEMBER").await;
    }
    let last = app.invite(&acme.admin, "last@example.com", "MEMBER").await;
    app.accept(&last, "Last", PASSWORD).await;
    let body = json!({ "email": "more@example.com" });
    invite(&app, &acme.admin, body.clone()).await.expect_problem(403, "member_limit_reached");
    app.change_plan(&acme.admin, "PRO").await;
    invite(&app, &acme.admin, body).await.expect_status(201);
}

#[tokio::test(flavor = "multi_thread")]
async fn is_for_admins() {
    let app = TestApp::start().await;
    let acme = app.organisation("Acme").with_member("mia").create().await;
    let body = json!({ "email": "max@example.com" });
    invite(&app, &acme["mia"], body.clone()).await.expect_problem(403, "role_forbidden");
    app.anonymous().post("/users/invite").json(&body).await.expect_problem(401, "token_invalid");
    assert_eq!(app.feed(&acme.admin).await.of_type("USER_INVITED").len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_is_told() {
    let app = TestApp::start().await;
    let acme = app.organisation("Acme").create().await;
    invite(&app, &acme.admin, json!({})).await.expect_invalid(&["email"]);
    let wrong = json!({ "email": "max", "role": "OWNER", "name": "", "rol": "ADMIN" });
    invite(&app, &acme.admin, wrong).await.expect_invalid(&["email", "role", "name", "rol"]);
    let wrong = json!({ "email": [], "role": 1, "name": {} });
    invite(&app, &acme.admin, wrong).await.expect_invalid(&["email", "role", "name"]);
    app.feed(&acme.admin).await.expect_none("USER_INVITED");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_invite_of_one_address_leaves_one_that_works() {
    let app = TestApp::start().await;
    let acme = app.organisation("Acme").create().await;
    let first = app.invite(&acme.admin, "max@example.com", "MEMBER").await;
    let second = invite(&app, &acme.admin, json!({ "email": "max@example.com", "role": "ADMIN" })).await;
    let pending = app.as_user(&acme.admin).get("/users/invites").await.expect_status(200).items();
    assert_eq!(pending.len(), 1, "one pending invite an address");
    // Whoever asked again has lost the token: the new one counts.
    let second = second.expect_json(201);
    let accept =
        |invite: &Value| json!({ "token": invite["inviteToken"], "name": "Max", "password": PASSWORD });
    let old = app.anonymous().post("/users/accept-invite").json(&accept(&first)).await;
    old.expect_problem(404, "invite_invalid");
    let max = app.accept(&second, "Max", PASSWORD).await;
    assert_eq!(max.session["user"]["role"], "ADMIN");
}
