//! `GET /platform/audit`.

use std::time::Duration;

use futures_util::future::join_all;
use roomcast::upkeep;
use serde_json::{Value, json};

use crate::harness::platform::Operator;
use crate::harness::{Person, TestApp};

/// The newest entries.
async fn list(app: &TestApp, pat: &Operator) -> Vec<Value> {
    app.as_operator(pat).get("/platform/audit?limit=200").await.expect_status(200).items()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_call_is_in_it_with_who_what_where_and_outcome() {
    let app = TestApp::start().await;
    let pat = app.operator("super_admin").await;
    let founded = app.found(&pat, "Acme").await;
    let id = founded["id"].as_str().unwrap();
    app.suspend(&pat, id).await;
    let sue = app.operator("support").await;
    let suspend = app.as_operator(&sue).post(format!("/platform/organisations/{id}/suspend"));
    let refused = suspend.json(&json!({ "reason": "x" })).header("user-agent", "curl").await;
    let refused = refused.expect_problem(403, "role_forbidden");
    let list = async |query: &str| {
        app.as_operator(&pat).get(format!("/platform/audit?{query}")).await.expect_status(200).items()
    };
    let about = list(&format!("organisationId={id}")).await;
    let seen: Vec<_> = about
        .iter()
        .map(|entry| {
            (entry["action"].as_str().unwrap(), entry["role"].as_str().unwrap(), entry["status"].as_u64())
        })
        .collect();
    let suspend = "POST /platform/organisations/{id}/suspend";
    assert_eq!(
        seen,
        [
            (suspend, "support", Some(403)),
            (suspend, "support", None),
            (suspend, "super_admin", Some(200)),
            (suspend, "super_admin", None),
            ("POST /platform/organisations", "super_admin", Some(201)),
        ]
    );
    assert_eq!(about[0]["administratorId"], sue.id);
    assert_eq!(about[0]["code"], "role_forbidden");
    assert_eq!(about[0]["requestId"], refused["requestId"]);
    assert_eq!(about[0]["userAgent"], "curl");
    assert_eq!(about[0]["ip"], "127.0.0.1");
    assert_eq!(about[0]["path"], format!("/platform/organisations/{id}/suspend"));
    let of_sue = list(&format!("administratorId={}", sue.id)).await;
    assert_eq!(of_sue.len(), 3, "two of the call, one of the sign-in: {of_sue:?}");
    assert_eq!(of_sue[2]["action"], "POST /platform/auth/login");
    // A page after the other comes to the same.
    let all = list("limit=200").await;
    let first = app.as_operator(&pat).get("/platform/audit?limit=3").await.expect_json(200);
    let cursor = first["nextCursor"].as_str().unwrap();
    let rest = list(&format!("limit=200&cursor={cursor}")).await;
    let ids = |items: &[serde_json::Value]| items.iter().map(|one| one["id"].clone()).collect::<Vec<_>>();
    let all_ids = ids(&all);
    // The two reads themselves came on top.
    assert!(all_ids.windows(2).all(|pair| pair[0].as_str() > pair[1].as_str()));
    assert_eq!(ids(&rest), all_ids[all_ids.iter().position(|one| *one == rest[0]["id"]).unwrap()..]);
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_only_added_to() {
    let app = TestApp::start().await;
    let pat = app.operator("super_admin").await;
    let schema = match app.app.db.engine() {
        roomcast::db::Engine::Sqlite => "",
        roomcast::db::Engine::Postgres => "central.",
    };
    for statement in ["DELETE FROM {}platform_audit", "UPDATE {}platform_audit SET action = 'nothing'"] {
        let statement = statement.replace("{}", schema);
        assert!(super::crashes::try_sql(&app, &statement).await.is_err(), "{statement}");
    }
    let entries = app.as_operator(&pat).get("/platform/audit").await.expect_status(200).items();
    assert!(!entries.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_entered_is_not_done_and_not_told() {
    let app = TestApp::start().await;
    let pat = app.operator("super_admin").await;
    let acme = app.organisation("Acme").create().await;
    let table = match app.app.db.engine() {
        roomcast::db::Engine::Sqlite => "platform_audit",
        roomcast::db::Engine::Postgres => "central.platform_audit",
    };
    crate::idempotency::faults::refuse_rows(&app, table).await;
    let path = format!("/platform/organisations/{}", acme.id);
    app.as_operator(&pat).get(&path).await.expect_problem(500, "internal");
    let suspend = app.as_operator(&pat).post(format!("{path}/suspend")).json(&json!({ "reason": "x" }));
    suspend.await.expect_problem(500, "internal");
    app.as_user(&acme.admin).get("/auth/me").await.expect_status(200);
    crate::idempotency::faults::allow_rows(&app, table).await;
    assert_eq!(app.as_operator(&pat).get(&path).await.expect_json(200)["status"], "active");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sign_in_that_failed_is_in_it_whoever_was_meant() {
    let app = TestApp::start().await;
    let pat = app.operator("super_admin").await;
    for email in [pat.email.as_str(), "nobody@example.com"] {
        let body = json!({ "email": email, "password": "not the password" });
        app.anonymous().post("/platform/auth/login").json(&body).await.expect_status(401);
    }
    let entries = list(&app, &pat).await;
    let failed: Vec<_> = entries.iter().filter(|entry| entry["code"] == "credentials_invalid").collect();
    let seen: Vec<_> = failed
        .iter()
        .map(|entry| (&entry["administratorEmail"], &entry["administratorId"], &entry["role"]))
        .collect();
    let nobody = (&json!("nobody@example.com"), &Value::Null, &Value::Null);
    assert_eq!(seen, [nobody, (&json!(pat.email), &json!(pat.id), &json!("super_admin"))]);
    for entry in failed {
        assert_eq!(entry["action"], "POST /platform/auth/login");
        assert_eq!((&entry["status"], &entry["ip"]), (&json!(401), &json!("127.0.0.1")));
    }
}

/// A member names another organisation than their own so many times.
async fn mismatch(app: &TestApp, member: &Person, times: usize) {
    let other = roomcast::types::OrgId::new().to_string();
    let call = async || app.as_user(member).get("/auth/me").header("x-org-id", &other).await;
    for answer in join_all((0..times).map(|_| call())).await {
        answer.expect_problem(403, "tenant_mismatch");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn outsiders_cannot_fill_it() {
    let app = TestApp::start().await;
    let pat = app.operator("super_admin").await;
    let (acme, bolt) = (app.organisation("Acme").create().await, app.organisation("Bolt").create().await);
    mismatch(&app, &acme.admin, 100).await;
    // Another organisation's are none the fewer.
    mismatch(&app, &bolt.admin, 3).await;
    let body = json!({ "email": "nobody@example.com", "password": "not the password" });
    let sign_in = async || app.anonymous().post("/platform/auth/login").json(&body).await;
    for answer in join_all((0..65).map(|_| sign_in())).await {
        answer.expect_problem(401, "credentials_invalid");
    }
    let entries = list(&app, &pat).await;
    let about = |org: &str| entries.iter().filter(|entry| entry["organisationId"] == org).count();
    assert_eq!((about(&acme.id), about(&bolt.id)), (60, 3));
    let tried = entries.iter().filter(|entry| entry["administratorEmail"] == "nobody@example.com");
    assert_eq!(tried.count(), 60);
    // An administrator's own are all there.
    for _ in 0..70 {
        app.as_operator(&pat).get("/platform/auth/me").await.expect_status(200);
    }
    let entries = list(&app, &pat).await;
    assert_eq!(entries.iter().filter(|entry| entry["path"] == "/platform/auth/me").count(), 70);
    app.advance(Duration::from_hours(1));
    mismatch(&app, &app.sign_in(&acme.admin).await, 1).await;
    let pat = app.sign_in_operator(&pat.email).await;
    // The newest is the sign-in.
    assert_eq!(list(&app, &pat).await[1]["action"], "tenant_mismatch");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_entry_goes_once_it_is_over() {
    for (days, is_kept) in [(30, false), (60, true), (0, true)] {
        let app = TestApp::with(|config| config.database.audit_retention_days = days).await;
        let pat = app.operator("super_admin").await;
        app.found(&pat, "Acme").await;
        let founded =
            |entries: &[Value]| entries.iter().any(|entry| entry["path"] == "/platform/organisations");
        app.advance(Duration::from_hours(31 * 24));
        // What is newest is of that day, too: the database lets nothing go that is not older by 30 days.
        upkeep::run(&app.app).await.unwrap();
        let pat = app.sign_in_operator(&pat.email).await;
        assert!(founded(&list(&app, &pat).await), "{days}");
        upkeep::run(&app.app).await.unwrap();
        let entries = list(&app, &pat).await;
        assert_eq!(founded(&entries), is_kept, "{days}: {entries:?}");
        assert!(entries.iter().any(|entry| entry["path"] == "/platform/auth/login"), "{days}");
    }
}
