//! What runs the jobs: attempts, death and resurrection, several nodes, fairness.

use std::collections::HashSet;
use std::time::Duration;

use serde_json::{Value, json};

use super::{start_with, text};
use crate::harness::environment::{not_run, on_postgres};
use crate::harness::{TestApp, eventually};

#[tokio::test(flavor = "multi_thread")]
async fn a_message_is_tried_so_often_and_no_more() {
    let app = start_with(|config| {
        config.messages.simulated_unavailable_percent = 100;
        config.messages.attempts = 3;
    })
    .await;
    let acme = app.organisation("Acme").create().await;
    let message = app.send_message(&acme.admin, &text("Hello")).await;
    for ended in 1..=2 {
        eventually("an attempt", async || {
            let message = app.message(&acme.admin, &message["id"]).await;
            let attempts = message["attempts"].as_array().unwrap();
            (attempts.iter().filter(|one| one["outcome"] == "UNAVAILABLE").count() == ended).then_some(())
        })
        .await;
        app.advance(Duration::from_secs(20));
    }
    let failed = app.message_once(&acme.admin, &message["id"], "FAILED").await;
    let numbers: Vec<&Value> =
        failed["attempts"].as_array().unwrap().iter().map(|one| &one["number"]).collect();
    assert_eq!(numbers, [1, 2, 3]);
    assert_eq!(app.credits_settled(&acme.admin).await, 100);
    let feed = app.feed_after(&acme.admin, 0).await;
    assert_eq!((feed.of_type("MESSAGE_QUEUED").len(), feed.of_type("MESSAGE_FAILED").len()), (1, 1));
    let dead = app.as_user(&acme.admin).get("/jobs").await.expect_json(200);
    assert_eq!(dead["items"], json!([]), "its job is done: the message has failed");
}

