//! What is over is deleted, and what is not stays.

use std::time::Duration;

use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use roomcast::db::Conn;
use roomcast::db::schema::{invites, sessions};
use roomcast::types::{OrgId, SessionId};
use roomcast::{read, transaction, upkeep, with_conn};
use serde_json::json;

use crate::harness::{PASSWORD, Person, TestApp};

const DAY: Duration = Duration::from_hours(24);

async fn count_sessions(app: &TestApp, org: OrgId) -> i64 {
    let counted: roomcast::error::Result<i64> = async {
        read!(app.app.db.org(org), |conn| Ok(with_conn!(conn, |c| sessions::table
            .filter(sessions::org_id.eq(org))
            .count()
            .get_result(c)
            .await)?))
    }
    .await;
    counted.unwrap()
}

async fn count_invites(app: &TestApp, org: OrgId) -> i64 {
    let counted: roomcast::error::Result<i64> = async {
        read!(app.app.db.org(org), |conn| Ok(with_conn!(conn, |c| invites::table
            .filter(invites::org_id.eq(org))
            .count()
            .get_result(c)
            .await)?))
    }
    .await;
    counted.unwrap()
}

/// Sessions as a sign-in makes them, without hashing a password for each.
pub(crate) async fn insert_sessions(
    app: &TestApp,
    person: &Person,
    count: usize,
) -> roomcast::error::Result<()> {
    let (org, user, now) = (person.org_id(), person.user_id(), app.clock().now());
    transaction!(app.app.db.org(org), |tx| {
        let conn: &mut Conn = tx;
        for _ in 0..count {
            let row = (
                (sessions::org_id.eq(org), sessions::id.eq(SessionId::new()), sessions::user_id.eq(user)),
                (sessions::password_version.eq(1), sessions::refresh_hash.eq(vec![0_u8; 32])),
                (sessions::refresh_generation.eq(0), sessions::rotated_at.eq(now)),
                (sessions::created_at.eq(now), sessions::expires_at.eq(now)),
            );
            with_conn!(conn, |c| diesel::insert_into(sessions::table).values(row).execute(c).await)?;
        }
        Ok(())
    })
}

async fn refresh(app: &TestApp, person: &Person) -> crate::harness::Answer {
    app.anonymous().post("/auth/refresh").json(&json!({ "refreshToken": person.refresh_token })).await
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_go_when_none_of_their_tokens_counts() {
    let app = TestApp::start().await;
    let ana = app.register("Acme", "Ana", "ana@example.com", PASSWORD).await;
    let gil = app.register("Globex", "Gil", "gil@example.com", PASSWORD).await;
    let left = app.sign_in(&ana).await;
    app.as_user(&left).post("/auth/logout").await.expect_status(204);
    assert_eq!(count_sessions(&app, ana.org_id()).await, 2);
    app.advance(Duration::from_mins(10));
    upkeep::run(&app.app).await.unwrap();
    assert_eq!(count_sessions(&app, ana.org_id()).await, 2, "its access token is still alive");
    app.as_user(&left).get("/auth/me").await.expect_problem(401, "session_ended");

    app.advance(DAY * 2);
    upkeep::run(&app.app).await.unwrap();
    assert_eq!(count_sessions(&app, ana.org_id()).await, 1, "the one that has ended is gone");
    refresh(&app, &left).await.expect_problem(401, "session_ended");
    // The other lives on, and is refreshed once more before a week has passed.
    app.advance(DAY * 4);
    let pair = refresh(&app, &ana).await.expect_json(200);
    app.advance(DAY * 4);
    upkeep::run(&app.app).await.unwrap();
    assert_eq!(count_sessions(&app, ana.org_id()).await, 1);
    assert_eq!(count_sessions(&app, gil.org_id()).await, 0, "one that was never refreshed has expired");
    refresh(&app, &gil).await.expect_problem(401, "session_ended");
    // Reuse is found out for as long as the session lives.
    refresh(&app, &ana).await.expect_problem(401, "refresh_token_reused");
    let body = json!({ "refreshToken": pair["refreshToken"] });
    app.anonymous().post("/auth/refresh").json(&body).await.expect_problem(401, "session_ended");
}

#[tokio::test(flavor = "multi_thread")]
async fn invites_say_what_became_of_them_for_ninety_days() {
    let app = TestApp::start().await;
    let ana = app.register("Acme", "Ana", "ana@example.com", PASSWORD).await;
    let used = app.invite(&ana, "bo@example.com", "MEMBER").await;
    app.accept(&used, "Bo", PASSWORD).await;
    let expired = app.invite(&ana, "chen@example.com", "MEMBER").await;
    let accept = async |invite: &serde_json::Value| {
        let body = json!({ "token": invite["inviteToken"], "name": "X", "password": PASSWORD });
        app.anonymous().post("/users/accept-invite").json(&body).await
    };
    app.advance(DAY * (7 + 89));
    upkeep::run(&app.app).await.unwrap();
    accept(&used).await.expect_problem(409, "invite_used");
    accept(&expired).await.expect_problem(410, "invite_expired");
    assert_eq!(count_invites(&app, ana.org_id()).await, 2);
    app.advance(DAY * 2);
    let ana = app.sign_in(&ana).await;
    let pending = app.invite(&ana, "dina@example.com", "MEMBER").await;
    upkeep::run(&app.app).await.unwrap();
    assert_eq!(count_invites(&app, ana.org_id()).await, 1);
    accept(&used).await.expect_problem(404, "invite_invalid");
    accept(&expired).await.expect_problem(404, "invite_invalid");
    app.accept(&pending, "Dina", PASSWORD).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn more_than_a_chunk_goes_while_others_sign_in() {
    let app = TestApp::start().await;
    let ana = app.register("Acme", "Ana", "ana@example.com", PASSWORD).await;
    insert_sessions(&app, &ana, 1100).await.unwrap();
    app.advance(DAY * 9);
    let sign_ins = async {
        for _ in 0..5 {
            app.sign_in(&ana).await;
        }
    };
    let (swept, ()) = tokio::join!(upkeep::run(&app.app), sign_ins);
    swept.unwrap();
    assert_eq!(count_sessions(&app, ana.org_id()).await, 5);
}
