//! Whom a log line is about, and the files that lines are written to.

use serde_json::{Value, json};

use super::environment;
use crate::harness::environment::postgres;
use crate::harness::organisation::fresh_email;
use crate::harness::{Child, Client, Organisation, TestDatabase, eventually, options};

/// The lines of a log in JSON.
fn lines(output: &str) -> Vec<Value> {
    output
        .lines()
        .filter(|line| line.starts_with('{'))
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// The organisation that a line names, in itself or in its span.
fn organisation(line: &Value) -> Option<&str> {
    [&line["organisation.id"], &line["span"]["organisation.id"]].into_iter().find_map(Value::as_str)
}

/// A bit of everything that is done for an organisation.
async fn live(client: &Client) -> Organisation {
    let acme = client.organisation("Acme").on_plan("PRO").with_member("mia").create().await;
    let mia = client.sign_in(&acme["mia"]).await;
    let body = json!({ "refreshToken": mia.refresh_token });
    client.anonymous().post("/auth/refresh").json(&body).await.expect_status(200);
    let mut socket = client.connect(&mia).await;
    client.broadcast(&acme.admin, "hello").await;
    socket.expect_activity("BROADCAST_MESSAGE").await;
    socket.close().await;
    drop(client.stream(&mia).await);
    client.as_user(&acme.admin).get("/users").await.expect_status(200);
    client.as_user(&mia).get("/users").await.expect_status(403);
    client.as_user(&mia).delete(format!("/users/{}", acme.admin.id)).await.expect_status(403);
    let invite = client.invite(&acme.admin, &fresh_email("guest"), "MEMBER").await;
    let revoke = format!("/users/invites/{}", invite["id"].as_str().unwrap());
    client.as_user(&acme.admin).delete(revoke).await.expect_status(204);
    client.as_user(&mia).post("/auth/logout").await.expect_status(204);
    let mut refused = client.open(options(&mia)).await;
    refused.expect_close(roomcast_client::CloseCode::UNAUTHENTICATED).await;
    acme
}

#[tokio::test(flavor = "multi_thread")]
async fn every_line_of_an_organisation_says_whose_it_is() {
    let database = TestDatabase::create().await;
    let url = database.url_text();
    let mut environment = environment(&url);
    environment.extend([("LOG_FORMAT", "json"), ("RUST_LOG", "info,roomcast=debug")]);
    let mut child = Child::start(&[], &environment);
    let client = child.listening().await;
    let acme = live(&client).await;
    let output = child.stop().await;
    let lines = lines(&output);
    let mut of_acme = 0;
    for line in &lines {
        let about = line["message"].as_str().unwrap_or_default();
        let path = line["span"]["http.path"].as_str().unwrap_or_default();
        // A handshake's token is read after its request was answered.
        let is_request = about == "request answered" && path.starts_with("/api/");
        if is_request || about.contains("socket") && !about.contains("connections at once") {
            assert_eq!(organisation(line), Some(acme.id.as_str()), "{line}");
            of_acme += 1;
        }
    }
    assert!(of_acme > 15, "{of_acme} of {}: {output}", lines.len());
}

/// Takes a table away under the hub's feet, so that a request fails.
async fn break_invites(url: &str) {
    match url.strip_prefix("sqlite:") {
        Some(path) => {
            use diesel::connection::{Connection as _, SimpleConnection as _};
            let mut conn = diesel::SqliteConnection::establish(path).unwrap();
            let sql = "PRAGMA busy_timeout = 10000; ALTER TABLE invites RENAME TO gone";
            conn.batch_execute(sql).unwrap();
        }
        None => {
            postgres(url).await.batch_execute("ALTER TABLE shared.invites RENAME TO gone").await.unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_says_whose_it_is_where_nothing_else_is_logged() {
    for form in ["json", "text"] {
        let database = TestDatabase::create().await;
        let url = database.url_text();
        let mut environment = environment(&url);
        environment.extend([("LOG_FORMAT", form), ("RUST_LOG", "error")]);
        let mut child = Child::start(&[], &environment);
        let client = child.listening().await;
        let acme = client.organisation("Acme").create().await;
        break_invites(&url).await;
        client.as_user(&acme.admin).get("/users/invites").await.expect_problem(500, "internal");
        let output = child.stop().await;
        let failures: Vec<&str> = output.lines().filter(|line| line.contains("a request failed")).collect();
        assert_eq!(failures.len(), 1, "{output}");
        assert_eq!(failures[0].matches(acme.id.as_str()).count(), 1, "{output}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn lines_are_also_written_to_a_file_a_day_and_old_ones_go() {
    for form in ["json", "text"] {
        let database = TestDatabase::create().await;
        let (url, folder) = (database.url_text(), tempfile::tempdir().unwrap());
        let logs = folder.path().join("logs");
        let mut environment = environment(&url);
        environment.extend([("LOG_DIR", logs.to_str().unwrap()), ("LOG_RETENTION_DAYS", "7")]);
        environment.extend([("LOG_FORMAT", form), ("RUST_LOG", "info,roomcast=debug")]);
        // A command writes none.
        super::succeed(&["config", "check"], &environment).await;
        assert!(!logs.exists());
        std::fs::create_dir(&logs).unwrap();
        let old = logs.join("roomcast.2001-01-01.log");
        std::fs::write(&old, "long ago\n").unwrap();

        let mut child = Child::start(&[], &environment);
        let client = child.listening().await;
        let acme = live(&client).await;
        eventually("the end of what is over", async || (!old.exists()).then_some(())).await;
        let output = child.stop().await;
        let files: Vec<_> = std::fs::read_dir(&logs).unwrap().map(|entry| entry.unwrap().path()).collect();
        // Midnight may have passed.
        let written: String = files.iter().map(|file| std::fs::read_to_string(file).unwrap()).collect();
        assert!((1..=2).contains(&files.len()), "{files:?}");
        for token in [&acme.admin.access_token, &acme.admin.refresh_token, &acme.admin.password] {
            assert!(!written.contains(token.as_str()));
        }
        assert!(!written.contains('\u{1b}'), "{written}");
        let shown: Vec<&str> = output.lines().filter(|line| !line.starts_with("listening on ")).collect();
        assert!(shown.len() > 20);
        for line in shown {
            // Each takes the time for itself.
            let (_, line) = line.split_once('Z').unwrap();
            assert!(written.contains(line), "{line}\nis not among\n{written}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_that_cannot_be_written_stops_the_start() {
    let database = TestDatabase::create().await;
    let (url, file) = (database.url_text(), tempfile::NamedTempFile::new().unwrap());
    let mut environment = environment(&url);
    environment.push(("LOG_DIR", file.path().to_str().unwrap()));
    super::fail(&[], &environment, &["LOG_DIR", "cannot write log files"]).await;
}
