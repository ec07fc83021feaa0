//! The accept loop. It is our own, because a socket's connection must be handed over whole after its
//! upgrade, and a stop must wait for every connection.

mod ceiling;
pub(crate) mod line;
pub(crate) mod stream;
pub mod tls;

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::{ConnectInfo, Request};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use hyper::body::Incoming as Body;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use metrics::counter;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tower::ServiceExt as _;

use self::ceiling::{Ceiling, Open};
use self::line::Line;
use self::stream::{Incoming, Timed};
use crate::app::App;
use crate::telemetry::metric;

/// How long accepting pauses when no connection can be taken, as when all file descriptors are in use.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// The largest head of a request: a token or two, and what proxies add. It is held before anybody is counted.
const MAX_HEAD_BYTES: usize = 32 * 1024;

/// How often a log line says that connections are refused or cannot be accepted: it may be so for hours.
const COMPLAIN_EVERY: Duration = Duration::from_secs(10);

/// What a connection beyond the ceiling is answered with, where it speaks HTTP without TLS.
const FULL: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 5\r\nContent-Length: 0\r\n\
    Connection: close\r\n\r\n";

/// Connections that the kernel takes before they are accepted; `net.core.somaxconn` bounds it, too. Beyond, it
/// drops the first packet of a connection, which is sent again after a whole second: so many clients come
/// back at once when a node has gone.
const BACKLOG: u32 = 4096;

/// Listens at an address.
pub fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    // The port of the process before may still have connections that are ending.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Accepts connections until the app has sent its sockets away.
pub fn spawn(app: &App, listener: TcpListener, router: Router) {
    let accept = app.clone();
    app.tasks.spawn(async move {
        let ceiling = Ceiling::new(&accept.config);
        let mut complained_at = None;
        loop {
            let accepted = tokio::select! {
                () = accept.finish.cancelled() => return,
                accepted = listener.accept() => accepted,
            };
            match accepted {
                Ok((stream, peer)) => {
                    if let Some(open) = ceiling.admit(peer.ip()) {
                        let (app, router) = (accept.clone(), router.clone());
                        accept.tasks.spawn(serve(app, router, stream, peer, open));
                        continue;
                    }
                    if is_due(&mut complained_at) {
                        tracing::warn!("connections are refused: as many are open as there may be, in all or of one address");
                    }
                    refuse(&accept, &stream);
                }
                Err(error) => {
                    if is_due(&mut complained_at) {
                        tracing::warn!(%error, "cannot accept a connection");
                    }
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    });
}

/// Whether something may be said again; notes that it is.
fn is_due(said_at: &mut Option<Instant>) -> bool {
    let due = said_at.is_none_or(|at| at.elapsed() >= COMPLAIN_EVERY);
    if due {
        *said_at = Some(Instant::now());
    }
    due
}

/// Says that there is no room, if that can be said at once: waiting for the peer would cost the room.
fn refuse(app: &App, stream: &TcpStream) {
    if app.tls.is_none() {
        // A peer that is gone was refused, too.
        drop(stream.try_write(FULL));
    }
}

/// Serves one connection until it closes, is upgraded, or the app has stopped and its request is answered.
async fn serve(app: App, router: Router, stream: TcpStream, peer: SocketAddr, open: Open) {
    let line = Line::default();
    let accepted = tokio::select! {
        accepted = begin(&app, stream, &line, open) => accepted,
        () = app.finish.cancelled() => return,
    };
    let Some(stream) = accepted else { return };
    let finish = app.finish.clone();
    let request_line = line.clone();
    let head = app.config.server.timeouts.head;
    let service = hyper::service::service_fn(move |mut request: Request<Body>| {
        request.extensions_mut().insert(ConnectInfo(peer));
        request.extensions_mut().insert(request_line.clone());
        answer(app.clone(), router.clone(), request)
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(head)
        .max_header_size(MAX_HEAD_BYTES)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    let mut connection = std::pin::pin!(connection);
    let serving = async {
        tokio::select! {
            served = connection.as_mut() => served,
            () = finish.cancelled() => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        }
    };
    let served = tokio::select! {
        served = serving => served,
        () = line.is_cut() => return,
    };
    if let Err(error) = served {
        tracing::debug!(%error, "a connection ended with an error");
    }
}

/// Does what comes before HTTP. `None` where the connection is over.
async fn begin(app: &App, stream: TcpStream, line: &Line, open: Open) -> Option<Incoming> {
    let timeouts = &app.config.server.timeouts;
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "a connection was gone before it was served");
        return None;
    }
    let Some(tls) = &app.tls else {
        return Some(Incoming::plain(Timed::new(stream, line.clone(), timeouts.write_stall), open));
    };
    let accepting = tls.accept(stream, line, timeouts.write_stall);
    let accepted = tokio::time::timeout(timeouts.tls_handshake, accepting).await;
    match accepted.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())) {
        Ok(Some(stream)) => Some(Incoming::tls(stream, open)),
        Ok(None) => {
            tracing::debug!("a client spoke HTTP where TLS is spoken");
            None
        }
        Err(error) => {
            counter!(metric::TLS_HANDSHAKES_FAILED).increment(1);
            tracing::debug!(%error, "a TLS handshake failed");
            None
        }
    }
}

/// Answers a request. While the hub stops, its connection ends with that: the client is to find another
/// node for the next.
async fn answer(app: App, router: Router, request: Request<Body>) -> Result<Response, Infallible> {
    let mut response = router.oneshot(request).await?;
    if app.stop.is_cancelled() && response.status() != StatusCode::SWITCHING_PROTOCOLS {
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    Ok(response)
}

/// Ends a connection so that what was written arrives: closing while something is unread would have the
/// kernel throw it away. The caller bounds the time.
async fn close_gently(mut stream: TcpStream) -> io::Result<()> {
    stream.shutdown().await?;
    let mut buffer = [0; 1024];
    while stream.read(&mut buffer).await? > 0 {}
    Ok(())
}
