//! Peers that read slowly, not at all, or are gone without a word: what the others notice of them.

use std::time::Duration;

use futures_util::future::join_all;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinSet;

use super::{counted, node, resident, sockets};
use crate::harness::environment::report;
use crate::harness::raw::RawSocket;
use crate::harness::{Client, Person, TestDatabase, at_last};

/// Sockets that read as they should.
const READERS: usize = 20;

/// Sockets of each bad kind.
const BAD: usize = 10;

/// Broadcasts of each half, and how far apart they are sent.
const BROADCASTS: u32 = 200;
const INTERVAL: Duration = Duration::from_millis(25);

/// What the hub may hold for all of the bad ones together, in bytes. Were each queued for without a bound, it
/// would be three megabytes a socket.
const MAX_GROWTH: u64 = 24 << 20;

/// 16 KiB of text, so that the kernel's buffers fill.
fn large(number: u32) -> String {
    format!("{number:04}{}", "🐎".repeat(4092))
}

/// A connection that has asked for a socket, and whose kernel takes little of what comes.
async fn upgrade(client: &Client, person: &Person) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    let address = client.base.strip_prefix("http://").unwrap().parse().unwrap();
    let mut stream = socket.connect(address).await.unwrap();
    let request = format!(
        "GET /ws?token={} HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
        person.access_token
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    stream
}

/// Reads a byte a second until there is no more.
async fn read_slowly(mut stream: TcpStream) {
    while let Ok(1..) = stream.read(&mut [0]).await {
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

/// A socket that reads all that comes.
async fn reader(client: &Client, person: &Person) -> RawSocket {
    let (mut socket, _) =
        RawSocket::upgrade(&client.base, &format!("?token={}", person.access_token), "", None).await;
    assert!(socket.next_text().await.contains("\"WELCOME\""));
    socket
}

/// Milliseconds from the moment at which each broadcast was due to be sent until each reader has it, sorted.
async fn latencies(client: &Client, admin: &Person, readers: &mut [RawSocket]) -> Vec<f64> {
    let start = tokio::time::Instant::now();
    let due = |number: u32| start + INTERVAL * number;
    let sending = join_all((0..BROADCASTS).map(async |number| {
        tokio::time::sleep_until(due(number)).await;
        client.broadcast_text(admin, large(number)).await;
    }));
    let receiving = join_all(readers.iter_mut().map(async |socket| {
        let mut latencies = Vec::new();
        while latencies.len() < BROADCASTS as usize {
            let text = socket.next_text().await;
            // The rest need not be parsed to know which it is.
            if let Some((_, message)) = text.split_once("\"message\":\"") {
                let number = message.get(..4).unwrap().parse().unwrap();
                latencies.push(due(number).elapsed().as_secs_f64() * 1000.0);
            }
        }
        latencies
    }));
    let (_, latencies) = tokio::join!(sending, receiving);
    let mut sorted: Vec<f64> = latencies.concat();
    sorted.sort_by(f64::total_cmp);
    sorted
}

fn percentile(sorted: &[f64], percent: usize) -> f64 {
    sorted[(sorted.len() - 1) * percent / 100]
}

#[tokio::test(flavor = "multi_thread")]
async fn who_reads_a_byte_a_second_or_nothing_costs_only_itself() {
    let database = TestDatabase::create().await;
    let (hub, client) = node(&database, &[("SLOW_SOCKET_SECONDS", "2")]).await;
    let acme = client.organisation("Acme").with_member("mia").create().await;
    let mut readers = join_all((0..READERS).map(|_| reader(&client, &acme.admin))).await;
    let without = latencies(&client, &acme.admin, &mut readers).await;
    let before = resident(&hub);

    let mut slow = JoinSet::new();
    let mut deaf = Vec::new();
    for _ in 0..BAD {
        slow.spawn(read_slowly(upgrade(&client, &acme["mia"]).await));
        deaf.push(upgrade(&client, &acme["mia"]).await);
    }
    at_last("all sockets", async || (sockets(&client).await == (READERS + 2 * BAD) as u64).then_some(()))
        .await;
    let with = latencies(&client, &acme.admin, &mut readers).await;
    let growth = resident(&hub).saturating_sub(before);

    let closed = r#"roomcast_sockets_closed_total{code="4408"}"#;
    at_last("4408 for all of the bad ones", async || {
        (counted(&client, closed).await == 2 * BAD as u64).then_some(())
    })
    .await;
    at_last("their end", async || (sockets(&client).await == READERS as u64).then_some(())).await;
    assert!(growth < MAX_GROWTH, "{growth} bytes more");
    report(&format!(
        "delivery of 16 KiB to {READERS} readers: p50 {:.1} ms, p99 {:.1} ms; beside {BAD} peers that read a byte a \
         second and {BAD} that read nothing: p50 {:.1} ms, p99 {:.1} ms, {} KiB more memory",
        percentile(&without, 50),
        percentile(&without, 99),
        percentile(&with, 50),
        percentile(&with, 99),
        growth / 1024,
    ));
    drop((readers, deaf));
    slow.shutdown().await;
    hub.stop().await;
}
