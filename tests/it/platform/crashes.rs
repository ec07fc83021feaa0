//! What the platform does in the directory and in an organisation's store may end in between: the next attempt
//! takes it up, or the janitor clears it away; nobody has access who should not, and nobody is locked out.

use std::time::Duration;

use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use roomcast::db::Engine;
use roomcast::db::schema::{accounts, administrator_keys, memberships, organisations};
use roomcast::error::Result;
use roomcast::{read, transaction, upkeep, with_conn};
use serde_json::{Value, json};

use crate::harness::platform::{Operator, org_of};
use crate::harness::{Answer, PASSWORD, TestApp};
use crate::idempotency::faults::{allow_rows, refuse_rows};

/// The bodies of answers that are kept for administrators.
pub(super) async fn kept_answers(app: &TestApp) -> Vec<Vec<u8>> {
    let kept: Result<Vec<Option<Vec<u8>>>> = async {
        read!(app.app.db.central(), |conn| Ok(with_conn!(conn, |c| administrator_keys::table
            .select(administrator_keys::body)
            .load(c)
            .await)?))
    }
    .await;
    kept.unwrap().into_iter().flatten().collect()
}

/// Runs a statement, which may fail.
pub(super) async fn try_sql(app: &TestApp, statement: &str) -> Result<()> {
    transaction!(app.app.db.central(), |tx| {
        let conn: &mut roomcast::db::Conn = tx;
        with_conn!(conn, |c| diesel::sql_query(statement).execute(c).await)?;
        Ok(())
    })
}

fn central(app: &TestApp, table: &str) -> String {
    match app.app.db.engine() {
        Engine::Sqlite => table.to_owned(),
        Engine::Postgres => format!("central.{table}"),
    }
}

/// As if the process had died before the answer was kept: what there is of it is the id.
async fn forget_answers(app: &TestApp) {
    let table = central(app, "administrator_keys");
    try_sql(app, &format!("UPDATE {table} SET status = NULL, encoding = NULL, body = NULL")).await.unwrap();
}

async fn found(app: &TestApp, pat: &Operator, key: &str) -> Answer {
    let call = app.as_operator(pat).post("/platform/organisations").header("idempotency-key", key);
    call.json(&json!({ "name": "Acme" })).await
}

/// How many rows the directory has: organisations, accounts, memberships.
async fn directory(app: &TestApp) -> (i64, i64, i64) {
    let counted: Result<(i64, i64, i64)> = async {
        read!(app.app.db.central(), |conn| {
            let organisations = with_conn!(&mut *conn, |c| organisations::table.count().get_result(c).await)?;
            let accounts = with_conn!(&mut *conn, |c| accounts::table.count().get_result(c).await)?;
            let memberships = with_conn!(conn, |c| memberships::table.count().get_result(c).await)?;
            Ok((organisations, accounts, memberships))
        })
    }
    .await;
    counted.unwrap()
}

