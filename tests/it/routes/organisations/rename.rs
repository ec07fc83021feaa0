//! `PATCH /organisations`.

use std::time::Duration;

use serde_json::json;

use crate::harness::TestApp;

#[tokio::test(flavor = "multi_thread")]
async fn gives_another_name_and_keeps_the_slug() {
    let app = TestApp::start().await;
    let acme = app.organisation("Acme").with_member("mia").create().await;
    app.advance(Duration::from_secs(5));
    let call = app.as_user(&acme.admin).patch("/organisations").json(&json!({ "name": "Acme & Co" }));
    let renamed = call.await.expect_json(200);
    assert_eq!(renamed["name"], "Acme & Co");
    assert_eq!(renamed["id"], acme.id);
    assert_eq!(renamed["slug"], acme.json["slug"], "addresses do not break");
    assert_eq!(renamed["createdAt"], acme.json["createdAt"]);
    assert!(renamed["updatedAt"].as_str() > acme.json["updatedAt"].as_str());
    for person in [&acme.admin, &acme["mia"]] {
        assert_eq!(app.as_user(person).get("/organisations").await.expect_json(200), renamed);
        let feed = app.feed(person).await;
        let updated = feed.only("ORGANISATION_UPDATED").expect_actor(&acme.admin);
        updated.expect_payload(&json!({ "changes": { "name": "Acme & Co" } }));
    }
    // The directory agrees.
    let listed = app.as_user(&acme.admin).get("/auth/organisations").await.items();
    assert_eq!(listed[0]["organisation"], renamed);
}

#[tokio::test(flavor = "multi_thread")]
async fn is_for_admins() {
    let app = TestApp::start().await;
    let acme = app.organisation("Acme").with_member("mia").create().await;
    let body = json!({ "name": "Mine" });
    app.as_user(&acme["mia"]).patch("/organisations").json(&body).await.expect_problem(403, "role_forbidden");
    app.anonymous().patch("/organisations").json(&body).await.expect_problem(401, "token_invalid");
    let organisation = app.as_user(&acme.admin).get("/organisations").await.expect_json(200);
    assert_eq!(organisation["name"], "Acme");
    app.feed(&acme.admin).await.expect_none("ORGANISATION_UPDATED");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_is_told_and_changes_nothing() {
    let app = TestApp::start().await;
    let acme = app.organisation("Acme").create().await;
    let rename = async |body| app.as_user(&acme.admin).patch("/organisations").json(&body).await;
    rename(json!({ "name": "" })).await.expect_invalid(&["name"]);
    rename(json!({ "name": "x\u{0}y", "slug": "mine" })).await.expect_invalid(&["name", "slug"]);
    rename(json!({ "name": false })).await.expect_invalid(&["name"]);
    app.feed(&acme.admin).await.expect_none("ORGANISATION_UPDATED");
}

#[tokio::test(flavor = "multi_thread")]
async fn touches_no_other_organisation() {
    let app = TestApp::start().await;
    let acme = app.organisation("Acme").create().await;
    let bolt = app.organisation("Bolt").create().await;
    let head = app.head(&bolt.admin).await;
    app.as_user(&acme.admin).patch("/organisations").json(&json!({ "name": "X" })).await.expect_status(200);
    let other = app.as_user(&bolt.admin).get("/organisations").await.expect_json(200);
    assert_eq!(other["name"], "Bolt");
    assert_eq!(app.head(&bolt.admin).await, head);
}
