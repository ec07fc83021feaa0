//! `x-request-id`.

use reqwest::Method;

use crate::harness::TestApp;

#[tokio::test(flavor = "multi_thread")]
async fn the_callers_own_is_kept_where_it_is_sane() {
    let app = TestApp::start().await;
    let longest = "x".repeat(128);
    for id in ["abc-123", "a", "A.b_c:d", longest.as_str()] {
        let answer = app.anonymous().at(Method::GET, "/healthz").header("x-request-id", id).await;
        assert_eq!(answer.header("x-request-id"), Some(id));
        let answer = app.anonymous().get("/auth/me").header("x-request-id", id).await;
        let problem = answer.expect_problem(401, "token_invalid");
        assert_eq!(problem["requestId"], id);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn another_is_replaced() {
    let app = TestApp::start().await;
    let long = "x".repeat(129);
    for id in ["", " ", "a b", "a\"b", "a\tb", "<script>", long.as_str()] {
        let answer = app.anonymous().at(Method::GET, "/healthz").header("x-request-id", id).await;
        let found = answer.header("x-request-id").unwrap();
        assert_ne!(found, id);
        assert!(found.parse::<uuid::Uuid>().is_ok(), "{found}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_request_has_its_own() {
    let app = TestApp::start().await;
    let id = async || {
        let answer = app.anonymous().at(Method::GET, "/nope").await;
        answer.expect_problem(404, "not_found")["requestId"].as_str().unwrap().to_owned()
    };
    assert_ne!(id().await, id().await);
}
