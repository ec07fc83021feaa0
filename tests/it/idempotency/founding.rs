//! Founding an organisation spans two stores. Wherever an attempt dies, the next one with the same key ends
//! what it began.

use diesel_async::RunQueryDsl as _;
use roomcast::db::Engine;
use roomcast::db::schema::organisations;
use roomcast::error::Result;
use roomcast::{read, with_conn};
use serde_json::Value;

use super::faults::{allow_rows, refuse_rows};
use super::{Route, expect_first, id, sql};
use crate::harness::{Person, TestApp};

/// What is left of an attempt with another key that died after it had reserved an id: a copy of `one`'s row
/// without its answer.
async fn die_after_reserving(app: &TestApp, key: &str) -> String {
    let org = uuid::Uuid::now_v7();
    sql(
        app,
        &format!(
            "INSERT INTO idempotency_keys (org_id, user_id, method, path, key, request_hash, reserved_id, \
             created_at, expires_at) SELECT org_id, user_id, method, path, '{key}', request_hash, {}, \
             created_at, expires_at FROM idempotency_keys WHERE key = 'one'",
            id(app, org)
        ),
    )
    .await;
    org.to_string()
}

/// The organisations of a person, by id.
async fn organisations_of(app: &TestApp, person: &Person) -> Vec<Value> {
    let items = app.as_user(person).get("/auth/organisations?limit=200").await.expect_status(200).items();
    items.into_iter().map(|item| item["organisation"].clone()).collect()
}

/// Ends what died, and checks that it is there once and works.
async fn take_up(app: &TestApp, person: &Person, key: &str, expected: &str) -> Value {
    let before = organisations_of(app, person).await;
    let taken_up = Route::Organisation.call(app, person, key).await;
    expect_first(&taken_up);
    let organisation = taken_up.json();
    assert_eq!(organisation["id"], expected);
    assert_eq!(organisation["memberCount"], 1);
    let again = Route::Organisation.call(app, person, key).await;
    super::expect_replay(&again, &taken_up);

    let mut all = organisations_of(app, person).await;
    all.retain(|found| found["id"] == expected);
    assert_eq!(all, std::slice::from_ref(&organisation));
    assert!(organisations_of(app, person).await.len() <= before.len() + 1);
    let body = serde_json::json!({ "organisationId": expected });
    let session = app.as_user(person).post("/auth/switch").json(&body).await.expect_json(200);
    let there = Person::of(session, &person.password);
    assert_eq!(there.session["user"]["role"], "ADMIN");
    let feed = app.feed(&there).await;
    assert_eq!(feed.kinds(), ["ORGANISATION_CREATED", "USER_JOINED", "SESSION_STARTED"]);
    organisation
}

#[tokio::test(flavor = "multi_thread")]
async fn what_died_before_the_founding_is_founded() {
    let app = TestApp::start_shared().await;
    let acme = app.organisation("Acme").create().await;
    expect_first(&Route::Organisation.call(&app, &acme.admin, "one").await);
    let reserved = die_after_reserving(&app, "two").await;
    let other = Route::Organisation.other_body();
    let other = Route::Organisation.call_with(&app, &acme.admin, "two", &other).await;
    other.expect_problem(422, "idempotency_key_reused");
    take_up(&app, &acme.admin, "two", &reserved).await;
    assert_eq!(Route::Organisation.count(&app, &acme.admin).await, 2);
}

/// As `die_after_reserving`, and after the directory's entry was made, under a slug of its own.
async fn die_after_entering(app: &TestApp, key: &str) -> String {
    let reserved = die_after_reserving(app, key).await;
    let (schema, entry) = (schema(app), id(app, reserved.parse().unwrap()));
    sql(
        app,
        &format!(
            "INSERT INTO {schema}organisations (id, name, slug, plan, status, isolation, created_at, \
             updated_at) SELECT {entry}, name, 'the-slug-of-then', plan, status, isolation, created_at, \
             updated_at FROM {schema}organisations WHERE slug = 'globex'"
        ),
    )
    .await;
    reserved
}

