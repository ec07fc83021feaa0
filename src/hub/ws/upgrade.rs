//! The opening handshake (RFC 6455, section 4.2).

use axum::http::header::{
    CONNECTION, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION,
    UPGRADE,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha1::{Digest as _, Sha1};

use crate::error::{Code, Error, Result};

/// The subprotocol that this server speaks.
const SUBPROTOCOL: &str = "roomcast.v1";

/// How a client hands its token over where it does not use the query: as a subprotocol of this form.
const BEARER: &str = "bearer.";

/// What a handshake asks for.
pub(crate) struct Handshake {
    accept: String,
    subprotocol: bool,
    /// The token, where it came as a subprotocol.
    pub(crate) token: Option<String>,
}

/// The version of the protocol.
const VERSION: &str = "13";

/// Reads a handshake; 400 where it is none, 426 where it is of another version.
pub(crate) fn read(headers: &HeaderMap) -> Result<Handshake> {
    let refused = |detail: &str| Error::refused(Code::BadRequest, detail);
    if !contains(headers, &CONNECTION, "upgrade") || !contains(headers, &UPGRADE, "websocket") {
        return Err(refused("This is a WebSocket: connect with a WebSocket client."));
    }
    if !contains(headers, &SEC_WEBSOCKET_VERSION, VERSION) {
        return Err(Error::refused(Code::UpgradeRequired, "The WebSocket version must be 13."));
    }
    let key = headers.get(SEC_WEBSOCKET_KEY).and_then(|key| key.to_str().ok()).unwrap_or_default();
    if STANDARD.decode(key).map_or(0, |key| key.len()) != 16 {
        return Err(refused("Sec-WebSocket-Key must be 16 bytes in base64."));
    }
    let offered = list(headers, &SEC_WEBSOCKET_PROTOCOL);
    Ok(Handshake {
        accept: accept_key(key),
        subprotocol: offered.iter().any(|name| name == SUBPROTOCOL),
        token: offered.iter().find_map(|name| name.strip_prefix(BEARER)).map(str::to_owned),
    })
}

impl Handshake {
    /// The answer that turns the connection into a WebSocket.
    pub(crate) fn into_response(self) -> Response {
        let mut response = StatusCode::SWITCHING_PROTOCOLS.into_response();
        let headers = response.headers_mut();
        headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
        headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
        if let Ok(accept) = HeaderValue::from_str(&self.accept) {
            headers.insert(SEC_WEBSOCKET_ACCEPT, accept);
        }
        if self.subprotocol {
            headers.insert(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(SUBPROTOCOL));
        }
        response
    }
}

fn accept_key(key: &str) -> String {
    let digest =
        Sha1::new().chain_update(key).chain_update("258EAFA5-E914-47DA-95CA-C5AB0DC85B11").finalize();
    STANDARD.encode(digest)
}

/// The members of a header that is a list, over all its lines.
fn list(headers: &HeaderMap, name: &HeaderName) -> Vec<String> {
    let lines = headers.get_all(name).iter().filter_map(|line| line.to_str().ok());
    lines.flat_map(|line| line.split(',')).map(|member| member.trim().to_owned()).collect()
}

fn contains(headers: &HeaderMap, name: &HeaderName, member: &str) -> bool {
    list(headers, name).iter().any(|found| found.eq_ignore_ascii_case(member))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_of_the_rfc_gives_its_answer() {
        assert_eq!(accept_key("dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    }
}
