//! The row of a sign-up, and what it is worth.

use std::time::Duration;

use diesel::prelude::*;

use super::token::{SignUpKey, SignUpToken};
use crate::db::schema::sign_ups;
use crate::error::{Code, Error, Result};
use crate::types::{AdministratorId, OrgId, SignUpId, Timestamp};

/// How long a sign-up can be redeemed: as long as an invite, so that it outlives a holiday's weekend and not a
/// leak.
const LIFETIME: Duration = Duration::from_hours(7 * 24);

/// The way in for the first admin of an organisation.
#[derive(Debug, Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = sign_ups)]
pub(crate) struct SignUp {
    pub(crate) org_id: OrgId,
    pub(crate) id: SignUpId,
    pub(crate) token_hash: Vec<u8>,
    /// Who gave it out.
    pub(crate) administrator_id: AdministratorId,
    pub(crate) created_at: Timestamp,
    pub(crate) expires_at: Timestamp,
    pub(crate) used_at: Option<Timestamp>,
    pub(crate) revoked_at: Option<Timestamp>,
}

impl SignUp {
    /// One that is not stored yet, and its token.
    pub(crate) fn prepare(
        key: &SignUpKey,
        (org, id): (OrgId, SignUpId),
        by: AdministratorId,
        now: Timestamp,
    ) -> (Self, SignUpToken) {
        let token = SignUpToken::issue(key, org, id);
        let sign_up = Self {
            org_id: org,
            id,
            token_hash: token.hash().to_vec(),
            administrator_id: by,
            created_at: now,
            expires_at: now.plus(LIFETIME),
            used_at: None,
            revoked_at: None,
        };
        (sign_up, token)
    }

    /// Refuses one that was replaced, used or has expired by `now`, in this order.
    pub(super) fn require_open(&self, now: Timestamp) -> Result<()> {
        if self.revoked_at.is_some() {
            Err(invalid())
        } else if self.used_at.is_some() {
            Err(Error::refused(Code::SignUpUsed, "The sign-up was used before. Sign in."))
        } else if self.expires_at <= now {
            Err(Error::refused(Code::SignUpExpired, "The sign-up has expired: ask for another."))
        } else {
            Ok(())
        }
    }
}

/// The token names no sign-up that stands.
pub(super) fn invalid() -> Error {
    Error::refused(Code::SignUpInvalid, "There is no such sign-up, or another took its place: ask for that.")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::keys::SigningKeys;

    #[test]
    fn each_state_has_its_code() {
        let now = Timestamp::from_millis(1_800_000_000_000);
        let key = SignUpKey::derive(&SigningKeys::of(b"the key of one cluster of hubs!!", None));
        let ids = (OrgId::new(), SignUpId::new());
        let (open, _token) = SignUp::prepare(&key, ids, AdministratorId::new(), now);
        let code = |sign_up: &SignUp, at| sign_up.require_open(at).err().map(|error| error.code());
        let used = SignUp { used_at: Some(now), ..open.clone() };
        let replaced = SignUp { revoked_at: Some(now), ..used.clone() };
        assert_eq!(code(&open, now), None);
        assert_eq!(code(&open, now.plus(LIFETIME)), Some(Code::SignUpExpired));
        assert_eq!(code(&used, now.plus(LIFETIME)), Some(Code::SignUpUsed));
        assert_eq!(code(&replaced, now), Some(Code::SignUpInvalid));
    }
}
