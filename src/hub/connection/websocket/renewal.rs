//! A fresh token on an open socket.

use std::time::Instant;

use super::WebSocket;
use crate::hub::core::Denied;
use crate::hub::protocol::{ErrorCode, ServerFrame};

impl WebSocket {
    /// Puts a fresh token in the place of the present one, which counts until it expires.
    pub(super) fn authenticate(&mut self, token: &str) {
        let verified = self.session.app.tokens.verify(token, self.session.app.clock.now()).ok();
        let claims = verified.filter(|claims| claims.org == self.session.room.org && claims.sub == self.user);
        let renewed = claims.ok_or(Denied::SessionEnded).and_then(|claims| {
            let session = &self.session;
            let role = session.room.core.lock().renew(session.key, self.user, claims.sid, Instant::now())?;
            Ok((claims.expires_at(), role))
        });
        match renewed {
            Ok((expires_at, role)) => {
                self.session.extend(expires_at);
                let frame = ServerFrame::AuthOk { token_expires_at: expires_at, role };
                self.slots().auth_ok = self.session.encode(&frame);
            }
            Err(Denied::SessionEnded | Denied::UserUnknown) => {
                let detail = "The token is not valid, not this user's, or its session has ended.";
                self.slots().error =
                    self.session.encode(&ServerFrame::error(ErrorCode::TokenInvalid, detail));
            }
            // Of a suspended organisation, every socket is closed anyway.
            Err(Denied::Suspended | Denied::Stale | Denied::TooManySockets(_)) => {
                let detail = "This node cannot tell now who may enter. Try again shortly.";
                self.slots().error =
                    self.session.encode(&ServerFrame::error(ErrorCode::AccessUnknown, detail));
            }
        }
    }
}
