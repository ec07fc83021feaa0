//! `GET /messages`.

use serde_json::{Value, json};

use super::{start, text};

#[tokio::test(flavor = "multi_thread")]
async fn messages_are_listed_by_what_they_are() {
    let app = start().await;
    let acme = app.organisation("Acme").with_member("bo").create().await;
    let email = json!({ "to": "Bo@Example.com", "channel": "email", "body": "mail" });
    let first = app.send_message(&acme.admin, &text("one")).await;
    // Leases do not outlive the minute.
    app.jobs_done(&acme.admin).await;
    app.advance(std::time::Duration::from_mins(1));
    let second = app.send_message(&acme["bo"], &email).await;
    let third = app.send_message(&acme.admin, &text("three")).await;
    for message in [&first, &second, &third] {
        app.message_once(&acme.admin, &message["id"], "SENT").await;
    }
    let ids = async |person, query: &str| -> Vec<Value> {
        let page = app.as_user(person).get(format!("/messages{query}")).await.expect_json(200);
        page["items"].as_array().unwrap().iter().map(|message| message["id"].clone()).collect()
    };
    let [one, two, three] = [&first, &second, &third].map(|message| message["id"].clone());
    let since = second["createdAt"].as_str().unwrap();
    let all = [three.clone(), two.clone(), one.clone()];
    for (query, expected) in [
        ("", &all[..]),
        ("?status=SENT", &all),
        ("?status=FAILED", &[]),
        ("?channel=email", std::slice::from_ref(&two)),
        ("?recipient=bo@EXAMPLE.com", std::slice::from_ref(&two)),
        ("?recipient=%2B1234567890&channel=sms", &[three.clone(), one.clone()]),
        (&format!("?from={since}"), &[three.clone(), two.clone()]),
        (&format!("?to={since}"), std::slice::from_ref(&one)),
    ] {
        assert_eq!(ids(&acme.admin, query).await, expected, "{query}");
    }
    assert_eq!(ids(&acme["bo"], "").await, std::slice::from_ref(&two), "members see their own");
    let page = app.as_user(&acme.admin).get("/messages?limit=2").await.expect_json(200);
    let next = format!("/messages?limit=2&cursor={}", page["nextCursor"].as_str().unwrap());
    let page = app.as_user(&acme.admin).get(next).await.expect_json(200);
    assert_eq!((page["items"].as_array().unwrap().len(), &page["items"][0]["id"]), (1, &one));
    assert!(page["nextCursor"].is_null());
    let wrong = "/messages?status=sent&channel=fax&from=yesterday&to=1&cursor=x&limit=0";
    let fields = ["status", "channel", "from", "to", "cursor", "limit"];
    app.as_user(&acme.admin).get(wrong).await.expect_invalid(&fields);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_gateways_say_what_they_are() {
    let app = start().await;
    let acme = app.organisation("Acme").create().await;
    let gateways = app.as_user(&acme.admin).get("/messages/gateways").await.expect_json(200);
    let channels: Vec<&Value> =
        gateways["items"].as_array().unwrap().iter().map(|item| &item["channel"]).collect();
    assert_eq!(channels, ["sms", "email", "push", "webhook"]);
    let expected = json!({ "channel": "push", "gateway": "simulated", "simulated": true, "breaker": "closed", "price": 1 });
    assert_eq!(gateways["items"][2], expected);
}
