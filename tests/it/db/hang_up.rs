//! A client that hangs up in the middle of its request leaves no transaction open.

use futures_util::future::join_all;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use crate::harness::environment::{on_postgres, postgres};
use crate::harness::{Ground, PASSWORD, Person, TestApp, eventually, within};

/// Sends a broadcast and hangs up at once, or a little later.
async fn send_and_hang_up(app: &TestApp, person: &Person, number: usize) {
    let body = format!("{{\"message\":\"{number}\"}}");
    let request = format!(
        "POST /api/v1/organisations/broadcast HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        person.access_token,
        body.len()
    );
    let mut stream = TcpStream::connect(app.base.strip_prefix("http://").unwrap()).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    for _ in 0..number * 3 {
        tokio::task::yield_now().await;
    }
    drop(stream);
}

#[tokio::test(flavor = "multi_thread")]
async fn leaves_no_transaction_open_and_no_hole_in_the_log() {
    let ground = Ground::create().await;
    let app = ground.start().await;
    let ana = app.register("Acme", "Ana", "ana@example.com", PASSWORD).await;
    for round in 0..5 {
        join_all((0..20).map(|number| send_and_hang_up(&app, &ana, number + round))).await;
    }
    // The next writer has its turn: nobody holds the log's head.
    let after = within("a broadcast", app.broadcast(&ana, "after")).await;
    let renamed = app.as_user(&ana).patch("/organisations").json(&serde_json::json!({ "name": "Acme 2" }));
    renamed.await.expect_status(200);
    let feed = app.feed(&ana).await;
    let last = *feed.seqs().last().unwrap();
    assert!(last > after.seq());
    assert_eq!(feed.seqs(), (1..=last).collect::<Vec<_>>());
    if on_postgres() {
        let client = postgres(&ground.database.url_text()).await;
        eventually("the end of every transaction", async || {
            let query = "SELECT count(*) FROM pg_stat_activity
                WHERE datname = current_database() AND state LIKE 'idle in transaction%'";
            (client.query_one(query, &[]).await.unwrap().get::<_, i64>(0) == 0).then_some(())
        })
        .await;
    }
}
