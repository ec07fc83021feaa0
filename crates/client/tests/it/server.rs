//! The server's side of a test: each socket is accepted, looked at and played by hand.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::{WebSocketStream, accept_hdr_async};
use uuid::Uuid;

/// A test that waits longer than this for the client has failed.
const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) const EPOCH: Uuid = Uuid::from_u128(0xe0);
pub(crate) const ORGANISATION: Uuid = Uuid::from_u128(0x0a);

pub(crate) struct Server {
    listener: TcpListener,
}

/// An accepted socket.
pub(crate) struct Peer {
    query: String,
    protocols: Option<String>,
    stream: WebSocketStream<TcpStream>,
}

impl Server {
    pub(crate) async fn start() -> Self {
        Self { listener: TcpListener::bind("127.0.0.1:0").await.unwrap() }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.listener.local_addr().unwrap())
    }

    pub(crate) async fn accept(&self) -> Peer {
        let tcp = self.accept_tcp().await;
        let (mut query, mut protocols) = (String::new(), None);
        #[expect(clippy::result_large_err, reason = "the handshake's callback is made so")]
        let look = |request: &Request, mut response: Response| -> Result<Response, ErrorResponse> {
            assert_eq!(request.uri().path(), "/ws");
            request.uri().query().unwrap_or_default().clone_into(&mut query);
            if let Some(offered) = request.headers().get("sec-websocket-protocol") {
                protocols = Some(offered.to_str().unwrap().to_owned());
                let chosen = "roomcast.v1".parse().unwrap();
                response.headers_mut().insert("sec-websocket-protocol", chosen);
            }
            Ok(response)
        };
        let stream = accept_hdr_async(tcp, look).await.unwrap();
        Peer { query, protocols, stream }
    }

    /// Accepts the next socket and greets it as a resumed one, at the position that it asks for.
    pub(crate) async fn accept_resumed(&self) -> Peer {
        let mut peer = self.accept().await;
        let after = peer.parameter("after").unwrap().parse().unwrap();
        peer.welcome(after, true).await;
        peer
    }

    /// Answers the next handshake with an HTTP response instead of an upgrade.
    pub(crate) async fn refuse(&self, status: &str, headers: &str, body: &str) {
        let mut tcp = self.accept_tcp().await;
        let mut request = Vec::new();
        while !request.ends_with(b"\r\n\r\n") {
            assert_ne!(tcp.read_buf(&mut request).await.unwrap(), 0, "the request ends early");
        }
        let length = body.len();
        let response = format!("HTTP/1.1 {status}\r\n{headers}content-length: {length}\r\n\r\n{body}");
        tcp.write_all(response.as_bytes()).await.unwrap();
    }

    /// Accepts a connection and says nothing.
    pub(crate) async fn accept_tcp(&self) -> TcpStream {
        within(self.listener.accept()).await.unwrap().0
    }
}

impl Peer {
    /// The value of a query parameter, as it came.
    pub(crate) fn parameter(&self, name: &str) -> Option<&str> {
        let pairs = self.query.split('&').filter_map(|pair| pair.split_once('='));
        pairs.into_iter().find(|(found, _)| *found == name).map(|(_, value)| value)
    }

    pub(crate) fn protocols(&self) -> Option<&str> {
        self.protocols.as_deref()
    }

    pub(crate) async fn send(&mut self, text: impl Into<String>) {
        self.stream.send(Message::text(text.into())).await.unwrap();
    }

    pub(crate) async fn send_message(&mut self, message: Message) {
        self.stream.send(message).await.unwrap();
    }

    pub(crate) async fn welcome(&mut self, seq: i64, resumed: bool) {
        self.send(welcome(seq, EPOCH, resumed, 25)).await;
    }

    pub(crate) async fn activities(&mut self, seqs: impl IntoIterator<Item = i64>) {
        for seq in seqs {
            self.send(activity(seq)).await;
        }
    }

    pub(crate) async fn pong(&mut self, seq: i64) {
        self.send(json!({"type": "PONG", "payload": {"seq": seq}}).to_string()).await;
    }

    pub(crate) async fn gap(&mut self, reason: &str, next_seq: i64) {
        let payload = json!({"reason": reason, "nextSeq": next_seq});
        self.send(json!({"type": "RESUME_GAP", "payload": payload}).to_string()).await;
    }

    /// Closes with this code and waits for the client's answer.
    pub(crate) async fn close(mut self, code: u16, reason: &'static str) {
        let frame = CloseFrame { code: code.into(), reason: reason.into() };
        self.stream.send(Message::Close(Some(frame))).await.unwrap();
        while let Some(Ok(_)) = within(self.stream.next()).await {}
    }

    /// Cuts the connection without a close frame.
    pub(crate) fn cut(self) {
        drop(self);
    }

    pub(crate) async fn receive(&mut self) -> Option<Message> {
        within(self.stream.next()).await.map(Result::unwrap)
    }
}

pub(crate) fn welcome(seq: i64, epoch: Uuid, resumed: bool, heartbeat_seconds: u64) -> String {
    json!({"type": "WELCOME", "payload": {
        "connectionId": Uuid::now_v7(), "organisationId": ORGANISATION, "userId": Uuid::nil(),
        "role": "MEMBER", "seq": seq, "headSeq": seq, "epoch": epoch, "resumed": resumed,
        "heartbeatSeconds": heartbeat_seconds, "tokenExpiresAt": "2025-01-01T00:00:00.000Z",
    }})
    .to_string()
}

pub(crate) fn activity(seq: i64) -> String {
    json!({
        "type": "BROADCAST_MESSAGE", "seq": seq, "id": Uuid::now_v7(), "actor": null, "target": null,
        "payload": {"message": "hi"}, "createdAt": "2025-01-01T00:00:00.000Z",
    })
    .to_string()
}

/// Waits for what must happen soon.
pub(crate) async fn within<F: Future>(future: F) -> F::Output {
    timeout(PATIENCE, future).await.expect("it happens in time")
}
