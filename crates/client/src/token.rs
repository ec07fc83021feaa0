//! Access tokens, and how a subscription gets a fresh one.

use std::fmt;
use std::pin::Pin;

/// Any error, as a refresh callback reports it.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// An access token. It cannot be printed: its `Debug` form is redacted and it has no `Display`.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl Token {
    /// The token as it goes over the wire.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(redacted)")
    }
}

impl From<String> for Token {
    fn from(token: String) -> Self {
        Self(token)
    }
}

impl From<&str> for Token {
    fn from(token: &str) -> Self {
        Self(token.to_owned())
    }
}

/// Why there is no fresh token.
#[derive(Debug, thiserror::Error)]
pub enum RefreshError {
    /// Nobody answered, or not now. The subscription backs off and asks again.
    #[error("a fresh token is not available now")]
    Unavailable(#[source] BoxError),
    /// The session is over and only a new sign-in helps. The subscription ends.
    #[error("a fresh token was refused")]
    Refused(#[source] BoxError),
}

impl RefreshError {
    /// Wraps an error after which asking again may help.
    pub fn unavailable(error: impl Into<BoxError>) -> Self {
        Self::Unavailable(error.into())
    }

    /// Wraps an error after which asking again is of no use.
    pub fn refused(error: impl Into<BoxError>) -> Self {
        Self::Refused(error.into())
    }
}

/// A refresh under way.
pub(crate) type Refreshing = Pin<Box<dyn Future<Output = Result<Token, RefreshError>> + Send>>;

/// Starts a refresh.
pub(crate) type Refresh = Box<dyn FnMut() -> Refreshing + Send>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_does_not_print_itself() {
        assert_eq!(format!("{:?}", Token::from("secret")), "Token(redacted)");
        assert_eq!(Token::from("secret".to_owned()).as_str(), "secret");
    }
}
