//! Many requests with one key at the same time.

use roomcast::db::{Engine, Tx};
use roomcast::types::OrgId;

use super::{Route, expect_first, expect_replay};
use crate::activity::{execute, finish};
use crate::harness::environment::{not_run, on_postgres};
use crate::harness::{Answer, Person, TestApp, eventually, within};
use crate::races::at_once;

/// Fails unless all were answered alike or told to wait; the one answer.
#[track_caller]
fn expect_one(answers: &[Answer]) -> Answer {
    let done: Vec<&Answer> = answers.iter().filter(|answer| answer.status == 201).collect();
    for answer in answers.iter().filter(|answer| answer.status != 201) {
        answer.clone().expect_problem(409, "idempotency_in_progress");
        assert_eq!(answer.header("retry-after"), Some("1"));
    }
    let first = (*done.first().expect("somebody was answered")).clone();
    assert!(done.iter().all(|answer| answer.text == first.text), "two answers: {done:?}");
    let firsts = done.iter().filter(|answer| answer.header("idempotency-replayed").is_none()).count();
    assert!(firsts <= 1, "{firsts} say that they are the first");
    first
}

async fn race(nodes: &[&TestApp], person: &Person, route: Route) {
    let calls = (0..50).map(|number| route.call(nodes[number % nodes.len()], person, "one"));
    let answers = at_once(calls.collect()).await;
    let first = expect_one(&answers);
    assert_eq!(route.count(nodes[0], person).await, 1, "{route:?}");
    for node in nodes {
        let again = route.call(node, person, "one").await;
        assert_eq!((again.status, &again.text), (201, &first.text));
        assert_eq!(again.header("idempotency-replayed"), Some("true"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_requests_with_one_key_do_it_once() {
    let app = TestApp::start().await;
    let acme = app.organisation("Acme").create().await;
    for route in Route::ALL {
        race(&[&app], &acme.admin, route).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_requests_to_two_nodes_do_it_once() {
    if !on_postgres() {
        return not_run("a SQLite folder takes one node");
    }
    let first = TestApp::start().await;
    let second = first.another_node().await;
    let acme = first.organisation("Acme").create().await;
    for route in Route::ALL {
        race(&[&first, &second], &acme.admin, route).await;
    }
}

/// Keeps every key from being looked up until it is finished.
async fn hold_all_keys(app: &TestApp) -> Tx {
    let mut tx = app.app.db.org(OrgId::new()).begin_write().await.unwrap();
    if app.app.db.engine() == Engine::Postgres {
        execute(&mut tx, "LOCK TABLE idempotency_keys IN ACCESS EXCLUSIVE MODE").await;
    }
    tx
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_first_is_running_others_are_told_to_wait() {
    let app = TestApp::start_shared().await;
    let acme = app.organisation("Acme").create().await;
    for route in Route::ALL {
        let held = hold_all_keys(&app).await;
        let first = route.call(&app, &acme.admin, "one").into_future();
        let mut first = std::pin::pin!(first);
        let others = async {
            // Whichever of the two comes first is the one that runs.
            let waits = eventually("a request that has to wait", async || {
                let answer = tokio::time::timeout(
                    std::time::Duration::from_millis(200),
                    route.call(&app, &acme.admin, "one").into_future(),
                );
                answer.await.ok()
            });
            let answer = waits.await;
            assert_eq!(answer.header("retry-after"), Some("1"));
            answer.expect_problem(409, "idempotency_in_progress");
            let other = route.call_with(&app, &acme.admin, "one", &route.other_body()).await;
            other.expect_problem(422, "idempotency_key_reused");
            finish(held).await;
        };
        let both = Box::pin(async { tokio::join!(first.as_mut(), others) });
        let (answer, ()) = within("the first request", both).await;
        // Had the other one come first, this one was told to wait.
        assert!([201, 409].contains(&answer.status), "{}", answer.text);
        let done = eventually("the end of the request", async || {
            let answer = route.call(&app, &acme.admin, "one").await;
            (answer.status != 409).then_some(answer)
        });
        assert_eq!(done.await.expect_status(201).header("idempotency-replayed"), Some("true"));
        assert_eq!(route.count(&app, &acme.admin).await, 1, "{route:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_hangs_up_has_the_answer_later() {
    let app = TestApp::start_shared().await;
    let acme = app.organisation("Acme").create().await;
    for route in Route::ALL {
        let held = hold_all_keys(&app).await;
        let hung_up = tokio::time::timeout(
            std::time::Duration::from_millis(300),
            route.call(&app, &acme.admin, "one").into_future(),
        );
        assert!(hung_up.await.is_err(), "nobody answers while the keys are held");
        finish(held).await;
        let done = eventually("the end of the request", async || {
            let answer = route.call(&app, &acme.admin, "one").await;
            (answer.status != 409).then_some(answer)
        });
        let done = done.await.expect_status(201);
        let again = route.call(&app, &acme.admin, "one").await;
        assert_eq!((again.status, &again.text), (201, &done.text));
        assert_eq!(route.count(&app, &acme.admin).await, 1, "{route:?}");
    }
    // Another key was never held up.
    let first = Route::Broadcast.call(&app, &acme.admin, "two").await;
    expect_first(&first);
    expect_replay(&Route::Broadcast.call(&app, &acme.admin, "two").await, &first);
}
