//! What the platform does to credits, and what it sees of messages.

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::harness::{TestApp, eventually};
use crate::messages::text;

fn top_up(amount: i64) -> Value {
    json!({ "kind": "TOP_UP", "amount": amount, "reason": "Paid by invoice 7" })
}

fn adjustment(amount: i64) -> Value {
    json!({ "kind": "ADJUSTMENT", "amount": amount, "reason": "A mistake" })
}

#[tokio::test(flavor = "multi_thread")]
async fn credits_are_added_and_corrected_and_the_admins_are_told_by_whom() {
    let app = TestApp::start().await;
    let pat = app.operator("billing").await;
    let acme = app.organisation("Acme").with_member("bo").create().await;
    let mut admin = app.connect(&acme.admin).await;
    let path = format!("/platform/organisations/{}/credits", acme.id);
    let operator = app.as_operator(&pat);
    let entry = operator.post(&path).json(&top_up(50)).await.expect_json(201);
    assert_eq!(
        (&entry["seq"], &entry["kind"], &entry["amount"], &entry["balance"], &entry["reason"]),
        (&json!(2), &json!("TOP_UP"), &json!(50), &json!(150), &json!("Paid by invoice 7"))
    );
    let told = eventually("word of it", async || {
        let delivered = admin.next_activity().await.item();
        (delivered.json["type"] == "CREDITS_CHANGED").then_some(delivered.json)
    })
    .await;
    let expected = json!({ "entry": 2, "amount": 50, "balance": 150, "reason": "Paid by invoice 7" });
    assert_eq!(told["payload"], expected);
    assert_eq!(told["actor"], json!({ "id": pat.id, "name": "Pat (platform)" }));
    operator.post(&path).json(&adjustment(-150)).await.expect_json(201);
    operator.post(&path).json(&adjustment(-1)).await.expect_problem(402, "insufficient_credits");
    let credits = operator.get(&path).await.expect_json(200);
    assert_eq!(credits, json!({ "balance": 0, "reserved": 0, "initial": 100, "lowAt": 20 }));
    assert_eq!(app.sound_ledger(&acme.admin).await.len(), 3);
    let bo = app.as_user(&acme["bo"]).get("/activities?type=CREDITS_CHANGED").await.expect_json(200);
    assert_eq!(bo["items"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_is_made_once_for_a_key_and_refused_where_it_makes_no_sense() {
    let app = TestApp::start().await;
    let pat = app.operator("super_admin").await;
    let acme = app.organisation("Acme").create().await;
    let path = format!("/platform/organisations/{}/credits", acme.id);
    let operator = app.as_operator(&pat);
    let ask = || operator.post(&path).json(&top_up(50)).header("idempotency-key", "invoice-7");
    let answers = join_all((0..4).map(|_| ask().into_future())).await;
    for answer in answers {
        assert!(matches!(answer.status, 201 | 409), "{answer:?}");
    }
    let first = ask().await.expect_json(201);
    // A number is whole however it is written.
    let body = json!({ "kind": "ADJUSTMENT", "amount": 0.0, "reason": "x" });
    let refused = operator.post(&path).json(&body).await;
    assert_eq!(refused.expect_invalid(&["amount"])["errors"][0]["message"], "must not be zero");
    assert_eq!(first["balance"], 150);
    assert_eq!(app.credits(&acme.admin).await, (150, 0));
    let other = operator.post(&path).json(&top_up(51)).header("idempotency-key", "invoice-7").await;
    other.expect_problem(422, "idempotency_key_reused");
    for (body, fields) in [
        (json!({ "kind": "TOP_UP", "amount": 1e300, "reason": "x" }), &["amount"][..]),
        (top_up(0), &["amount"]),
        (top_up(-1), &["amount"]),
        (adjustment(0), &["amount"]),
        (json!({ "kind": "INITIAL", "amount": 1.5, "reason": "" }), &["kind", "amount", "reason"]),
        (json!({}), &["kind", "amount", "reason"]),
        (json!({ "kind": "TOP_UP", "amount": 1, "reason": "x", "to": 1 }), &["to"]),
    ] {
        operator.post(&path).json(&body).await.expect_invalid(fields);
    }
    let changes = app.as_user(&acme.admin).get("/activities?type=CREDITS_CHANGED").await.expect_json(200);
    assert_eq!(changes["items"].as_array().unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn only_those_who_may_change_credits_and_nobody_of_an_organisation() {
    let app = TestApp::start().await;
    let (pat, sue) = (app.operator("super_admin").await, app.operator("support").await);
    let acme = app.organisation("Acme").create().await;
    let path = format!("/platform/organisations/{}/credits", acme.id);
    let totals = "/platform/messages/totals";
    app.as_operator(&sue).get(&path).await.expect_status(200);
    app.as_operator(&sue).get(totals).await.expect_status(200);
    app.as_operator(&sue).post(&path).json(&top_up(1)).await.expect_problem(403, "role_forbidden");
    for path in [path.as_str(), totals] {
        app.as_user(&acme.admin).get(path).await.expect_problem(401, "token_invalid");
        app.anonymous().get(path).await.expect_problem(401, "token_invalid");
    }
    app.as_user(&acme.admin).post(&path).json(&top_up(1)).await.expect_problem(401, "token_invalid");
    let nowhere = format!("/platform/organisations/{}/credits", roomcast::types::OrgId::new());
    app.as_operator(&pat).get(&nowhere).await.expect_problem(404, "not_found");
    app.as_operator(&pat).post(&nowhere).json(&top_up(1)).await.expect_problem(404, "not_found");
    assert_eq!(app.credits(&acme.admin).await, (100, 0));
    // What a suspended organisation has is changed, too.
    app.suspend(&pat, &acme.id).await;
    app.as_operator(&pat).post(&path).json(&top_up(1)).await.expect_json(201);
    app.reopen(&pat, &acme.id).await;
    let feed = app.feed_after(&acme.admin, 0).await;
    assert_eq!(feed.of_type("CREDITS_CHANGED").len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_platform_sees_how_many_messages_of_each_organisation_stand_where() {
    let app = crate::messages::start().await;
    let pat = app.operator("support").await;
    let (acme, bolt) = (app.organisation("Acme").create().await, app.organisation("Bolt").create().await);
    app.organisation("Silent").create().await;
    for _ in 0..2 {
        app.send_message(&acme.admin, &text("Hello")).await;
    }
    let email = json!({ "to": "bo@example.com", "channel": "email", "body": "Hello" });
    app.send_message(&acme.admin, &email).await;
    let refused = json!({ "to": "http://127.0.0.1/", "channel": "webhook", "body": "Hello" });
    app.send_message(&bolt.admin, &refused).await;
    app.credits_settled(&acme.admin).await;
    app.credits_settled(&bolt.admin).await;
    let operator = app.as_operator(&pat);
    let first = operator.get("/platform/messages/totals?limit=1").await.expect_json(200);
    let cursor = first["nextCursor"].as_str().unwrap();
    let second =
        operator.get(format!("/platform/messages/totals?limit=1&cursor={cursor}")).await.expect_json(200);
    assert_eq!(second["nextCursor"], Value::Null);
    let total = |channel: &str, status: &str, count: i64| json!({ "channel": channel, "status": status, "count": count });
    let of_acme =
        json!({ "organisationId": acme.id, "totals": [total("email", "SENT", 1), total("sms", "SENT", 2)] });
    let of_bolt = json!({ "organisationId": bolt.id, "totals": [total("webhook", "FAILED", 1)] });
    assert_eq!([&first["items"][0], &second["items"][0]], [&of_acme, &of_bolt]);
}
