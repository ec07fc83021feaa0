//! A fresh token on an open socket.

use std::time::Instant;

use super::{Connection, encode};
use crate::hub::core::Denied;
use crate::hub::protocol::{ErrorCode, ServerFrame};

impl Connection {
    /// Puts a fresh token in the place of the present one, which counts until it expires.
    pub(super) fn authenticate(&mut self, token: &str) {
        let verified = self.app.tokens.verify(token, self.app.clock.now()).ok();
        let claims = verified.filter(|claims| claims.org == self.org && claims.sub == self.user);
        let renewed = claims.ok_or(Denied::SessionEnded).and_then(|claims| {
            let role = self.room.core.lock().renew(self.key, self.user, claims.sid, Instant::now())?;
            Ok((claims.expires_at(), role))
        });
        match renewed {
            Ok((expires_at, role)) => {
                self.expires_at = expires_at;
                self.expires = Instant::now() + expires_at.since(self.app.clock.now());
                self.slots.auth_ok = encode(&ServerFrame::AuthOk { token_expires_at: expires_at, role });
            }
            Err(Denied::SessionEnded | Denied::UserUnknown) => {
                let detail = "The token is not valid, not this user's, or its session has ended.";
                self.slots.error = encode(&ServerFrame::error(ErrorCode::TokenInvalid, detail));
            }
            Err(Denied::Stale | Denied::TooManySockets(_)) => {
                let detail = "This node cannot tell now who may enter. Try again shortly.";
                self.slots.error = encode(&ServerFrame::error(ErrorCode::AccessUnknown, detail));
            }
        }
    }
}
