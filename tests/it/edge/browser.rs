//! What browsers are told: CORS and the headers that keep them from misusing an answer.

use reqwest::Method;

use crate::harness::{Answer, PASSWORD, TestApp};

const PAGE: &str = "https://app.example.com";

async fn with_origins(origins: &[&str]) -> TestApp {
    TestApp::with(|config| {
        config.server.cors_origins = origins.iter().map(|origin| origin.parse().unwrap()).collect();
    })
    .await
}

async fn preflight(app: &TestApp, path: &str, origin: &str, method: &str) -> Answer {
    let call = app.anonymous().at(Method::OPTIONS, path).header("origin", origin);
    let call = call.header("access-control-request-method", method);
    call.header("access-control-request-headers", "authorization,content-type,idempotency-key").await
}

/// Whether a list in a header has all of these.
fn lists(answer: &Answer, header: &str, expected: &[&str]) -> bool {
    let found = answer.header(header).unwrap_or_default().to_lowercase();
    let found: Vec<&str> = found.split(',').map(str::trim).collect();
    expected.iter().all(|name| found.contains(name))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_of_an_allowed_origin_may_call_every_route() {
    let app = with_origins(&["https://other.example.com", PAGE]).await;
    let paths = ["/api/v1/organisations/broadcast", "/api/auth/login", "/api/v1/users/x", "/readyz"];
    for (path, method) in paths.into_iter().zip(["POST", "POST", "DELETE", "GET"]) {
        let answer = preflight(&app, path, PAGE, method).await.expect_status(200);
        assert_eq!(answer.header("access-control-allow-origin"), Some(PAGE), "{path}");
        assert_eq!(answer.header("access-control-allow-credentials"), None, "{path}");
        assert_eq!(answer.header("access-control-max-age"), Some("3600"), "{path}");
        assert!(lists(&answer, "access-control-allow-methods", &[&method.to_lowercase()]), "{answer:?}");
        let headers =
            ["authorization", "content-type", "idempotency-key", "x-request-id", "x-org-id", "x-tenant"];
        assert!(lists(&answer, "access-control-allow-headers", &headers), "{answer:?}");
    }
    // Refusals can be read as well as answers, and caches keep the origins apart.
    for (path, status) in [("/healthz", 200), ("/api/v1/auth/me", 401), ("/nowhere", 404)] {
        let call = app.anonymous().at(Method::GET, path).header("origin", PAGE);
        let answer = call.await.expect_status(status);
        assert_eq!(answer.header("access-control-allow-origin"), Some(PAGE), "{path}");
        let exposed = ["retry-after", "x-request-id", "ratelimit-remaining", "idempotency-replayed"];
        assert!(lists(&answer, "access-control-expose-headers", &exposed), "{answer:?}");
        assert!(lists(&answer, "vary", &["origin"]), "{answer:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_of_another_origin_is_allowed_nothing() {
    let app = with_origins(&[PAGE]).await;
    let others = ["https://app.example.com.evil.example", "http://app.example.com", "null"];
    for origin in others {
        let answer = preflight(&app, "/api/v1/users", origin, "GET").await;
        assert_eq!(answer.header("access-control-allow-origin"), None, "{origin}: {answer:?}");
        let answer = app.anonymous().at(Method::GET, "/healthz").header("origin", origin).await;
        assert_eq!(answer.header("access-control-allow-origin"), None, "{origin}: {answer:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_origins_nothing_is_said_of_them_and_with_any_all_are_allowed() {
    let app = TestApp::start().await;
    let answer = preflight(&app, "/api/v1/users", PAGE, "GET").await.expect_status(405);
    assert_eq!(answer.header("access-control-allow-origin"), None);
    assert_eq!(answer.header("access-control-allow-methods"), None);
    drop(app);
    let app = with_origins(&["*"]).await;
    let answer = preflight(&app, "/api/v1/users", PAGE, "GET").await.expect_status(200);
    assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
    assert_eq!(answer.header("access-control-allow-credentials"), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_says_what_a_browser_must_not_do_with_it() {
    let app = TestApp::start().await;
    let ana = app.register("Acme", "Ana", "ana@example.com", PASSWORD).await;
    let answers = [
        app.as_user(&ana).get("/auth/me").await.expect_status(200),
        app.anonymous().get("/auth/me").await.expect_status(401),
        app.anonymous().at(Method::GET, "/nowhere").await.expect_status(404),
        app.anonymous().at(Method::PUT, "/healthz").await.expect_status(405),
        app.anonymous().at(Method::GET, "/ws").await.expect_status(400),
        app.anonymous().at(Method::GET, "/openapi.json").await.expect_status(200),
        app.anonymous().at(Method::GET, "/docs/").await.expect_status(200),
        app.anonymous().at(Method::GET, "/docs/swagger-ui-bundle.js").await.expect_status(200),
    ];
    for answer in &answers {
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{answer:?}");
        assert_eq!(answer.header("referrer-policy"), Some("no-referrer"), "{answer:?}");
        assert_eq!(answer.header("x-frame-options"), Some("DENY"), "{answer:?}");
        assert_eq!(answer.header("cross-origin-resource-policy"), Some("same-origin"), "{answer:?}");
        let policy = answer.header("content-security-policy").unwrap();
        assert!(policy.contains("default-src 'none'"), "{policy}");
        assert!(policy.contains("frame-ancestors 'none'"), "{policy}");
        assert_eq!(answer.header("strict-transport-security"), None, "it is not TLS: {answer:?}");
    }
    let (api, docs) = answers.split_at(6);
    for answer in api {
        assert_eq!(answer.header("cache-control"), Some("no-store"), "{answer:?}");
        assert!(!answer.header("content-security-policy").unwrap().contains("'self'"), "{answer:?}");
    }
    // All that the page loads is its own, and none of its scripts stands in the page.
    let policy = docs[0].header("content-security-policy").unwrap();
    for allowed in ["script-src 'self';", "connect-src 'self';", "style-src 'self' 'unsafe-inline';"] {
        assert!(policy.contains(allowed), "{policy}");
    }
    for script in docs[0].text.split("<script").skip(1) {
        let (attributes, rest) = script.split_once('>').unwrap();
        assert!(attributes.contains("src=\"./"), "{attributes}");
        assert!(rest.trim_start().starts_with("</script>"), "{rest}");
    }
    let initializer = app.anonymous().at(Method::GET, "/docs/swagger-initializer.js").await;
    assert!(initializer.text.contains(r#""validatorUrl": "none""#), "{}", initializer.text);
}

/// Built or not: the tests run with either.
#[tokio::test(flavor = "multi_thread")]
async fn the_page_loads_what_is_its_own_and_swallows_no_404() {
    let app = TestApp::start().await;
    let page = app.anonymous().at(Method::GET, "/").await.expect_status(200);
    assert_eq!(page.header("content-type"), Some("text/html; charset=utf-8"));
    assert_eq!(page.header("x-content-type-options"), Some("nosniff"));
    let policy = page.header("content-security-policy").unwrap();
    assert!(policy.contains("frame-ancestors 'none'") && !policy.contains("unsafe"), "{policy}");
    for script in page.text.split("<script").skip(1) {
        assert!(script.contains("src=\"/assets/") && script.contains("></script>"), "{script}");
    }
    assert_eq!(app.anonymous().at(Method::HEAD, "/").await.expect_status(200).text, "");
    for path in [
        "/nowhere",
        "/api/v1/nowhere",
        "/api/live",
        "/live/nowhere",
        "/assets/nowhere.js",
        "/assets/",
        "/assets/%ff",
        "/docs/%ff",
        "/%ff",
    ] {
        app.anonymous().at(Method::GET, path).await.expect_problem(404, "not_found");
    }
    app.anonymous().at(Method::POST, "/").await.expect_problem(405, "method_not_allowed");
}
