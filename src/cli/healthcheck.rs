//! `roomcast healthcheck`: is the hub with these settings up? For containers, which have no `curl`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use axum::http::{Request, StatusCode, header};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::config::ServerConfig;

/// How long the hub may take to answer. It looks nowhere to do so.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Succeeds where the hub answers.
pub(super) async fn run(config: &ServerConfig) -> anyhow::Result<()> {
    if config.port == 0 {
        bail!("PORT is 0, which is another port at each start: there is none to ask at");
    }
    let address = SocketAddr::new(reachable(config.host), config.port);
    let asked = tokio::time::timeout(TIMEOUT, ask(address, config.tls_cert.is_some())).await;
    let status = asked
        .with_context(|| format!("nobody answers at {address} within {} s", TIMEOUT.as_secs()))?
        .with_context(|| format!("nobody answers at {address}"))?;
    ensure!(status == StatusCode::OK, "{address} answers {status}");
    println!("{address} is up");
    Ok(())
}

/// Where to reach what listens on `host`: on every interface is not an address to connect to.
fn reachable(host: IpAddr) -> IpAddr {
    match host {
        IpAddr::V4(address) if address.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(address) if address.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        IpAddr::V4(_) | IpAddr::V6(_) => host,
    }
}

async fn ask(address: SocketAddr, tls: bool) -> anyhow::Result<StatusCode> {
    let stream = TcpStream::connect(address).await?;
    if !tls {
        return get(address, stream).await;
    }
    // The certificate is for the name that clients know, which nobody told us; and nothing is said here that
    // an impostor on our own address could use.
    let connector = TlsConnector::from(Arc::new(crate::db::unverified_tls()?));
    get(address, connector.connect(ServerName::from(address.ip()), stream).await?).await
}

async fn get(address: SocketAddr, stream: impl AsyncRead + AsyncWrite + Unpin) -> anyhow::Result<StatusCode> {
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let request = Request::get("/healthz").header(header::HOST, address.to_string()).body(String::new())?;
    tokio::select! {
        response = sender.send_request(request) => Ok(response?.status()),
        ended = connection => {
            ended?;
            bail!("the connection was closed without an answer")
        }
    }
}
