//! `DELETE /messages/{id}`.

use super::{start, start_with, text};

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_waits_is_called_off_and_costs_nothing() {
    // No job runs here.
    let app = start_with(|config| config.jobs.concurrency = 0).await;
    let acme = app.organisation("Acme").with_member("bo").with_member("cy").create().await;
    let mut socket = app.connect(&acme["bo"]).await;
    let message = app.send_message(&acme["bo"], &text("Hello")).await;
    let path = format!("/messages/{}", message["id"].as_str().unwrap());
    app.as_user(&acme["cy"]).delete(&path).await.expect_problem(404, "not_found");
    app.as_user(&acme["bo"]).delete(&path).await.expect_status(204);
    app.as_user(&acme["bo"]).delete(&path).await.expect_problem(409, "message_not_cancellable");
    assert_eq!(app.message(&acme.admin, &message["id"]).await["status"], "CANCELLED");
    socket.expect_activity("MESSAGE_QUEUED").await;
    socket.expect_activity("MESSAGE_CANCELLED").await;
    assert_eq!(app.credits(&acme.admin).await, (99, 1), "a job gives it back");
    let ground = app.stop().await;
    let mut ground = ground;
    ground.config.jobs.concurrency = 16;
    let app = ground.start().await;
    assert_eq!(app.credits_settled(&acme.admin).await, 100);
    assert_eq!(app.message(&acme.admin, &message["id"]).await["status"], "CANCELLED");
    app.sound_ledger(&acme.admin).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_was_sent_is_not_called_off() {
    let app = start().await;
    let acme = app.organisation("Acme").create().await;
    let other = app.organisation("Other").create().await;
    let message = app.send_message(&acme.admin, &text("Hello")).await;
    app.message_once(&acme.admin, &message["id"], "SENT").await;
    let path = format!("/messages/{}", message["id"].as_str().unwrap());
    app.as_user(&acme.admin).delete(&path).await.expect_problem(409, "message_not_cancellable");
    app.as_user(&other.admin).delete(&path).await.expect_problem(404, "not_found");
    app.as_user(&other.admin).get(&path).await.expect_problem(404, "not_found");
    app.anonymous().delete(&path).await.expect_problem(401, "token_invalid");
    assert_eq!(app.credits_settled(&acme.admin).await, 99);
}
