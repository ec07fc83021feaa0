//! Administrators on the ordinary routes, for an organisation that they name.

use serde_json::json;

use crate::harness::{Call, TestApp};

#[tokio::test(flavor = "multi_thread")]
async fn a_super_admin_does_what_an_admin_may_and_it_shows() {
    let app = TestApp::start().await;
    let pat = app.operator("super_admin").await;
    let acme = app.organisation("Acme").with_member("mia").on_plan("PRO").create().await;
    let as_pat = |call: Call| call.header("x-org-id", &acme.id);
    let caller = app.as_operator(&pat);
    let mut socket = app.connect(&acme["mia"]).await;
    let own = as_pat(caller.get("/organisations")).await.expect_json(200);
    assert_eq!(own["id"], acme.id);
    let slug = acme.json["slug"].as_str().unwrap();
    let by_slug = caller.get("/users").header("x-tenant", slug).await.expect_status(200).items();
    assert_eq!(by_slug.len(), 2);
    let body = json!({ "message": "from the platform" });
    let call = as_pat(caller.post("/organisations/broadcast")).header("idempotency-key", "one").json(&body);
    let sent = call.await.expect_json(201);
    assert_eq!(sent["actor"], json!({ "id": pat.id, "name": "Pat (platform)" }));
    assert_eq!(sent["payload"]["sentBy"], pat.id);
    let live = socket.next_activity().await;
    assert_eq!(live.item().json, sent);
    as_pat(caller.patch(format!("/users/{}", acme["mia"].id)))
        .json(&json!({ "role": "ADMIN" }))
        .await
        .expect_status(200);
    let invite = as_pat(caller.post("/users/invite")).json(&json!({ "email": "eve@example.com" })).await;
    invite.expect_status(201);
    let mine = as_pat(caller.get(format!("/activities?actorId={}", pat.id))).await.expect_status(200).items();
    assert_eq!(mine.len(), 3);
    // What is about an account of one's own is nobody's.
    as_pat(caller.get("/auth/me")).await.expect_problem(403, "role_forbidden");
    as_pat(caller.post("/auth/logout")).await.expect_problem(403, "role_forbidden");
    let found = as_pat(caller.post("/organisations")).json(&json!({ "name": "x" })).await;
    found.expect_problem(403, "role_forbidden");
    // Nor is anything without a name, or for one that names nothing.
    caller.get("/users").await.expect_problem(401, "token_invalid");
    let unknown = roomcast::types::OrgId::new().to_string();
    caller.get("/users").header("x-org-id", &unknown).await.expect_problem(404, "not_found");
    caller.get("/users").header("x-tenant", "Not A Slug").await.expect_problem(404, "not_found");
}

#[tokio::test(flavor = "multi_thread")]
async fn support_reads_and_billing_changes_the_plan() {
    let app = TestApp::start().await;
    let (sue, bea) = (app.operator("support").await, app.operator("billing").await);
    let acme = app.organisation("Acme").with_member("mia").create().await;
    let named = |call: Call| call.header("x-org-id", &acme.id);
    for path in ["/users", "/activities", "/organisations/presence", "/users/invites", "/organisations"] {
        named(app.as_operator(&sue).get(path)).await.expect_status(200);
    }
    let head = app.head(&acme.admin).await;
    let plan = json!({ "plan": "PRO" });
    for call in [
        app.as_operator(&sue).patch("/organisations/subscription").json(&plan),
        app.as_operator(&sue).patch("/organisations").json(&json!({ "name": "x" })),
        app.as_operator(&sue).post("/organisations/broadcast").json(&json!({ "message": "x" })),
        app.as_operator(&sue).delete(format!("/users/{}", acme["mia"].id)),
        app.as_operator(&bea).get("/users"),
        app.as_operator(&bea).get("/activities"),
        app.as_operator(&bea).patch("/organisations").json(&json!({ "name": "x" })),
    ] {
        named(call).await.expect_problem(403, "role_forbidden");
    }
    assert_eq!(app.head(&acme.admin).await, head);
    named(app.as_operator(&bea).get("/organisations")).await.expect_status(200);
    let changed = named(app.as_operator(&bea).patch("/organisations/subscription")).json(&plan).await;
    assert_eq!(changed.expect_json(200)["plan"], "PRO");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_such_call_is_in_the_audit_as_that() {
    let app = TestApp::start().await;
    let (pat, sue) = (app.operator("super_admin").await, app.operator("support").await);
    let acme = app.organisation("Acme").create().await;
    let body = json!({ "message": "hello" });
    let call = app.as_operator(&pat).post("/organisations/broadcast").json(&body);
    call.header("x-org-id", &acme.id).await.expect_status(201);
    app.as_operator(&sue).get("/users").header("x-org-id", &acme.id).await.expect_status(200);
    let path = format!("/platform/audit?organisationId={}", acme.id);
    let entries = app.as_operator(&sue).get(path).await.expect_status(200).items();
    let seen: Vec<_> = entries
        .iter()
        .map(|entry| (entry["administratorEmail"].clone(), entry["action"].clone(), entry["status"].clone()))
        .collect();
    let entry = |who: &str, action: &str, status: Option<u16>| (json!(who), json!(action), json!(status));
    assert_eq!(
        seen,
        [
            entry(&sue.email, "GET /users", Some(200)),
            entry(&pat.email, "POST /organisations/broadcast", Some(201)),
            entry(&pat.email, "POST /organisations/broadcast", None),
        ]
    );
    assert_eq!(entries[1]["requestId"], entries[2]["requestId"]);
}
