//! 404, 405, and the two addresses of the API.

use reqwest::Method;

use crate::harness::TestApp;

#[tokio::test(flavor = "multi_thread")]
async fn the_api_is_at_both_addresses() {
    let app = TestApp::start().await;
    let acme = app.organisation("Acme").create().await;
    let caller = app.as_user(&acme.admin);
    for path in ["/auth/me", "/organisations", "/users", "/activities"] {
        let long = caller.at(Method::GET, format!("/api/v1{path}")).await.expect_status(200);
        let short = caller.at(Method::GET, format!("/api{path}")).await.expect_status(200);
        assert_eq!(long.text, short.text, "{path}");
    }
    caller.at(Method::GET, "/auth/me").await.expect_problem(404, "not_found");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_path_that_does_not_exist_is_a_problem() {
    let app = TestApp::start().await;
    for path in
        ["/nope", "/api", "/api/v1", "/api/v1/nope", "/api/v2/auth/me", "/api/v1/users/x/y", "/api/v1/users/"]
    {
        app.anonymous().at(Method::GET, path).await.expect_problem(404, "not_found");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_method_that_a_path_does_not_take_is_a_problem() {
    let app = TestApp::start().await;
    let calls = [
        (Method::GET, "/api/v1/auth/login"),
        (Method::DELETE, "/api/v1/auth/me"),
        (Method::PUT, "/api/organisations"),
        (Method::POST, "/api/v1/activities"),
        (Method::POST, "/healthz"),
    ];
    for (method, path) in calls {
        let answer = app.anonymous().at(method, path).await;
        assert!(
            answer.header("allow").is_some_and(|allowed| !allowed.is_empty()),
            "{path}: RFC 9110, 15.5.6"
        );
        answer.expect_problem(405, "method_not_allowed");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_id_that_is_none_names_nothing() {
    let app = TestApp::start().await;
    let acme = app.organisation("Acme").create().await;
    let caller = app.as_user(&acme.admin);
    for id in ["x", "%00", "%F0%9F%90%8E", "00000000-0000-0000-0000-000000000000", "..%2F..%2Fetc"] {
        caller.delete(format!("/users/{id}")).await.expect_problem(404, "not_found");
    }
}
