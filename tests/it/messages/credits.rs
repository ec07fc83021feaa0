//! The ledger.

use futures_util::future::join_all;
use serde_json::json;

use super::{start, start_with, text};
use crate::harness::eventually;

#[tokio::test(flavor = "multi_thread")]
async fn an_organisation_starts_with_the_credits_of_its_plan() {
    let app = start().await;
    let acme = app.organisation("Acme").with_member("bo").create().await;
    let credits = app.as_user(&acme["bo"]).get("/credits").await.expect_json(200);
    assert_eq!(credits, json!({ "balance": 100, "reserved": 0, "initial": 100, "lowAt": 20 }));
    app.as_user(&acme["bo"]).get("/credits/entries").await.expect_problem(403, "role_forbidden");
    let entries = app.ledger(&acme.admin).await;
    assert_eq!(
        (entries.len(), &entries[0]["kind"], &entries[0]["amount"]),
        (1, &json!("INITIAL"), &json!(100))
    );
    app.anonymous().get("/credits").await.expect_problem(401, "token_invalid");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_no_credits_left_sends_nothing() {
    let app = start_with(|config| config.messages.prices = "sms=60,email=40".parse().unwrap()).await;
    let acme = app.organisation("Acme").create().await;
    let message = app.send_message(&acme.admin, &text("Hello")).await;
    assert_eq!(message["price"], 60);
    let caller = app.as_user(&acme.admin);
    let refused = caller.post("/messages").json(&text("Hello")).await;
    refused.expect_problem(402, "insufficient_credits");
    app.send_message(&acme.admin, &json!({ "to": "bo@example.com", "channel": "email", "body": "x" })).await;
    assert_eq!(app.credits_settled(&acme.admin).await, 0);
    let list = caller.get("/messages").await.expect_json(200);
    assert_eq!(list["items"].as_array().unwrap().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn admins_are_told_once_when_credits_are_low() {
    let app = start_with(|config| config.messages.prices = "sms=30".parse().unwrap()).await;
    let acme = app.organisation("Acme").with_member("bo").create().await;
    let mut admin = app.connect(&acme.admin).await;
    for _ in 0..3 {
        app.send_message(&acme["bo"], &text("Hello")).await;
    }
    assert_eq!(app.credits_settled(&acme.admin).await, 10);
    let low = eventually("a warning", async || {
        let delivered = admin.next_activity().await.item();
        (delivered.json["type"] == "CREDITS_LOW").then_some(delivered.json)
    })
    .await;
    assert_eq!(low["payload"], json!({ "balance": 10, "lowAt": 20 }));
    let feed = app.as_user(&acme.admin).get("/activities?type=CREDITS_LOW").await.expect_json(200);
    assert_eq!(feed["items"].as_array().unwrap().len(), 1);
    let feed = app.as_user(&acme["bo"]).get("/activities?type=CREDITS_LOW").await.expect_json(200);
    assert!(feed["items"].as_array().unwrap().is_empty());
}

/// More is asked for at once than there is: as much is granted as there is, and no more.
#[tokio::test(flavor = "multi_thread")]
async fn the_balance_is_never_below_zero_however_many_spend_at_once() {
    let app = start_with(|config| config.messages.prices = "sms=7".parse().unwrap()).await;
    let acme = app.organisation("Acme").create().await;
    let caller = app.as_user(&acme.admin);
    let answers =
        join_all((0..40).map(|_| caller.post("/messages").json(&text("Hello")).into_future())).await;
    let statuses: Vec<u16> = answers.iter().map(|answer| answer.status).collect();
    assert_eq!(statuses.iter().filter(|status| **status == 201).count(), 14, "{statuses:?}");
    assert_eq!(statuses.iter().filter(|status| **status == 402).count(), 26, "{statuses:?}");
    assert_eq!(app.credits_settled(&acme.admin).await, 2);
    let ledger = app.sound_ledger(&acme.admin).await;
    assert_eq!(ledger.len(), 1 + 14 + 14);
}
