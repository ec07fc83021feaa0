//! Emails of the hub's own: invites, and ways to a new password.

use serde_json::{Value, json};

use super::email::{Mail, MailServer, hub_with};
use super::start;
use crate::harness::tls::Authority;
use crate::harness::{PASSWORD, TestApp, eventually};

/// The emails that were handed over, once there are so many.
async fn mails(server: &MailServer, count: usize) -> Vec<Mail> {
    eventually("emails", async || {
        let mails = server.mails.lock().clone();
        (mails.len() >= count).then_some(mails)
    })
    .await
}

/// The text of an email as it was written: lines that were broken for the way are whole again.
fn text(mail: &Mail) -> String {
    mail.data.replace("=\r\n", "").replace("=3D", "=")
}

/// The word of a text that begins so.
fn word(text: &str, start: &str) -> String {
    let found = text.split_whitespace().find(|word| word.starts_with(start));
    found.unwrap_or_else(|| panic!("{start:?} in {text}")).to_owned()
}

async fn hub(server: &MailServer, authority: &Authority) -> TestApp {
    hub_with(server, authority, "p%40ss", |config| {
        config.messages.public_url = Some("https://hub.example.com/".parse().unwrap());
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_invited_is_written_to_and_comes_in_by_that() {
    let authority = Authority::new();
    let server = MailServer::start(&authority).await;
    let app = hub(&server, &authority).await;
    let acme = app.organisation("Acme").create().await;
    let invite = app.as_user(&acme.admin).post("/users/invite").json(&json!({ "email": "bo@example.com" }));
    let invite = invite.header("idempotency-key", "bo");
    let invite = invite.await.expect_json(201);
    let again = app.as_user(&acme.admin).post("/users/invite").json(&json!({ "email": "bo@example.com" }));
    assert_eq!(again.header("idempotency-key", "bo").await.expect_json(201), invite);
    let mails = mails(&server, 1).await;
    let [mail] = &mails[..] else { panic!("{mails:?}") };
    assert!(mail.recipient.contains("<bo@example.com>"), "{mail:?}");
    let text = text(mail);
    assert!(text.contains("invites you to Acme"), "{text}");
    let link = word(&text, "https://hub.example.com/invite#");
    let token = link.split_once('#').unwrap().1;
    assert_eq!(token, invite["inviteToken"]);
    let body = json!({ "token": token, "name": "Bo", "password": PASSWORD });
    app.anonymous().post("/users/accept-invite").json(&body).await.expect_status(201);
    app.jobs_done(&acme.admin).await;
    assert_eq!(server.mails.lock().len(), 1);
}

/// The token is in no table while the email waits, nor in what admins see of its job.
#[tokio::test(flavor = "multi_thread")]
async fn what_an_email_says_is_sealed_while_it_waits() {
    let authority = Authority::new();
    let server = MailServer::start(&authority).await;
    let app = hub_with(&server, &authority, "p%40ss", |config| config.jobs.concurrency = 0).await;
    let acme = app.organisation("Acme").create().await;
    let invite = app.invite(&acme.admin, "bo@example.com", "MEMBER").await;
    let token = invite["inviteToken"].as_str().unwrap().to_owned();
    let jobs = payloads(&app, acme.admin.org_id()).await;
    assert_eq!(jobs.len(), 1);
    assert!(!jobs[0].contains(&token) && !jobs[0].contains("example.com"), "{jobs:?}");
    let seen = app.as_user(&acme.admin).get("/jobs?state=READY").await.expect_json(200);
    assert_eq!(seen["items"][0]["kind"], "mail.send");
    let mut ground = app.stop().await;
    ground.config.jobs.concurrency = 4;
    let app = ground.start().await;
    let mails = mails(&server, 1).await;
    assert!(text(&mails[0]).contains(&token), "without a URL the token itself is told");
    app.jobs_done(&acme.admin).await;
}

async fn payloads(app: &TestApp, org: roomcast::types::OrgId) -> Vec<String> {
    use diesel::prelude::*;
    use diesel_async::RunQueryDsl;
    use roomcast::db::schema::jobs;

    let found: Result<Vec<String>, roomcast::error::Error> = async {
        roomcast::read!(app.app.db.org(org), |conn| {
            let found = roomcast::with_conn!(conn, |c| {
                jobs::table.filter(jobs::org_id.eq(org)).select(jobs::payload).load(c).await
            });
            Ok(found?)
        })
    }
    .await;
    found.unwrap()
}

async fn forget(app: &TestApp, email: &str) {
    let body = json!({ "email": email });
    app.anonymous().post("/auth/forgot-password").json(&body).await.expect_status(204);
}

fn token_of(mail: &Mail) -> String {
    let text = text(mail);
    let after = text.split_once("token:").unwrap().1;
    after.split_whitespace().next().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forgotten_password_is_replaced_once_by_way_of_the_email() {
    let authority = Authority::new();
    let server = MailServer::start(&authority).await;
    let app = hub(&server, &authority).await;
    let ana = app.register("Acme", "Ana", "ana@example.com", PASSWORD).await;
    forget(&app, "nobody.here@example.com").await;
    forget(&app, "ana@example.com").await;
    forget(&app, "ana@example.com").await;
    let mails = mails(&server, 2).await;
    assert!(mails.iter().all(|mail| mail.recipient.contains("<ana@example.com>")), "{mails:?}");
    let reset = async |token: &str, password: &str| {
        let body = json!({ "token": token, "password": password });
        app.anonymous().post("/auth/reset-password").json(&body).await
    };
    let (first, second) = (token_of(&mails[0]), token_of(&mails[1]));
    reset(&first, "short").await.expect_invalid(&["password"]);
    reset("nothing of ours", "another password").await.expect_problem(404, "reset_token_invalid");
    reset(&first, "another password").await.expect_status(204);
    app.as_user(&ana).get("/auth/me").await.expect_problem(401, "session_ended");
    for used in [&first, &second] {
        reset(used, "a third password").await.expect_problem(404, "reset_token_invalid");
    }
    let login = async |password: &str| {
        let body = json!({ "email": "ana@example.com", "password": password });
        app.anonymous().post("/auth/login").json(&body).await
    };
    login(PASSWORD).await.expect_problem(401, "credentials_invalid");
    login("another password").await.expect_status(200);
    // It is open for an hour.
    forget(&app, "ana@example.com").await;
    let third = token_of(&self::mails(&server, 3).await[2]);
    app.advance(std::time::Duration::from_mins(61));
    reset(&third, "a third password").await.expect_problem(404, "reset_token_invalid");
}

#[tokio::test(flavor = "multi_thread")]
async fn nobodys_mailbox_is_filled() {
    let authority = Authority::new();
    let server = MailServer::start(&authority).await;
    let app = hub_with(&server, &authority, "p%40ss", |config| {
        config.limits.auth_rate_limit_per_minute = 1000;
    })
    .await;
    app.register("Acme", "Ana", "ana@example.com", PASSWORD).await;
    let body = json!({ "email": "ana@example.com" });
    let mut sent = 0;
    let refused = loop {
        let answer = app.anonymous().post("/auth/forgot-password").json(&body).await;
        if answer.status != 204 {
            break answer;
        }
        sent += 1;
        assert!(sent < 20, "there is an end");
    };
    refused.expect_problem(429, "rate_limited");
    mails(&server, sent).await;
    let other = json!({ "email": "bo@example.com" });
    app.anonymous().post("/auth/forgot-password").json(&other).await.expect_status(204);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_server_of_emails_none_are_promised() {
    let app = start().await;
    let acme = app.organisation("Acme").create().await;
    let body = json!({ "email": acme.admin.email });
    let refused = app.anonymous().post("/auth/forgot-password").json(&body).await;
    refused.expect_problem(403, "mail_not_configured");
    app.invite(&acme.admin, "bo@example.com", "MEMBER").await;
    let jobs: Value = app.as_user(&acme.admin).get("/jobs?state=READY").await.expect_json(200);
    assert_eq!(jobs["items"], json!([]));
}
