//! Close codes and what a client does about each.

use std::fmt;

/// What a client does after its socket was closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reconnect {
    /// Connect again without waiting, with `after`.
    AtOnce,
    /// Connect again after a random, growing wait.
    BackOff,
    /// Get a fresh access token, then connect again.
    RefreshToken,
    /// Stay away: another attempt would end the same.
    Never,
}

/// The status code of a WebSocket close frame, [RFC 6455, section 7.4].
///
/// Codes without a constant here are kept as they came.
///
/// [RFC 6455, section 7.4]: https://www.rfc-editor.org/rfc/rfc6455#section-7.4
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct CloseCode(pub u16);

impl CloseCode {
    /// Closed on purpose, as by this client.
    pub const NORMAL: Self = Self(1000);
    /// The node goes away.
    pub const GOING_AWAY: Self = Self(1001);
    /// The close frame held no code. Never sent, only reported.
    pub const NO_STATUS: Self = Self(1005);
    /// The link was lost without a close frame. Never sent, only reported.
    pub const LOST: Self = Self(1006);
    /// A frame from this client was too big.
    pub const FRAME_TOO_BIG: Self = Self(1009);
    /// The server failed.
    pub const FAULT: Self = Self(1011);
    /// The node goes away at the end of a drain, or the log was replaced.
    pub const RESTART: Self = Self(1012);
    /// Bad parameters, or too many bad frames.
    pub const BAD_REQUEST: Self = Self(4400);
    /// The token is missing, invalid or expired, or its session has ended.
    pub const UNAUTHENTICATED: Self = Self(4401);
    /// The user was removed from the organisation.
    pub const REMOVED: Self = Self(4403);
    /// The organisation is suspended.
    pub const SUSPENDED: Self = Self(4404);
    /// This client read too slowly.
    pub const TOO_SLOW: Self = Self(4408);
    /// Too many sockets, or too many frames.
    pub const TOO_MANY: Self = Self(4429);
    /// The server's store is not available.
    pub const UNAVAILABLE: Self = Self(4503);

    /// What a client does about this code.
    pub const fn reconnect(self) -> Reconnect {
        match self {
            Self::GOING_AWAY | Self::RESTART | Self::TOO_SLOW => Reconnect::AtOnce,
            Self::UNAUTHENTICATED => Reconnect::RefreshToken,
            Self::FRAME_TOO_BIG => Reconnect::Never,
            // Codes of this family speak of the client, also those that are not known here.
            Self(4400..=4499) if self.0 != Self::TOO_MANY.0 => Reconnect::Never,
            _ => Reconnect::BackOff,
        }
    }
}

impl fmt::Display for CloseCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl From<u16> for CloseCode {
    fn from(code: u16) -> Self {
        Self(code)
    }
}

impl From<CloseCode> for u16 {
    fn from(code: CloseCode) -> Self {
        code.0
    }
}

#[cfg(test)]
mod tests {
    use super::Reconnect::{AtOnce, BackOff, Never, RefreshToken};
    use super::*;

    #[test]
    fn every_code_of_the_contract_has_its_answer() {
        let table = [
            (4400, Never),
            (4401, RefreshToken),
            (4403, Never),
            (4404, Never),
            (4408, AtOnce),
            (4429, BackOff),
            (4503, BackOff),
            (1006, BackOff),
            (1011, BackOff),
            (1001, AtOnce),
            (1012, AtOnce),
            (1009, Never),
        ];
        for (code, expected) in table {
            assert_eq!(CloseCode(code).reconnect(), expected, "{code}");
        }
    }

    #[test]
    fn unknown_codes_stop_within_44xx_and_back_off_elsewhere() {
        for code in [4402, 4405, 4428, 4430, 4499] {
            assert_eq!(CloseCode(code).reconnect(), Never, "{code}");
        }
        for code in [0, 1000, 1005, 1008, 1013, 3000, 4000, 4399, 4500, u16::MAX] {
            assert_eq!(CloseCode(code).reconnect(), BackOff, "{code}");
        }
    }

    #[test]
    fn a_code_converts_both_ways() {
        assert_eq!(CloseCode::from(4403), CloseCode::REMOVED);
        assert_eq!(u16::from(CloseCode::REMOVED), 4403);
        assert_eq!(CloseCode::REMOVED.to_string(), "4403");
    }
}
