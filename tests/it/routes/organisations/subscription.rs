//! `PATCH /organisations/subscription`.

use serde_json::{Value, json};

use crate::harness::{Answer, Person, TestApp};

async fn subscribe(app: &TestApp, person: &Person, body: Value) -> Answer {
    app.as_user(person).patch("/organisations/subscription").json(&body).await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upgrade_gives_more_seats() {
    let app = TestApp::start().await;
    let acme = app.organisation("Acme").with_member("mia").create().await;
    for (from, to, limit) in [("FREE", "PRO", json!(10)), ("PRO", "ENTERPRISE", Value::Null)] {
        let organisation = subscribe(&app, &acme.admin, json!({ "plan": to })).await.expect_json(200);
        assert_eq!(organisation["plan"], to);
        assert_eq!(organisation["memberLimit"], limit);
        assert_eq!(organisation["memberCount"], 2);
        assert_eq!(app.as_user(&acme["mia"]).get("/organisations").await.expect_json(200), organisation);
        for viewer in [&acme.admin, &acme["mia"]] {
            let feed = app.feed(viewer).await;
            let upgraded = feed.of_type("PLAN_UPGRADED").pop().unwrap().clone();
            upgraded.expect_actor(&acme.admin);
            let at = &upgraded.json["createdAt"];
            upgraded.expect_payload(&json!({ "from": from, "to": to, "upgradedAt": at }));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_downgrade_takes_seats_that_are_free() {
    let app = TestApp::start().await;
    let acme = app.organisation("Acme").with_member("mia").on_plan("ENTERPRISE").create().await;
    let organisation = subscribe(&app, &acme.admin, json!({ "plan": "FREE" })).await.expect_json(200);
    assert_eq!(organisation["plan"], "FREE");
    assert_eq!(organisation["memberLimit"], 3);
    let feed = app.feed(&acme["mia"]).await;
    let downgraded = feed.only("PLAN_DOWNGRADED").expect_actor(&acme.admin);
    let at = &downgraded.json["createdAt"];
    downgraded.expect_payload(&json!({ "from": "ENTERPRISE", "to": "FREE", "downgradedAt": at }));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_plan_is_a_conflict() {
    let app = TestApp::start().await;
    let acme = app.organisation("Acme").create().await;
    subscribe(&app, &acme.admin, json!({ "plan": "FREE" })).await.expect_problem(409, "plan_unchanged");
    let feed = app.feed(&acme.admin).await;
    feed.expect_none("PLAN_UPGRADED");
    feed.expect_none("PLAN_DOWNGRADED");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_that_is_too_small_for_the_members_is_refused() {
    let app = TestApp::start().await;
    let acme = app.organisation("Acme").on_plan("PRO").with_member("a").with_member("b").with_member("c");
    let acme = acme.create().await;
    let body = json!({ "plan": "FREE" });
    subscribe(&app, &acme.admin, body.clone()).await.expect_problem(403, "member_limit_reached");
    let organisation = app.as_user(&acme.admin).get("/organisations").await.expect_json(200);
    assert_eq!(organisation["plan"], "PRO");
    app.feed(&acme.admin).await.expect_none("PLAN_DOWNGRADED");
    // Exactly as many members as seats fit.
    app.remove(&acme.admin, &acme["a"]).await;
    subscribe(&app, &acme.admin, body).await.expect_status(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn is_for_admins() {
    let app = TestApp::start().await;
    let acme = app.organisation("Acme").with_member("mia").create().await;
    let body = json!({ "plan": "PRO" });
    subscribe(&app, &acme["mia"], body.clone()).await.expect_problem(403, "role_forbidden");
    let call = app.anonymous().patch("/organisations/subscription").json(&body);
    call.await.expect_problem(401, "token_invalid");
    let organisation = app.as_user(&acme.admin).get("/organisations").await.expect_json(200);
    assert_eq!(organisation["plan"], "FREE");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_is_told() {
    let app = TestApp::start().await;
    let acme = app.organisation("Acme").create().await;
    subscribe(&app, &acme.admin, json!({})).await.expect_invalid(&["plan"]);
    subscribe(&app, &acme.admin, json!({ "plan": "GOLD" })).await.expect_invalid(&["plan"]);
    subscribe(&app, &acme.admin, json!({ "plan": ["PRO"], "seats": 7 }))
        .await
        .expect_invalid(&["plan", "seats"]);
}
