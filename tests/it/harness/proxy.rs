//! A proxy between a server and what it relies on, which spoils the connection as a network would.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// Who is to be deaf says so early.
const SAID: usize = 1 << 16;

/// What becomes of what is sent through it, on connections that are open as on new ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// It arrives.
    Pass,
    /// It arrives so much later.
    Delay(Duration),
    /// Nothing arrives, either way, and nobody is told. It arrives late when the mode is another again.
    Blackhole,
    /// Nothing arrives that the server sends on connections on which this was said to it: they look healthy.
    DeafAfter(&'static str),
    /// Open connections are closed, and new ones as soon as they are made.
    Refuse,
}

/// Passes bytes on between whoever connects to [`Proxy::addr`] and the server behind it.
pub(crate) struct Proxy {
    addr: SocketAddr,
    mode: watch::Sender<Mode>,
    /// Counts the cuts: a connection ends when it sees another number than at its start.
    cuts: watch::Sender<u64>,
    _accepting: JoinSet<()>,
}

/// What a connection goes by.
#[derive(Clone)]
struct Rules {
    mode: watch::Receiver<Mode>,
    cuts: watch::Receiver<u64>,
    /// What the client has said first, as far as [`SAID`] goes.
    said: Arc<Mutex<Vec<u8>>>,
}

impl Proxy {
    /// A proxy before this server (`host:port`), which need not be up yet.
    pub(crate) fn to(server: &str) -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let addr = listener.local_addr().unwrap();
        let listener = TcpListener::from_std(listener).unwrap();
        let (mode, cuts) = (watch::Sender::new(Mode::Pass), watch::Sender::new(0));
        let rules = (mode.subscribe(), cuts.subscribe());
        let mut accepting = JoinSet::new();
        accepting.spawn(accept(listener, server.to_string(), rules));
        Self { addr, mode, cuts, _accepting: accepting }
    }

    /// Where to connect in the place of the server.
    pub(crate) fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// From now on.
    pub(crate) fn set(&self, mode: Mode) {
        self.mode.send_replace(mode);
        if mode == Mode::Refuse {
            self.cut();
        }
    }

    /// Closes every connection that is open.
    pub(crate) fn cut(&self) {
        self.cuts.send_modify(|cuts| *cuts += 1);
    }
}

async fn accept(
    listener: TcpListener,
    server: String,
    (mode, cuts): (watch::Receiver<Mode>, watch::Receiver<u64>),
) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let Ok((client, _)) = accepted else { continue };
                let said = Arc::default();
                let mut rules = Rules { mode: mode.clone(), cuts: cuts.clone(), said };
                rules.cuts.mark_unchanged();
                if *mode.borrow() != Mode::Refuse {
                    connections.spawn(serve(client, server.clone(), rules));
                }
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

/// Returns, and so closes both sides, when one of them ends or the connection is cut.
async fn serve(client: TcpStream, server: String, rules: Rules) {
    let mut cuts = rules.cuts.clone();
    let passing = async {
        let server = TcpStream::connect(server).await.ok()?;
        client.set_nodelay(true).ok()?;
        server.set_nodelay(true).ok()?;
        let ((from_client, to_client), (from_server, to_server)) = (client.into_split(), server.into_split());
        tokio::select! {
            end = pass(from_client, to_server, rules.clone(), true) => end,
            end = pass(from_server, to_client, rules, false) => end,
        }
    };
    tokio::select! {
        _ = passing => {}
        _ = cuts.changed() => {}
    }
}

/// Returns when there is nothing more to pass on.
async fn pass(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut rules: Rules,
    of_client: bool,
) -> Option<()> {
    let mut buffer = vec![0; 1 << 16];
    loop {
        // Read only what may pass: a network that loses everything fills the sender's buffers in the end.
        rules.allowed(of_client).await?;
        let length = from.read(&mut buffer).await.ok().filter(|length| *length > 0)?;
        let bytes = buffer.get(..length)?;
        if of_client {
            let mut said = rules.said.lock();
            let room = SAID.saturating_sub(said.len()).min(bytes.len());
            said.extend_from_slice(bytes.get(..room)?);
        }
        rules.allowed(of_client).await?;
        let delay = match *rules.mode.borrow() {
            Mode::Delay(delay) => delay,
            Mode::Pass | Mode::Blackhole | Mode::DeafAfter(_) | Mode::Refuse => Duration::ZERO,
        };
        tokio::time::sleep(delay).await;
        to.write_all(bytes).await.ok()?;
    }
}

impl Rules {
    /// Waits until what comes from this side may pass.
    async fn allowed(&mut self, of_client: bool) -> Option<()> {
        let said = Arc::clone(&self.said);
        let passes = |mode: &Mode| match mode {
            Mode::Pass | Mode::Delay(_) | Mode::Refuse => true,
            Mode::Blackhole => false,
            Mode::DeafAfter(word) => of_client || !contains(&said.lock(), word.as_bytes()),
        };
        self.mode.wait_for(passes).await.ok().map(|_| ())
    }
}

fn contains(said: &[u8], word: &[u8]) -> bool {
    said.windows(word.len()).any(|window| window == word)
}
