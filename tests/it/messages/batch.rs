//! `POST /messages/batch`.

use serde_json::{Value, json};

use super::{start, text};

#[tokio::test(flavor = "multi_thread")]
async fn each_message_of_a_batch_has_its_result() {
    let app = start().await;
    let acme = app.organisation("Acme").create().await;
    let mut messages: Vec<Value> = (0..150).map(|number| text(&number.to_string())).collect();
    messages[3]["to"] = json!("nobody");
    let body = json!({ "messages": messages });
    let send = || app.as_user(&acme.admin).post("/messages/batch").header("Idempotency-Key", "b").json(&body);
    let answer = send().await.expect_json(201);
    let results = answer["results"].as_array().unwrap();
    assert_eq!((results.len(), &answer["queued"], &answer["refused"]), (150, &json!(100), &json!(50)));
    assert_eq!(results[0]["message"]["body"], "0");
    assert_eq!(results[0]["status"], 201);
    assert_eq!(
        (&results[3]["status"], &results[3]["problem"]["code"]),
        (&json!(422), &json!("validation_failed"))
    );
    assert_eq!(results[100]["status"], 201);
    assert_eq!(
        (&results[101]["status"], &results[101]["problem"]["code"]),
        (&json!(402), &json!("insufficient_credits"))
    );
    assert_eq!(send().await.expect_json(201), answer, "a repetition is answered the same");
    assert_eq!(app.credits_settled(&acme.admin).await, 0);
    app.message_once(&acme.admin, &results[100]["message"]["id"], "SENT").await;
    assert_eq!(app.sound_ledger(&acme.admin).await.len(), 1 + 100 + 100);
    let feed = app.feed_after(&acme.admin, 0).await;
    assert_eq!(feed.of_type("MESSAGE_QUEUED").len(), 100);
    assert_eq!(feed.of_type("MESSAGE_SENT").len(), 100);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_that_is_no_batch_is_refused_as_a_whole() {
    let app = start().await;
    let acme = app.organisation("Acme").create().await;
    let caller = app.as_user(&acme.admin);
    let post = |body: Value| caller.post("/messages/batch").json(&body);
    post(json!({})).await.expect_invalid(&["messages"]);
    post(json!({ "messages": [] })).await.expect_invalid(&["messages"]);
    post(json!({ "messages": vec![text("x"); 1001] })).await.expect_invalid(&["messages"]);
    let wrong = json!({ "messages": [text("x"), { "to": "+1234567890", "channel": "fax" }, 7] });
    post(wrong).await.expect_invalid(&["messages.1.channel", "messages.1.body", "messages.2.body"]);
    assert_eq!(app.credits(&acme.admin).await, (100, 0));
}
