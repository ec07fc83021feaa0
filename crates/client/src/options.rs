//! How a socket is opened: the token, where to start, and the address made of them.

use std::time::Duration;

use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::handshake::client::Request;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::{self, http};
use uuid::Uuid;

use crate::error::{Error, Result};
use crate::token::Token;

/// Long enough for a node under load, short enough to try another one.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(10);

/// Where the handshake carries the token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TokenIn {
    /// `?token=` in the address.
    #[default]
    Query,
    /// `bearer.<token>` beside `roomcast.v1` in `Sec-WebSocket-Protocol`, which proxies do not log.
    Subprotocol,
}

/// How to open a socket.
#[derive(Debug, Clone)]
#[must_use = "it does nothing until a socket is opened with it"]
pub struct ConnectOptions {
    /// The access token; without one the server closes with 4401.
    pub token: Option<Token>,
    /// Where the handshake carries the token.
    pub token_in: TokenIn,
    /// The position to resume after; 0 asks for everything kept, none starts at the head.
    pub after: Option<i64>,
    /// The epoch of an earlier WELCOME, by which the server sees that its log was replaced.
    pub epoch: Option<Uuid>,
    /// Whether to be told who comes online and goes offline.
    pub presence: bool,
    /// How long connecting may take; a subscription waits as long for the WELCOME, too.
    pub timeout: Duration,
    /// Further query parameters, for a server that knows more of them than this client.
    pub parameters: Vec<(String, String)>,
}

impl ConnectOptions {
    /// Options that start at the head of the log, with this token in the query.
    pub fn new(token: impl Into<Token>) -> Self {
        Self { token: Some(token.into()), ..Self::default() }
    }

    /// Resumes after this position.
    pub fn after(mut self, seq: i64) -> Self {
        self.after = Some(seq);
        self
    }

    /// Resumes only in the log with this epoch.
    pub fn epoch(mut self, epoch: Uuid) -> Self {
        self.epoch = Some(epoch);
        self
    }

    /// Says where the handshake carries the token.
    pub fn token_in(mut self, token_in: TokenIn) -> Self {
        self.token_in = token_in;
        self
    }

    /// Asks for presence frames.
    pub fn with_presence(mut self) -> Self {
        self.presence = true;
        self
    }

    /// The upgrade request to the server at `base_url`.
    pub(crate) fn request(&self, base_url: &str) -> Result<Request> {
        let mut request = self.address(base_url)?.into_client_request()?;
        if let (Some(token), TokenIn::Subprotocol) = (&self.token, self.token_in) {
            let mut value = HeaderValue::from_str(&format!("roomcast.v1, bearer.{}", token.as_str()))
                .map_err(tungstenite::Error::from)?;
            value.set_sensitive(true);
            request.headers_mut().insert(http::header::SEC_WEBSOCKET_PROTOCOL, value);
        }
        Ok(request)
    }

    fn address(&self, base_url: &str) -> Result<String> {
        let refused = || Error::BaseUrl(base_url.to_owned());
        let (scheme, rest) = base_url.split_once("://").ok_or_else(refused)?;
        let scheme = match scheme {
            "http" | "ws" => "ws",
            "https" | "wss" => "wss",
            _ => return Err(refused()),
        };
        let rest = rest.trim_end_matches('/');
        if rest.is_empty() || rest.contains(['?', '#']) {
            return Err(refused());
        }
        let mut address = format!("{scheme}://{rest}/ws");
        self.push_query(&mut address);
        Ok(address)
    }

    fn push_query(&self, address: &mut String) {
        let mut separator = '?';
        let mut push = |name: &str, value: &str| {
            address.push(separator);
            push_encoded(address, name);
            address.push('=');
            push_encoded(address, value);
            separator = '&';
        };
        if let (Some(token), TokenIn::Query) = (&self.token, self.token_in) {
            push("token", token.as_str());
        }
        if let Some(after) = self.after {
            push("after", &after.to_string());
        }
        if let Some(epoch) = self.epoch {
            push("epoch", &epoch.to_string());
        }
        if self.presence {
            push("presence", "1");
        }
        for (name, value) in &self.parameters {
            push(name, value);
        }
    }
}

impl Default for ConnectOptions {
    /// Options without a token.
    fn default() -> Self {
        Self {
            token: None,
            token_in: TokenIn::default(),
            after: None,
            epoch: None,
            presence: false,
            timeout: DEFAULT_TIMEOUT,
            parameters: Vec::new(),
        }
    }
}

/// Appends `text` with everything but RFC 3986's unreserved characters percent-encoded.
fn push_encoded(address: &mut String, text: &str) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            address.push(char::from(byte));
        } else {
            address.push('%');
            address.push(char::from(HEX[usize::from(byte >> 4)]));
            address.push(char::from(HEX[usize::from(byte & 15)]));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_holds_every_option() {
        let mut options = ConnectOptions::new("a b/ü").after(7).epoch(Uuid::from_u128(1)).with_presence();
        options.parameters.push(("x&".to_owned(), "=".to_owned()));
        assert_eq!(
            options.address("http://localhost:3000/").unwrap(),
            "ws://localhost:3000/ws?token=a%20b%2F%C3%BC&after=7\
             &epoch=00000000-0000-0000-0000-000000000001&presence=1&x%26=%3D"
        );
    }

    #[test]
    fn the_scheme_follows_and_a_path_is_kept() {
        let options = ConnectOptions::default();
        assert_eq!(options.address("https://a.example/hub").unwrap(), "wss://a.example/hub/ws");
        assert_eq!(options.address("ws://[::1]:1").unwrap(), "ws://[::1]:1/ws");
    }

    #[test]
    fn other_addresses_are_refused() {
        for address in ["", "localhost:3000", "ftp://a", "http://", "http:///", "http://a?b=c"] {
            let error = ConnectOptions::default().address(address).unwrap_err();
            assert!(matches!(error, Error::BaseUrl(_)), "{address}: {error:?}");
        }
    }

    #[test]
    fn a_token_in_the_subprotocol_is_not_in_the_address() {
        let options = ConnectOptions::new("t.o.k").token_in(TokenIn::Subprotocol);
        let request = options.request("http://127.0.0.1:1").unwrap();
        assert_eq!(request.uri(), "ws://127.0.0.1:1/ws");
        assert_eq!(request.headers()["sec-websocket-protocol"], "roomcast.v1, bearer.t.o.k");
    }

    #[test]
    fn a_token_that_no_header_can_hold_is_an_error() {
        let options = ConnectOptions::new("line\nbreak").token_in(TokenIn::Subprotocol);
        assert!(matches!(options.request("http://127.0.0.1:1"), Err(Error::Transport(_))));
    }
}
