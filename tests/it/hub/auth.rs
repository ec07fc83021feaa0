//! AUTH: a fresh token on an open socket.

use std::time::Duration;

use roomcast_client::{AuthOk, ClientFrame, CloseCode, Frame};
use serde_json::json;

use crate::harness::{PASSWORD, Person, TestApp, TestSocket, eventually};

async fn refreshed(app: &TestApp, person: &Person) -> Person {
    let body = json!({ "refreshToken": person.refresh_token });
    let pair = app.anonymous().post("/auth/refresh").json(&body).await.expect_json(200);
    Person {
        access_token: pair["accessToken"].as_str().unwrap().to_owned(),
        refresh_token: pair["refreshToken"].as_str().unwrap().to_owned(),
        ..person.clone()
    }
}

async fn authenticate(socket: &mut TestSocket, token: &str) {
    socket.send(&ClientFrame::Auth(token.into())).await;
}

async fn expect_auth_ok(socket: &mut TestSocket) -> AuthOk {
    match socket.next().await {
        (Frame::AuthOk(ok), _) => ok,
        (_, text) => panic!("AUTH_OK was expected, not {text}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fresh_token_takes_the_place_of_the_old() {
    let app = TestApp::start().await;
    let ana = app.register("Acme", "Ana", "ana@example.com", PASSWORD).await;
    let mut socket = app.connect(&ana).await;
    app.advance(Duration::from_mins(1));
    let fresh = refreshed(&app, &ana).await;
    authenticate(&mut socket, &fresh.access_token).await;
    let ok = expect_auth_ok(&mut socket).await;
    assert_eq!(ok.role, "ADMIN");
    let expires = chrono::DateTime::parse_from_rfc3339(&ok.token_expires_at).unwrap();
    assert_eq!(expires.timestamp(), fresh.claims()["exp"].as_i64().unwrap());
    assert!(ok.token_expires_at > socket.welcome().token_expires_at);
    let sent = app.broadcast(&ana, "goes on").await;
    assert_eq!(socket.expect_activity("BROADCAST_MESSAGE").await.text, sent.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn keeps_the_socket_open_beyond_the_first_token_until_the_second_ends() {
    let app = TestApp::with(|config| config.auth.access_lifetime = Duration::from_secs(4)).await;
    let ana = app.register("Acme", "Ana", "ana@example.com", PASSWORD).await;
    let issued = ana.claims()["iat"].as_i64().unwrap();
    let mut socket = app.connect(&ana).await;
    eventually("two seconds", async || (app.clock().now().as_secs() >= issued + 2).then_some(())).await;
    let fresh = refreshed(&app, &ana).await;
    assert!(fresh.claims()["exp"].as_i64() >= ana.claims()["exp"].as_i64().map(|exp| exp + 2));
    authenticate(&mut socket, &fresh.access_token).await;
    expect_auth_ok(&mut socket).await;
    eventually("the end of the first token", async || {
        (app.as_user(&ana).get("/auth/me").await.status == 401).then_some(())
    })
    .await;
    let (_, _) = socket.ping().await;
    socket.expect_close(CloseCode::UNAUTHENTICATED).await;
    app.as_user(&fresh).get("/auth/me").await.expect_problem(401, "token_invalid");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_of_somebody_else_or_of_nobody_is_an_error() {
    let app = TestApp::start().await;
    let acme = app.organisation("Acme").with_member("mia").with_member("max").create().await;
    let bolt = app.register("Bolt", "Mia", &acme["mia"].email, PASSWORD).await;
    let ended = app.sign_in(&acme["mia"]).await;
    app.as_user(&ended).post("/auth/logout").await.expect_status(204);
    let tokens = [
        acme["max"].access_token.as_str(),
        // Another membership of the same person is another user.
        bolt.access_token.as_str(),
        ended.access_token.as_str(),
        acme["mia"].refresh_token.as_str(),
        "garbage",
    ];
    for token in tokens {
        let mut socket = app.connect(&acme["mia"]).await;
        authenticate(&mut socket, token).await;
        let notice = socket.expect_error().await;
        assert!(!notice.code.is_empty() && !notice.detail.is_empty());
        assert!(!notice.detail.contains(token));
        // The old token counts on: nothing of this has changed who the socket is for.
        let sent = app.broadcast(&acme.admin, "still Mia").await;
        socket.expect_only(sent.seq(), &["BROADCAST_MESSAGE"]).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_auth_without_a_token_is_a_bad_frame() {
    let app = TestApp::start().await;
    let ana = app.register("Acme", "Ana", "ana@example.com", PASSWORD).await;
    let mut socket = app.connect(&ana).await;
    for frame in [r#"{"type":"AUTH"}"#, r#"{"type":"AUTH","payload":{"token":5}}"#] {
        socket.send_text(frame).await;
        socket.expect_error().await;
    }
    socket.send_text(r#"{"type":"AUTH","payload":{}}"#).await;
    socket.expect_close(CloseCode::BAD_REQUEST).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tells_the_present_role() {
    let app = TestApp::start().await;
    let acme = app.organisation("Acme").with_member("mia").create().await;
    let mut socket = app.connect(&acme["mia"]).await;
    let role_changed = app.head(&acme.admin).await + 1;
    app.change_role(&acme.admin, &acme["mia"], "ADMIN").await;
    socket.expect_only(role_changed, &["USER_ROLE_CHANGED"]).await;
    // The token still says MEMBER.
    authenticate(&mut socket, &acme["mia"].access_token).await;
    assert_eq!(expect_auth_ok(&mut socket).await.role, "ADMIN");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_of_another_session_moves_the_socket_to_that() {
    let app = TestApp::start().await;
    let ana = app.register("Acme", "Ana", "ana@example.com", PASSWORD).await;
    let phone = app.sign_in(&ana).await;
    let mut socket = app.connect(&ana).await;
    authenticate(&mut socket, &phone.access_token).await;
    expect_auth_ok(&mut socket).await;
    app.as_user(&phone).post("/auth/logout").await.expect_status(204);
    socket.expect_close(CloseCode::UNAUTHENTICATED).await;
}
