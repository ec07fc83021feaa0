//! `POST /messages`, and what becomes of a message.

use serde_json::json;

use super::{start, start_with, text};

#[tokio::test(flavor = "multi_thread")]
async fn a_message_is_queued_sent_and_paid_for_before_everybodys_eyes() {
    let app = start().await;
    let acme = app.organisation("Acme").with_member("bo").with_member("cy").create().await;
    let (mut admin, mut sender, mut other) =
        (app.connect(&acme.admin).await, app.connect(&acme["bo"]).await, app.connect(&acme["cy"]).await);
    let message = app.send_message(&acme["bo"], &text("Hello World")).await;
    assert_eq!(message["status"], "QUEUED");
    assert_eq!(message["to"], "+1234567890");
    assert_eq!(message["channel"], "sms");
    assert_eq!(message["body"], "Hello World");
    assert_eq!(message["price"], 1);
    assert_eq!(message["createdBy"], acme["bo"].id.as_str());
    for socket in [&mut admin, &mut sender] {
        let queued = socket.expect_activity("MESSAGE_QUEUED").await.item().json;
        assert_eq!(queued["payload"]["messageId"], message["id"]);
        assert_eq!(queued["actor"]["id"], acme["bo"].id.as_str());
        let sent = socket.expect_activity("MESSAGE_SENT").await.item().json;
        assert_eq!(sent["payload"]["messageId"], message["id"]);
        assert_eq!(sent["payload"]["gateway"], "simulated");
        assert!(sent["payload"]["detail"].as_str().unwrap().starts_with("simulated"));
        assert!(sent["actor"].is_null());
    }
    let seen = other.ping().await.0;
    assert!(seen.is_empty(), "it is none of the others' business");
    let sent = app.message_once(&acme["bo"], &message["id"], "SENT").await;
    let attempts = sent["attempts"].as_array().unwrap();
    assert_eq!(attempts.len(), 1);
    assert_eq!(
        (&attempts[0]["number"], &attempts[0]["gateway"], &attempts[0]["outcome"]),
        (&json!(1), &json!("simulated"), &json!("SENT"))
    );
    assert_eq!(app.credits_settled(&acme.admin).await, 99);
    let kinds: Vec<_> =
        app.sound_ledger(&acme.admin).await.iter().map(|entry| entry["kind"].clone()).collect();
    assert_eq!(kinds, ["INITIAL", "RESERVED", "SETTLED"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_seeds_shorter_path_works_too() {
    let app = start().await;
    let acme = app.organisation("Acme").create().await;
    let caller = app.as_user(&acme.admin);
    let message =
        caller.at(reqwest::Method::POST, "/api/messages").json(&text("Hello")).await.expect_json(201);
    let list = caller.at(reqwest::Method::GET, "/api/messages").await.expect_json(200);
    assert_eq!(list["items"][0]["id"], message["id"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_is_rejected_costs_nothing() {
    let app = start_with(|config| config.messages.simulated_rejected_percent = 100).await;
    let acme = app.organisation("Acme").create().await;
    let mut socket = app.connect(&acme.admin).await;
    let message = app.send_message(&acme.admin, &text("Hello")).await;
    let failed = app.message_once(&acme.admin, &message["id"], "FAILED").await;
    assert_eq!(failed["attempts"][0]["outcome"], "REJECTED");
    assert_eq!(app.credits_settled(&acme.admin).await, 100);
    let kinds: Vec<_> =
        app.sound_ledger(&acme.admin).await.iter().map(|entry| entry["kind"].clone()).collect();
    assert_eq!(kinds, ["INITIAL", "RESERVED", "REFUNDED"]);
    socket.expect_activity("MESSAGE_QUEUED").await;
    let told = socket.expect_activity("MESSAGE_FAILED").await.item().json;
    assert_eq!(told["payload"]["status"], "FAILED");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_is_told_and_costs_nothing() {
    let app = start().await;
    let acme = app.organisation("Acme").create().await;
    let caller = app.as_user(&acme.admin);
    for (body, fields) in [
        (json!({}), &["to", "channel", "body"][..]),
        (json!({ "to": "1234", "channel": "sms", "body": "x" }), &["to"]),
        (json!({ "to": "bo", "channel": "email", "body": "x" }), &["to"]),
        (json!({ "to": "ftp://example.com", "channel": "webhook", "body": "x" }), &["to"]),
        (json!({ "to": "a b", "channel": "push", "body": "x" }), &["to"]),
        (json!({ "to": "+1234567890", "channel": "fax", "body": "" }), &["channel", "body"]),
        (json!({ "to": "+1234567890", "channel": "sms", "body": "x", "form": 1 }), &["form"]),
    ] {
        caller.post("/messages").json(&body).await.expect_invalid(fields);
    }
    assert_eq!(app.credits(&acme.admin).await, (100, 0));
    app.anonymous().post("/messages").json(&text("x")).await.expect_problem(401, "token_invalid");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_under_a_key_is_sent_once() {
    let app = start().await;
    let acme = app.organisation("Acme").create().await;
    let send = |body: &'static str| {
        app.as_user(&acme.admin).post("/messages").header("Idempotency-Key", "one").json(&text(body))
    };
    let first = send("Hello").await.expect_json(201);
    let again = send("Hello").await.expect_status(201);
    assert_eq!(again.header("idempotency-replayed"), Some("true"));
    assert_eq!(again.json(), first);
    send("Other").await.expect_problem(422, "idempotency_key_reused");
    assert_eq!(app.credits_settled(&acme.admin).await, 99);
    assert_eq!(app.sound_ledger(&acme.admin).await.len(), 3, "a repetition does not touch the ledger");
}
