//! `POST /auth/login`.

use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::{Answer, PASSWORD, Person, TestApp};

async fn login(app: &TestApp, body: Value) -> Answer {
    app.anonymous().post("/auth/login").json(&body).await
}

#[tokio::test(flavor = "multi_thread")]
async fn starts_a_session_of_its_own() {
    let app = TestApp::start().await;
    let ana = app.register("Acme", "Ana", "ana@example.com", PASSWORD).await;
    let body = json!({ "email": "ANA@example.com", "password": PASSWORD });
    let again = Person::of(login(&app, body).await.expect_json(200), PASSWORD);
    assert_eq!(again.id, ana.id);
    assert_eq!(again.session["organisation"], ana.session["organisation"]);
    assert_ne!(again.session_id(), ana.session_id());
    for person in [&ana, &again] {
        app.as_user(person).get("/auth/me").await.expect_status(200);
    }
    let feed = app.feed(&ana).await;
    let started = feed.of_type("SESSION_STARTED");
    assert_eq!(started.len(), 2);
    started[1].expect_actor(&ana);
    assert_eq!(started[1].payload()["userId"], ana.id);
    assert_eq!(started[1].payload()["sessionId"], again.session_id());
    assert_eq!(started[1].payload()["reason"], "login");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_and_an_unknown_email_are_one_answer() {
    let app = TestApp::start().await;
    let ana = app.register("Acme", "Ana", "ana@example.com", PASSWORD).await;
    let head = app.head(&ana).await;
    let wrong = login(&app, json!({ "email": "ana@example.com", "password": "not it at all" })).await;
    let unknown = login(&app, json!({ "email": "nobody@example.com", "password": PASSWORD })).await;
    let mut wrong = wrong.expect_problem(401, "credentials_invalid");
    let mut unknown = unknown.expect_problem(401, "credentials_invalid");
    for problem in [&mut wrong, &mut unknown] {
        problem.as_object_mut().unwrap().remove("requestId");
    }
    assert_eq!(wrong, unknown);
    assert_eq!(app.head(&ana).await, head, "a failed sign-in changes nothing");
}

#[tokio::test(flavor = "multi_thread")]
async fn any_text_may_be_tried_as_a_password() {
    let app = TestApp::start().await;
    app.register("Acme", "Ana", "ana@example.com", PASSWORD).await;
    // Whether a password could be one is nobody's business at a sign-in.
    login(&app, json!({ "email": "ana@example.com", "password": "x" }))
        .await
        .expect_problem(401, "credentials_invalid");
    login(&app, json!({})).await.expect_invalid(&["email", "password"]);
    login(&app, json!({ "email": 1, "password": 2, "organisation": 3, "otp": "4" })).await.expect_invalid(&[
        "email",
        "password",
        "organisation",
        "otp",
    ]);
}

#[tokio::test(flavor = "multi_thread")]
async fn goes_to_the_organisation_named_else_to_the_one_used_last() {
    let app = TestApp::start().await;
    let acme = app.register("Acme", "Ana", "ana@example.com", PASSWORD).await;
    app.advance(Duration::from_secs(1));
    let bolt = app.register("Bolt", "Ana", "ana@example.com", PASSWORD).await;
    let into = async |organisation: Option<&str>| {
        app.advance(Duration::from_secs(1));
        let mut body = json!({ "email": "ana@example.com", "password": PASSWORD });
        if let Some(organisation) = organisation {
            body["organisation"] = organisation.into();
        }
        Person::of(login(&app, body).await.expect_json(200), PASSWORD)
    };
    assert_eq!(into(None).await.id, bolt.id);
    assert_eq!(into(Some(&acme.organisation_id)).await.id, acme.id);
    assert_eq!(into(None).await.id, acme.id);
    assert_eq!(into(Some(bolt.session["organisation"]["slug"].as_str().unwrap())).await.id, bolt.id);
    assert_eq!(into(None).await.id, bolt.id);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_organisation_that_one_is_not_in_looks_like_one_that_does_not_exist() {
    let app = TestApp::start().await;
    app.register("Acme", "Ana", "ana@example.com", PASSWORD).await;
    let bolt = app.register("Bolt", "Bo", "bo@example.com", PASSWORD).await;
    let slug = bolt.session["organisation"]["slug"].as_str().unwrap();
    let nowhere = uuid::Uuid::now_v7().to_string();
    let mut answers = Vec::new();
    for organisation in [slug, &bolt.organisation_id, &nowhere, "no-such-slug"] {
        let body = json!({ "email": "ana@example.com", "password": PASSWORD, "organisation": organisation });
        let mut problem = login(&app, body).await.expect_problem(403, "no_membership");
        problem.as_object_mut().unwrap().remove("requestId");
        answers.push(problem);
    }
    answers.dedup();
    assert_eq!(answers.len(), 1, "{answers:?}");
    // With a wrong password it is not even said that there is no membership.
    let body = json!({ "email": "ana@example.com", "password": "not it at all", "organisation": slug });
    login(&app, body).await.expect_problem(401, "credentials_invalid");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_was_removed_from_their_only_organisation_has_no_membership() {
    let app = TestApp::start().await;
    let acme = app.organisation("Acme").with_member("mia").create().await;
    app.remove(&acme.admin, &acme["mia"]).await;
    let body = json!({ "email": acme["mia"].email, "password": PASSWORD });
    login(&app, body).await.expect_problem(403, "no_membership");
}
