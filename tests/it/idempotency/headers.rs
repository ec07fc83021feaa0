//! What is a key, and where it counts.

use serde_json::json;

use super::{Route, expect_first, expect_replay};
use crate::harness::{PASSWORD, TestApp};

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_1_to_255_visible_characters() {
    let app = TestApp::start().await;
    let acme = app.organisation("Acme").create().await;
    for route in Route::ALL {
        for key in ["", "two words", "ключ", "a\tb", &"x".repeat(256)] {
            route.call(&app, &acme.admin, key).await.expect_invalid(&["Idempotency-Key"]);
        }
        let twice = route.call(&app, &acme.admin, "one").header("Idempotency-Key", "one");
        twice.await.expect_invalid(&["Idempotency-Key"]);
        // All that is wrong is told at once.
        let wrong = route.call_with(&app, &acme.admin, "", &json!({ "nonsense": 1 })).await;
        let problem = wrong.expect_problem(422, "validation_failed");
        let fields: Vec<&str> =
            problem["errors"].as_array().unwrap().iter().map(|e| e["field"].as_str().unwrap()).collect();
        assert!(fields.contains(&"Idempotency-Key") && fields.contains(&"nonsense"), "{problem}");
        assert_eq!(route.count(&app, &acme.admin).await, 0, "{route:?}");
    }
    for key in ["!", "~", &"x".repeat(255), "8e03978e-40d5-43dd-bc93-6894a57f9324"] {
        let first = Route::Broadcast.call(&app, &acme.admin, key).await;
        expect_first(&first);
        expect_replay(&Route::Broadcast.call(&app, &acme.admin, key).await, &first);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn elsewhere_it_is_ignored() {
    let app = TestApp::start().await;
    let register = |name: &str| {
        let body = json!({ "organisationName": name, "name": "Ada", "email": "ada@example.com",
            "password": PASSWORD });
        app.anonymous().post("/auth/register").json(&body).header("Idempotency-Key", "two words")
    };
    let first = register("Acme").await.expect_json(201);
    let second = register("Acme").await.expect_json(201);
    assert_ne!(first["organisation"]["id"], second["organisation"]["id"]);
    let ada = crate::harness::Person::of(first, PASSWORD);

    let invite = app.invite(&ada, "mia@example.com", "MEMBER").await;
    let body = json!({ "token": invite["inviteToken"], "name": "Mia", "password": PASSWORD });
    let accept = || {
        let call = app.anonymous().post("/users/accept-invite").json(&body);
        call.header("Idempotency-Key", "one")
    };
    accept().await.expect_status(201);
    accept().await.expect_problem(409, "invite_used");

    // What creates nothing.
    for name in ["Acme 2", "Acme 3"] {
        let call = app.as_user(&ada).patch("/organisations").json(&json!({ "name": name }));
        let renamed = call.header("Idempotency-Key", "one").await.expect_json(200);
        assert_eq!(renamed["name"], name);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_operations_that_take_one_document_it() {
    let document = serde_json::to_value(roomcast::router::document()).unwrap();
    let paths = document["paths"].as_object().unwrap();
    let mut found = Vec::new();
    for (path, operations) in paths {
        for (method, operation) in operations.as_object().unwrap() {
            let parameters = operation["parameters"].as_array().cloned().unwrap_or_default();
            if parameters.iter().any(|parameter| {
                parameter["name"] == "Idempotency-Key"
                    && parameter["in"] == "header"
                    && parameter["required"] == false
            }) {
                found.push(format!("{method} {path}"));
            }
        }
    }
    found.sort();
    // The platform's are in the tests of the platform, those of messages in theirs.
    let elsewhere = [
        "/messages",
        "/messages/batch",
        "/orgs",
        "/platform/administrators",
        "/platform/organisations",
        "/platform/organisations/{id}/credits",
        "/platform/organisations/{id}/sign-up",
    ];
    let paths = Route::ALL.map(Route::path).into_iter().chain(elsewhere);
    let mut expected: Vec<String> = paths.map(|path| format!("post {path}")).collect();
    expected.sort();
    assert_eq!(found, expected);
}
