//! `POST /organisations`.

use serde_json::json;

use crate::harness::{Person, TestApp};

#[tokio::test(flavor = "multi_thread")]
async fn makes_the_caller_its_admin() {
    let app = TestApp::start().await;
    let acme = app.organisation("Acme").with_member("mia").create().await;
    let mia = &acme["mia"];
    let head = app.head(&acme.admin).await;
    let call = app.as_user(mia).post("/organisations").json(&json!({ "name": " Mia's own " }));
    let organisation = call.await.expect_json(201);
    assert_eq!(organisation["name"], "Mia's own");
    assert_eq!(organisation["plan"], "FREE");
    assert_eq!(organisation["memberCount"], 1);
    assert_ne!(organisation["id"], acme.id.as_str());
    assert_eq!(app.head(&acme.admin).await, head, "nothing happened in the other organisation");

    // The caller's session stays where it is; a switch leads there.
    let me = app.as_user(mia).get("/auth/me").await.expect_json(200);
    assert_eq!(me["organisation"]["id"], acme.id);
    let body = json!({ "organisationId": organisation["id"] });
    let session = app.as_user(mia).post("/auth/switch").json(&body).await.expect_json(200);
    let there = Person::of(session, &mia.password);
    assert_eq!(there.session["user"]["role"], "ADMIN");
    assert_eq!(there.session["organisation"], organisation);
    let feed = app.feed(&there).await;
    assert_eq!(feed.kinds(), ["ORGANISATION_CREATED", "USER_JOINED", "SESSION_STARTED"]);
    feed.0[0].expect_payload(&json!({ "name": "Mia's own" }));
    feed.0[1].expect_payload(&json!({
        "userId": there.id, "name": there.name, "email": mia.email, "role": "ADMIN",
    }));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_name_twice_gets_two_slugs() {
    let app = TestApp::start().await;
    let acme = app.organisation("Acme").create().await;
    let mut slugs = vec![acme.json["slug"].clone()];
    for _ in 0..3 {
        let call = app.as_user(&acme.admin).post("/organisations").json(&json!({ "name": "Acme" }));
        slugs.push(call.await.expect_json(201)["slug"].clone());
    }
    for (index, slug) in slugs.iter().enumerate() {
        assert!(!slugs[..index].contains(slug), "{slugs:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_is_told() {
    let app = TestApp::start().await;
    let acme = app.organisation("Acme").create().await;
    let create = async |body| app.as_user(&acme.admin).post("/organisations").json(&body).await;
    create(json!({})).await.expect_invalid(&["name"]);
    create(json!({ "name": 5, "plan": "PRO" })).await.expect_invalid(&["name", "plan"]);
    create(json!({ "name": "x".repeat(101) })).await.expect_invalid(&["name"]);
    app.anonymous()
        .post("/organisations")
        .json(&json!({ "name": "X" }))
        .await
        .expect_problem(401, "token_invalid");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_of_any_script_is_good() {
    let app = TestApp::start().await;
    let acme = app.organisation("Acme").create().await;
    for name in ["日本の会社", "—", &"ü".repeat(100)] {
        let call = app.as_user(&acme.admin).post("/organisations").json(&json!({ "name": name }));
        let organisation = call.await.expect_json(201);
        assert_eq!(organisation["name"], name);
        let slug = organisation["slug"].as_str().unwrap();
        assert!(
            !slug.is_empty()
                && slug.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        );
    }
}
