//! Between a hub and its clients: passes on what they say, and breaks the promises of the hub.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// What becomes of the third activity of each socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Break {
    Nothing,
    Drop,
    Double,
    /// It comes after the fourth.
    Swap,
    /// It is another room's.
    Foreign,
    /// It and all that follow.
    Stop,
}

const THIRD: u32 = 3;

/// A proxy before a hub, for as long as this lives.
pub(super) struct Proxy {
    pub(super) url: String,
    _tasks: JoinSet<()>,
}

impl Proxy {
    pub(super) async fn before(hub: &str, how: Break) -> Self {
        let hub = hub.strip_prefix("http://").unwrap().to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                let (client, _) = listener.accept().await.unwrap();
                let (from_client, to_client) = client.into_split();
                let (from_hub, to_hub) = TcpStream::connect(&hub).await.unwrap().into_split();
                connections.spawn(copy(from_client, to_hub));
                connections.spawn(tamper(from_hub, to_client, how));
            }
        });
        Self { url, _tasks: tasks }
    }
}

async fn copy(mut from: OwnedReadHalf, mut to: OwnedWriteHalf) {
    drop(tokio::io::copy(&mut from, &mut to).await);
}

async fn tamper(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, how: Break) {
    let (mut bytes, mut sockets) = (Vec::new(), None);
    let mut held = Vec::new();
    loop {
        let mut piece = [0; 4096];
        let Ok(count @ 1..) = from.read(&mut piece).await else { return };
        bytes.extend_from_slice(&piece[..count]);
        let mut out = Vec::new();
        if sockets.is_none() {
            if !bytes.starts_with(b"HTTP/1.1 101") {
                out.append(&mut bytes);
            } else if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
                out.extend(bytes.drain(..end + 4));
                sockets = Some(0);
            }
        }
        while let Some(activities) = sockets.as_mut().filter(|_| !bytes.is_empty()) {
            let Some(length) = frame_length(&bytes) else { break };
            let frame: Vec<u8> = bytes.drain(..length).collect();
            let kind = b"BROADCAST_MESSAGE";
            if frame.windows(kind.len()).any(|window| window == kind) {
                *activities += 1;
            } else {
                out.extend(frame);
                continue;
            }
            match how {
                Break::Drop if *activities == THIRD => {}
                Break::Double if *activities == THIRD => out.extend([frame.as_slice(), &frame].concat()),
                Break::Swap if *activities == THIRD => held = frame,
                Break::Foreign if *activities == THIRD => out.extend(foreign(frame)),
                Break::Stop if *activities >= THIRD => {}
                _ => {
                    out.extend(frame);
                    out.append(&mut held);
                }
            }
        }
        if to.write_all(&out).await.is_err() {
            return;
        }
    }
}

/// The length of the first frame, if it is whole. A hub's are unmasked.
fn frame_length(bytes: &[u8]) -> Option<usize> {
    let (header, length) = match *bytes.get(1)? {
        126 => (4, usize::from(u16::from_be_bytes(bytes.get(2..4)?.try_into().unwrap()))),
        127 => panic!("nothing here is that long"),
        short => (2, usize::from(short)),
    };
    (bytes.len() >= header + length).then_some(header + length)
}

/// The frame as if it had been sent to another room: that stands after `~` and the eight digits of the run.
fn foreign(mut frame: Vec<u8>) -> Vec<u8> {
    let field = br#""message":"~"#;
    let mark = frame.windows(field.len()).position(|window| window == field).unwrap() + field.len() - 1;
    frame[mark + 9] = b'f';
    frame
}
