//! A client that hangs up in the middle of its request leaves no transaction open.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use crate::crashes::Dice;
use crate::harness::environment::{on_postgres, postgres};
use crate::harness::organisation::fresh_email;
use crate::harness::{Ground, PASSWORD, Person, TestApp, at_last, eventually, within};

/// How many hang up, and how many of them at the same time.
const REQUESTS: usize = 200;
const AT_ONCE: usize = 20;

/// A request of each kind of write: through the group commit, through transactions, on the directory.
fn request(person: &Person, number: usize) -> (&'static str, &'static str, Value) {
    let login = json!({ "email": person.email, "password": person.password });
    match number % 20 {
        // Few, since each takes its time to hash.
        0 => ("POST", "/auth/login", login),
        1..=6 => ("POST", "/users/invite", json!({ "email": fresh_email("guest") })),
        7..=12 => ("PATCH", "/organisations", json!({ "name": format!("Acme {number}") })),
        _ => ("POST", "/organisations/broadcast", json!({ "message": number.to_string() })),
    }
}

/// Sends a request, or most of it, and hangs up at once or a moment later.
async fn send_and_hang_up(app: &TestApp, person: &Person, number: usize, mut dice: Dice) {
    let (method, path, body) = request(person, number);
    let body = body.to_string();
    let mut request = format!(
        "{method} /api/v1{path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        person.access_token,
        body.len()
    );
    if dice.below(8) == 0 {
        request.pop();
    }
    let mut stream = TcpStream::connect(app.base.strip_prefix("http://").unwrap()).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    // A sign-in takes longer, for its hash.
    let longest = if path == "/auth/login" { 150_000 } else { 15_000 };
    tokio::time::sleep(Duration::from_micros(dice.below(longest))).await;
    drop(stream);
}

/// Waits until PostgreSQL sees no transaction of ours that waits for somebody who has gone.
async fn expect_no_open_transaction(ground: &Ground) {
    let client = postgres(&ground.database.url_text()).await;
    eventually("the end of every transaction", async || {
        let query = "SELECT count(*) FROM pg_stat_activity
            WHERE datname = current_database() AND state LIKE 'idle in transaction%'";
        (client.query_one(query, &[]).await.unwrap().get::<_, i64>(0) == 0).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn leaves_no_transaction_open_and_no_hole_in_the_log() {
    let mut dice = Dice::of("hang up");
    let ground = Ground::create().await;
    let app = ground.start().await;
    let ana = app.register("Acme", "Ana", "ana@example.com", PASSWORD).await;
    let tasks = app.app.tasks.len();
    for start in (0..REQUESTS).step_by(AT_ONCE) {
        let sends = (start..start + AT_ONCE).map(|number| {
            let dice = Dice::new(dice.below(u64::MAX));
            send_and_hang_up(&app, &ana, number, dice)
        });
        join_all(sends).await;
    }
    // What was begun is finished, whoever waits for it.
    at_last("the end of what was asked for", async || (app.app.tasks.len() <= tasks).then_some(())).await;
    if on_postgres() {
        expect_no_open_transaction(&ground).await;
    }
    // The next writers have their turn: nobody holds a head, a row or SQLite's only writer.
    let after = within("a broadcast", app.broadcast(&ana, "after")).await;
    let renamed = app.as_user(&ana).patch("/organisations").json(&json!({ "name": "Afterwards" }));
    within("a rename", renamed.into_future()).await.expect_status(200);
    within("an invite", app.invite(&ana, &fresh_email("late"), "MEMBER")).await;
    within("a sign-in", app.sign_in(&ana)).await;
    let feed = app.feed(&ana).await;
    let last = *feed.seqs().last().unwrap();
    assert!(last > after.seq());
    assert_eq!(feed.seqs(), (1..=last).collect::<Vec<_>>());
    // An invite is there with its activity, or not at all.
    let rows = app.as_user(&ana).get("/users/invites?limit=200").await.items();
    let mut rows: Vec<&str> = rows.iter().map(|row| row["id"].as_str().unwrap()).collect();
    let entries = feed.of_type("USER_INVITED");
    let mut entries: Vec<&str> =
        entries.iter().map(|item| item.payload()["inviteId"].as_str().unwrap()).collect();
    rows.sort_unstable();
    entries.sort_unstable();
    assert_eq!(rows, entries);
}
