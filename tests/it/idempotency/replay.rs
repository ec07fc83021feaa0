//! The same request again, and what is another.

use serde_json::json;

use super::{Route, expect_first, expect_replay};
use crate::harness::{Person, TestApp};

#[tokio::test(flavor = "multi_thread")]
async fn the_same_request_is_answered_again_and_done_once() {
    let app = TestApp::start().await;
    let acme = app.organisation("Acme").create().await;
    for route in Route::ALL {
        let first = route.call(&app, &acme.admin, "one").await;
        expect_first(&first);
        let head = app.head(&acme.admin).await;
        for _ in 0..3 {
            expect_replay(&route.call(&app, &acme.admin, "one").await, &first);
        }
        // The shorter path is the same path.
        let call = app.as_user(&acme.admin).at(reqwest::Method::POST, format!("/api{}", route.path()));
        expect_replay(&call.json(&route.body()).header("Idempotency-Key", "one").await, &first);
        // Another session of the same user is the same caller.
        let phone = app.sign_in(&acme.admin).await;
        expect_replay(&route.call(&app, &phone, "one").await, &first);
        assert_eq!(route.count(&app, &acme.admin).await, 1, "{route:?}");
        assert_eq!(app.head(&acme.admin).await, head + 1, "the sign-in alone");
    }
    // Without a key each request is its own.
    for _ in 0..2 {
        app.broadcast(&acme.admin, "Lunch").await;
    }
    assert_eq!(Route::Broadcast.count(&app, &acme.admin).await, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_kept_works() {
    let app = TestApp::start().await;
    let acme = app.organisation("Acme").create().await;
    drop(Route::Invite.call(&app, &acme.admin, "one").await);
    let invite = Route::Invite.call(&app, &acme.admin, "one").await.expect_json(201);
    let guest = app.accept(&invite, "Guest", "a password of a guest").await;
    assert_eq!(guest.organisation_id, acme.id);
    // It is the answer of then, whatever became of it.
    let again = Route::Invite.call(&app, &acme.admin, "one").await.expect_json(201);
    assert_eq!(again, invite);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_body_is_refused() {
    let app = TestApp::start().await;
    let acme = app.organisation("Acme").create().await;
    for route in Route::ALL {
        let first = route.call(&app, &acme.admin, "one").await;
        let other = route.call_with(&app, &acme.admin, "one", &route.other_body()).await;
        other.expect_problem(422, "idempotency_key_reused");
        // The bytes count, not what they mean.
        let spaced = format!(" {}", route.body());
        let call = app.as_user(&acme.admin).post(route.path()).body(Some("application/json"), spaced);
        call.header("Idempotency-Key", "one").await.expect_problem(422, "idempotency_key_reused");
        expect_replay(&route.call(&app, &acme.admin, "one").await, &first);
        assert_eq!(route.count(&app, &acme.admin).await, 1, "{route:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_its_callers_own() {
    let app = TestApp::start().await;
    let acme = app.organisation("Acme").with_admin("bo").create().await;
    let globex = app.organisation("Globex").create().await;
    // The same person in another organisation.
    let body = json!({ "name": "Initech" });
    let call = app.as_user(&acme.admin).post("/organisations").json(&body);
    let initech = call.await.expect_json(201);
    let body = json!({ "organisationId": initech["id"] });
    let session = app.as_user(&acme.admin).post("/auth/switch").json(&body).await.expect_json(200);
    let there = Person::of(session, &acme.admin.password);

    for route in Route::ALL {
        let mut answers = Vec::new();
        for person in [&acme.admin, &acme["bo"], &globex.admin, &there] {
            // Of an address there is one pending invite: who comes second replaces it.
            let answer = route.call(&app, person, "one").await;
            expect_first(&answer);
            assert!(!answers.contains(&answer.text), "{}", answer.text);
            answers.push(answer.text);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_that_differ_are_different() {
    let app = TestApp::start().await;
    let acme = app.organisation("Acme").create().await;
    for key in ["one", "One", "one.", "\"one\""] {
        expect_first(&Route::Broadcast.call(&app, &acme.admin, key).await);
    }
    assert_eq!(Route::Broadcast.count(&app, &acme.admin).await, 4);
}
