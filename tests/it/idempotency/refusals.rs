//! Which refusals are kept.

use serde_json::json;

use super::{Route, expect_first, expect_replay};
use crate::harness::TestApp;

#[tokio::test(flavor = "multi_thread")]
async fn a_decision_is_kept() {
    let app = TestApp::start().await;
    let acme = app.organisation("Acme").with_member("mia").with_member("max").create().await;
    let taken = json!({ "email": acme["mia"].email });
    let first = Route::Invite.call_with(&app, &acme.admin, "taken", &taken).await;
    first.clone().expect_problem(409, "already_member");
    assert_eq!(first.header("idempotency-replayed"), None);
    let full = Route::Invite.call(&app, &acme.admin, "full").await;
    full.clone().expect_problem(403, "member_limit_reached");

    // It stands, although it would be decided otherwise now.
    app.remove(&acme.admin, &acme["mia"]).await;
    expect_replay(&Route::Invite.call_with(&app, &acme.admin, "taken", &taken).await, &first);
    expect_replay(&Route::Invite.call(&app, &acme.admin, "full").await, &full);
    let other = Route::Invite.call_with(&app, &acme.admin, "full", &taken).await;
    other.expect_problem(422, "idempotency_key_reused");
    expect_first(&Route::Invite.call_with(&app, &acme.admin, "another", &taken).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_closed_registration_is_kept() {
    let ground = TestApp::start().await;
    let acme = ground.organisation("Acme").create().await;
    let mut ground = ground.stop().await;
    ground.config.auth.registration = roomcast::config::Registration::Closed;
    let app = ground.start().await;
    let first = Route::Organisation.call(&app, &acme.admin, "one").await;
    first.clone().expect_problem(403, "registration_closed");
    expect_replay(&Route::Organisation.call(&app, &acme.admin, "one").await, &first);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_never_begun_is_not_kept() {
    let app = TestApp::start().await;
    let acme = app.organisation("Acme").create().await;
    for route in Route::ALL {
        // Invalid, not JSON, not declared as JSON, and nobody's.
        let wrong = route.call_with(&app, &acme.admin, "one", &json!({ "nonsense": 1 })).await;
        wrong.expect_problem(422, "validation_failed");
        let keyed = |call: crate::harness::Call| call.header("Idempotency-Key", "one");
        let post = || app.as_user(&acme.admin).post(route.path());
        let broken = post().body(Some("application/json"), "{");
        keyed(broken).await.expect_problem(400, "malformed_json");
        keyed(post().body(None, "{}")).await.expect_problem(415, "not_json");
        let anonymous = app.anonymous().post(route.path()).json(&route.body());
        keyed(anonymous).await.expect_problem(401, "token_invalid");
        expect_first(&route.call(&app, &acme.admin, "one").await);
    }
}
