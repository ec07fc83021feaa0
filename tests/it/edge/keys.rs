//! Keys that change, and the token of `/metrics`.

use std::os::unix::fs::PermissionsExt as _;

use reqwest::Method;
use roomcast_client::CloseCode;
use serde_json::json;

use crate::harness::app::SIGNING_KEY;
use crate::harness::environment::{not_run, on_postgres};
use crate::harness::{Child, PASSWORD, Person, TestApp, options};

const NEXT_KEY: &str = "the key that comes after the one of the tests";

#[tokio::test(flavor = "multi_thread")]
async fn both_tokens_outlive_a_change_of_the_key() {
    let app = TestApp::start().await;
    let ana = app.register("Acme", "Ana", "ana@example.com", PASSWORD).await;
    let mut ground = app.stop().await;
    ground.config.auth.jwt_access_secret = Some(NEXT_KEY.parse().unwrap());
    ground.config.auth.jwt_access_secret_previous = Some(SIGNING_KEY.parse().unwrap());

    let app = ground.start().await;
    app.as_user(&ana).get("/auth/me").await.expect_status(200);
    app.connect(&ana).await.close().await;
    let refresh = json!({ "refreshToken": ana.refresh_token });
    let renewed = app.anonymous().post("/auth/refresh").json(&refresh).await.expect_json(200);
    let text = |name: &str| renewed[name].as_str().unwrap().to_owned();
    let renewed =
        Person { access_token: text("accessToken"), refresh_token: text("refreshToken"), ..ana.clone() };

    // Once the previous key is dropped, what it signed is refused and what the new one signed counts.
    let mut ground = app.stop().await;
    ground.config.auth.jwt_access_secret_previous = None;
    let app = ground.start().await;
    app.as_user(&ana).get("/auth/me").await.expect_problem(401, "token_invalid");
    app.open(options(&ana)).await.expect_close(CloseCode::UNAUTHENTICATED).await;
    let old = app.anonymous().post("/auth/refresh").json(&refresh).await;
    old.expect_problem(401, "refresh_token_invalid");
    app.as_user(&renewed).get("/auth/me").await.expect_status(200);
    let refresh = json!({ "refreshToken": renewed.refresh_token });
    app.anonymous().post("/auth/refresh").json(&refresh).await.expect_status(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_generated_key_that_everybody_can_read_is_refused() {
    if on_postgres() {
        return not_run("keys are generated on SQLite");
    }
    let folder = tempfile::tempdir().unwrap();
    let key = folder.path().join("signing.key");
    let environment = [("ROOMCAST_DATA_DIR", folder.path().to_str().unwrap()), ("PORT", "0")];
    let mut child = Child::start(&[], &environment);
    child.listening().await;
    child.stop().await;
    assert_eq!(key.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o644)).unwrap();
    let (status, output) = Child::start(&[], &environment).ended().await;
    assert!(!status.success());
    assert!(output.contains(&format!("chmod 600 '{}'", key.display())), "{output}");
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600)).unwrap();
    let mut child = Child::start(&[], &environment);
    child.listening().await;
    child.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_may_ask_for_a_token() {
    let app = TestApp::with(|config| {
        config.telemetry.metrics_token = Some("a token for the collector".parse().unwrap());
    })
    .await;
    let acme = app.organisation("Acme").create().await;
    let metrics = |caller: crate::harness::Caller| caller.at(Method::GET, "/metrics");
    let refused = metrics(app.anonymous()).await;
    assert_eq!(refused.header("www-authenticate"), Some("Bearer"));
    refused.expect_problem(401, "token_invalid");
    for wrong in ["a token for the collecto", "a token for the collector!", &acme.admin.access_token] {
        metrics(app.with_token(wrong)).await.expect_problem(401, "token_invalid");
    }
    let answer = metrics(app.with_token("a token for the collector")).await.expect_status(200);
    assert!(answer.text.contains("roomcast_http_requests_total"));
    app.anonymous().at(Method::GET, "/readyz").await.expect_status(200);
}
