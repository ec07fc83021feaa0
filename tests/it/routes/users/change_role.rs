//! `PATCH /users/{id}`.

use serde_json::{Value, json};

use crate::harness::{Answer, Person, TestApp};

async fn change(app: &TestApp, admin: &Person, id: &str, body: Value) -> Answer {
    app.as_user(admin).patch(format!("/users/{id}")).json(&body).await
}

#[tokio::test(flavor = "multi_thread")]
async fn counts_at_once_whatever_the_token_says() {
    let app = TestApp::start().await;
    let acme = app.organisation("Acme").with_member("mia").create().await;
    let mia = &acme["mia"];
    app.as_user(mia).get("/users").await.expect_problem(403, "role_forbidden");
    let user = change(&app, &acme.admin, &mia.id, json!({ "role": "ADMIN" })).await.expect_json(200);
    assert_eq!(user["id"], mia.id);
    assert_eq!(user["role"], "ADMIN");
    app.as_user(mia).get("/users").await.expect_status(200);
    let user = change(&app, &acme.admin, &mia.id, json!({ "role": "MEMBER" })).await.expect_json(200);
    assert_eq!(user, mia.session["user"]);
    app.as_user(mia).get("/users").await.expect_problem(403, "role_forbidden");
    let me = app.as_user(mia).get("/auth/me").await.expect_json(200);
    assert_eq!(me["user"]["role"], "MEMBER");

    for viewer in [&acme.admin, mia] {
        let feed = app.feed(viewer).await;
        let changes = feed.of_type("USER_ROLE_CHANGED");
        assert_eq!(changes.len(), 2);
        for (item, (from, to)) in changes.iter().zip([("MEMBER", "ADMIN"), ("ADMIN", "MEMBER")]) {
            item.expect_actor(&acme.admin).expect_target(&mia.id, "mia");
            item.expect_payload(&json!({ "userId": mia.id, "from": from, "to": to }));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_role_again_is_no_change() {
    let app = TestApp::start().await;
    let acme = app.organisation("Acme").with_member("mia").create().await;
    let head = app.head(&acme.admin).await;
    let user = change(&app, &acme.admin, &acme["mia"].id, json!({ "role": "MEMBER" })).await.expect_json(200);
    assert_eq!(user, acme["mia"].session["user"]);
    assert_eq!(app.head(&acme.admin).await, head);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_admin_stays_one() {
    let app = TestApp::start().await;
    let acme = app.organisation("Acme").with_member("mia").with_admin("bo").create().await;
    let member = json!({ "role": "MEMBER" });
    change(&app, &acme["bo"], &acme.admin.id, member.clone()).await.expect_status(200);
    let head = app.head(&acme["bo"]).await;
    change(&app, &acme["bo"], &acme["bo"].id, member).await.expect_problem(409, "last_admin");
    assert_eq!(app.head(&acme["bo"]).await, head);
    app.as_user(&acme["bo"]).get("/users").await.expect_status(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_admin_may_step_down_where_another_is_left() {
    let app = TestApp::start().await;
    let acme = app.organisation("Acme").with_admin("bo").create().await;
    app.change_role(&acme["bo"], &acme["bo"], "MEMBER").await;
    app.as_user(&acme["bo"]).get("/users").await.expect_problem(403, "role_forbidden");
}

#[tokio::test(flavor = "multi_thread")]
async fn is_for_admins() {
    let app = TestApp::start().await;
    let acme = app.organisation("Acme").with_member("mia").create().await;
    let body = json!({ "role": "ADMIN" });
    let mia = &acme["mia"];
    change(&app, mia, &mia.id, body.clone()).await.expect_problem(403, "role_forbidden");
    change(&app, mia, &acme.admin.id, json!({ "role": "MEMBER" }))
        .await
        .expect_problem(403, "role_forbidden");
    let call = app.anonymous().patch(format!("/users/{}", mia.id)).json(&body);
    call.await.expect_problem(401, "token_invalid");
    app.feed(&acme.admin).await.expect_none("USER_ROLE_CHANGED");
}

#[tokio::test(flavor = "multi_thread")]
async fn users_of_another_organisation_do_not_exist() {
    let app = TestApp::start().await;
    let acme = app.organisation("Acme").create().await;
    let bolt = app.organisation("Bolt").with_member("bob").create().await;
    let head = app.head(&bolt.admin).await;
    let nobody = uuid::Uuid::now_v7().to_string();
    let mut answers = Vec::new();
    for id in [&bolt["bob"].id, &bolt.admin.id, &nobody] {
        let problem =
            change(&app, &acme.admin, id, json!({ "role": "ADMIN" })).await.expect_problem(404, "not_found");
        answers.push(problem["detail"].clone());
    }
    answers.dedup();
    assert_eq!(answers.len(), 1);
    change(&app, &acme.admin, "garbage", json!({ "role": "ADMIN" })).await.expect_problem(404, "not_found");
    assert_eq!(app.head(&bolt.admin).await, head);
    let bob = app.as_user(&bolt["bob"]).get("/auth/me").await.expect_json(200);
    assert_eq!(bob["user"]["role"], "MEMBER");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_is_told() {
    let app = TestApp::start().await;
    let acme = app.organisation("Acme").with_member("mia").create().await;
    let id = &acme["mia"].id;
    change(&app, &acme.admin, id, json!({})).await.expect_invalid(&["role"]);
    change(&app, &acme.admin, id, json!({ "role": "OWNER" })).await.expect_invalid(&["role"]);
    change(&app, &acme.admin, id, json!({ "role": 1, "name": "x" })).await.expect_invalid(&["role", "name"]);
}
