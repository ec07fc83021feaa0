//! `POST /auth/logout`.

use crate::harness::{PASSWORD, TestApp};

#[tokio::test(flavor = "multi_thread")]
async fn ends_this_session_and_no_other() {
    let app = TestApp::start().await;
    let ana = app.register("Acme", "Ana", "ana@example.com", PASSWORD).await;
    let other = app.sign_in(&ana).await;
    let answer = app.as_user(&ana).post("/auth/logout").await.expect_status(204);
    assert_eq!(answer.text, "");
    app.as_user(&ana).get("/auth/me").await.expect_problem(401, "session_ended");
    app.as_user(&ana).post("/auth/logout").await.expect_problem(401, "session_ended");
    app.as_user(&other).get("/auth/me").await.expect_status(200);
    let feed = app.feed(&other).await;
    let ended = feed.only("SESSION_ENDED").expect_actor(&ana);
    assert_eq!(ended.payload()["userId"], ana.id);
    assert_eq!(ended.payload()["sessionId"], ana.session_id());
    assert_eq!(ended.payload()["reason"], "logout");
}

#[tokio::test(flavor = "multi_thread")]
async fn needs_a_session() {
    let app = TestApp::start().await;
    app.anonymous().post("/auth/logout").await.expect_problem(401, "token_invalid");
    app.with_token("garbage").post("/auth/logout").await.expect_problem(401, "token_invalid");
}

#[tokio::test(flavor = "multi_thread")]
async fn is_seen_by_that_user_and_by_admins_only() {
    let app = TestApp::start().await;
    let acme = app.organisation("Acme").with_member("mia").with_member("max").create().await;
    let second = app.sign_in(&acme["mia"]).await;
    app.as_user(&second).post("/auth/logout").await.expect_status(204);
    app.feed(&acme["mia"]).await.only("SESSION_ENDED");
    app.feed(&acme.admin).await.only("SESSION_ENDED");
    let others = app.feed(&acme["max"]).await;
    others.expect_none("SESSION_ENDED");
    let started = others.only("SESSION_STARTED");
    assert_eq!(started.payload()["userId"], acme["max"].id, "only their own");
}
