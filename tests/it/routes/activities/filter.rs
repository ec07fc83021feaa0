//! `GET /activities`: its filters, and what they refuse.

use serde_json::Value;

use crate::harness::TestApp;

#[tokio::test(flavor = "multi_thread")]
async fn by_type_and_by_actor() {
    let app = TestApp::start().await;
    let acme = app.organisation("Acme").with_admin("bo").create().await;
    app.broadcast(&acme.admin, "one").await;
    app.broadcast(&acme["bo"], "two").await;
    app.broadcast(&acme["bo"], "three").await;
    let messages = async |query: &str| -> Vec<Value> {
        let answer = app.as_user(&acme.admin).get(format!("/activities?{query}")).await.expect_status(200);
        answer.items().iter().map(|item| item["payload"]["message"].clone()).collect()
    };
    let bo = format!("actorId={}", acme["bo"].id);
    assert_eq!(messages("type=BROADCAST_MESSAGE").await, ["three", "two", "one"]);
    assert_eq!(messages("type=BROADCAST_MESSAGE&after=0").await, ["one", "two", "three"]);
    assert_eq!(messages(&format!("type=BROADCAST_MESSAGE&{bo}")).await, ["three", "two"]);
    assert_eq!(messages(&format!("type=BROADCAST_MESSAGE&{bo}&limit=1")).await, ["three"]);
    let by_bo = app.as_user(&acme.admin).get(format!("/activities?{bo}")).await.expect_status(200).items();
    assert!(by_bo.iter().all(|item| item["actor"]["id"] == acme["bo"].id.as_str()), "{by_bo:?}");
    assert!(by_bo.len() >= 3);
    assert_eq!(messages("type=NO_SUCH_TYPE").await, [Value::Null; 0]);
    assert_eq!(messages(&format!("actorId={}", uuid::Uuid::now_v7())).await, [Value::Null; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_of_a_filter_cover_each_once() {
    let app = TestApp::start().await;
    let acme = app.organisation("Acme").with_admin("bo").create().await;
    for number in 0..6 {
        let sender = if number % 2 == 0 { &acme.admin } else { &acme["bo"] };
        app.broadcast(sender, &number.to_string()).await;
    }
    let caller = app.as_user(&acme.admin);
    let mut messages = Vec::new();
    let mut next = Some("0".to_owned());
    while let Some(after) = next {
        let path =
            format!("/activities?type=BROADCAST_MESSAGE&actorId={}&limit=2&after={after}", acme["bo"].id);
        let answer = caller.get(path).await.expect_status(200);
        messages.extend(answer.items().iter().map(|item| item["payload"]["message"].clone()));
        next = answer.json()["nextCursor"].as_str().map(str::to_owned);
    }
    assert_eq!(messages, ["1", "3", "5"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_filter_shows_a_member_nothing_more() {
    let app = TestApp::start().await;
    let acme = app.organisation("Acme").with_member("mia").create().await;
    for query in ["type=USER_INVITED", "type=USER_INVITED&after=0"] {
        let answer = app.as_user(&acme["mia"]).get(format!("/activities?{query}")).await.expect_status(200);
        assert_eq!(answer.items(), [Value::Null; 0]);
    }
    let answer = app.as_user(&acme["mia"]).get("/activities?type=SESSION_STARTED").await.expect_status(200);
    assert_eq!(answer.items().len(), 1, "only their own");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_is_told_at_once() {
    let app = TestApp::start().await;
    let acme = app.organisation("Acme").create().await;
    let caller = app.as_user(&acme.admin);
    for bad in ["-1", "x", "", "1.0", "%2B1", "9223372036854775808", "99999999999999999999"] {
        caller.get(format!("/activities?after={bad}")).await.expect_invalid(&["after"]);
        caller.get(format!("/activities?before={bad}")).await.expect_invalid(&["before"]);
    }
    let all = "/activities?before=x&actorId=garbage&limit=0&page=2";
    caller.get(all).await.expect_invalid(&["before", "actorId", "limit", "page"]);
}
