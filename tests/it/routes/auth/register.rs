//! `POST /auth/register`.

use serde_json::{Value, json};

use crate::harness::{PASSWORD, Person, TestApp};

fn body(email: &str) -> Value {
    json!({ "organisationName": "Acme Ltd", "name": "Ana", "email": email, "password": PASSWORD })
}

#[tokio::test(flavor = "multi_thread")]
async fn founds_an_organisation_with_its_first_admin() {
    let app = TestApp::start().await;
    let call = app.anonymous().post("/auth/register").json(&body(" Ana@Example.COM "));
    let session = call.await.expect_json(201);

    assert_eq!(session["tokenType"], "Bearer");
    assert_eq!(session["expiresIn"], 900);
    let (user, organisation) = (&session["user"], &session["organisation"]);
    assert_eq!(user["name"], "Ana");
    assert_eq!(user["email"], "ana@example.com", "addresses are kept in lower case");
    assert_eq!(user["role"], "ADMIN");
    assert_eq!(organisation["name"], "Acme Ltd");
    assert_eq!(organisation["slug"], "acme-ltd");
    assert_eq!(organisation["plan"], "FREE");
    assert_eq!(organisation["memberLimit"], 3);
    assert_eq!(organisation["memberCount"], 1);
    let now = app.clock().now().to_string();
    for moment in [&user["createdAt"], &organisation["createdAt"], &organisation["updatedAt"]] {
        let moment = moment.as_str().unwrap();
        assert_eq!(moment.len(), now.len(), "RFC 3339 in UTC with milliseconds: {moment}");
        assert!(moment.ends_with('Z') && *moment <= *now, "{moment}");
    }
    let mut fields: Vec<&String> = session.as_object().unwrap().keys().collect();
    fields.sort();
    assert_eq!(fields, ["accessToken", "expiresIn", "organisation", "refreshToken", "tokenType", "user"]);

    let ana = Person::of(session, PASSWORD);
    assert_eq!(ana.id.parse::<uuid::Uuid>().unwrap().get_version_num(), 7);
    assert_eq!(ana.organisation_id.parse::<uuid::Uuid>().unwrap().get_version_num(), 7);
    let me = app.as_user(&ana).get("/auth/me").await.expect_json(200);
    assert_eq!(me, json!({ "user": ana.session["user"], "organisation": ana.session["organisation"] }));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_access_token_says_who_where_and_until_when() {
    let app = TestApp::start().await;
    let ana = app.register("Acme", "Ana", "ana@example.com", PASSWORD).await;
    let claims = ana.claims();
    assert_eq!(claims["sub"], ana.id);
    assert_eq!(claims["org"], ana.organisation_id);
    assert_eq!(claims["role"], "ADMIN");
    let (issued, expires) = (claims["iat"].as_i64().unwrap(), claims["exp"].as_i64().unwrap());
    assert_eq!(expires - issued, 900);
    for claim in ["sid", "jti", "iss", "aud"] {
        assert!(claims[claim].is_string(), "{claim} in {claims}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn begins_the_log() {
    let app = TestApp::start().await;
    let ana = app.register("Acme", "Ana", "ana@example.com", PASSWORD).await;
    let feed = app.feed(&ana).await;
    assert_eq!(feed.seqs(), [1, 2, 3]);
    feed.only("ORGANISATION_CREATED").expect_actor(&ana).expect_payload(&json!({ "name": "Acme" }));
    feed.only("USER_JOINED").expect_actor(&ana).expect_target(&ana.id, "Ana").expect_payload(&json!({
        "userId": ana.id, "name": "Ana", "email": "ana@example.com", "role": "ADMIN",
    }));
    let started = feed.only("SESSION_STARTED").expect_actor(&ana);
    assert_eq!(started.payload()["userId"], ana.id);
    assert_eq!(started.payload()["sessionId"], ana.session_id());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_email_that_is_taken_is_refused_and_nothing_is_made() {
    let app = TestApp::start().await;
    let ana = app.register("Acme", "Ana", "ana@example.com", PASSWORD).await;
    let mut other = body("ANA@example.com");
    other["password"] = "another password".into();
    app.anonymous().post("/auth/register").json(&other).await.expect_problem(409, "email_taken");
    let mine = app.as_user(&ana).get("/auth/organisations").await.expect_status(200).items();
    assert_eq!(mine.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn with_the_accounts_own_password_it_founds_another_organisation() {
    let app = TestApp::start().await;
    let first = app.register("Acme", "Ana", "ana@example.com", PASSWORD).await;
    let second = app.register("Acme", "Ana B.", "Ana@example.com", PASSWORD).await;
    assert_ne!(first.organisation_id, second.organisation_id);
    assert_ne!(first.id, second.id, "a user is a membership");
    assert_ne!(
        first.session["organisation"]["slug"], second.session["organisation"]["slug"],
        "a slug names one organisation"
    );
    assert_eq!(second.name, "Ana B.");
    let mine = app.as_user(&second).get("/auth/organisations").await.expect_status(200).items();
    assert_eq!(mine.len(), 2);
    // Each still sees its own and nothing else.
    let me = app.as_user(&first).get("/auth/me").await.expect_json(200);
    assert_eq!(me["user"]["id"], first.id);
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_wrong_is_told_at_once() {
    let app = TestApp::start().await;
    let register = async |body: Value| app.anonymous().post("/auth/register").json(&body).await;
    register(json!({})).await.expect_invalid(&["organisationName", "name", "email", "password"]);
    let wrong_types =
        json!({ "organisationName": 1, "name": [], "email": {}, "password": true, "emial": "x" });
    register(wrong_types).await.expect_invalid(&["organisationName", "name", "email", "password", "emial"]);
    let out_of_bounds = json!({
        "organisationName": " ", "name": "x".repeat(101), "email": "ana", "password": "1234567",
    });
    register(out_of_bounds).await.expect_invalid(&["organisationName", "name", "email", "password"]);
    let mut long = body("ana@example.com");
    long["password"] = "x".repeat(129).into();
    register(long).await.expect_invalid(&["password"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn passwords_of_8_and_of_128_characters_are_good() {
    let app = TestApp::start().await;
    app.register("Acme", "Ana", "ana@example.com", "8 chars!").await;
    // Characters, not bytes.
    app.register("Bolt", "Bo", "bo@example.com", &"ü".repeat(128)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn where_registration_is_closed_nobody_founds_anything() {
    let app = TestApp::with(|config| config.auth.registration = roomcast::config::Registration::Closed).await;
    let call = app.anonymous().post("/auth/register").json(&body("ana@example.com"));
    call.await.expect_problem(403, "registration_closed");
}
