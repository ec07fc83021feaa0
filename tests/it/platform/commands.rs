//! `roomcast admin`, beside a hub that runs.

use serde_json::json;

use crate::harness::platform::create_administrator;
use crate::harness::{Child, PASSWORD, TestApp};
use crate::operator::environment;

async fn admin(app: &TestApp, arguments: &[&str], input: &str) -> (bool, String) {
    let url = app.database_url();
    let arguments: Vec<&str> = ["admin"].iter().chain(arguments).copied().collect();
    let child = Child::start_with(&arguments, &environment(&url), input, None);
    let (status, output) = child.ended_at_last().await;
    (status.success(), output)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_administrator_is_made_by_a_command_and_signs_in() {
    let app = TestApp::start().await;
    let email = create_administrator(&app.database_url(), "super_admin").await;
    let pat = app.sign_in_operator(&email).await;
    let me = app.as_operator(&pat).get("/platform/auth/me").await.expect_json(200);
    assert_eq!(me["role"], "super_admin");
    assert_eq!(me["status"], "active");
    let (_, listed) = admin(&app, &["list"], "").await;
    assert!(listed.contains(&email) && listed.contains("super_admin"), "{listed}");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("password");
    std::fs::write(&file, format!("{PASSWORD}\n")).unwrap();
    let file = file.to_str().unwrap();
    let create = ["create", "--email", "sue@example.com", "--name", "Sue", "--role", "support"];
    let arguments: Vec<&str> = create.iter().copied().chain(["--password-file", file]).collect();
    let (done, output) = admin(&app, &arguments, "").await;
    assert!(done && !output.contains(PASSWORD), "{output}");
    app.sign_in_operator("sue@example.com").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_done_is_said() {
    let app = TestApp::start().await;
    let email = create_administrator(&app.database_url(), "super_admin").await;
    let create = |email: &'static str, role: &'static str| {
        ["create", "--email", email, "--name", "Pat", "--role", role]
    };
    for (arguments, input, words) in [
        (create("pat", "support").to_vec(), "long enough\n", "--email must be an email address"),
        (create("pat@example.com", "admin").to_vec(), "long enough\n", "super_admin"),
        (create("pat@example.com", "support").to_vec(), "short\n", "8 to 128 characters"),
        (vec!["disable", "nobody@example.com"], "", "no administrator has the email"),
        (vec!["reset-password", "nobody@example.com"], "long enough\n", "no administrator has the email"),
        (vec!["disable", &email], "", "only super administrator"),
        (
            vec!["create", "--email", &email, "--name", "Pat", "--role", "support"],
            "long enough\n",
            "has the email",
        ),
    ] {
        let (done, output) = admin(&app, &arguments, input).await;
        assert!(!done && output.contains(words), "{arguments:?}: {output}");
    }
    app.sign_in_operator(&email).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_password_and_being_disabled_end_sessions_at_once() {
    let app = TestApp::start().await;
    app.operator("super_admin").await;
    let sue = app.operator("support").await;
    let (done, output) = admin(&app, &["reset-password", &sue.email], "another password\n").await;
    assert!(done && !output.contains("another password"), "{output}");
    let me = || app.as_operator(&sue).get("/platform/auth/me");
    me().await.expect_problem(401, "session_ended");
    let refresh = json!({ "refreshToken": sue.refresh_token });
    let call = app.anonymous().post("/platform/auth/refresh").json(&refresh);
    call.await.expect_problem(401, "session_ended");
    let login = async |password: &str| {
        let body = json!({ "email": sue.email, "password": password });
        app.anonymous().post("/platform/auth/login").json(&body).await
    };
    login(PASSWORD).await.expect_problem(401, "credentials_invalid");
    let again = login("another password").await.expect_json(200);
    let (done, output) = admin(&app, &["disable", &sue.email], "").await;
    assert!(done, "{output}");
    let call = app.with_token(again["accessToken"].as_str().unwrap()).get("/platform/auth/me");
    call.await.expect_problem(401, "session_ended");
    // As if there were no such administrator.
    login("another password").await.expect_problem(401, "credentials_invalid");
}
