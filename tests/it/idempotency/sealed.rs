//! An answer that holds a secret is stored encrypted.

use diesel_async::RunQueryDsl as _;
use roomcast::db::DatabaseUrl;
use roomcast::db::schema::idempotency_keys;
use roomcast::error::Result;
use roomcast::types::OrgId;
use roomcast::{read, with_conn};

use super::{Route, expect_first, expect_replay};
use crate::harness::TestApp;

/// All that an organisation has stored of answers.
async fn stored(app: &TestApp, org: OrgId) -> Result<Vec<Vec<u8>>> {
    let rows: Vec<Option<Vec<u8>>> = read!(app.app.db.org(org), |conn| {
        let select = diesel::QueryDsl::select(idempotency_keys::table, idempotency_keys::body);
        Ok(with_conn!(conn, |c| select.load(c).await)?)
    })?;
    Ok(rows.into_iter().flatten().collect())
}

fn holds(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_token_is_not_in_the_database() {
    let app = TestApp::start_shared().await;
    let acme = app.organisation("Acme").create().await;
    let first = Route::Invite.call(&app, &acme.admin, "one").await;
    let token = first.json()["inviteToken"].as_str().unwrap().to_owned();
    expect_replay(&Route::Invite.call(&app, &acme.admin, "one").await, &first);
    let broadcast = Route::Broadcast.call(&app, &acme.admin, "one").await;

    let bodies = stored(&app, acme.admin.org_id()).await.unwrap();
    assert_eq!(bodies.len(), 2);
    assert!(!bodies.iter().any(|body| holds(body, &token)), "the token is stored");
    // What is no secret is stored as it is, so this looked in the right place.
    assert!(bodies.iter().any(|body| holds(body, &broadcast.text)));
    let ground = app.stop().await;
    if let DatabaseUrl::Sqlite(path) = ground.database.url() {
        for file in std::fs::read_dir(path.parent().unwrap()).unwrap() {
            let bytes = std::fs::read(file.unwrap().path()).unwrap();
            assert!(!holds(&bytes, &token), "the token is in a file");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn it_outlives_a_change_of_the_signing_key() {
    let app = TestApp::start_shared().await;
    let acme = app.organisation("Acme").create().await;
    let first = Route::Invite.call(&app, &acme.admin, "one").await;
    expect_first(&first);

    let mut ground = app.stop().await;
    ground.config.auth.jwt_access_secret_previous = ground.config.auth.jwt_access_secret.take();
    ground.config.auth.jwt_access_secret = Some("another key, as long as a key has to be".parse().unwrap());
    let app = ground.start().await;
    let admin = app.sign_in(&acme.admin).await;
    expect_replay(&Route::Invite.call(&app, &admin, "one").await, &first);
    let second = Route::Invite.call(&app, &admin, "two").await;

    // Without the old key it cannot be shown, and is not done again.
    let mut ground = app.stop().await;
    ground.config.auth.jwt_access_secret_previous = None;
    let app = ground.start().await;
    let admin = app.sign_in(&acme.admin).await;
    let lost = Route::Invite.call(&app, &admin, "one").await;
    lost.expect_problem(409, "idempotency_answer_lost");
    expect_replay(&Route::Invite.call(&app, &admin, "two").await, &second);
    assert_eq!(Route::Invite.count(&app, &admin).await, 2);
}
