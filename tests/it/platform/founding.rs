//! `POST /platform/organisations` and `POST /orgs`, and how the platform sees organisations.

use roomcast::config::Registration;
use roomcast::db::Engine;
use serde_json::{Value, json};

use crate::harness::TestApp;
use crate::harness::environment::isolation;

#[tokio::test(flavor = "multi_thread")]
async fn is_the_only_way_where_registration_is_closed() {
    let app = TestApp::with(|config| config.auth.registration = Registration::Closed).await;
    let pat = app.operator("super_admin").await;
    let founded = app.found(&pat, "Acme & Söhne").await;
    for (field, value) in [
        ("name", json!("Acme & Söhne")),
        ("slug", json!("acme-s-hne")),
        ("plan", json!("FREE")),
        ("status", json!("active")),
        ("isolation", json!(isolation().name())),
        ("memberLimit", json!(3)),
        ("memberCount", json!(0)),
    ] {
        assert_eq!(founded[field], value, "{field}");
    }
    let body = json!({ "name": "Bolt", "slug": "the-bolt", "plan": "PRO" });
    let bolt = app.as_operator(&pat).post("/orgs").json(&body).await.expect_json(201);
    assert_eq!((&bolt["slug"], &bolt["plan"]), (&json!("the-bolt"), &json!("PRO")));
    let ana = app.sign_up(&founded, "Ana", "ana@example.com").await;
    assert_eq!(ana.session["user"]["role"], "ADMIN");
    let body = json!({ "name": "Second" });
    let refused = app.as_user(&ana).post("/organisations").json(&body).await;
    refused.expect_problem(403, "registration_closed");
    let body = json!({ "organisationName": "Third", "name": "Eve", "email": "eve@example.com",
        "password": "a password of hers" });
    let refused = app.anonymous().post("/auth/register").json(&body).await;
    refused.expect_problem(403, "registration_closed");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_is_named() {
    let app = TestApp::start().await;
    let pat = app.operator("super_admin").await;
    let post = async |body: Value| app.as_operator(&pat).post("/platform/organisations").json(&body).await;
    post(json!({ "slug": "A b", "plan": 1, "isolation": "SHARED", "x": 1 })).await.expect_invalid(&[
        "name",
        "slug",
        "plan",
        "isolation",
        "x",
    ]);
    post(json!({ "name": "Acme", "plan": "GOLD" })).await.expect_invalid(&["plan"]);
    if app.app.db.engine() == Engine::Sqlite {
        post(json!({ "name": "Acme", "isolation": "schema" })).await.expect_invalid(&["isolation"]);
    }
    post(json!({ "name": "Acme", "slug": "acme" })).await.expect_status(201);
    post(json!({ "name": "Acme", "slug": "acme" })).await.expect_problem(409, "slug_taken");
    // Without one that is asked for, another is found.
    let other = post(json!({ "name": "Acme" })).await.expect_json(201);
    assert!(other["slug"].as_str().unwrap().starts_with("acme-"), "{other}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_founds_once_and_its_answer_is_stored_encrypted() {
    let app = TestApp::start().await;
    let pat = app.operator("super_admin").await;
    let found = async |key: &str, name: &str| {
        let call = app.as_operator(&pat).post("/platform/organisations").header("idempotency-key", key);
        call.json(&json!({ "name": name })).await
    };
    let first = found("one", "Acme").await.expect_status(201);
    let again = found("one", "Acme").await.expect_status(201);
    assert_eq!(again.text, first.text);
    assert_eq!(again.header("idempotency-replayed"), Some("true"));
    found("one", "Bolt").await.expect_problem(422, "idempotency_key_reused");
    let list = app.as_operator(&pat).get("/platform/organisations").await.expect_status(200).items();
    assert_eq!(list.len(), 1);
    let stored = super::crashes::kept_answers(&app).await;
    let token = first.json()["signUpToken"].as_str().unwrap().to_owned();
    assert!(!stored.is_empty());
    for body in stored {
        assert!(!body.windows(20).any(|part| part == &token.as_bytes()[..20]), "the token can be read");
    }
    // Another administrator's key is another.
    let max = app.operator("super_admin").await;
    let call = app.as_operator(&max).post("/platform/organisations").header("idempotency-key", "one");
    let other = call.json(&json!({ "name": "Acme" })).await.expect_json(201);
    assert_ne!(other["id"], first.json()["id"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn organisations_are_found_by_what_they_are() {
    let app = TestApp::start().await;
    let pat = app.operator("super_admin").await;
    let mut ids = Vec::new();
    for (name, plan) in [("Acme", "FREE"), ("ACME_2", "PRO"), ("100% Bolt", "PRO"), ("Globex", "FREE")] {
        let body = json!({ "name": name, "plan": plan });
        let founded = app.as_operator(&pat).post("/orgs").json(&body).await.expect_json(201);
        ids.push(founded["id"].as_str().unwrap().to_owned());
    }
    app.suspend(&pat, &ids[3]).await;
    let list = async |query: &str| {
        let answer = app.as_operator(&pat).get(format!("/platform/organisations?{query}")).await;
        let names = answer.expect_status(200).items().into_iter().map(|one| one["name"].clone());
        names.map(|name| name.as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(list("search=acme").await, ["Acme", "ACME_2"]);
    assert_eq!(list("search=e_2").await, ["ACME_2"], "what is a wildcard elsewhere is a letter here");
    assert_eq!(list("search=%25").await, ["100% Bolt"]);
    assert_eq!(list("search=bolt&plan=PRO").await, ["100% Bolt"]);
    assert_eq!(list(&format!("search={}", ids[3])).await, ["Globex"]);
    assert_eq!(list("status=suspended").await, ["Globex"]);
    assert_eq!(list("status=active&plan=FREE").await, ["Acme"]);
    for mode in ["shared", "schema", "database"] {
        let expected = if mode == isolation().name() { 4 } else { 0 };
        assert_eq!(list(&format!("isolation={mode}")).await.len(), expected, "{mode}");
    }
    let first = app.as_operator(&pat).get("/platform/organisations?limit=3").await.expect_json(200);
    let cursor = first["nextCursor"].as_str().unwrap();
    assert_eq!(list(&format!("limit=3&cursor={cursor}")).await, ["Globex"]);
    let bad = app.as_operator(&pat).get("/platform/organisations?status=x&isolation=y&cursor=z&limit=0");
    bad.await.expect_invalid(&["status", "isolation", "cursor", "limit"]);
    let unknown = format!("/platform/organisations/{}", roomcast::types::OrgId::new());
    app.as_operator(&pat).get(&unknown).await.expect_problem(404, "not_found");
    let suspend = app.as_operator(&pat).post(format!("{unknown}/suspend")).json(&json!({ "reason": "x" }));
    suspend.await.expect_problem(404, "not_found");
}

#[tokio::test(flavor = "multi_thread")]
async fn name_and_plan_change_together_or_not_at_all() {
    let app = TestApp::start().await;
    let pat = app.operator("super_admin").await;
    let acme = app.organisation("Acme").with_member("bo").on_plan("ENTERPRISE").create().await;
    for name in ["mia", "eve", "max"] {
        app.add(&acme.admin, name, "MEMBER").await;
    }
    let path = format!("/platform/organisations/{}", acme.id);
    let change = async |body: Value| app.as_operator(&pat).patch(&path).json(&body).await;
    let refused = change(json!({ "name": "Bolt", "plan": "FREE" })).await;
    refused.expect_problem(403, "member_limit_reached");
    change(json!({ "plan": "GOLD" })).await.expect_invalid(&["plan"]);
    change(json!({})).await.expect_invalid(&["body"]);
    let present = app.as_operator(&pat).get(&path).await.expect_json(200);
    assert_eq!((&present["name"], &present["memberCount"]), (&json!("Acme"), &json!(5)));
    let changed = change(json!({ "name": "Bolt", "plan": "PRO" })).await.expect_json(200);
    assert_eq!((&changed["name"], &changed["plan"]), (&json!("Bolt"), &json!("PRO")));
    let feed = app.feed(&acme.admin).await;
    let actor = json!({ "id": pat.id, "name": "Pat (platform)" });
    for kind in ["ORGANISATION_UPDATED", "PLAN_DOWNGRADED"] {
        assert_eq!(feed.only(kind).json["actor"], actor, "{kind}");
    }
}
