//! `X-Org-Id` and `X-Tenant` only say what the token says already.

use serde_json::Value;

use crate::harness::TestApp;

#[tokio::test(flavor = "multi_thread")]
async fn a_member_names_their_own_organisation_or_none() {
    let app = TestApp::start().await;
    let pat = app.operator("support").await;
    let acme = app.organisation("Acme").with_member("mia").create().await;
    let bolt = app.organisation("Bolt").create().await;
    let mia = &acme["mia"];
    let slug = |of: &crate::harness::Organisation| of.json["slug"].as_str().unwrap().to_owned();
    let (own, foreign) = (slug(&acme), slug(&bolt));
    let unknown = roomcast::types::OrgId::new().to_string();
    for headers in [
        vec![("x-org-id", acme.id.as_str())],
        vec![("x-tenant", &own)],
        vec![("x-org-id", &acme.id), ("x-tenant", &own)],
    ] {
        let call = app.as_user(mia).get("/auth/me");
        let call = headers.iter().fold(call, |call, (name, value)| call.header(name, value));
        assert_eq!(call.await.expect_json(200)["organisation"]["id"], acme.id);
    }
    let mut answers = Vec::new();
    for headers in [
        vec![("x-org-id", bolt.id.as_str())],
        vec![("x-org-id", &unknown)],
        vec![("x-org-id", "x")],
        vec![("x-org-id", "")],
        vec![("x-tenant", &foreign)],
        vec![("x-tenant", "nobody-has-this")],
        vec![("x-tenant", "Not A Slug")],
        vec![("x-org-id", &acme.id), ("x-tenant", &foreign)],
        vec![("x-org-id", &bolt.id), ("x-tenant", &own)],
        vec![("x-org-id", &acme.id), ("x-org-id", &acme.id)],
    ] {
        for path in ["/auth/me", "/activities", "/stream"] {
            let call = app.as_user(mia).get(path);
            let call = headers.iter().fold(call, |call, (name, value)| call.header(name, value));
            let mut problem = call.await.expect_problem(403, "tenant_mismatch");
            problem["requestId"] = Value::Null;
            answers.push(problem);
        }
    }
    // Unknown and foreign are the same answer, to the letter.
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
    // Who is not signed in learns nothing by it.
    let call = app.anonymous().get("/auth/me").header("x-org-id", &acme.id);
    call.await.expect_problem(401, "token_invalid");
    let audit = app.as_operator(&pat).get("/platform/audit?limit=200").await.expect_status(200).items();
    let mismatches: Vec<_> = audit.iter().filter(|entry| entry["action"] == "tenant_mismatch").collect();
    assert_eq!(mismatches.len(), answers.len());
    for entry in mismatches {
        assert_eq!(entry["organisationId"], acme.id, "{entry}");
        assert_eq!((&entry["status"], &entry["code"]), (&403.into(), &"tenant_mismatch".into()));
        assert!(entry["administratorId"].is_null() && entry["ip"].is_string(), "{entry}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handshake_is_held_to_it_too() {
    let app = TestApp::start().await;
    let acme = app.organisation("Acme").create().await;
    let bolt = app.organisation("Bolt").create().await;
    let shake = async |org: &str| {
        let call = app.anonymous().at(reqwest::Method::GET, format!("/ws?token={}", acme.admin.access_token));
        let call = call.header("connection", "upgrade").header("upgrade", "websocket");
        let call = call.header("sec-websocket-version", "13");
        let call = call.header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==").header("x-org-id", org);
        call.into_response(std::time::Duration::from_secs(10)).await.unwrap().status().as_u16()
    };
    assert_eq!(shake(&bolt.id).await, 403);
    assert_eq!(shake(&acme.id).await, 101);
}
