//! Webhooks, and where they must not go.

use serde_json::{Value, json};

use super::receiver::{Receiver, Reply};
use super::{hook, start, start_near, start_with};

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_is_posted_to_its_url() {
    let (app, receiver) = (start_near(|_| {}).await, Receiver::start().await);
    let acme = app.organisation("Acme").create().await;
    let message = app.send_message(&acme.admin, &hook(&format!("{}/in?x=1", receiver.base))).await;
    let sent = app.message_once(&acme.admin, &message["id"], "SENT").await;
    assert_eq!(
        (&sent["attempts"][0]["gateway"], &sent["attempts"][0]["detail"]),
        (&json!("webhook"), &json!("HTTP 204"))
    );
    let asked = receiver.received();
    assert_eq!((asked.len(), asked[0].path.as_str()), (1, "/in?x=1"));
    let body: Value = serde_json::from_str(&asked[0].body).unwrap();
    assert_eq!(body, json!({ "id": message["id"], "body": "Hello World" }));
    assert_eq!(asked[0].headers["idempotency-key"], message["id"].as_str().unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_there_is_asked_again_and_what_refuses_is_not() {
    let (app, receiver) = (start_near(|_| {}).await, Receiver::start().await);
    let acme = app.organisation("Acme").create().await;
    receiver.reply([Reply::Status(503), Reply::Status(429)]);
    let message = app.send_message(&acme.admin, &hook(&receiver.base)).await;
    for attempts in 1..3 {
        crate::harness::eventually("another attempt", async || {
            let message = app.message(&acme.admin, &message["id"]).await;
            let ended = message["attempts"]
                .as_array()
                .unwrap()
                .iter()
                .filter(|one| !one["outcome"].is_null())
                .count();
            (ended == attempts && message["status"] == "QUEUED").then_some(())
        })
        .await;
        app.advance(std::time::Duration::from_mins(1));
    }
    let sent = app.message_once(&acme.admin, &message["id"], "SENT").await;
    let outcomes: Vec<&Value> =
        sent["attempts"].as_array().unwrap().iter().map(|one| &one["outcome"]).collect();
    assert_eq!(outcomes, ["UNAVAILABLE", "UNAVAILABLE", "SENT"]);
    let keys: Vec<_> = receiver.received().iter().map(|one| one.headers["idempotency-key"].clone()).collect();
    assert!(keys.iter().all(|key| *key == keys[0]), "each attempt has the same key");
    receiver.reply([Reply::Status(404)]);
    let message = app.send_message(&acme.admin, &hook(&receiver.base)).await;
    let failed = app.message_once(&acme.admin, &message["id"], "FAILED").await;
    assert_eq!(failed["attempts"][0]["detail"], "HTTP 404");
    assert_eq!(app.credits_settled(&acme.admin).await, 99);
}

#[tokio::test(flavor = "multi_thread")]
async fn private_addresses_are_refused_however_they_are_named() {
    let (app, receiver) = (start().await, Receiver::start().await);
    let acme = app.organisation("Acme").create().await;
    let port = receiver.base.rsplit(':').next().unwrap();
    for host in
        ["127.0.0.1", "localhost", "[::1]", "2130706433", "0x7f.1", "[::ffff:127.0.0.1]", "169.254.169.254"]
    {
        let message = app.send_message(&acme.admin, &hook(&format!("http://{host}:{port}/"))).await;
        let failed = app.message_once(&acme.admin, &message["id"], "FAILED").await;
        assert_eq!(failed["attempts"][0]["outcome"], "REJECTED", "{host}");
        assert_eq!(failed["attempts"][0]["detail"], "the address is not a public one", "{host}");
    }
    assert!(receiver.received().is_empty());
    assert_eq!(app.credits_settled(&acme.admin).await, 100);
}

/// The hub may reach one address of this machine, and is sent on to another.
#[tokio::test(flavor = "multi_thread")]
async fn a_redirect_leads_nowhere_where_a_request_may_not_go() {
    let app = start_with(|config| {
        config.messages.outbound_allow = vec!["127.0.0.1".parse::<std::net::IpAddr>().unwrap().into()];
    })
    .await;
    let (acme, receiver) = (app.organisation("Acme").create().await, Receiver::start().await);
    let elsewhere = receiver.base.replace("127.0.0.1", "127.0.0.2");
    receiver.reply([Reply::Redirect(307, elsewhere)]);
    let message = app.send_message(&acme.admin, &hook(&receiver.base)).await;
    let failed = app.message_once(&acme.admin, &message["id"], "FAILED").await;
    assert_eq!(failed["attempts"][0]["detail"], "the address is not a public one");
    assert_eq!(receiver.received().len(), 1);
    // One that stays is followed, with the same body; one that asks for another method is not.
    receiver.reply([Reply::Redirect(308, format!("{}/there", receiver.base))]);
    let message = app.send_message(&acme.admin, &hook(&receiver.base)).await;
    app.message_once(&acme.admin, &message["id"], "SENT").await;
    let asked = receiver.received();
    assert_eq!((asked.len(), asked[2].path.as_str()), (3, "/there"));
    assert_eq!(asked[1].body, asked[2].body);
    assert!(asked[2].headers.get("referer").is_none(), "a URL may hold a secret");
    receiver.reply([Reply::Redirect(302, format!("{}/there", receiver.base))]);
    let message = app.send_message(&acme.admin, &hook(&receiver.base)).await;
    app.message_once(&acme.admin, &message["id"], "FAILED").await;
    assert_eq!(receiver.received().len(), 4);
}
