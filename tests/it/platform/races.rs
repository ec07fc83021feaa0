//! What comes at the same time.

use futures_util::future::join_all;
use serde_json::json;

use crate::harness::environment::{not_run, on_postgres, postgres};
use crate::harness::{PASSWORD, TestApp, eventually};

#[tokio::test(flavor = "multi_thread")]
async fn of_many_who_redeem_one_token_one_gets_in() {
    let app = TestApp::start().await;
    let pat = app.operator("super_admin").await;
    let founded = app.found(&pat, "Acme").await;
    let redeem = async |number: usize| {
        let email = format!("ana.{number}@example.com");
        let body = json!({
            "token": founded["signUpToken"], "name": "Ana", "email": email, "password": PASSWORD,
        });
        app.anonymous().post("/auth/sign-up").json(&body).await
    };
    let answers = join_all((0..4).map(redeem)).await;
    let mut statuses: Vec<u16> = answers.iter().map(|answer| answer.status).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 409, 409, 409]);
    let admin = answers.iter().find(|answer| answer.status == 201).unwrap().json();
    let admin = crate::harness::Person::of(admin, PASSWORD);
    assert_eq!(app.as_user(&admin).get("/users").await.expect_status(200).items().len(), 1);
    // Who did not has no account, or one that is nowhere.
    for number in 0..4 {
        let email = format!("ana.{number}@example.com");
        if email != admin.email {
            let body = json!({ "email": email, "password": PASSWORD });
            app.anonymous().post("/auth/login").json(&body).await.expect_problem(401, "credentials_invalid");
        }
    }
}

/// Waits until so many wait for a lock in the database of this connection.
async fn expect_waiting(client: &tokio_postgres::Client, expected: i64) {
    let query = "SELECT count(*) FROM pg_stat_activity
                 WHERE datname = current_database() AND wait_event_type = 'Lock'";
    eventually(&format!("{expected} waiting for locks"), async || {
        let waiting: i64 = client.query_one(query, &[]).await.unwrap().get(0);
        (waiting == expected).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_two_nodes_answer_to_one_key_is_a_token_that_counts() {
    if !on_postgres() {
        not_run("a SQLite folder takes one node");
        return;
    }
    let first = TestApp::start_shared().await;
    let second = first.another_node().await;
    let pat = first.operator("super_admin").await;
    let founded = first.found(&pat, "Acme").await;
    let path = format!("/platform/organisations/{}/sign-up", founded["id"].as_str().unwrap());
    let reissue = async |node: &TestApp| {
        let call = node.as_operator(&pat).post(&path).header("idempotency-key", "one");
        call.json(&json!({})).await.expect_status(201)
    };
    let (settings, keys) = (postgres(&first.database_url()).await, postgres(&first.database_url()).await);
    let watcher = postgres(&first.database_url()).await;
    // Both come as far as to open one, then both as far as to keep their answer.
    settings.batch_execute("BEGIN; SELECT 1 FROM shared.settings FOR UPDATE").await.unwrap();
    let steps = async {
        expect_waiting(&watcher, 2).await;
        keys.batch_execute("BEGIN; SELECT 1 FROM central.administrator_keys FOR UPDATE").await.unwrap();
        settings.batch_execute("COMMIT").await.unwrap();
        expect_waiting(&watcher, 2).await;
        keys.batch_execute("COMMIT").await.unwrap();
    };
    let later = async {
        expect_waiting(&watcher, 1).await;
        reissue(&second).await
    };
    let (one, two, ()) = tokio::join!(reissue(&first), later, steps);
    assert_eq!(one.text, two.text);
    let again = reissue(&second).await;
    assert_eq!(again.text, one.text);
    first.sign_up(&again.json(), "Ana", "ana@example.com").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_signs_in_while_it_is_suspended_is_out_all_the_same() {
    let app = TestApp::start().await;
    let pat = app.operator("super_admin").await;
    let acme = app.organisation("Acme").create().await;
    for _ in 0..5 {
        let body = json!({ "email": acme.admin.email, "password": PASSWORD });
        let sign_in = async || app.anonymous().post("/auth/login").json(&body).await;
        let (answers, ()) = tokio::join!(join_all((0..3).map(|_| sign_in())), app.suspend(&pat, &acme.id));
        for answer in answers {
            if answer.status == 403 {
                answer.expect_problem(403, "organisation_suspended");
                continue;
            }
            // It began before: the log says so, and nobody gets further.
            let session = answer.expect_json(200);
            let call = app.with_token(session["accessToken"].as_str().unwrap()).get("/auth/me");
            call.await.expect_problem(403, "organisation_suspended");
        }
        app.reopen(&pat, &acme.id).await;
        let feed = app.feed(&acme.admin).await;
        let kinds = feed.kinds();
        let suspended = kinds.iter().rposition(|kind| *kind == "ORGANISATION_SUSPENDED").unwrap();
        assert_eq!(kinds[suspended + 1..], ["ORGANISATION_RESUMED"], "nothing is taken behind a suspension");
    }
}