fn schema(app: &TestApp) -> &'static str {
    match app.app.db.engine() {
        Engine::Sqlite => "",
        Engine::Postgres => "central.",
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_died_with_an_entry_in_the_directory_is_founded() {
    let app = TestApp::start_shared().await;
    let acme = app.organisation("Acme").create().await;
    expect_first(&Route::Organisation.call(&app, &acme.admin, "one").await);
    let reserved = die_after_entering(&app, "two").await;
    let organisation = take_up(&app, &acme.admin, "two", &reserved).await;
    assert_eq!(organisation["slug"], "the-slug-of-then");
}

/// The slugs of the directory, in order.
async fn slugs(app: &TestApp) -> Result<Vec<String>> {
    let mut slugs: Vec<String> = read!(app.app.db.central(), |conn| {
        let select = diesel::QueryDsl::select(organisations::table, organisations::slug);
        Ok(with_conn!(conn, |c| select.load(c).await)?)
    })?;
    slugs.sort();
    Ok(slugs)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_attempt_takes_back_no_entry_but_its_own() {
    let app = TestApp::start_shared().await;
    let acme = app.organisation("Acme").create().await;
    expect_first(&Route::Organisation.call(&app, &acme.admin, "one").await);
    let reserved = die_after_entering(&app, "two").await;
    let before = slugs(&app).await.unwrap();
    assert_eq!(before, ["acme", "globex", "the-slug-of-then"]);
    refuse_rows(&app, "users").await;
    for key in ["two", "three"] {
        Route::Organisation.call(&app, &acme.admin, key).await.expect_problem(500, "internal");
        // The first attempt with this key may still be at it.
        assert_eq!(slugs(&app).await.unwrap(), before);
    }
    allow_rows(&app, "users").await;
    let organisation = take_up(&app, &acme.admin, "two", &reserved).await;
    assert_eq!(organisation["slug"], "the-slug-of-then");
    expect_first(&Route::Organisation.call(&app, &acme.admin, "three").await);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_died_after_the_founding_is_found() {
    let app = TestApp::start_shared().await;
    let acme = app.organisation("Acme").create().await;
    let first = Route::Organisation.call(&app, &acme.admin, "one").await;
    expect_first(&first);
    sql(&app, "UPDATE idempotency_keys SET status = NULL, encoding = NULL, body = NULL").await;
    let organisation = take_up(&app, &acme.admin, "one", first.json()["id"].as_str().unwrap()).await;
    assert_eq!(organisation, first.json());
    assert_eq!(Route::Organisation.count(&app, &acme.admin).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_closed_registration_ends_nothing_that_was_not_founded() {
    let app = TestApp::start_shared().await;
    let acme = app.organisation("Acme").create().await;
    let first = Route::Organisation.call(&app, &acme.admin, "one").await;
    let reserved = die_after_reserving(&app, "two").await;
    sql(&app, "UPDATE idempotency_keys SET status = NULL, encoding = NULL, body = NULL WHERE key = 'one'")
        .await;
    let mut ground = app.stop().await;
    ground.config.auth.registration = roomcast::config::Registration::Closed;
    let app = ground.start().await;
    // What is there is there.
    let found = Route::Organisation.call(&app, &acme.admin, "one").await.expect_json(201);
    assert_eq!(found, first.json());
    let refused = || Route::Organisation.call(&app, &acme.admin, "two");
    refused().await.expect_problem(403, "registration_closed");
    // It may be under way on another node, so this is not its answer.
    assert_eq!(refused().await.header("idempotency-replayed"), None);
    let mut ground = app.stop().await;
    ground.config.auth.registration = roomcast::config::Registration::Open;
    let app = ground.start().await;
    take_up(&app, &acme.admin, "two", &reserved).await;
}
