//! Another server: it knows rooms by path, and sends what it is told.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use sha1::{Digest as _, Sha1};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::broadcast;
use tokio::task::JoinSet;

use super::load;

type Rooms = Arc<Mutex<HashMap<String, broadcast::Sender<Vec<u8>>>>>;

/// A server for as long as this lives.
struct Server {
    address: String,
    _tasks: JoinSet<()>,
}

impl Server {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let (rooms, mut tasks) = (Rooms::default(), JoinSet::new());
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                connections.spawn(serve(stream, Arc::clone(&rooms)));
            }
        });
        Self { address, _tasks: tasks }
    }
}

fn say(rooms: &Rooms, room: &str, text: &[u8]) {
    if let Some(room) = rooms.lock().unwrap().get(room) {
        drop(room.send(text.to_vec()));
    }
}

async fn serve(mut stream: TcpStream, rooms: Rooms) {
    let mut bytes = Vec::new();
    loop {
        let mut piece = [0; 4096];
        let Ok(count @ 1..) = stream.read(&mut piece).await else { return };
        bytes.extend_from_slice(&piece[..count]);
        while let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
            let field = |name: &str| {
                let line = head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
                line.unwrap_or_default().to_owned()
            };
            let path = head.split(' ').nth(1).unwrap().to_owned();
            if head.starts_with("POST") {
                let length: usize = field("Content-Length").parse().unwrap();
                if bytes.len() < end + 4 + length {
                    break;
                }
                say(&rooms, path.strip_prefix("/say/").unwrap(), &bytes[end + 4..end + 4 + length]);
                bytes.drain(..end + 4 + length);
                let answer = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n";
                stream.write_all(answer).await.unwrap();
                continue;
            }
            let key = format!("{}258EAFA5-E914-47DA-95CA-C5AB0DC85B11", field("Sec-WebSocket-Key"));
            let accept = base64::engine::general_purpose::STANDARD.encode(Sha1::digest(key));
            let answer = format!(
                "HTTP/1.1 101 Switching\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n\r\n"
            );
            let listening = path.strip_prefix("/hear/").map(|room| {
                rooms
                    .lock()
                    .unwrap()
                    .entry(room.to_owned())
                    .or_insert_with(|| broadcast::channel(1024).0)
                    .subscribe()
            });
            stream.write_all(answer.as_bytes()).await.unwrap();
            let rest = bytes.split_off(end + 4);
            return match listening {
                Some(listening) => fan_out(stream, listening).await,
                None => publishers(stream, rest, rooms).await,
            };
        }
    }
}

async fn fan_out(mut stream: TcpStream, mut listening: broadcast::Receiver<Vec<u8>>) {
    while let Ok(text) = listening.recv().await {
        let length = u16::try_from(text.len()).unwrap().to_be_bytes();
        if stream.write_all(&[&[0x81, 126], &length[..], &text].concat()).await.is_err() {
            return;
        }
    }
}

/// Takes frames `ROOM TEXT`, whose mask is nothing.
async fn publishers(mut stream: TcpStream, mut bytes: Vec<u8>, rooms: Rooms) {
    assert!(bytes.is_empty(), "nothing may be sent before the upgrade is answered");
    loop {
        while bytes.len() >= 8 {
            let length = usize::from(u16::from_be_bytes([bytes[2], bytes[3]]));
            let Some(payload) = bytes.get(8..8 + length) else { break };
            let space = payload.iter().position(|byte| *byte == b' ').unwrap();
            say(&rooms, std::str::from_utf8(&payload[..space]).unwrap(), &payload[space + 1..]);
            bytes.drain(..8 + length);
        }
        let mut piece = [0; 4096];
        let Ok(count @ 1..) = stream.read(&mut piece).await else { return };
        bytes.extend_from_slice(&piece[..count]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_are_posted_to_another_server() {
    let server = Server::start().await;
    let (hear, say) =
        (format!("ws://{}/hear/{{room}}", server.address), format!("http://{}/say/{{room}}", server.address));
    let arguments = [
        "rooms",
        "--adapter",
        "plain",
        "--url",
        &hear,
        "--publish-url",
        &say,
        "--rooms",
        "3",
        "--sockets",
        "6",
        "--rate",
        "60",
        "--duration",
        "1s",
    ];
    let ran = load(&arguments, &[]).await.expect_passed();
    assert_eq!((ran.count("/verdict/received"), ran.count("/latencies/delivery/count")), (120, 120));
    assert_eq!(ran.report["server"]["kind"], "plain");
    let closed = [&arguments[..11], &["--closed", "--duration", "1s"]].concat();
    let ran = load(&closed, &[]).await.expect_passed();
    assert_eq!(ran.count("/verdict/received"), ran.count("/latencies/publish/count") * 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_are_said_over_a_socket() {
    let server = Server::start().await;
    let (hear, say) =
        (format!("ws://{}/hear/{{room}}", server.address), format!("ws://{}/say", server.address));
    let arguments = [
        "room",
        "--adapter",
        "plain",
        "--url",
        &hear,
        "--publish-url",
        &say,
        "--publish-message",
        "{room} {text}",
        "--sockets",
        "5",
        "--callers",
        "3",
        "--duration",
        "1s",
    ];
    let open = [&arguments[..], &["--rate", "60"]].concat();
    assert_eq!(load(&open, &[]).await.expect_passed().count("/verdict/received"), 300);
    // What is said there is answered by all who hear it.
    let closed = [&arguments[..], &["--closed"]].concat();
    let ran = load(&closed, &[]).await.expect_passed();
    let said = ran.count("/latencies/publish/count");
    assert!(said > 3, "{said}");
    assert!(ran.count("/verdict/received") >= said * 5);
}