/// A directory entry that the process left when it died before the organisation was in its store.
async fn die_after_entering(app: &TestApp) -> String {
    let org = roomcast::types::OrgId::new();
    let now = app.clock().now();
    let entered: Result<()> = async {
        transaction!(app.app.db.central(), |tx| {
            let conn: &mut roomcast::db::Conn = tx;
            let row = (
                (organisations::id.eq(org), organisations::name.eq("Dead"), organisations::slug.eq("dead")),
                (organisations::plan.eq("FREE"), organisations::status.eq("ACTIVE")),
                (organisations::isolation.eq("SHARED"), organisations::created_at.eq(now)),
                organisations::updated_at.eq(now),
            );
            with_conn!(conn, |c| diesel::insert_into(organisations::table).values(row).execute(c).await)?;
            Ok(())
        })
    }
    .await;
    entered.unwrap();
    org.to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_entry_without_an_organisation_is_cleared_away() {
    let app = TestApp::start_shared().await;
    let pat = app.operator("super_admin").await;
    app.found(&pat, "Acme").await;
    let dead = die_after_entering(&app).await;
    // It is nobody's way in, and nothing can be done to it.
    let path = format!("/platform/organisations/{dead}");
    app.as_operator(&pat).get(&path).await.expect_problem(404, "not_found");
    let suspend = app.as_operator(&pat).post(format!("{path}/suspend")).json(&json!({ "reason": "x" }));
    suspend.await.expect_problem(404, "not_found");
    app.as_operator(&pat)
        .post(format!("{path}/sign-up"))
        .json(&json!({}))
        .await
        .expect_problem(404, "not_found");
    app.as_operator(&pat).get("/users").header("x-org-id", &dead).await;
    upkeep::check_directory(&app.app).await.unwrap();
    assert_eq!(directory(&app).await.0, 2, "it may still be under way");
    app.advance(Duration::from_mins(11));
    upkeep::check_directory(&app.app).await.unwrap();
    assert_eq!(directory(&app).await.0, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_founding_that_fails_in_the_store_leaves_nothing() {
    let app = TestApp::start_shared().await;
    let pat = app.operator("super_admin").await;
    for table in ["settings", "activities", "sign_ups"] {
        refuse_rows(&app, table).await;
        found(&app, &pat, table).await.expect_problem(500, "internal");
        assert_eq!(directory(&app).await, (0, 0, 0), "{table}");
        allow_rows(&app, table).await;
    }
    for table in ["settings", "activities", "sign_ups"] {
        let founded = found(&app, &pat, table).await.expect_json(201);
        app.sign_up(&founded, "Ana", &format!("{table}@example.com")).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_founding_that_died_is_taken_up_with_its_key() {
    let app = TestApp::start_shared().await;
    let pat = app.operator("super_admin").await;
    // After the reservation: the store took nothing.
    refuse_rows(&app, "settings").await;
    found(&app, &pat, "one").await.expect_problem(500, "internal");
    allow_rows(&app, "settings").await;
    let first = found(&app, &pat, "one").await.expect_json(201);
    // After the founding, before the answer was kept: the same organisation, and the same token.
    forget_answers(&app).await;
    let second = found(&app, &pat, "one").await.expect_json(201);
    for field in ["id", "slug", "signUpToken"] {
        assert_eq!(second[field], first[field], "{field}");
    }
    let ana = app.sign_up(&second, "Ana", "ana@example.com").await;
    assert_eq!(app.feed(&ana).await.of_type("ORGANISATION_CREATED").len(), 1);
    // Once somebody is in, nothing more comes of it.
    forget_answers(&app).await;
    found(&app, &pat, "one").await.expect_problem(409, "already_signed_up");
    assert_eq!(directory(&app).await, (1, 1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_was_given_out_again_as_the_process_died_is_so_once_more() {
    let app = TestApp::start_shared().await;
    let pat = app.operator("super_admin").await;
    let founded = app.found(&pat, "Acme").await;
    let path = format!("/platform/organisations/{}/sign-up", founded["id"].as_str().unwrap());
    let reissue = async |key: &str| {
        let call = app.as_operator(&pat).post(&path).header("idempotency-key", key);
        call.json(&json!({})).await.expect_json(201)
    };
    let first = reissue("one").await;
    forget_answers(&app).await;
    assert_eq!(reissue("one").await["signUpToken"], first["signUpToken"]);
    // Whoever asks last has the one that counts.
    let other = reissue("two").await;
    forget_answers(&app).await;
    assert_eq!(reissue("one").await["signUpToken"], first["signUpToken"]);
    for revoked in [&other, &founded] {
        redeem(&app, revoked, "eve@example.com").await.expect_problem(404, "sign_up_invalid");
    }
    redeem(&app, &first, "ana@example.com").await.expect_status(201);
    redeem(&app, &first, "eve@example.com").await.expect_problem(409, "sign_up_used");
}

async fn redeem(app: &TestApp, founded: &Value, email: &str) -> Answer {
    let body = json!({
        "token": founded["signUpToken"], "name": "Ana", "email": email, "password": PASSWORD,
    });
    app.anonymous().post("/auth/sign-up").json(&body).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sign_up_that_fails_in_the_store_can_be_repeated() {
    let app = TestApp::start_shared().await;
    let pat = app.operator("super_admin").await;
    let founded = app.found(&pat, "Acme").await;
    for table in ["users", "sessions"] {
        refuse_rows(&app, table).await;
        redeem(&app, &founded, "ana@example.com").await.expect_problem(500, "internal");
        let body = json!({ "email": "ana@example.com", "password": PASSWORD });
        let login = app.anonymous().post("/auth/login").json(&body).await;
        assert!([401, 403].contains(&login.status), "{login:?}");
        allow_rows(&app, table).await;
    }
    // What stands behind nothing goes.
    app.advance(Duration::from_mins(11));
    upkeep::check_directory(&app.app).await.unwrap();
    assert_eq!(directory(&app).await.2, 0);
    let ana = app.sign_up(&founded, "Ana", "ana@example.com").await;
    assert_eq!(ana.org_id(), org_of(&founded));
    app.sign_in(&ana).await;
    upkeep::check_directory(&app.app).await.unwrap();
    app.sign_in(&ana).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_suspension_that_the_directory_does_not_know_counts_and_is_copied() {
    let app = TestApp::start_shared().await;
    let pat = app.operator("super_admin").await;
    let acme = app.organisation("Acme").create().await;
    app.suspend(&pat, &acme.id).await;
    // As if it had died before the copy.
    let table = central(&app, "organisations");
    try_sql(&app, &format!("UPDATE {table} SET status = 'ACTIVE'")).await.unwrap();
    app.as_user(&acme.admin).get("/auth/me").await.expect_problem(403, "organisation_suspended");
    let listed = async || {
        let answer = app.as_operator(&pat).get("/platform/organisations").await;
        answer.expect_status(200).items()[0]["status"].clone()
    };
    assert_eq!(listed().await, "active");
    upkeep::check_directory(&app.app).await.unwrap();
    assert_eq!(listed().await, "suspended");
}
