//! What a delivery allocates. A test binary of its own, because the allocator that counts is the process's.
//!
//! Everything in the process is counted, so two rooms are compared that differ in their sockets alone: what a publish,
//! the sweep or this test itself allocates is in both.
#![expect(clippy::unwrap_used, reason = "what a test does not expect should fail it, wherever it happens")]

use std::alloc::System;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use clap::Parser as _;
use roomcast::activity::{Activity, Origin};
use roomcast::app::App;
use roomcast::config::Config;
use roomcast::types::{Audience, Clock, OrgId};
use serde_json::{Value, json};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Sockets of the room at first, and when more have come.
const FEW: usize = 50;
const MANY: usize = 350;

/// Publishes into each room. The least that one of them allocated counts: the others met something that runs beside
/// them, such as a sweep.
const ROUNDS: usize = 30;

/// Allocations a delivery: none, but for what is shared by a stretch of them.
const MOST: f64 = 0.05;

/// What is published. The frames of the protocol are told from it by that.
const MARK: &[u8] = b"what everybody is told";

#[derive(clap::Parser)]
struct Settings {
    #[command(flatten)]
    config: Config,
}

/// An answer's JSON body.
fn post(address: SocketAddr, path: &str, body: &Value) -> Value {
    let mut stream = TcpStream::connect(address).unwrap();
    let body = body.to_string();
    let head = format!("POST {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n");
    let kind = format!("Content-Type: application/json\r\nContent-Length: {}\r\n\r\n", body.len());
    stream.write_all((head + &kind + &body).as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 201 "), "{answer}");
    serde_json::from_str(body).unwrap()
}

/// One whole frame's payload; read as it comes and where it lies, as nothing here may allocate.
fn next_payload<'a>(stream: &mut TcpStream, buffer: &'a mut [u8; 4096]) -> &'a [u8] {
    let mut head = [0; 2];
    stream.read_exact(&mut head).unwrap();
    let length = match head[1] {
        126 => {
            let mut length = [0; 2];
            stream.read_exact(&mut length).unwrap();
            usize::from(u16::from_be_bytes(length))
        }
        short => usize::from(short),
    };
    let payload = buffer.get_mut(..length).unwrap();
    stream.read_exact(payload).unwrap();
    payload
}

/// Reads until a frame says this.
fn read_until(stream: &mut TcpStream, text: &[u8]) {
    let mut buffer = [0; 4096];
    while !next_payload(stream, &mut buffer).windows(text.len()).any(|window| window == text) {}
}

fn open_socket(address: SocketAddr, token: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let request = format!(
        "GET /ws?token={token} HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        head.extend(byte);
    }
    assert!(head.starts_with(b"HTTP/1.1 101 "), "{}", String::from_utf8_lossy(&head));
    read_until(&mut stream, b"WELCOME");
    stream
}

/// The least number of allocations of a publish into the room, until everybody has it.
async fn allocations(app: &App, org: OrgId, sockets: &mut [TcpStream]) -> usize {
    let mut least = usize::MAX;
    for _ in 0..ROUNDS {
        let origin = Origin { org, actor: None, ip: None, user_agent: None, at: app.clock.now() };
        let message = format!("{} {}", String::from_utf8_lossy(MARK), "x".repeat(180));
        let activity = Activity::BroadcastMessage {
            message: message.try_into().unwrap(),
            data: None,
            audience: Audience::Everyone,
        };
        let region = Region::new(ALLOCATOR);
        app.writer.append(origin, activity).await.unwrap();
        for socket in &mut *sockets {
            read_until(socket, MARK);
        }
        let change = region.change();
        least = least.min(change.allocations + change.reallocations);
    }
    least
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_delivery_allocates_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = Settings::parse_from(["roomcast"]).config;
    config.server.host = [127, 0, 0, 1].into();
    config.server.port = 0;
    config.server.drain_seconds = Duration::ZERO;
    config.database.database_url =
        Some(format!("sqlite:{}", folder.path().join("roomcast.db").display()).parse().unwrap());
    folder.path().clone_into(&mut config.database.data_dir);
    config.auth.jwt_access_secret = Some("a key for tests that signs nothing of worth".parse().unwrap());
    config.limits.rate_limit_per_minute = 0;
    config.limits.handshakes_per_minute = 0;
    config.limits.max_sockets_per_user = 0;
    let running = App::start(config, Clock::default()).await.unwrap();
    let session = post(
        running.addr,
        "/api/v1/auth/register",
        &json!({
            "organisationName": "Acme",
            "name": "Ada",
            "email": "ada@example.com",
            "password": "a password for tests",
        }),
    );
    let org = session["organisation"]["id"].as_str().unwrap().parse().unwrap();
    let token = session["accessToken"].as_str().unwrap();
    let open = || open_socket(running.addr, token);

    let mut sockets: Vec<TcpStream> = std::iter::repeat_with(open).take(FEW).collect();
    let few = allocations(&running.app, org, &mut sockets).await;
    sockets.extend(std::iter::repeat_with(open).take(MANY - FEW));
    let many = allocations(&running.app, org, &mut sockets).await;
    drop(sockets);
    running.stop().await;

    let count = |value: usize| f64::from(u32::try_from(value).unwrap());
    let each = (count(many) - count(few)) / count(MANY - FEW);
    assert!(each <= MOST, "{each:.3} allocations a delivery ({few} for {FEW} sockets, {many} for {MANY})");
}
