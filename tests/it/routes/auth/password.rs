//! `PATCH /auth/me` with a new password.

use serde_json::json;

use super::refresh::refresh;
use crate::harness::{Answer, PASSWORD, Person, TestApp};

const FRESH: &str = "a fresh password";

async fn change(app: &TestApp, person: &Person, current: &str, fresh: &str) -> Answer {
    let body = json!({ "password": fresh, "currentPassword": current });
    app.as_user(person).patch("/auth/me").json(&body).await
}

#[tokio::test(flavor = "multi_thread")]
async fn ends_the_other_sessions_and_keeps_this_one() {
    let app = TestApp::start().await;
    let acme = app.organisation("Acme").with_member("mia").create().await;
    let (mia, phone) = (&acme["mia"], app.sign_in(&acme["mia"]).await);
    let user = change(&app, mia, PASSWORD, FRESH).await.expect_json(200);
    assert_eq!(user, mia.session["user"]);

    app.as_user(mia).get("/auth/me").await.expect_status(200);
    refresh(&app, &mia.refresh_token).await.expect_status(200);
    app.as_user(&phone).get("/auth/me").await.expect_problem(401, "session_ended");
    assert_eq!(refresh(&app, &phone.refresh_token).await.status, 401);
    app.as_user(&acme.admin).get("/auth/me").await.expect_status(200);

    let login = |password: &str| json!({ "email": mia.email, "password": password });
    let call = app.anonymous().post("/auth/login").json(&login(PASSWORD));
    call.await.expect_problem(401, "credentials_invalid");
    app.anonymous().post("/auth/login").json(&login(FRESH)).await.expect_status(200);

    for viewer in [mia, &acme.admin] {
        let feed = app.feed(viewer).await;
        let changed = feed.only("PASSWORD_CHANGED").expect_actor(mia);
        assert_eq!(changed.payload()["userId"], mia.id);
        assert_eq!(changed.payload()["sessionId"], mia.session_id());
        let ended = feed.only("SESSION_ENDED");
        assert_eq!(ended.payload()["sessionId"], phone.session_id());
        assert_eq!(ended.payload()["userId"], mia.id);
        assert_eq!(ended.payload()["reason"], "password_changed");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn other_members_do_not_see_it() {
    let app = TestApp::start().await;
    let acme = app.organisation("Acme").with_member("mia").with_member("max").create().await;
    let _phone = app.sign_in(&acme["mia"]).await;
    change(&app, &acme["mia"], PASSWORD, FRESH).await.expect_status(200);
    let feed = app.feed(&acme["max"]).await;
    feed.expect_none("PASSWORD_CHANGED");
    feed.expect_none("SESSION_ENDED");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sessions_in_other_organisations_end_too() {
    let app = TestApp::start().await;
    let acme = app.register("Acme", "Ana", "ana@example.com", PASSWORD).await;
    let bolt = app.register("Bolt", "Ana", "ana@example.com", PASSWORD).await;
    change(&app, &acme, PASSWORD, FRESH).await.expect_status(200);
    // The account has one password: whoever knew the old one is out everywhere.
    assert_eq!(refresh(&app, &bolt.refresh_token).await.status, 401);
    app.as_user(&bolt).get("/auth/me").await.expect_problem(401, "session_ended");
    app.as_user(&acme).get("/auth/me").await.expect_status(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn needs_the_current_one() {
    let app = TestApp::start().await;
    let ana = app.register("Acme", "Ana", "ana@example.com", PASSWORD).await;
    let phone = app.sign_in(&ana).await;
    let head = app.head(&ana).await;
    let wrong = change(&app, &ana, "not it at all", FRESH).await;
    assert!([401, 403, 422].contains(&wrong.status), "{}", wrong.text);
    let missing = app.as_user(&ana).patch("/auth/me").json(&json!({ "password": FRESH })).await;
    missing.expect_invalid(&["currentPassword"]);
    change(&app, &ana, PASSWORD, "short").await.expect_invalid(&["password"]);
    let body = json!({ "password": 1, "currentPassword": 2 });
    app.as_user(&ana).patch("/auth/me").json(&body).await.expect_invalid(&["password", "currentPassword"]);
    assert_eq!(app.head(&ana).await, head);
    app.as_user(&phone).get("/auth/me").await.expect_status(200);
    app.sign_in(&ana).await;
}
