//! 400, 413, 415 and 422.

use serde_json::{Value, json};

use crate::harness::{PASSWORD, TestApp};

const JSON: Option<&str> = Some("application/json");

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_json_is_malformed() {
    let app = TestApp::start().await;
    for body in ["", "{", "{\"email\":}", "{\"email\": \"a\"} x", "\u{feff}{}", "NaN", "{'a': 1}"] {
        let answer = app.anonymous().post("/auth/login").body(JSON, body).await;
        answer.expect_problem(400, "malformed_json");
    }
    let not_utf8 = b"{\"email\": \"\xff\"}".to_vec();
    app.anonymous().post("/auth/login").body(JSON, not_utf8).await.expect_problem(400, "malformed_json");
    let deep = format!("{{\"email\":{}{}}}", "[".repeat(100_000), "]".repeat(100_000));
    app.anonymous().post("/auth/login").body(JSON, deep).await.expect_problem(400, "malformed_json");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_declared_as_json_is_refused() {
    let app = TestApp::start().await;
    let body = json!({ "email": "a@example.com", "password": "x" }).to_string();
    for content_type in
        [None, Some("text/plain"), Some("application/x-www-form-urlencoded"), Some("application/jsonx")]
    {
        let answer = app.anonymous().post("/auth/login").body(content_type, body.clone()).await;
        answer.expect_problem(415, "not_json");
    }
    for content_type in ["application/json", "Application/JSON; charset=utf-8", "application/vnd.api+json"] {
        let answer = app.anonymous().post("/auth/login").body(Some(content_type), body.clone()).await;
        answer.expect_problem(401, "credentials_invalid");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_has_at_most_max_body_bytes() {
    let app = TestApp::start().await;
    let of = |bytes: usize| {
        let frame = json!({ "email": "" }).to_string().len();
        json!({ "email": "x".repeat(bytes - frame) }).to_string()
    };
    let answer = app.anonymous().post("/auth/login").body(JSON, of(262_144)).await;
    answer.expect_invalid(&["email", "password"]);
    let answer = app.anonymous().post("/auth/login").body(JSON, of(262_145)).await;
    answer.expect_problem(413, "body_too_large");
    // The next call is as good as any.
    app.register("Acme", "Ana", "ana@example.com", PASSWORD).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_is_no_object_is_invalid() {
    let app = TestApp::start().await;
    for body in [json!([]), json!("x"), json!(1), Value::Null, json!(true)] {
        let problem =
            app.anonymous().post("/auth/login").json(&body).await.expect_problem(422, "validation_failed");
        assert_eq!(problem["errors"].as_array().unwrap().len(), 1, "{problem}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_not_signed_in_is_told_that_first() {
    let app = TestApp::start().await;
    let acme = app.organisation("Acme").with_member("mia").create().await;
    let call = app.anonymous().post("/users/invite").body(Some("text/plain"), "{");
    call.await.expect_problem(401, "token_invalid");
    let call = app.as_user(&acme["mia"]).post("/users/invite").body(JSON, "{");
    call.await.expect_problem(403, "role_forbidden");
}

#[tokio::test(flavor = "multi_thread")]
async fn unknown_parameters_of_a_query_are_refused_like_fields() {
    let app = TestApp::start().await;
    let acme = app.organisation("Acme").create().await;
    let caller = app.as_user(&acme.admin);
    caller.get("/users?limt=5").await.expect_invalid(&["limt"]);
    caller.get("/users/invites?limt=5").await.expect_invalid(&["limt"]);
    caller.get("/activities?afer=5").await.expect_invalid(&["afer"]);
}
