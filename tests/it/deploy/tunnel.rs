//! A way into TLS for clients that speak none, from an address of one's choice.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsConnector;

use crate::harness::Client;

/// Wraps what it is sent into TLS and passes it on. Connections end with it.
pub(super) struct Tunnel {
    /// Callers whose requests go through it.
    pub(super) client: Client,
    _accepting: JoinSet<()>,
}

/// Where it leads.
#[derive(Clone)]
struct End {
    source: Ipv4Addr,
    target: SocketAddr,
    name: ServerName<'static>,
    tls: TlsConnector,
}

impl Tunnel {
    /// To `target`, which has to show this certificate for this name, from this address of the machine.
    pub(super) async fn open(
        source: Ipv4Addr,
        target: SocketAddr,
        name: &str,
        certificate: CertificateDer<'static>,
    ) -> Self {
        let mut roots = RootCertStore::empty();
        roots.add(certificate).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls =
            ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let tls = tls.with_root_certificates(roots).with_no_client_auth();
        let name = ServerName::try_from(name.to_owned()).unwrap();
        let end = End { source, target, name, tls: TlsConnector::from(Arc::new(tls)) };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = Client::of(format!("http://{}", listener.local_addr().unwrap()));
        let mut accepting = JoinSet::new();
        accepting.spawn(accept(listener, end));
        Self { client, _accepting: accepting }
    }
}

async fn accept(listener: TcpListener, end: End) {
    let mut passing = JoinSet::new();
    while let Ok((client, _)) = listener.accept().await {
        passing.spawn(pass(client, end.clone()));
    }
}

/// Closes both sides when one of them ends.
async fn pass(mut client: TcpStream, end: End) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind((end.source, 0).into()).unwrap();
    let server = socket.connect(end.target).await.expect("the proxy listens");
    let mut server = end.tls.connect(end.name, server).await.expect("the proxy speaks TLS");
    // Whoever hangs up, the other side notices by its own end of the connection.
    drop(copy_bidirectional(&mut client, &mut server).await);
}
