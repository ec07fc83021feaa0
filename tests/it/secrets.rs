//! No log line holds a secret: the real program runs the whole story at `debug`, and all that it wrote is
//! searched for every token, password and key.

use roomcast_client::{ClientFrame, CloseCode, ConnectOptions, TokenIn};
use serde_json::{Value, json};

use crate::harness::environment::on_postgres;
use crate::harness::raw::RawSocket;
use crate::harness::{Child, Client, Person, StreamOptions, TestDatabase, options};

const KEY: &str = "7f2c0a-the-signing-key-of-this-test-91be";

/// What must not be written, and what it is.
#[derive(Default)]
struct Secrets(Vec<(String, String)>);

impl Secrets {
    fn keep(&mut self, what: &str, secret: &str) {
        assert!(secret.len() >= 8, "{what} is too short to be searched for");
        self.0.push((what.to_owned(), secret.to_owned()));
    }

    fn keep_person(&mut self, person: &Person) {
        self.keep("an access token", &person.access_token);
        // Also without its header, which is the same for all.
        let signature = person.access_token.rsplit('.').next().unwrap();
        self.keep("the signature of a token", signature);
        self.keep("a refresh token", &person.refresh_token);
        self.keep("a password", &person.password);
    }

    fn search(&self, output: &str) {
        for (what, secret) in &self.0 {
            let line = output.lines().find(|line| line.contains(secret.as_str()));
            assert!(line.is_none(), "{what} was written:\n{}", line.unwrap_or_default());
        }
    }
}

