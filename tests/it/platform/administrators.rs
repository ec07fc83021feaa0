//! `/platform/administrators`.

use serde_json::{Value, json};

use crate::harness::{PASSWORD, TestApp};

#[tokio::test(flavor = "multi_thread")]
async fn a_super_admin_makes_changes_and_disables_administrators() {
    let app = TestApp::start().await;
    let pat = app.operator("super_admin").await;
    let body = json!({ "email": "sue@example.com", "name": "Sue", "role": "support", "password": PASSWORD });
    let create = || {
        let call = app.as_operator(&pat).post("/platform/administrators").json(&body);
        call.header("idempotency-key", "make-Sue")
    };
    let first = create().await.expect_status(201);
    assert_eq!(create().await.expect_status(201).text, first.text, "the same key is the same answer");
    let sue: Value = first.json();
    let again = app.as_operator(&pat).post("/platform/administrators").json(&body);
    again.await.expect_problem(409, "email_taken");
    let session = app.sign_in_operator("sue@example.com").await;
    let path = format!("/platform/administrators/{}", sue["id"].as_str().unwrap());
    let change = async |change: Value| app.as_operator(&pat).patch(&path).json(&change).await;
    // The role counts at once, whatever the token says.
    app.as_operator(&session).get("/platform/audit").await.expect_status(200);
    assert_eq!(change(json!({ "role": "billing" })).await.expect_json(200)["role"], "billing");
    app.as_operator(&session).get("/platform/audit").await.expect_problem(403, "role_forbidden");
    assert_eq!(change(json!({ "status": "disabled" })).await.expect_json(200)["status"], "disabled");
    app.as_operator(&session).get("/platform/auth/me").await.expect_problem(401, "session_ended");
    change(json!({ "status": "active" })).await.expect_status(200);
    app.as_operator(&session).get("/platform/auth/me").await.expect_problem(401, "session_ended");
    app.sign_in_operator("sue@example.com").await;
    change(json!({})).await.expect_invalid(&["body"]);
    change(json!({ "role": "root", "status": "gone" })).await.expect_invalid(&["role", "status"]);
    let listed = app.as_operator(&pat).get("/platform/administrators").await.expect_status(200).items();
    assert_eq!(listed.len(), 2);
    assert!(listed.iter().all(|one| one.get("passwordHash").is_none()));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_super_admin_stays() {
    let app = TestApp::start().await;
    let (pat, max) = (app.operator("super_admin").await, app.operator("super_admin").await);
    let change = |of: &str, change: Value| {
        app.as_operator(&pat).patch(format!("/platform/administrators/{of}")).json(&change)
    };
    change(&max.id, json!({ "role": "support" })).await.expect_status(200);
    change(&pat.id, json!({ "role": "support" })).await.expect_problem(409, "last_super_admin");
    change(&pat.id, json!({ "status": "disabled" })).await.expect_problem(409, "last_super_admin");
    change(&max.id, json!({ "role": "super_admin" })).await.expect_status(200);
    // Both at once: one stays.
    let disable = json!({ "status": "disabled" });
    let other = app.as_operator(&max).patch(format!("/platform/administrators/{}", pat.id)).json(&disable);
    let (one, two) = tokio::join!(change(&max.id, disable.clone()), other);
    let mut statuses = [one.status, two.status];
    statuses.sort_unstable();
    assert!(statuses == [200, 409] || statuses == [200, 401], "{statuses:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_role_may_what_its_table_says() {
    let app = TestApp::start().await;
    let acme = app.organisation("Acme").create().await;
    let (sue, bea) = (app.operator("support").await, app.operator("billing").await);
    let org = format!("/platform/organisations/{}", acme.id);
    for who in [&sue, &bea] {
        app.as_operator(who).get("/platform/organisations").await.expect_status(200);
        app.as_operator(who).get(&org).await.expect_status(200);
        let post = async |path: &str, body: Value| app.as_operator(who).post(path).json(&body).await;
        post("/platform/organisations", json!({ "name": "x" })).await.expect_problem(403, "role_forbidden");
        post("/orgs", json!({ "name": "x" })).await.expect_problem(403, "role_forbidden");
        let suspend = post(&format!("{org}/suspend"), json!({ "reason": "x" })).await;
        suspend.expect_problem(403, "role_forbidden");
        app.as_operator(who).post(format!("{org}/resume")).await.expect_problem(403, "role_forbidden");
        post(&format!("{org}/sign-up"), json!({})).await.expect_problem(403, "role_forbidden");
        app.as_operator(who).get("/platform/administrators").await.expect_problem(403, "role_forbidden");
        let rename = app.as_operator(who).patch(&org).json(&json!({ "name": "x", "plan": "PRO" }));
        rename.await.expect_problem(403, "role_forbidden");
    }
    let plan = |who| app.as_operator(who).patch(&org).json(&json!({ "plan": "PRO" }));
    plan(&sue).await.expect_problem(403, "role_forbidden");
    assert_eq!(plan(&bea).await.expect_json(200)["plan"], "PRO");
    let change = app.feed(&acme.admin).await.only("PLAN_UPGRADED").clone();
    assert_eq!(change.json["actor"], json!({ "id": bea.id, "name": "Pat (platform)" }));
    app.as_operator(&sue).get("/platform/audit").await.expect_status(200);
    app.as_operator(&bea).get("/platform/audit").await.expect_problem(403, "role_forbidden");
}
