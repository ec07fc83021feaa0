//! `/healthz`, `/readyz` and `/metrics`.

use reqwest::Method;

use crate::harness::TestApp;
use crate::harness::environment::on_postgres;

#[tokio::test(flavor = "multi_thread")]
async fn the_process_is_up_and_ready() {
    let app = TestApp::start().await;
    let health = app.anonymous().at(Method::GET, "/healthz").await.expect_json(200);
    assert_eq!(health["status"], "ok");
    let ready = app.anonymous().at(Method::GET, "/readyz").await.expect_json(200);
    assert_eq!(ready["status"], "ready");
    assert_eq!(ready["database"]["migrations"], "ok");
    assert_eq!(ready["bus"]["status"], "ok");
    let engine = if on_postgres() { "PostgreSQL" } else { "SQLite" };
    assert_eq!(ready["database"]["engine"], engine, "the tests run on what they say they run on");
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_are_prometheus_text_by_route_and_not_by_path() {
    let app = TestApp::start().await;
    let acme = app.organisation("Acme").create().await;
    let path = format!("/users/{}", uuid::Uuid::now_v7());
    app.as_user(&acme.admin).delete(&path).await.expect_status(404);
    let answer = app.anonymous().at(Method::GET, "/metrics").await.expect_status(200);
    assert!(answer.header("content-type").unwrap().starts_with("text/plain; version=0.0.4"));
    assert!(answer.text.contains("roomcast_http_requests_total"), "{}", answer.text);
    assert!(!answer.text.contains(&path), "an id in a label makes a series for each");
    assert!(!answer.text.contains(&acme.admin.access_token));
}
