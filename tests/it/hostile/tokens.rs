//! Tokens that nobody was given, at every door: each operation, the handshake, AUTH on an open socket.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use roomcast_client::{ClientFrame, CloseCode, ConnectOptions, TokenIn};
use serde_json::{Value, json};

use super::operations::Document;
use crate::harness::app::SIGNING_KEY;
use crate::harness::{PASSWORD, Person, TestApp};

fn sign(algorithm: Algorithm, key: &str, claims: &Value) -> String {
    let key = EncodingKey::from_secret(key.as_bytes());
    jsonwebtoken::encode(&Header::new(algorithm), claims, &key).unwrap()
}

/// The person's own claims but for some.
fn claims_with(person: &Person, changes: &Value) -> Value {
    let mut claims = person.claims();
    for (name, value) in changes.as_object().unwrap() {
        claims[name] = value.clone();
    }
    claims
}

/// Signed with our key, and wrong in what they say.
fn wrong_claims(person: &Person) -> Vec<String> {
    let now = person.claims()["iat"].as_i64().unwrap();
    let changes = [
        json!({ "aud": "another" }),
        json!({ "aud": ["another", "service"] }),
        json!({ "aud": null }),
        json!({ "iss": "another" }),
        json!({ "iss": null }),
        json!({ "exp": now - 1 }),
        json!({ "exp": 0 }),
        json!({ "exp": i64::MIN }),
        json!({ "exp": "never" }),
        json!({ "exp": null }),
        json!({ "exp": 1e300 }),
        // Made so long ago that it has ended whatever it says.
        json!({ "iat": i64::MIN, "exp": i64::MAX }),
        json!({ "iat": now - 86_400, "exp": i64::MAX }),
        json!({ "iat": null }),
        json!({ "sub": null }),
        json!({ "sub": "" }),
        json!({ "sub": "admin" }),
        json!({ "sub": "a\0b" }),
        json!({ "sub": [person.id] }),
        json!({ "org": "*" }),
        json!({ "org": { "$ne": null } }),
        json!({ "sid": 1 }),
        json!({ "jti": null }),
        json!({ "role": "OWNER" }),
        json!({ "role": ["ADMIN"] }),
    ];
    changes.iter().map(|changes| sign(Algorithm::HS256, SIGNING_KEY, &claims_with(person, changes))).collect()
}

/// Signed by others, or with what may not sign.
fn forged(person: &Person) -> Vec<String> {
    let claims = person.claims();
    let mut tokens = vec![
        sign(Algorithm::HS256, "another key, as long as the one of the tests", &claims),
        sign(Algorithm::HS256, "", &claims),
        sign(Algorithm::HS384, SIGNING_KEY, &claims),
        sign(Algorithm::HS512, SIGNING_KEY, &claims),
    ];
    let parts: Vec<&str> = person.access_token.split('.').collect();
    let [_, body, signature] = parts[..] else { panic!("a token has three parts") };
    let encode = |text: &str| URL_SAFE_NO_PAD.encode(text);
    for header in [
        r#"{"alg":"none"}"#,
        r#"{"alg":"None","typ":"JWT"}"#,
        r#"{"alg":"nOnE","typ":"JWT"}"#,
        r#"{"alg":"","typ":"JWT"}"#,
        r#"{"alg":null,"typ":"JWT"}"#,
        r#"{"typ":"JWT"}"#,
        r#"{"alg":"RS256","typ":"JWT"}"#,
        r#"{"alg":"HS256","alg":"none"}"#,
        r#"{"alg":"HS256","typ":"JWT","crit":["exp"],"exp":1}"#,
        r#"{"alg":"HS256","typ":"JWT","kid":"../../../../dev/null"}"#,
        r#"{"alg":"HS256","jwk":{"kty":"oct","k":"AA"}}"#,
        "[]",
        "{",
        "\0",
    ] {
        for signature in ["", signature, "AA"] {
            tokens.push(format!("{}.{body}.{signature}", encode(header)));
        }
    }
    let admin = encode(&claims_with(person, &json!({ "role": "ADMIN", "more": 1 })).to_string());
    tokens.extend([
        format!("{}.{admin}.{signature}", parts[0]),
        format!("{}.{body}.{signature}=", parts[0]),
        format!("{}.{body}.{signature}.", parts[0]),
        format!("{}.{body}.{signature}.{signature}", parts[0]),
        format!("{}..{signature}", parts[0]),
        format!("{}.{body}", parts[0]),
        "..".to_owned(),
        ".".repeat(5000),
        "a".repeat(5000),
        person.refresh_token.clone(),
    ]);
    tokens
}

/// What a token says, for a message.
fn readable(token: &str) -> String {
    let parts = token.split('.').take(2).map(|part| URL_SAFE_NO_PAD.decode(part).unwrap_or_default());
    let text: Vec<String> = parts.map(|part| String::from_utf8_lossy(&part).into_owned()).collect();
    format!("{token:.500} says {text:?}")
}

