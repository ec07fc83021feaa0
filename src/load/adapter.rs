//! How a server is spoken to: Roomcast, or any that fans out what it is told over a plain WebSocket.

use roomcast_client::Position;
use uuid::Uuid;

use super::address::Endpoint;
use super::proof::Proof;
use super::wire::frame;

/// The key of every handshake, and what a server that understood it answers (RFC 6455, section 1.3). It
/// protects from caches, of which there are none here.
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
pub(super) const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

/// Where a room's messages go and come from.
#[derive(Debug, Clone, Default)]
pub(super) struct Room {
    /// The organisation, where the server knows such.
    pub(super) organisation_id: Uuid,
    /// The token of its admin.
    pub(super) token: String,
    /// Whether whoever has it is another member, who may see only some of it.
    pub(super) is_of_member: bool,
    /// What stands for `{room}` in templates.
    pub(super) name: String,
}

/// How to speak to a server.
#[derive(Debug, Clone)]
pub(super) enum Adapter {
    /// Roomcast: durable broadcasts over HTTP, positions, resumes.
    Roomcast,
    /// A server that sends every subscriber of a room the text that was published there.
    Plain(Plain),
}

/// The templates of a plain server. `{room}` is the room's name, `{text}` what to say there.
#[derive(Debug, Clone)]
pub(super) struct Plain {
    /// Where subscribers connect.
    pub(super) subscribe: Template,
    /// What a subscriber says once it is connected.
    pub(super) greeting: Option<Template>,
    /// Where publishers connect.
    pub(super) publish: Template,
    /// What publishers say over a socket; none, they POST the text.
    pub(super) message: Option<Template>,
}

/// A text with `{room}`, `{text}` and its length as `{bytes}` to be filled in.
#[derive(Debug, Clone)]
pub(super) struct Template(pub(super) String);

impl Template {
    pub(super) fn fill(&self, room: &str, text: &str) -> String {
        self.0.replace("{room}", room).replace("{bytes}", &text.len().to_string()).replace("{text}", text)
    }
}

impl Adapter {
    /// Whether the server keeps what was missed and gives it to who comes back.
    pub(super) fn resumes(&self) -> bool {
        matches!(self, Self::Roomcast)
    }

    /// Whether publishers speak over sockets, which say nothing back.
    pub(super) fn publishes_by_socket(&self) -> bool {
        matches!(self, Self::Plain(Plain { message: Some(_), .. }))
    }

    /// How it is proved that a subscriber of a room got everything.
    pub(super) fn proof(&self, room: &Room, callers: usize) -> Proof {
        match self {
            Self::Plain(_) => Proof::of_numbers(callers),
            Self::Roomcast => Proof::of_log(room.organisation_id),
        }
    }

    /// The handshake of a subscriber, resuming at a position if there is one.
    pub(super) fn handshake(&self, endpoint: &Endpoint, room: &Room, after: Option<Position>) -> Vec<u8> {
        match self {
            Self::Plain(plain) => handshake(&plain.subscribe.fill(&room.name, ""), &endpoint.host, ""),
            Self::Roomcast => {
                let query = match after {
                    Some(Position { seq, epoch: Some(epoch) }) => format!("?after={seq}&epoch={epoch}"),
                    Some(Position { seq, epoch: None }) => format!("?after={seq}"),
                    None => String::new(),
                };
                let target = format!("{}/ws{query}", endpoint.base());
                let token = format!("Sec-WebSocket-Protocol: roomcast.v1, bearer.{}\r\n", room.token);
                handshake(&target, &endpoint.host, &token)
            }
        }
    }

    /// What a subscriber says once the handshake is done.
    pub(super) fn greeting(&self, room: &Room, out: &mut Vec<u8>) {
        if let Self::Plain(Plain { greeting: Some(greeting), .. }) = self {
            frame::text(greeting.fill(&room.name, "").as_bytes(), out);
        }
    }

    /// The handshake of a publisher over a socket.
    pub(super) fn publisher_handshake(&self, endpoint: &Endpoint) -> Vec<u8> {
        match self {
            Self::Plain(plain) => handshake(&plain.publish.fill("", ""), &endpoint.host, ""),
            Self::Roomcast => Vec::new(),
        }
    }

    /// Appends what publishes a text, which needs no escape in JSON.
    pub(super) fn publish(&self, endpoint: &Endpoint, room: &Room, text: &str, out: &mut Vec<u8>) {
        match self {
            Self::Roomcast => {
                let path = format!("{}/api/v1/organisations/broadcast", endpoint.base());
                let body = format!("{{\"message\":\"{text}\"}}");
                post(&path, endpoint, &room.token, "application/json", &body, out);
            }
            Self::Plain(Plain { message: Some(message), .. }) => {
                frame::text(message.fill(&room.name, text).as_bytes(), out);
            }
            Self::Plain(plain) => {
                post(&plain.publish.fill(&room.name, ""), endpoint, "", "text/plain", text, out);
            }
        }
    }
}

/// Appends what reads a page of the feed, before `before` if that is given, and of what `query` picks.
pub(super) fn read_feed(
    endpoint: &Endpoint,
    room: &Room,
    before: Option<i64>,
    query: Option<&str>,
    out: &mut Vec<u8>,
) {
    let before = before.map(|before| format!("before={before}"));
    let parts: Vec<&str> = before.as_deref().into_iter().chain(query).collect();
    let query = if parts.is_empty() { String::new() } else { format!("?{}", parts.join("&")) };
    let (base, host, token) = (endpoint.base(), &endpoint.host, &room.token);
    let request = format!(
        "GET {base}/api/v1/activities{query} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\n\r\n"
    );
    out.extend_from_slice(request.as_bytes());
}

fn handshake(target: &str, host: &str, more: &str) -> Vec<u8> {
    format!(
        "GET {target} HTTP/1.1\r\nHost: {host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {KEY}\r\n{more}\r\n"
    )
    .into_bytes()
}

fn post(path: &str, endpoint: &Endpoint, token: &str, kind: &str, body: &str, out: &mut Vec<u8>) {
    let (host, length) = (&endpoint.host, body.len());
    let authorisation =
        if token.is_empty() { String::new() } else { format!("Authorization: Bearer {token}\r\n") };
    let request = format!(
        "POST {path} HTTP/1.1\r\nHost: {host}\r\n{authorisation}Content-Type: {kind}\r\n\
         Content-Length: {length}\r\n\r\n{body}"
    );
    out.extend_from_slice(request.as_bytes());
}
