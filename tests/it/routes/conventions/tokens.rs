//! `Authorization: Bearer`.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use roomcast::auth::Tokens;
use roomcast::types::Role;

use crate::harness::app::SIGNING_KEY;
use crate::harness::{PASSWORD, Person, TestApp};

async fn expect_refused(app: &TestApp, token: &str) {
    app.with_token(token).get("/auth/me").await.expect_problem(401, "token_invalid");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_was_tampered_with_is_refused() {
    let app = TestApp::start().await;
    let acme = app.organisation("Acme").with_member("mia").create().await;
    let parts: Vec<&str> = acme["mia"].access_token.split('.').collect();
    let mut claims = acme["mia"].claims();
    claims["role"] = "ADMIN".into();
    claims["sub"] = acme.admin.id.clone().into();
    let forged = URL_SAFE_NO_PAD.encode(claims.to_string());
    let none = URL_SAFE_NO_PAD.encode(r#"{"alg":"none","typ":"JWT"}"#);
    expect_refused(&app, &format!("{}.{forged}.{}", parts[0], parts[2])).await;
    expect_refused(&app, &format!("{none}.{forged}.")).await;
    expect_refused(&app, &format!("{none}.{forged}.{}", parts[2])).await;
    expect_refused(&app, &format!("{}.{}.", parts[0], parts[1])).await;
    expect_refused(&app, &format!("{} {}", acme["mia"].access_token, "x")).await;
    app.as_user(&acme["mia"]).get("/auth/me").await.expect_status(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_of_another_key_is_refused() {
    let app = TestApp::start().await;
    let ana = app.register("Acme", "Ana", "ana@example.com", PASSWORD).await;
    let other = issue(&app, "another key, as long as the one of the tests", &ana, &ana);
    expect_refused(&app, &other).await;
    let same = issue(&app, SIGNING_KEY, &ana, &ana);
    app.with_token(&same).get("/auth/me").await.expect_status(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_of_one_organisation_is_nobody_in_another() {
    let app = TestApp::start().await;
    let acme = app.register("Acme", "Ana", "ana@example.com", PASSWORD).await;
    let bolt = app.register("Bolt", "Bo", "bo@example.com", PASSWORD).await;
    // Signed by us all the same: the user and the organisation have to belong together.
    for token in [issue(&app, SIGNING_KEY, &bolt, &acme), issue(&app, SIGNING_KEY, &acme, &bolt)] {
        app.with_token(&token).get("/auth/me").await.expect_problem(401, "session_ended");
    }
}

/// A token for the organisation of one and the user and session of another.
fn issue(app: &TestApp, key: &str, org: &Person, user: &Person) -> String {
    let tokens = Tokens::new(key.as_bytes(), std::time::Duration::from_mins(15));
    let session = user.session_id().parse().unwrap();
    tokens.issue(org.org_id(), user.user_id(), Role::Admin, session, app.clock().now()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_scheme_is_bearer_in_any_case() {
    let app = TestApp::start().await;
    let ana = app.register("Acme", "Ana", "ana@example.com", PASSWORD).await;
    for scheme in ["Bearer", "bearer", "BEARER"] {
        let value = format!("{scheme} {}", ana.access_token);
        app.anonymous().get("/auth/me").header("authorization", &value).await.expect_status(200);
    }
    for value in ["Bearer", "", &ana.access_token, &format!("Token {}", ana.access_token)] {
        let call = app.anonymous().get("/auth/me").header("authorization", value);
        call.await.expect_problem(401, "token_invalid");
    }
    // Not where addresses are logged.
    let path = format!("/auth/me?token={}&access_token={}", ana.access_token, ana.access_token);
    app.anonymous().get(path).await.expect_problem(401, "token_invalid");
}
