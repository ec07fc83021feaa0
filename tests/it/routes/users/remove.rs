//! `DELETE /users/{id}`.

use serde_json::json;

use crate::harness::{PASSWORD, TestApp};

#[tokio::test(flavor = "multi_thread")]
async fn ends_every_session_of_the_user_at_once() {
    let app = TestApp::start().await;
    let acme = app.organisation("Acme").with_member("mia").with_member("max").create().await;
    let (mia, phone) = (&acme["mia"], app.sign_in(&acme["mia"]).await);
    let answer = app.as_user(&acme.admin).delete(format!("/users/{}", mia.id)).await.expect_status(204);
    assert_eq!(answer.text, "");
    for person in [mia, &phone] {
        app.as_user(person).get("/auth/me").await.expect_problem(401, "session_ended");
        app.as_user(person).get("/activities").await.expect_problem(401, "session_ended");
    }
    let organisation = app.as_user(&acme.admin).get("/organisations").await.expect_json(200);
    assert_eq!(organisation["memberCount"], 2);
    let users = app.as_user(&acme.admin).get("/users").await.expect_status(200).items();
    assert!(users.iter().all(|user| user["id"] != mia.id.as_str()));
    app.as_user(&acme.admin).delete(format!("/users/{}", mia.id)).await.expect_problem(404, "not_found");

    for viewer in [&acme.admin, &acme["max"]] {
        let feed = app.feed(viewer).await;
        let removed = feed.only("USER_REMOVED").expect_actor(&acme.admin).expect_target(&mia.id, "mia");
        removed.expect_payload(&json!({ "userId": mia.id, "removedBy": acme.admin.id }));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn frees_the_seat() {
    let app = TestApp::start().await;
    let acme = app.organisation("Acme").with_member("mia").with_member("max").create().await;
    app.remove(&acme.admin, &acme["mia"]).await;
    app.add(&acme.admin, "moe", "MEMBER").await;
    let body = json!({ "email": "more@example.com" });
    let call = app.as_user(&acme.admin).post("/users/invite").json(&body);
    call.await.expect_problem(403, "member_limit_reached");
}

#[tokio::test(flavor = "multi_thread")]
async fn leaves_the_account_and_its_other_organisations_alone() {
    let app = TestApp::start().await;
    let acme = app.organisation("Acme").with_member("mia").create().await;
    let own = app.register("Own", "Mia", &acme["mia"].email, PASSWORD).await;
    app.remove(&acme.admin, &acme["mia"]).await;
    app.as_user(&own).get("/auth/me").await.expect_status(200);
    app.sign_in(&own).await;
    app.feed(&own).await.expect_none("USER_REMOVED");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_admin_stays() {
    let app = TestApp::start().await;
    let acme = app.organisation("Acme").with_member("mia").create().await;
    let path = format!("/users/{}", acme.admin.id);
    app.as_user(&acme.admin).delete(&path).await.expect_problem(409, "last_admin");
    app.as_user(&acme.admin).get("/users").await.expect_status(200);
    app.feed(&acme.admin).await.expect_none("USER_REMOVED");
    // With another admin they may go, also by their own hand.
    app.change_role(&acme.admin, &acme["mia"], "ADMIN").await;
    app.as_user(&acme.admin).delete(&path).await.expect_status(204);
    app.as_user(&acme.admin).get("/auth/me").await.expect_problem(401, "session_ended");
}

#[tokio::test(flavor = "multi_thread")]
async fn is_for_admins() {
    let app = TestApp::start().await;
    let acme = app.organisation("Acme").with_member("mia").with_member("max").create().await;
    let path = format!("/users/{}", acme["max"].id);
    app.as_user(&acme["mia"]).delete(&path).await.expect_problem(403, "role_forbidden");
    let own = format!("/users/{}", acme["mia"].id);
    app.as_user(&acme["mia"]).delete(&own).await.expect_problem(403, "role_forbidden");
    app.anonymous().delete(&path).await.expect_problem(401, "token_invalid");
    app.as_user(&acme["max"]).get("/auth/me").await.expect_status(200);
    app.feed(&acme.admin).await.expect_none("USER_REMOVED");
}

#[tokio::test(flavor = "multi_thread")]
async fn users_of_another_organisation_do_not_exist() {
    let app = TestApp::start().await;
    let acme = app.organisation("Acme").create().await;
    let bolt = app.organisation("Bolt").with_member("bob").create().await;
    let nobody = uuid::Uuid::now_v7().to_string();
    for id in [&bolt["bob"].id, &bolt.admin.id, &nobody, "garbage", &acme.id] {
        app.as_user(&acme.admin).delete(format!("/users/{id}")).await.expect_problem(404, "not_found");
    }
    app.as_user(&bolt["bob"]).get("/auth/me").await.expect_status(200);
    app.feed(&bolt.admin).await.expect_none("USER_REMOVED");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_demoted_admin_removes_nobody() {
    let app = TestApp::start().await;
    let acme = app.organisation("Acme").with_admin("bo").with_member("mia").create().await;
    app.change_role(&acme.admin, &acme["bo"], "MEMBER").await;
    let path = format!("/users/{}", acme["mia"].id);
    app.as_user(&acme["bo"]).delete(path).await.expect_problem(403, "role_forbidden");
}
