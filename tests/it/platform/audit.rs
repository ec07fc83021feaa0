//! `GET /platform/audit`.

use serde_json::json;

use crate::harness::TestApp;

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
