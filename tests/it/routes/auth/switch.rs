//! `POST /auth/switch`.

use serde_json::json;

use crate::harness::{PASSWORD, Person, TestApp};

#[tokio::test(flavor = "multi_thread")]
async fn starts_a_session_in_the_other_organisation() {
    let app = TestApp::start().await;
    let acme = app.register("Acme", "Ana", "ana@example.com", PASSWORD).await;
    let bolt = app.register("Bolt", "Ana", "ana@example.com", PASSWORD).await;
    let body = json!({ "organisationId": acme.organisation_id });
    let session = app.as_user(&bolt).post("/auth/switch").json(&body).await.expect_json(200);
    let switched = Person::of(session, PASSWORD);
    assert_eq!(switched.id, acme.id);
    assert_eq!(switched.organisation_id, acme.organisation_id);
    assert_ne!(switched.session_id(), acme.session_id());
    let me = app.as_user(&switched).get("/auth/me").await.expect_json(200);
    assert_eq!(me["organisation"]["id"], acme.organisation_id);
    // The session that it was done in goes on.
    app.as_user(&bolt).get("/auth/me").await.expect_status(200);

    let started = app.feed(&acme).await;
    let started = started.of_type("SESSION_STARTED").pop().unwrap().clone();
    started.expect_actor(&acme);
    assert_eq!(started.payload()["sessionId"], switched.session_id());
    assert_eq!(started.payload()["reason"], "switch");
    assert_eq!(app.feed(&bolt).await.of_type("SESSION_STARTED").len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_organisation_of_others_looks_like_one_that_does_not_exist() {
    let app = TestApp::start().await;
    let acme = app.register("Acme", "Ana", "ana@example.com", PASSWORD).await;
    let bolt = app.register("Bolt", "Bo", "bo@example.com", PASSWORD).await;
    let head = app.head(&bolt).await;
    let mut answers = Vec::new();
    for organisation in [&bolt.organisation_id, &uuid::Uuid::now_v7().to_string()] {
        let body = json!({ "organisationId": organisation });
        let answer = app.as_user(&acme).post("/auth/switch").json(&body).await;
        assert!([403, 404].contains(&answer.status), "{}", answer.text);
        let (status, problem) = (answer.status, answer.json());
        answers.push((status, problem["code"].clone(), problem["detail"].clone()));
    }
    assert_eq!(answers[0], answers[1]);
    assert_eq!(app.head(&bolt).await, head);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_is_told() {
    let app = TestApp::start().await;
    let ana = app.register("Acme", "Ana", "ana@example.com", PASSWORD).await;
    let switch = async |body| app.as_user(&ana).post("/auth/switch").json(&body).await;
    switch(json!({})).await.expect_invalid(&["organisationId"]);
    switch(json!({ "organisationId": 7, "x": 1 })).await.expect_invalid(&["organisationId", "x"]);
    let body = json!({ "organisationId": ana.organisation_id });
    app.anonymous().post("/auth/switch").json(&body).await.expect_problem(401, "token_invalid");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_was_removed_there_cannot_go_back() {
    let app = TestApp::start().await;
    let acme = app.organisation("Acme").with_member("mia").create().await;
    let mia = &acme["mia"];
    let own = app.register("Own", "Mia", &mia.email, PASSWORD).await;
    app.remove(&acme.admin, mia).await;
    let body = json!({ "organisationId": acme.id });
    let answer = app.as_user(&own).post("/auth/switch").json(&body).await;
    assert!([403, 404].contains(&answer.status), "{}", answer.text);
    app.as_user(&own).get("/auth/me").await.expect_status(200);
}
