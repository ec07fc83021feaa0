//! What can go wrong between a client and its server.

use std::time::Duration;

use tokio_tungstenite::tungstenite;

use crate::close::Reconnect;
use crate::token::RefreshError;

/// A result whose error is [`Error`].
pub type Result<T> = std::result::Result<T, Error>;

/// A failure to connect, to send, to understand a frame or to refresh the token.
///
/// A socket that ends is no error: see [`Received::Closed`](crate::Received::Closed).
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The base address is not `http://host[:port][/path]`, nor `https`, `ws` or `wss`.
    #[error("{0:?} is not an address of the form http://host:port")]
    BaseUrl(String),
    /// The server answered the handshake with an HTTP status instead of an upgrade.
    #[error("the handshake was refused with HTTP {status}")]
    Refused {
        /// The HTTP status: 429 for a flood of handshakes, 503 from a draining node.
        status: u16,
        /// The `Retry-After` header, where it held a number of seconds.
        retry_after: Option<Duration>,
        /// The body as far as it came together with the head, which a problem document does.
        body: String,
    },
    /// The connection was not open within this time.
    #[error("not connected within {0:?}")]
    Timeout(Duration),
    /// The network or the WebSocket protocol failed.
    #[error("the connection failed")]
    Transport(#[source] tungstenite::Error),
    /// A text frame is not one of the protocol's.
    #[error("a frame cannot be decoded")]
    Decode {
        /// The frame as it came.
        text: String,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// The server sent a binary frame, which the protocol has no use for.
    #[error("the server sent a binary frame")]
    Binary,
    /// There is no open socket to send on.
    #[error("not connected")]
    NotConnected,
    /// The callback for a fresh token failed.
    #[error(transparent)]
    Token(#[from] RefreshError),
}

impl Error {
    /// What a client does about this error.
    pub fn reconnect(&self) -> Reconnect {
        match self {
            Self::BaseUrl(_) | Self::Token(RefreshError::Refused(_)) => Reconnect::Never,
            Self::Token(RefreshError::Unavailable(_)) => Reconnect::RefreshToken,
            // These come from the address or the token, not from the network.
            Self::Transport(tungstenite::Error::Url(_) | tungstenite::Error::HttpFormat(_)) => {
                Reconnect::Never
            }
            Self::Refused { .. }
            | Self::Timeout(_)
            | Self::Transport(_)
            | Self::Decode { .. }
            | Self::Binary
            | Self::NotConnected => Reconnect::BackOff,
        }
    }

    /// The wait that the server asked for in its answer, or none.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Refused { retry_after, .. } => *retry_after,
            _ => None,
        }
    }
}

impl From<tungstenite::Error> for Error {
    fn from(error: tungstenite::Error) -> Self {
        let tungstenite::Error::Http(response) = error else {
            return Self::Transport(error);
        };
        let retry_after = response
            .headers()
            .get("retry-after")
            .and_then(|value| value.to_str().ok()?.parse().ok())
            .map(Duration::from_secs);
        Self::Refused {
            status: response.status().as_u16(),
            retry_after,
            body: String::from_utf8_lossy(response.body().as_deref().unwrap_or_default()).into_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio_tungstenite::tungstenite::error::UrlError;

    use super::*;

    #[test]
    fn only_what_cannot_get_better_is_given_up() {
        let refused = Error::Refused { status: 503, retry_after: None, body: String::new() };
        let no_tls = Error::Transport(tungstenite::Error::Url(UrlError::TlsFeatureNotEnabled));
        let lost = Error::Transport(tungstenite::Error::ConnectionClosed);
        assert_eq!(refused.reconnect(), Reconnect::BackOff);
        assert_eq!(lost.reconnect(), Reconnect::BackOff);
        assert_eq!(no_tls.reconnect(), Reconnect::Never);
        assert_eq!(Error::BaseUrl(String::new()).reconnect(), Reconnect::Never);
        assert_eq!(Error::from(RefreshError::unavailable("offline")).reconnect(), Reconnect::RefreshToken);
        assert_eq!(Error::from(RefreshError::refused("signed out")).reconnect(), Reconnect::Never);
    }
}
