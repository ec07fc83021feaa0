//! More broadcasts at once than the hub holds: those that are too many are told so, and none is lost or
//! doubled.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::future::join_all;
use roomcast::db::Tx;
use serde_json::json;

use crate::harness::environment::{on_postgres, postgres};
use crate::harness::{Client, TestApp, at_last};

/// How many come at once.
const BROADCASTS: usize = 1_000;

/// Bytes of data in each: fewer of large ones are held.
const BULK: usize = 12_000;

/// What keeps every log from being written to, and from nothing else.
enum Held {
    Sqlite(Box<Tx>),
    Postgres(tokio_postgres::Client),
}

impl Held {
    async fn begin(app: &TestApp) -> Self {
        if !on_postgres() {
            return Self::Sqlite(Box::new(app.app.db.central().begin_write().await.unwrap()));
        }
        let client = postgres(&app.database_url()).await;
        client.batch_execute("BEGIN; SELECT 1 FROM shared.activity_heads FOR UPDATE").await.unwrap();
        Self::Postgres(client)
    }

    async fn end(self) {
        match self {
            Self::Sqlite(tx) => {
                let outcome: roomcast::error::Result<()> = tx.finish(Ok(())).await;
                outcome.unwrap();
            }
            Self::Postgres(client) => client.batch_execute("COMMIT").await.unwrap(),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_broadcasts_at_once_are_taken_or_refused_and_nothing_else() {
    let app = TestApp::start().await;
    let acme = app.organisation("Acme").with_member("mia").create().await;
    let mut socket = app.connect(&acme["mia"]).await;
    let before = app.head(&acme.admin).await;
    let caller = Client::patient(app.base.clone()).as_user(&acme.admin);
    let bulk = "x".repeat(BULK);
    let held = Held::begin(&app).await;
    let refusals = AtomicUsize::new(0);
    let calls = join_all((0..BROADCASTS).map(|number| {
        let body = json!({ "message": number.to_string(), "data": { "bulk": bulk } });
        let call = caller.post("/organisations/broadcast").json(&body);
        let refusals = &refusals;
        async move {
            let answer = call.await;
            if answer.status != 201 {
                refusals.fetch_add(1, Ordering::SeqCst);
            }
            (number, answer)
        }
    }));
    let release = async {
        at_last("refusals", async || (refusals.load(Ordering::SeqCst) >= 100).then_some(())).await;
        held.end().await;
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
