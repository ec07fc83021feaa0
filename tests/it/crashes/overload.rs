//! More broadcasts at once than the hub holds: those that are too many are told so, and none is lost or
//! doubled.

use std::collections::{BTreeMap, BTreeSet};

use diesel_async::SimpleAsyncConnection as _;
use futures_util::future::join_all;
use roomcast::db::{Engine, Tx};
use roomcast::with_conn;
use serde_json::json;

use crate::harness::{TestApp, at_last};

/// How many come at once.
const BROADCASTS: usize = 1_000;

/// Bytes of data in each: fewer of large ones are held.
const BULK: usize = 12_000;

/// Keeps every log from being written to until it is finished.
async fn hold_all_logs(app: &TestApp) -> Tx {
    let mut tx = app.app.db.central().begin_write().await.unwrap();
    if app.app.db.engine() == Engine::Postgres {
        let conn = &mut *tx;
        let lock = "LOCK TABLE shared.activity_heads IN ACCESS EXCLUSIVE MODE";
        with_conn!(conn, |c| c.batch_execute(lock).await).unwrap();
    }
    tx
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_broadcasts_at_once_are_taken_or_refused_and_nothing_else() {
    let app = TestApp::start().await;
    let acme = app.organisation("Acme").with_member("mia").create().await;
    let mut socket = app.connect(&acme["mia"]).await;
    let before = app.head(&acme.admin).await;
    let caller = app.as_user(&acme.admin);
    let bulk = "x".repeat(BULK);
    let held = hold_all_logs(&app).await;
    let refusals = std::sync::atomic::AtomicUsize::new(0);
    let calls = join_all((0..BROADCASTS).map(|number| {
        let body = json!({ "message": number.to_string(), "data": { "bulk": bulk } });
        let call = caller.post("/organisations/broadcast").json(&body);
        let refusals = &refusals;
        async move {
            let answer = call.await;
            if answer.status != 201 {
                refusals.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            }
            (number, answer)
        }
    }));
    let release = async {
        at_last("refusals", async || {
            (refusals.load(std::sync::atomic::Ordering::SeqCst) >= 100).then_some(())
        })
        .await;
        let outcome: roomcast::error::Result<()> = held.finish(Ok(())).await;
        outcome.unwrap();
    };
    let (answers, ()) = tokio::join!(calls, release);

    let (mut taken, mut refused) = (BTreeMap::new(), BTreeSet::new());
    for (number, answer) in answers {
        if answer.status == 201 {
            taken.insert(number.to_string(), answer.text);
            continue;
        }
        assert_eq!(answer.header("retry-after"), Some("1"), "{answer:?}");
        // On a machine that has much else to do the log may be held for longer than is waited for it.
        let code = answer.json()["code"].as_str().unwrap().to_owned();
        assert!(answer.status == 503 && ["overloaded", "store_unavailable"].contains(&&*code), "{answer:?}");
        refused.insert(code);
    }
    assert!(refused.contains("overloaded"), "{refused:?}");
    let feed = app.feed_after(&acme.admin, before).await;
    assert_eq!(feed.seqs(), (before + 1..).take(taken.len()).collect::<Vec<_>>());
    for item in &feed.0 {
        let message = item.payload()["message"].as_str().unwrap();
        assert_eq!(taken.remove(message).as_ref(), Some(&item.text));
    }
    let delivered = socket.up_to(app.head(&acme.admin).await).await;
    let delivered: Vec<&str> = delivered.iter().map(|one| one.text.as_str()).collect();
    assert_eq!(delivered, feed.texts());
    // There is room again.
    app.broadcast(&acme.admin, "afterwards").await;
}
