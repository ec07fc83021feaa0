//! A proxy in front of PostgreSQL that breaks connections at their worst moment.

use std::net::SocketAddr;
use std::sync::Arc;

use parking_lot::Mutex;
use roomcast::db::DatabaseUrl;
use tokio::io::{self, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_postgres::config::Host;

/// When a connection is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cut {
    /// The server never hears of the COMMIT.
    BeforeCommit,
    /// The server has committed, and its answer is lost.
    AfterCommit,
    /// As `AfterCommit`, and from then on nobody is let in.
    AfterCommitForGood,
}

/// Passes on what it is sent, unencrypted, until it is told to cut.
pub(super) struct Proxy {
    url: String,
    state: Arc<Mutex<State>>,
    _accepting: JoinSet<()>,
}

#[derive(Default)]
struct State {
    armed: Option<Cut>,
    is_shut: bool,
}

impl Proxy {
    pub(super) async fn before(database: &str) -> Self {
        let config: tokio_postgres::Config = database.parse().unwrap();
        let (Some(Host::Tcp(host)), Some(port)) = (config.get_hosts().first(), config.get_ports().first())
        else {
            panic!("ROOMCAST_TEST_POSTGRES_URL names a host and a port");
        };
        let server = (host.clone(), *port);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(Mutex::new(State::default()));
        let mut accepting = JoinSet::new();
        accepting.spawn(accept(listener, server, Arc::clone(&state)));
        Self { url: through(database, address), state, _accepting: accepting }
    }

    pub(super) fn url(&self) -> DatabaseUrl {
        DatabaseUrl::Postgres(self.url.clone())
    }

    /// Cuts the connection on which the next COMMIT comes.
    pub(super) fn cut_next(&self, cut: Cut) {
        self.state.lock().armed = Some(cut);
    }

    /// Whether that has happened.
    pub(super) fn has_cut(&self) -> bool {
        self.state.lock().armed.is_none()
    }
}

/// The same database at another address. Commands can be read only where they are not encrypted.
fn through(database: &str, address: SocketAddr) -> String {
    let base = database.split('?').next().unwrap();
    let (credentials, rest) = base.rsplit_once('@').unwrap();
    let (_, name) = rest.split_once('/').unwrap();
    format!("{credentials}@{address}/{name}?sslmode=disable")
}

async fn accept(listener: TcpListener, server: (String, u16), state: Arc<Mutex<State>>) {
    let mut passing = JoinSet::new();
    while let Ok((client, _)) = listener.accept().await {
        if !state.lock().is_shut {
            let server = TcpStream::connect((server.0.as_str(), server.1)).await.unwrap();
            passing.spawn(pass(client, server, Arc::clone(&state)));
        }
    }
}

/// Returns, and so closes both sides, when one of them ends or the connection is to be cut.
async fn pass(mut client: TcpStream, mut server: TcpStream, state: Arc<Mutex<State>>) -> Option<()> {
    let (mut from_client, mut from_server) = (vec![0; 1 << 16], vec![0; 1 << 16]);
    loop {
        tokio::select! {
            read = client.read(&mut from_client) => {
                let sent = from_client.get(..some(read)?)?;
                // A message of its own: `Q`, its length, the text.
                let cut = if sent.ends_with(b"COMMIT\0") { state.lock().armed.take() } else { None };
                if cut == Some(Cut::BeforeCommit) {
                    return None;
                }
                server.write_all(sent).await.ok()?;
                if let Some(cut) = cut {
                    state.lock().is_shut = cut == Cut::AfterCommitForGood;
                    // What was sent before it is answered first. `Z`, a length, and that no transaction is open.
                    loop {
                        let length = some(server.read(&mut from_server).await)?;
                        if from_server.get(..length)?.ends_with(b"Z\0\0\0\x05I") {
                            return None;
                        }
                    }
                }
            }
            read = server.read(&mut from_server) => {
                client.write_all(from_server.get(..some(read)?)?).await.ok()?;
            }
        }
    }
}

fn some(read: io::Result<usize>) -> Option<usize> {
    read.ok().filter(|length| *length > 0)
}
