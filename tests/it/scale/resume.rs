//! Thousands of clients lose their node at once, and another takes them on.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use tokio::sync::Semaphore;

use super::{counted, node, sockets};
use crate::harness::environment::{not_run, on_postgres, report};
use crate::harness::raw::{RawSocket, opcode};
use crate::harness::{Client, Person, TestDatabase, at_last};

/// Clients of one organisation.
const CLIENTS: usize = 5000;

/// What each of them misses: several blocks of the log.
const MISSED: usize = 300;

/// What reading all of it again may cost the database.
const MAX_READS: u64 = 20;

/// Handshakes that this test has under way. The server takes more: this keeps our own waits short.
const AT_ONCE: usize = 500;

/// Opens a socket that resumes after `seq`, or starts at the head.
async fn open(client: &Client, person: &Person, seq: Option<i64>, gate: &Semaphore) -> RawSocket {
    let after = seq.map_or_else(String::new, |seq| format!("&after={seq}"));
    let query = format!("?token={}{after}", person.access_token);
    let _turn = gate.acquire().await.unwrap();
    let (mut socket, _) = RawSocket::upgrade(&client.base, &query, "", None).await;
    let welcome = socket.next_text().await;
    assert!(welcome.contains("\"WELCOME\""), "{welcome}");
    assert!(welcome.contains(&format!("\"resumed\":{}", seq.is_some())), "{welcome}");
    socket
}

/// Takes what follows `start` up to `head`, of which nothing may be missing, doubled or out of order.
async fn expect_all(socket: &mut RawSocket, start: i64, head: i64) {
    let mut expected = start + 1;
    while expected <= head {
        let (code, payload) = socket.next().await.expect("the socket stays open");
        if code == opcode::PING {
            continue;
        }
        assert_eq!(code, opcode::TEXT);
        // Parsing more than a million frames as JSON would take longer than all else.
        let text = std::str::from_utf8(&payload).unwrap();
        if !text.starts_with(r#"{"type":"PONG""#) {
            assert!(text.contains(&format!("\"seq\":{expected},")), "{expected} is next, not {text}");
            expected += 1;
        }
    }
}

/// Reads of the database that are not a sweep's: those come with time, and not with clients.
async fn reads(client: &Client) -> u64 {
    let all = counted(client, r#"roomcast_database_transactions_total{mode="read"}"#).await;
    all - counted(client, "roomcast_sweep_reads_total").await
}

#[tokio::test(flavor = "multi_thread")]
async fn five_thousand_that_lose_their_node_are_complete_again_after_a_few_reads() {
    if !on_postgres() {
        not_run("a SQLite folder takes one node");
        return;
    }
    let database = TestDatabase::create().await;
    let (doomed, first) = node(&database, &[]).await;
    let acme = first.organisation("Acme").with_member("mia").create().await;
    let gate = Semaphore::new(AT_ONCE);
    let opened = (0..CLIENTS).map(|_| open(&first, &acme["mia"], None, &gate));
    let old = join_all(opened).await;
    let start = first.broadcast(&acme.admin, "the last one that all have").await.seq();

    doomed.kill().await;
    drop(old);
    let (publishing, second) = node(&database, &[]).await;
    let sends = (0..MISSED).map(|number| second.broadcast_text(&acme.admin, number.to_string()));
    let head = join_all(sends).await.iter().map(crate::harness::Item::seq).max().unwrap();
    assert_eq!(head, start + i64::try_from(MISSED).unwrap());

    // A node that knows nothing of the organisation yet.
    let (fresh, third) = node(&database, &[]).await;
    let before = reads(&third).await;
    let began = Instant::now();
    let resumed = join_all((0..CLIENTS).map(|_| async {
        let mut socket = open(&third, &acme["mia"], Some(start), &gate).await;
        expect_all(&mut socket, start, head).await;
        socket
    }))
    .await;
    let took = began.elapsed();
    assert_eq!(sockets(&third).await, CLIENTS as u64);
    let spent = reads(&third).await - before;
    assert!((1..=MAX_READS).contains(&spent), "{spent} reads");

    // They are live again, too.
    let last = second.broadcast(&acme.admin, "live").await.seq();
    for mut socket in resumed {
        expect_all(&mut socket, last - 1, last).await;
    }
    report(&format!(
        "{CLIENTS} clients that missed {MISSED} activities each were complete again on another node after {spent} \
         reads of the database, in {:.1} s",
        took.as_secs_f64(),
    ));
    at_last("the end of the sockets", async || (sockets(&third).await == 0).then_some(())).await;
    tokio::time::timeout(Duration::from_secs(30), async {
        publishing.stop().await;
        fresh.stop().await;
    })
    .await
    .unwrap();
}
