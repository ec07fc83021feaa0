//! `roomcast user reset-password`, beside a hub that runs.

use roomcast_client::CloseCode;
use serde_json::json;

use super::{environment, fail, run_with, succeed};
use crate::harness::{Child, Client, PASSWORD, Person, TestDatabase};

const NEW: &str = "another password";

async fn login(client: &Client, email: &str, password: &str) -> u16 {
    let body = json!({ "email": email, "password": password });
    client.anonymous().post("/auth/login").json(&body).await.status
}

#[tokio::test(flavor = "multi_thread")]
async fn all_sessions_end_everywhere_and_the_log_says_so() {
    let database = TestDatabase::create().await;
    let url = database.url_text();
    let mut hub = Child::start(&[], &environment(&url));
    let client = hub.listening().await;
    let acme = client.organisation("Acme").with_member("mia").create().await;
    let mia = &acme["mia"];
    let elsewhere = client.register("Globex", "Mia", &mia.email, PASSWORD).await;
    let mut sockets = vec![
        client.connect(mia).await,
        client.connect(&elsewhere).await,
        client.connect(&client.sign_in(mia).await).await,
    ];
    let mut other = client.connect(&acme.admin).await;
    let start = client.head(&acme.admin).await;

    let arguments = ["user", "reset-password", &mia.email];
    let (status, output) = run_with(&arguments, &environment(&url), &format!("{NEW}\n")).await;
    assert!(status.success() && output.contains("2 organisations"), "{output}");
    assert!(!output.contains(NEW), "{output}");
    for socket in &mut sockets {
        socket.expect_close(CloseCode::UNAUTHENTICATED).await;
    }
    for person in [mia, &elsewhere] {
        client.as_user(person).get("/auth/me").await.expect_problem(401, "session_ended");
        let body = json!({ "refreshToken": person.refresh_token });
        client.anonymous().post("/auth/refresh").json(&body).await.expect_problem(401, "session_ended");
    }
    assert_eq!(login(&client, &mia.email, PASSWORD).await, 401);
    let feed = client.feed_after(&acme.admin, start).await;
    assert_eq!(feed.kinds(), ["SESSION_ENDED", "SESSION_ENDED", "PASSWORD_CHANGED"]);
    for item in &feed.0 {
        assert!(item.json["actor"].is_null(), "{}", item.text);
        assert_eq!(item.payload()["userId"], mia.id);
        // Who is not concerned sees it live, from a hub that did not do it.
        assert_eq!(other.next_activity().await.text, item.text);
    }
    let changed = feed.only("PASSWORD_CHANGED");
    changed.expect_payload(&json!({ "userId": mia.id, "sessionId": null, "reason": "password_reset" }));
    assert_eq!(login(&client, &mia.email, NEW).await, 200);
    client.as_user(&acme.admin).get("/auth/me").await.expect_status(200);
    hub.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_is_made_up_and_printed_alone() {
    let database = TestDatabase::create().await;
    let url = database.url_text();
    let mut hub = Child::start(&[], &environment(&url));
    let client = hub.listening().await;
    let ana: Person = client.register("Acme", "Ana", "ana@example.com", PASSWORD).await;
    let output =
        succeed(&["user", "reset-password", "--generate", " ANA@example.com"], &environment(&url)).await;
    let password = output.lines().find(|line| line.len() == 20 && !line.contains(' '));
    assert_eq!(login(&client, &ana.email, password.unwrap()).await, 200);
    hub.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_done_is_said_and_changes_nothing() {
    let database = TestDatabase::create().await;
    let url = database.url_text();
    let mut hub = Child::start(&[], &environment(&url));
    let client = hub.listening().await;
    let ana = client.register("Acme", "Ana", "ana@example.com", PASSWORD).await;
    for (email, input, words) in [
        ("nobody@example.com", "long enough\n", "no account has the email nobody@example.com"),
        ("nobody", "long enough\n", "EMAIL must be an email address"),
        ("ana@example.com", "short\n", "8 to 128 characters"),
        ("ana@example.com", "", "8 to 128 characters"),
    ] {
        let arguments = ["user", "reset-password", email];
        let (status, output) = run_with(&arguments, &environment(&url), input).await;
        assert!(!status.success() && output.contains(words), "{output}");
    }
    fail(&["user", "reset-password", "ana@example.com", "a password"], &environment(&url), &["unexpected"])
        .await;
    client.as_user(&ana).get("/auth/me").await.expect_status(200);
    assert_eq!(login(&client, &ana.email, PASSWORD).await, 200);
    hub.stop().await;
}