/// Sets a job of the table to what only crashes lead to.
async fn kill_jobs(app: &TestApp, org: roomcast::types::OrgId) {
    use diesel::prelude::*;
    use diesel_async::RunQueryDsl;
    use roomcast::db::schema::jobs;

    let killed: Result<(), roomcast::error::Error> = async {
        roomcast::transaction!(app.app.db.org(org), |tx| {
            let conn: &mut roomcast::db::Conn = tx;
            roomcast::with_conn!(conn, |c| {
                diesel::update(jobs::table)
                    .set((jobs::state.eq("DEAD"), jobs::due_at.eq(None::<roomcast::types::Timestamp>)))
                    .execute(c)
                    .await
            })?;
            Ok(())
        })
    }
    .await;
    killed.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn admins_see_dead_jobs_and_run_them_again() {
    let app = start_with(|config| config.jobs.concurrency = 0).await;
    let acme = app.organisation("Acme").with_member("bo").create().await;
    let other = app.organisation("Other").create().await;
    let message = app.send_message(&acme.admin, &text("Hello")).await;
    kill_jobs(&app, acme.admin.org_id()).await;
    let dead = app.as_user(&acme.admin).get("/jobs").await.expect_json(200);
    let job = &dead["items"][0];
    assert_eq!(
        (&job["kind"], &job["state"], &job["dueAt"]),
        (&json!("messages.send.sms"), &json!("DEAD"), &Value::Null)
    );
    let path = format!("/jobs/{}/retry", job["id"].as_str().unwrap());
    app.as_user(&acme["bo"]).get("/jobs").await.expect_problem(403, "role_forbidden");
    app.as_user(&acme["bo"]).post(&path).await.expect_problem(403, "role_forbidden");
    app.as_user(&other.admin).post(&path).await.expect_problem(404, "not_found");
    app.anonymous().post(&path).await.expect_problem(401, "token_invalid");
    app.anonymous().get("/jobs").await.expect_problem(401, "token_invalid");
    app.as_user(&acme.admin).get("/jobs?state=dead").await.expect_invalid(&["state"]);
    let revived = app.as_user(&acme.admin).post(&path).await.expect_json(200);
    assert_eq!(revived["state"], "READY");
    app.as_user(&acme.admin).post(&path).await.expect_problem(404, "not_found");
    let mut ground = app.stop().await;
    ground.config.jobs.concurrency = 16;
    let app = ground.start().await;
    app.message_once(&acme.admin, &message["id"], "SENT").await;
    assert_eq!(app.credits_settled(&acme.admin).await, 99);
}

/// One node takes messages, others send them: none is sent twice, and the first node's word wakes the others, whose
/// own look comes once a minute.
#[tokio::test(flavor = "multi_thread")]
async fn several_nodes_share_the_work_and_do_nothing_twice() {
    if !on_postgres() {
        return not_run("the tests run on SQLite");
    }
    let nodes = TestApp::on_one_exchange(3, |config| {
        config.messages.simulated_latency = Duration::from_millis(20);
        config.jobs.poll = Duration::from_mins(1);
        config.jobs.per_organisation = 4;
    })
    .await;
    let acme = nodes[0].organisation("Acme").create().await;
    let messages: Vec<Value> = (0..100).map(|number| text(&number.to_string())).collect();
    let answer =
        nodes[0].as_user(&acme.admin).post("/messages/batch").json(&json!({ "messages": messages })).await;
    let answer = answer.expect_json(201);
    assert_eq!(answer["queued"], 100);
    assert_eq!(nodes[1].credits_settled(&acme.admin).await, 0);
    let feed = nodes[2].feed_after(&acme.admin, 0).await;
    let sent: HashSet<String> =
        feed.of_type("MESSAGE_SENT").iter().map(|item| item.payload()["messageId"].to_string()).collect();
    assert_eq!((sent.len(), feed.of_type("MESSAGE_SENT").len()), (100, 100));
    for result in answer["results"].as_array().unwrap() {
        let message = nodes[1].message(&acme.admin, &result["message"]["id"]).await;
        assert_eq!(message["attempts"].as_array().unwrap().len(), 1, "{message}");
    }
    assert_eq!(nodes[0].sound_ledger(&acme.admin).await.len(), 201);
}

/// A node that runs no jobs has another one do them, over the bus.
#[tokio::test(flavor = "multi_thread")]
async fn a_node_without_jobs_wakes_one_that_has_some() {
    if !on_postgres() {
        return not_run("the tests run on SQLite");
    }
    let exchange = roomcast::hub::bus::Exchange::default();
    let mut ground = crate::harness::Ground::create().await;
    ground.config.jobs.poll = Duration::from_mins(1);
    ground.config.messages.simulated_latency = Duration::ZERO;
    let worker = ground.start_on(exchange.join()).await;
    ground.config.jobs.concurrency = 0;
    let front = ground.start_on(exchange.join()).await;
    let acme = front.organisation("Acme").create().await;
    let message = front.send_message(&acme.admin, &text("Hello")).await;
    front.message_once(&acme.admin, &message["id"], "SENT").await;
    drop(worker);
}

/// A thousand messages of one organisation are queued before one each of ten others.
#[tokio::test(flavor = "multi_thread")]
async fn an_organisation_with_many_messages_does_not_keep_others_waiting() {
    let app = start_with(|config| {
        config.messages.prices = "sms=0".parse().unwrap();
        config.messages.simulated_latency = Duration::from_millis(30);
        config.jobs.concurrency = 16;
        config.jobs.per_organisation = 8;
    })
    .await;
    let large = app.organisation("Large").create().await;
    let messages: Vec<Value> = (0..1000).map(|number| text(&number.to_string())).collect();
    let body = json!({ "messages": messages });
    app.as_user(&large.admin).post("/messages/batch").json(&body).await.expect_json(201);
    for number in 0..5 {
        let small = app.organisation(&format!("Small {number}")).create().await;
        let message = app.send_message(&small.admin, &text("Hello")).await;
        app.message_once(&small.admin, &message["id"], "SENT").await;
    }
    let queued = app.as_user(&large.admin).get("/messages?status=QUEUED&limit=1").await.expect_json(200);
    assert_eq!(queued["items"].as_array().unwrap().len(), 1, "the large one is not done yet");
}
