//! Requests a minute, of users and of addresses.

use reqwest::Method;

use super::{MINUTE, expect_limited, from, limited, refusals, standing};
use crate::harness::raw::RawSocket;
use crate::harness::{PASSWORD, TestApp};

#[tokio::test(flavor = "multi_thread")]
async fn a_user_has_a_limit_and_does_not_share_it() {
    let app = limited(|limits| limits.rate_limit_per_minute = 4).await;
    let acme = app.organisation("Acme").with_member("mia").create().await;
    app.advance(MINUTE);
    let before = refusals(&app, "user").await;
    let get = || app.as_user(&acme["mia"]).get("/organisations");
    for left in [3, 2, 1, 0] {
        let answer = get().await.expect_status(200);
        let (limit, remaining, reset) = standing(&answer);
        assert_eq!((limit, remaining), (4, left));
        assert!((1..=60).contains(&reset), "{reset}");
        assert_eq!(answer.header("retry-after"), None);
    }
    let retry_after = expect_limited(get().await, 4);
    expect_limited(from("203.0.113.1", get()).await, 4);
    assert!(refusals(&app, "user").await >= before + 2.0);

    // Neither another user, nor whoever comes from the same address, is concerned.
    app.as_user(&acme.admin).get("/organisations").await.expect_status(200);
    app.anonymous().get("/organisations").await.expect_problem(401, "token_invalid");

    app.advance(retry_after);
    get().await.expect_status(200);
    expect_limited(get().await, 4);
    app.advance(MINUTE);
    assert_eq!(standing(&get().await.expect_status(200)).1, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_without_a_valid_token_counts_against_its_address() {
    let app = limited(|limits| limits.rate_limit_per_minute = 4).await;
    let ana = app.register("Acme", "Ana", "ana@example.com", PASSWORD).await;
    let ended = app.sign_in(&ana).await;
    app.as_user(&ended).post("/auth/logout").await.expect_status(204);
    app.advance(MINUTE);
    let here = "203.0.113.7";
    let before = refusals(&app, "address").await;

    // No token, a bad one, one of a session that has ended, a path that there is not.
    from(here, app.anonymous().get("/users")).await.expect_status(401);
    from(here, app.with_token("garbage").get("/users")).await.expect_status(401);
    let answer = from(here, app.as_user(&ended).get("/organisations")).await;
    assert_eq!(standing(&answer), (4, 1, 45), "{answer:?}");
    answer.expect_problem(401, "session_ended");
    from(here, app.as_user(&ana).get("/no/such/path")).await.expect_status(404);

    expect_limited(from(here, app.anonymous().get("/users")).await, 4);
    expect_limited(from(here, app.anonymous().at(Method::GET, "/nowhere")).await, 4);
    expect_limited(from(here, app.as_user(&ended).get("/organisations")).await, 4);
    assert!(refusals(&app, "address").await >= before + 3.0);
    // Who is signed in, and who comes from elsewhere, is not concerned.
    from(here, app.as_user(&ana).get("/organisations")).await.expect_status(200);
    from("203.0.113.8", app.anonymous().get("/users")).await.expect_status(401);

    app.advance(MINUTE);
    from(here, app.anonymous().get("/users")).await.expect_status(401);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_operators_and_documents_are_asked_is_not_limited() {
    let app = limited(|limits| limits.rate_limit_per_minute = 1).await;
    for path in ["/", "/healthz", "/readyz", "/metrics", "/openapi.json", "/docs/", "/docs/swagger-ui.css"] {
        for _ in 0..3 {
            let answer = app.anonymous().at(Method::GET, path).await.expect_status(200);
            assert_eq!(answer.header("ratelimit-limit"), None, "{path}");
        }
    }
    app.anonymous().get("/users").await.expect_status(401);
    expect_limited(app.anonymous().get("/users").await, 1);
}

/// What somebody asks for makes no name of its own.
#[tokio::test(flavor = "multi_thread")]
async fn requests_outside_the_api_are_counted_under_few_names() {
    let app = TestApp::start().await;
    let known = [
        "unmatched",
        "/",
        "/assets/{file}",
        "/docs/{*rest}",
        "/docs/",
        "/docs",
        "/openapi.json",
        "/healthz",
        "/readyz",
        "/metrics",
        "/ws",
        // Where the page is built.
        "/favicon.svg",
        "/live",
    ];
    for path in known.iter().filter(|path| path.starts_with('/') && !path.contains('{')) {
        app.anonymous().at(Method::GET, path).await;
    }
    for folder in ["", "assets/", "docs/", "healthz/"] {
        for name in ["one", "two", "%ff", "%2e%2e%2f", "index.html"] {
            app.anonymous().at(Method::GET, format!("/{folder}{name}")).await;
        }
    }
    app.anonymous().at(Method::GET, "/metrics").await;
    let text = app.anonymous().at(Method::GET, "/metrics").await.text;
    let lines = text.lines().filter(|line| line.starts_with("roomcast_http_requests_total{"));
    let names: Vec<&str> =
        lines.filter_map(|line| line.split("route=\"").nth(1)?.split('"').next()).collect();
    assert!(names.contains(&"/metrics") && names.contains(&"unmatched"), "{names:?}");
    // Other tests run in this process.
    for name in names.iter().filter(|name| !name.starts_with("/api/")) {
        assert!(known.contains(name), "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_method_that_the_path_does_not_take_counts_all_the_same() {
    let app = limited(|limits| limits.rate_limit_per_minute = 2).await;
    let ana = app.register("Acme", "Ana", "ana@example.com", PASSWORD).await;
    for _ in 0..2 {
        app.as_user(&ana).delete("/auth/login").await.expect_problem(405, "method_not_allowed");
    }
    expect_limited(app.as_user(&ana).delete("/auth/login").await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_over_the_limit_is_told_before_the_body_is_read() {
    let app = limited(|limits| limits.rate_limit_per_minute = 1).await;
    let mut first = RawSocket::connect(&app.base, None).await;
    first.write(b"GET /api/v1/users HTTP/1.1\r\nHost: hub\r\n\r\n").await;
    assert!(first.head().await.starts_with("HTTP/1.1 401 "));
    let mut second = RawSocket::connect(&app.base, None).await;
    // The body never comes.
    second
        .write(b"POST /api/v1/users/invite HTTP/1.1\r\nHost: hub\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{")
        .await;
    let head = second.head().await;
    assert!(head.starts_with("HTTP/1.1 429 "), "{head}");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_limits_nothing_is_told() {
    let app = TestApp::start().await;
    let ana = app.register("Acme", "Ana", "ana@example.com", PASSWORD).await;
    for answer in [app.as_user(&ana).get("/users").await, app.anonymous().get("/users").await] {
        assert_eq!(answer.header("ratelimit-limit"), None, "{answer:?}");
    }
}
