//! `POST /organisations/broadcast`.

use serde_json::{Value, json};

use crate::harness::{Answer, Item, Person, TestApp};

async fn send(app: &TestApp, person: &Person, body: Value) -> Answer {
    app.as_user(person).post("/organisations/broadcast").json(&body).await
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_with_the_activity_that_everybody_reads() {
    let app = TestApp::start().await;
    let acme = app.organisation("Acme").with_member("mia").create().await;
    let head = app.head(&acme.admin).await;
    let answer = send(&app, &acme.admin, json!({ "message": "Lunch is ready" })).await.expect_status(201);
    assert_eq!(answer.header("content-type"), Some("application/json"));
    let item = Item::parse(&answer.text);
    assert_eq!(item.seq(), head + 1);
    assert_eq!(item.kind(), "BROADCAST_MESSAGE");
    item.expect_actor(&acme.admin);
    let at = &item.json["createdAt"];
    item.expect_payload(&json!({ "message": "Lunch is ready", "sentBy": acme.admin.id, "sentAt": at }));
    let fields: Vec<&String> = item.json.as_object().unwrap().keys().collect();
    assert_eq!(fields.len(), 7, "{fields:?}");
    for viewer in [&acme.admin, &acme["mia"]] {
        let feed = app.feed(viewer).await;
        assert_eq!(feed.only("BROADCAST_MESSAGE").text, answer.text, "the same bytes");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn carries_data_as_it_was_sent() {
    let app = TestApp::start().await;
    let acme = app.organisation("Acme").create().await;
    let data = json!({
        "unicode": "žluťoučký 🐎 \u{2028}", "quotes": "\"\\/", "number": 1.5, "big": 9_007_199_254_740_993_i64,
        "nested": { "a": [1, null, true, {}] }, "type": "PONG", "seq": 1,
    });
    let answer = send(&app, &acme.admin, json!({ "message": "x", "data": data })).await.expect_status(201);
    let item = Item::parse(&answer.text);
    assert_eq!(item.payload()["data"], data);
    assert_eq!(app.feed(&acme.admin).await.only("BROADCAST_MESSAGE").text, answer.text);
    // Nothing and null are the same: no data.
    let without = send(&app, &acme.admin, json!({ "message": "x", "data": null })).await.expect_json(201);
    assert!(without["payload"].get("data").is_none());
    let empty = send(&app, &acme.admin, json!({ "message": "x", "data": {} })).await.expect_json(201);
    assert_eq!(empty["payload"]["data"], json!({}));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_has_1_to_4096_characters_and_is_kept_as_it_is() {
    let app = TestApp::start().await;
    let acme = app.organisation("Acme").create().await;
    for good in ["x".to_owned(), "🐎".repeat(4096), "  two\nlines\t ".to_owned()] {
        let item = send(&app, &acme.admin, json!({ "message": good })).await.expect_json(201);
        assert_eq!(item["payload"]["message"], good);
    }
    for bad in [String::new(), "x".repeat(4097), "a\0b".to_owned()] {
        send(&app, &acme.admin, json!({ "message": bad })).await.expect_invalid(&["message"]);
    }
    assert_eq!(app.feed(&acme.admin).await.of_type("BROADCAST_MESSAGE").len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn data_is_an_object_of_at_most_16_kib() {
    let app = TestApp::start().await;
    let acme = app.organisation("Acme").create().await;
    let of = |bytes: usize| json!({ "a": "x".repeat(bytes - r#"{"a":""}"#.len()) });
    send(&app, &acme.admin, json!({ "message": "x", "data": of(16 * 1024) })).await.expect_status(201);
    for bad in [of(16 * 1024 + 1), json!([]), json!("x"), json!(1)] {
        send(&app, &acme.admin, json!({ "message": "x", "data": bad })).await.expect_invalid(&["data"]);
    }
    send(&app, &acme.admin, json!({ "data": 1, "mesage": "x" }))
        .await
        .expect_invalid(&["message", "data", "mesage"]);
    send(&app, &acme.admin, json!({ "message": 5 })).await.expect_invalid(&["message"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn is_for_admins() {
    let app = TestApp::start().await;
    let acme = app.organisation("Acme").with_member("mia").create().await;
    let body = json!({ "message": "hello" });
    send(&app, &acme["mia"], body.clone()).await.expect_problem(403, "role_forbidden");
    app.anonymous().post("/organisations/broadcast").json(&body).await.expect_problem(401, "token_invalid");
    app.feed(&acme.admin).await.expect_none("BROADCAST_MESSAGE");
}

#[tokio::test(flavor = "multi_thread")]
async fn reaches_one_organisation() {
    let app = TestApp::start().await;
    let acme = app.organisation("Acme").create().await;
    let bolt = app.organisation("Bolt").create().await;
    app.broadcast(&acme.admin, "for Acme").await;
    app.feed(&bolt.admin).await.expect_none("BROADCAST_MESSAGE");
}

#[tokio::test(flavor = "multi_thread")]
async fn many_at_once_get_one_place_each() {
    let app = TestApp::start().await;
    let acme = app.organisation("Acme").create().await;
    let head = app.head(&acme.admin).await;
    let sends = (0..40).map(|number| {
        let (app, admin) = (&app, &acme.admin);
        async move { app.broadcast(admin, &number.to_string()).await }
    });
    let mut answered: Vec<Item> = futures_util::future::join_all(sends).await;
    answered.sort_by_key(Item::seq);
    let seqs: Vec<i64> = answered.iter().map(Item::seq).collect();
    assert_eq!(seqs, (head + 1..=head + 40).collect::<Vec<_>>());
    let feed = app.feed_after(&acme.admin, head).await;
    let texts: Vec<&str> = answered.iter().map(|item| item.text.as_str()).collect();
    assert_eq!(feed.texts(), texts);
    assert!(
        answered
            .windows(2)
            .all(|pair| pair[0].json["createdAt"].as_str() <= pair[1].json["createdAt"].as_str())
    );
}
