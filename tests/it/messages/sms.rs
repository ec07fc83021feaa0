//! Texts through a provider that is asked over HTTP.

use serde_json::{Value, json};

use super::receiver::{Receiver, Reply};
use super::start_with;
use crate::harness::eventually;

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_is_asked_in_the_words_of_the_template() {
    let receiver = Receiver::start().await;
    let app = start_with(|config| {
        config.messages.sms.url = Some(format!("{}/send/{{{{id}}}}", receiver.base).parse().unwrap());
        config.messages.sms.body = r#"{"recipient":"{{to}}","text":"{{body}}"}"#.to_owned();
        config.messages.sms.headers = Some("Authorization: Bearer x; X-Sender: Acme".parse().unwrap());
        config.messages.sms.idempotency_header = "X-Request-Id".to_owned();
    })
    .await;
    let acme = app.organisation("Acme").create().await;
    let text = "a \"quote\" and\na line";
    let message = app.send_message(&acme.admin, &super::text(text)).await;
    let sent = app.message_once(&acme.admin, &message["id"], "SENT").await;
    assert_eq!(sent["attempts"][0]["gateway"], "http");
    let [asked] = &receiver.received()[..] else { panic!("it was asked once") };
    let id = message["id"].as_str().unwrap();
    assert_eq!(asked.path, format!("/send/{id}"));
    let body: Value = serde_json::from_str(&asked.body).unwrap();
    assert_eq!(body, json!({ "recipient": "+1234567890", "text": text }));
    for (name, value) in [
        ("authorization", "Bearer x"),
        ("x-sender", "Acme"),
        ("x-request-id", id),
        ("content-type", "application/json"),
    ] {
        assert_eq!(asked.headers[name], value, "{name}");
    }
}

/// Five failures in a row open the breaker: messages wait, and count no attempt.
#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_is_down_is_left_alone_for_a_while() {
    let receiver = Receiver::start().await;
    let app = start_with(|config| {
        config.messages.sms.url = Some(receiver.base.parse().unwrap());
        config.jobs.per_organisation = 1;
    })
    .await;
    let acme = app.organisation("Acme").create().await;
    receiver.reply(std::iter::repeat_n(Reply::Status(500), 5));
    let mut ids = Vec::new();
    for number in 0..7 {
        ids.push(app.send_message(&acme.admin, &super::text(&number.to_string())).await["id"].clone());
    }
    let gateways = async || {
        app.as_user(&acme.admin).get("/messages/gateways").await.expect_json(200)["items"][0].clone()
    };
    let sms = eventually("an open breaker", async || {
        let sms = gateways().await;
        (sms["breaker"] == "open").then_some(sms)
    })
    .await;
    assert_eq!((&sms["gateway"], &sms["simulated"]), (&json!("http"), &json!(false)));
    assert_eq!(receiver.received().len(), 5);
    let jobs = eventually("messages that wait", async || {
        let jobs = app.as_user(&acme.admin).get("/jobs?state=READY").await.expect_json(200)["items"].clone();
        let jobs = jobs.as_array().unwrap().clone();
        (jobs.len() == 7).then_some(jobs)
    })
    .await;
    assert_eq!(jobs.iter().filter(|job| job["attempts"] == 0).count(), 2, "{jobs:?}");
    let metrics = app.anonymous().at(reqwest::Method::GET, "/metrics").await.text;
    assert!(metrics.contains("roomcast_gateway_breakers_open{gateway=\"http\"} 1"), "it is in the metrics");
}
