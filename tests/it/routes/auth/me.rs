//! `GET` and `PATCH /auth/me`, but for passwords.

use serde_json::json;

use crate::harness::{PASSWORD, TestApp};

#[tokio::test(flavor = "multi_thread")]
async fn tells_who_is_asking_and_where() {
    let app = TestApp::start().await;
    let acme = app.organisation("Acme").with_member("mia").create().await;
    let me = app.as_user(&acme["mia"]).get("/auth/me").await.expect_json(200);
    assert_eq!(me["user"], acme["mia"].session["user"]);
    assert_eq!(me["user"]["role"], "MEMBER");
    assert_eq!(me["organisation"]["id"], acme.id);
    assert_eq!(me["organisation"]["memberCount"], 2);
    assert_eq!(me.as_object().unwrap().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn needs_a_session() {
    let app = TestApp::start().await;
    app.anonymous().get("/auth/me").await.expect_problem(401, "token_invalid");
    app.with_token("").get("/auth/me").await.expect_problem(401, "token_invalid");
    app.with_token("a.b.c").get("/auth/me").await.expect_problem(401, "token_invalid");
    let basic = app.anonymous().get("/auth/me").header("authorization", "Basic YTpi");
    let answer = basic.await;
    assert_eq!(answer.header("www-authenticate"), Some("Bearer"));
    answer.expect_problem(401, "token_invalid");
    app.anonymous()
        .patch("/auth/me")
        .json(&json!({ "name": "x" }))
        .await
        .expect_problem(401, "token_invalid");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_can_be_changed() {
    let app = TestApp::start().await;
    let acme = app.organisation("Acme").with_member("mia").create().await;
    let mia = &acme["mia"];
    let call = app.as_user(mia).patch("/auth/me").json(&json!({ "name": "  Mia Maria " }));
    let user = call.await.expect_json(200);
    assert_eq!(user["id"], mia.id);
    assert_eq!(user["name"], "Mia Maria");
    assert_eq!(user["email"], mia.email);
    let me = app.as_user(mia).get("/auth/me").await.expect_json(200);
    assert_eq!(me["user"], user);
    // It is an activity, and what they do from here on is under the new name.
    let feed = app.feed(&acme.admin).await;
    let changed = &feed.0[feed.0.len() - 1];
    assert_eq!(changed.payload()["userId"], mia.id, "{}", changed.text);
    assert_eq!(changed.payload()["changes"]["name"], "Mia Maria", "{}", changed.text);
    app.change_role(&acme.admin, mia, "ADMIN").await;
    let item = app.broadcast(mia, "hello").await;
    assert_eq!(item.json["actor"], json!({ "id": mia.id, "name": "Mia Maria" }));
    // Earlier activities keep the name of their time.
    let joined = feed.of_type("USER_JOINED")[1];
    joined.expect_target(&mia.id, "mia");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_belongs_to_the_membership() {
    let app = TestApp::start().await;
    let acme = app.register("Acme", "Ana", "ana@example.com", PASSWORD).await;
    let bolt = app.register("Bolt", "Ana", "ana@example.com", PASSWORD).await;
    let head = app.head(&bolt).await;
    app.as_user(&acme).patch("/auth/me").json(&json!({ "name": "Ana of Acme" })).await.expect_status(200);
    let me = app.as_user(&bolt).get("/auth/me").await.expect_json(200);
    assert_eq!(me["user"]["name"], "Ana");
    assert_eq!(app.head(&bolt).await, head);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_is_told_and_changes_nothing() {
    let app = TestApp::start().await;
    let ana = app.register("Acme", "Ana", "ana@example.com", PASSWORD).await;
    let head = app.head(&ana).await;
    let patch = async |body| app.as_user(&ana).patch("/auth/me").json(&body).await;
    patch(json!({ "name": "", "role": "ADMIN" })).await.expect_invalid(&["name", "role"]);
    patch(json!({ "name": 5, "email": "x@example.com" })).await.expect_invalid(&["name", "email"]);
    patch(json!({ "name": "a\nb" })).await.expect_invalid(&["name"]);
    let empty = patch(json!({})).await;
    assert_eq!(empty.status, 422, "nothing to change: {}", empty.text);
    let me = app.as_user(&ana).get("/auth/me").await.expect_json(200);
    assert_eq!(me["user"], ana.session["user"]);
    assert_eq!(app.head(&ana).await, head);
}
