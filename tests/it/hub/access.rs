//! Access that ends closes the socket, with the code that tells the client what to do.

use roomcast_client::CloseCode;
use serde_json::json;

use crate::harness::{PASSWORD, TestApp, eventually};

#[tokio::test(flavor = "multi_thread")]
async fn a_logout_closes_the_sockets_of_that_session_and_no_other() {
    let app = TestApp::start().await;
    let acme = app.organisation("Acme").with_member("mia").create().await;
    let phone = app.sign_in(&acme["mia"]).await;
    let mut ended = [app.connect(&phone).await, app.connect(&phone).await];
    let mut kept = app.connect(&acme["mia"]).await;
    app.as_user(&phone).post("/auth/logout").await.expect_status(204);
    for socket in &mut ended {
        socket.expect_close(CloseCode::UNAUTHENTICATED).await;
    }
    let marker = app.broadcast(&acme.admin, "still here?").await;
    kept.expect_only(marker.seq(), &["SESSION_ENDED", "BROADCAST_MESSAGE"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_removal_closes_all_sockets_of_the_user_and_no_other() {
    let app = TestApp::start().await;
    let acme = app.organisation("Acme").with_member("mia").with_member("max").create().await;
    let phone = app.sign_in(&acme["mia"]).await;
    let mut ended = [app.connect(&acme["mia"]).await, app.connect(&phone).await];
    let mut kept = app.connect(&acme["max"]).await;
    app.remove(&acme.admin, &acme["mia"]).await;
    app.broadcast(&acme.admin, "not for Mia").await;
    for socket in &mut ended {
        let owed = socket.expect_close(CloseCode::REMOVED).await;
        assert!(owed.is_empty(), "owed nothing more, not even its own USER_REMOVED");
    }
    let marker = app.broadcast(&acme.admin, "marker").await;
    kept.expect_only(marker.seq(), &["USER_REMOVED", "BROADCAST_MESSAGE", "BROADCAST_MESSAGE"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_removal_in_one_organisation_leaves_the_sockets_in_another() {
    let app = TestApp::start().await;
    let acme = app.organisation("Acme").with_member("mia").create().await;
    let own = app.register("Own", "Mia", &acme["mia"].email, PASSWORD).await;
    let mut kept = app.connect(&own).await;
    app.remove(&acme.admin, &acme["mia"]).await;
    let marker = app.broadcast(&own, "still here").await;
    kept.expect_only(marker.seq(), &["BROADCAST_MESSAGE"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_password_closes_the_sockets_of_the_other_sessions() {
    let app = TestApp::start().await;
    let acme = app.organisation("Acme").with_member("mia").create().await;
    let mia = &acme["mia"];
    let own = app.register("Own", "Mia", &mia.email, PASSWORD).await;
    let phone = app.sign_in(mia).await;
    let (mut here, mut there) = (app.connect(mia).await, app.connect(&phone).await);
    let mut elsewhere = app.connect(&own).await;
    let body = json!({ "password": "a fresh password", "currentPassword": PASSWORD });
    app.as_user(mia).patch("/auth/me").json(&body).await.expect_status(200);
    there.expect_close(CloseCode::UNAUTHENTICATED).await;
    elsewhere.expect_close(CloseCode::UNAUTHENTICATED).await;
    let marker = app.broadcast(&acme.admin, "still here").await;
    let seen = here.up_to(marker.seq()).await;
    let mut kinds: Vec<&str> = seen.iter().map(|one| one.activity.kind.as_str()).collect();
    kinds.sort_unstable();
    assert_eq!(kinds, ["BROADCAST_MESSAGE", "PASSWORD_CHANGED", "SESSION_ENDED"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stolen_refresh_token_closes_the_sockets_of_its_session() {
    let app = TestApp::start().await;
    let ana = app.register("Acme", "Ana", "ana@example.com", PASSWORD).await;
    let mut socket = app.connect(&ana).await;
    let body = json!({ "refreshToken": ana.refresh_token });
    app.anonymous().post("/auth/refresh").json(&body).await.expect_status(200);
    app.advance(std::time::Duration::from_secs(31));
    app.anonymous().post("/auth/refresh").json(&body).await.expect_problem(401, "refresh_token_reused");
    socket.expect_close(CloseCode::UNAUTHENTICATED).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_expires_closes_its_socket() {
    let app = TestApp::with(|config| config.auth.access_lifetime = std::time::Duration::from_secs(3)).await;
    let ana = app.register("Acme", "Ana", "ana@example.com", PASSWORD).await;
    let mut socket = app.connect(&ana).await;
    socket.expect_close(CloseCode::UNAUTHENTICATED).await;
    // Neither early nor late.
    let expires = ana.claims()["exp"].as_i64().unwrap();
    let now = app.clock().now().as_millis();
    assert!((expires * 1000 - 50..expires * 1000 + 5000).contains(&now), "{now} {expires}");
    let me = eventually("the end of the token", async || {
        let answer = app.as_user(&ana).get("/auth/me").await;
        (answer.status != 200).then_some(answer)
    });
    me.await.expect_problem(401, "token_invalid");
}