/// The whole story, with all that goes wrong in it.
async fn live(client: &Client, secrets: &mut Secrets) {
    let ada = client.register("Acme", "Ada", "ada@example.com", "Adas password: 3471").await;
    secrets.keep_person(&ada);
    let invite = client.invite(&ada, "mia@example.com", "MEMBER").await;
    secrets.keep("an invite token", invite["inviteToken"].as_str().unwrap());
    let mia = client.accept(&invite, "Mia", "Mias password: 9120").await;
    secrets.keep_person(&mia);
    repeat_invites(client, secrets, &ada).await;
    go_wrong(client, secrets, &invite, &mia).await;

    // Sockets, with the token in the query and in the subprotocol, good and bad.
    let mut by_query = client.connect(&ada).await;
    let mut by_header = client.connect_with(options(&mia).token_in(TokenIn::Subprotocol).after(0)).await;
    for token_in in [TokenIn::Query, TokenIn::Subprotocol] {
        let bad = format!("not.a-token-but-secret.{}", "x1y2z3".repeat(5));
        secrets.keep("a token that was refused", &bad);
        let mut refused = client.open(ConnectOptions::new(bad.as_str()).token_in(token_in)).await;
        refused.expect_close(CloseCode::UNAUTHENTICATED).await;
    }
    let header = format!("Sec-WebSocket-Protocol: roomcast.v1, bearer.{}\r\n", mia.access_token);
    let (mut raw, _) = RawSocket::upgrade(&client.base, "?after=x", &header, None).await;
    assert_eq!(raw.close_code().await, Some(4400));
    let path = format!("/ws?token={}", ada.access_token);
    let plain = client.anonymous().at(reqwest::Method::GET, path).await;
    assert!((400..500).contains(&plain.status));

    // Streams, likewise.
    let good = StreamOptions::new(&ada.access_token);
    let streams = [client.stream_with(&good).await, client.stream_with(&good.token_in_query()).await];
    let bad = format!("not.a-streams-token-but-secret.{}", "x1y2z3".repeat(5));
    secrets.keep("a stream's token that was refused", &bad);
    for options in [StreamOptions::new(&bad), StreamOptions::new(&bad).token_in_query()] {
        client.ask_stream(&options).await.expect_problem(401, "token_invalid");
    }
    drop(streams);

    // Refresh, AUTH with the fresh token, with garbage and as a bad frame.
    let body = json!({ "refreshToken": ada.refresh_token });
    let pair = client.anonymous().post("/auth/refresh").json(&body).await.expect_json(200);
    let fresh = pair["accessToken"].as_str().unwrap();
    secrets.keep("a refreshed access token", fresh);
    secrets.keep("a rotated refresh token", pair["refreshToken"].as_str().unwrap());
    by_query.send(&ClientFrame::Auth(fresh.into())).await;
    by_query.next().await;
    let bad = "garbage-but-secret-5582";
    secrets.keep("a token that an AUTH brought", bad);
    by_query.send(&ClientFrame::Auth(bad.into())).await;
    by_query.expect_error().await;
    by_query.send_text(&format!(r#"{{"type":"AUTH","token":"{bad}"}}"#)).await;
    by_query.expect_error().await;

    // The rest of the tour.
    client.change_plan(&ada, "PRO").await;
    let sent = client.broadcast(&ada, "Good morning").await;
    by_header.up_to(sent.seq()).await;
    by_query.up_to(sent.seq()).await;
    let phone = client.sign_in(&mia).await;
    secrets.keep_person(&phone);
    let body = json!({ "currentPassword": mia.password, "password": "Mias new password: 6644" });
    secrets.keep("a new password", "Mias new password: 6644");
    client.as_user(&mia).patch("/auth/me").json(&body).await.expect_status(200);
    client.remove(&ada, &mia).await;
    by_header.expect_close(CloseCode::REMOVED).await;
    client.as_user(&ada).post("/auth/logout").await.expect_status(204);
    let last = client.sign_in(&ada).await;
    secrets.keep_person(&last);
}

/// An invite that is asked for twice with one key, which is answered from what is stored, and refusals.
async fn repeat_invites(client: &Client, secrets: &mut Secrets, ada: &Person) {
    let key = "an-idempotency-key-9932";
    secrets.keep("an idempotency key", key);
    let body = json!({ "email": "nora@example.com" });
    for body in [&body, &body, &json!({ "email": "other@example.com" })] {
        let call = client.as_user(ada).post("/users/invite").json(body);
        let answer = call.header("Idempotency-Key", key).await;
        if let Some(token) = answer.json()["inviteToken"].as_str() {
            secrets.keep("the token of an invite with a key", token);
        }
    }
}

/// Everything that is refused, with secrets in every place where one could stand.
async fn go_wrong(client: &Client, secrets: &mut Secrets, invite: &Value, mia: &Person) {
    let wrong = "a wrong password: 5539";
    secrets.keep("a wrong password", wrong);
    let call = client.anonymous();
    call.post("/auth/login").json(&json!({ "email": mia.email, "password": wrong })).await.expect_status(401);
    call.post("/auth/login")
        .json(&json!({ "email": "nobody@example.com", "password": wrong }))
        .await
        .expect_status(401);
    call.post("/auth/login").json(&json!({ "email": 5, "pasword": wrong })).await.expect_status(422);
    let broken = format!("{{\"email\": \"mia@example.com\", \"password\": \"{wrong}\", }}");
    call.post("/auth/login").body(Some("application/json"), broken).await.expect_status(400);
    let body = json!({ "organisationName": "X", "name": "X", "email": mia.email, "password": wrong });
    call.post("/auth/register").json(&body).await.expect_status(409);
    let body = json!({ "token": invite["inviteToken"], "name": "Mia", "password": wrong });
    call.post("/users/accept-invite").json(&body).await.expect_status(409);
    let body = json!({ "currentPassword": wrong, "password": wrong });
    let refused = client.as_user(mia).patch("/auth/me").json(&body).await;
    assert!((400..500).contains(&refused.status), "{}", refused.text);
    let unknown = "an.unknown-token-but-secret.7788";
    secrets.keep("an unknown token", unknown);
    client.with_token(unknown).get("/auth/me").await.expect_status(401);
    call.post("/auth/refresh").json(&json!({ "refreshToken": unknown })).await.expect_status(401);
    call.get(format!("/auth/me?token={unknown}&access_token={unknown}")).await.expect_status(401);
}

async fn run(format: &str) {
    let database = TestDatabase::create().await;
    let url = database.url_text();
    let environment = [
        ("DATABASE_URL", url.as_str()),
        ("JWT_ACCESS_SECRET", KEY),
        ("LOG_FORMAT", format),
        ("PORT", "0"),
        ("RUST_LOG", "debug"),
    ];
    let mut child = Child::start(&["serve"], &environment);
    let client = child.listening().await;
    let mut secrets = Secrets::default();
    secrets.keep("the signing key", KEY);
    if on_postgres() {
        let password = url.split_once("://").and_then(|(_, rest)| rest.split_once('@')).unwrap().0;
        secrets.keep("the password of the database", password.split_once(':').unwrap().1);
    }
    live(&client, &mut secrets).await;
    let output = child.stop().await;

    // It did write, or there would be nothing to find.
    for path in ["/api/v1/auth/register", "/api/v1/users/accept-invite", "/api/v1/auth/refresh", "/ws"] {
        assert!(output.contains(path), "{path} is not in the log:\n{output}");
    }
    assert!(secrets.0.len() > 20);
    secrets.search(&output);
    if format == "json" {
        let lines = output.lines().filter(|line| !line.starts_with("listening on "));
        for line in lines {
            let line: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
            assert!(line["level"].is_string() && line["timestamp"].is_string(), "{line}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_is_in_the_log() {
    run("text").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_is_in_the_log_for_machines() {
    run("json").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_generated_key_is_neither_written_nor_readable_by_others() {
    use std::os::unix::fs::PermissionsExt as _;

    use base64::Engine as _;

    if on_postgres() {
        // There a key must be given: it is only generated for the embedded database.
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().to_str().unwrap();
    let environment = [("ROOMCAST_DATA_DIR", data), ("PORT", "0"), ("RUST_LOG", "debug")];
    let mut child = Child::start(&[], &environment);
    let client = child.listening().await;
    let ada = client.register("Acme", "Ada", "ada@example.com", "Adas password: 3471").await;
    let output = child.stop().await;
    let path = folder.path().join("signing.key");
    let key = std::fs::read(&path).unwrap();
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let list = format!("{key:?}");
    let hex = uuid::Uuid::from_slice(&key[..16]).unwrap().simple().to_string();
    let base64 = base64::engine::general_purpose::STANDARD.encode(&key[..30]);
    assert!(key.len() >= 32);
    for written in [list, hex, base64] {
        assert!(!output.contains(&written), "the key was written");
    }
    // The same key after a restart: tokens stay good.
    let mut child = Child::start(&[], &environment);
    let client = child.listening().await;
    client.as_user(&ada).get("/auth/me").await.expect_status(200);
    child.stop().await;
}