#[tokio::test(flavor = "multi_thread")]
async fn no_invented_token_opens_any_operation() {
    let app = TestApp::start().await;
    let acme = app.organisation("Acme").with_member("mia").create().await;
    let head = app.head(&acme.admin).await;
    let tokens = [wrong_claims(&acme.admin), forged(&acme.admin), forged(&acme["mia"])].concat();
    for operation in Document::load().operations().iter().filter(|operation| operation.secured) {
        for token in &tokens {
            let call = app.with_token(token).at(operation.method.clone(), operation.somewhere());
            let call = match operation.sample() {
                Some(body) => call.json(&body),
                None => call,
            };
            let answer = call.await;
            assert_eq!(answer.status, 401, "{} {}: {}", operation.method, operation.path, readable(token));
            answer.expect_problem(401, "token_invalid");
        }
    }
    assert_eq!(app.head(&acme.admin).await, head);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_invented_token_opens_a_socket() {
    let app = TestApp::start().await;
    let ana = app.register("Acme", "Ana", "ana@example.com", PASSWORD).await;
    let mut open = app.connect(&ana).await;
    for token in [wrong_claims(&ana), forged(&ana)].concat() {
        let mut socket = app.open(ConnectOptions::new(token.as_str())).await;
        assert!(socket.expect_close(CloseCode::UNAUTHENTICATED).await.is_empty(), "{token}");
        // On an open socket it is an error, and the token that it has goes on counting.
        if token.len() < 4000 {
            open.send(&ClientFrame::Auth(token.as_str().into())).await;
            assert_eq!(open.expect_error().await.code, "token_invalid", "{token}");
        }
    }
    open.ping().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_with_huge_claims_is_a_token_or_too_large() {
    let app = TestApp::start().await;
    let ana = app.register("Acme", "Ana", "ana@example.com", PASSWORD).await;
    for (length, statuses) in [(5_000, &[200][..]), (60_000, &[431]), (1_000_000, &[431])] {
        let claims = claims_with(&ana, &json!({ "more": "a".repeat(length), "deep": [[[[[[]]]]]] }));
        let token = sign(Algorithm::HS256, SIGNING_KEY, &claims);
        match app.with_token(&token).get("/auth/me").into_sent().await {
            Some(answer) => assert!(statuses.contains(&answer.status), "{length}: {}", answer.status),
            // It hung up while there was more to send.
            None => assert_eq!(statuses, [431]),
        }
    }
    let deep = format!("{}{}", "[".repeat(5000), "]".repeat(5000));
    let body = ana.claims().to_string().replacen('{', &format!("{{\"deep\":{deep},"), 1);
    let header = ana.access_token.split('.').next().unwrap();
    let token = format!("{header}.{}.AA", URL_SAFE_NO_PAD.encode(body));
    app.with_token(&token).get("/auth/me").await.expect_problem(401, "token_invalid");
    app.as_user(&ana).get("/auth/me").await.expect_status(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_has_ended_opens_nothing() {
    let app = TestApp::start().await;
    let ana = app.register("Acme", "Ana", "ana@example.com", PASSWORD).await;
    app.advance(Duration::from_mins(15));
    for operation in Document::load().operations().iter().filter(|operation| operation.secured) {
        let call = app.as_user(&ana).at(operation.method.clone(), operation.somewhere());
        call.await.expect_problem(401, "token_invalid");
    }
    for token_in in [TokenIn::Query, TokenIn::Subprotocol] {
        let options = ConnectOptions::new(ana.access_token.as_str()).token_in(token_in);
        app.open(options).await.expect_close(CloseCode::UNAUTHENTICATED).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn invented_refresh_and_invite_tokens_find_nothing() {
    let app = TestApp::start().await;
    let acme = app.organisation("Acme").on_plan("PRO").create().await;
    let other = app.organisation("Other").on_plan("PRO").create().await;
    let invite = app.invite(&acme.admin, "max@example.com", "ADMIN").await;
    let invite = invite["inviteToken"].as_str().unwrap().to_owned();
    let head = app.head(&acme.admin).await;
    let altered = |token: &str, from: usize, bytes: &[u8]| {
        let mut all = URL_SAFE_NO_PAD.decode(token).unwrap();
        all[from..from + bytes.len()].copy_from_slice(bytes);
        URL_SAFE_NO_PAD.encode(all)
    };
    let foreign = other.admin.org_id().as_uuid().into_bytes();
    for token in [&acme.admin.refresh_token, &invite] {
        let invented = [
            String::new(),
            "\0".to_owned(),
            format!("{token}\0"),
            format!("{token}="),
            format!(" {token}"),
            token.to_lowercase(),
            token.get(..token.len() - 1).unwrap().to_owned(),
            "A".repeat(token.len()),
            "A".repeat(200_000),
            altered(token, 0, &foreign),
            altered(token, 16, &[0; 16]),
            altered(token, 40, &[7; 4]),
            acme.admin.access_token.clone(),
        ];
        for bad in &invented {
            let body = json!({ "refreshToken": bad });
            let answer = app.anonymous().post("/auth/refresh").json(&body).await;
            answer.expect_problem(401, "refresh_token_invalid");
            let body = json!({ "token": bad, "name": "Max", "password": PASSWORD });
            let answer = app.anonymous().post("/users/accept-invite").json(&body).await;
            answer.expect_problem(404, "invite_invalid");
        }
    }
    assert_eq!(app.head(&acme.admin).await, head);
    // The good ones still are.
    let body = json!({ "token": invite, "name": "Max", "password": PASSWORD });
    app.anonymous().post("/users/accept-invite").json(&body).await.expect_status(201);
    let body = json!({ "refreshToken": acme.admin.refresh_token });
    app.anonymous().post("/auth/refresh").json(&body).await.expect_status(200);
}
