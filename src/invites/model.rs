//! The row of an invite, and what it is worth.

use diesel::prelude::*;

use crate::db::schema::invites;
use crate::error::{Code, Error, Result};
use crate::types::{Email, InviteId, OrgId, PersonName, Role, Timestamp, UserId};

/// An invite of an email to an organisation.
#[derive(Debug, Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = invites)]
pub(crate) struct Invite {
    pub(crate) org_id: OrgId,
    pub(crate) id: InviteId,
    pub(crate) email: Email,
    /// What the inviter calls them.
    pub(crate) name: Option<PersonName>,
    pub(crate) role: Role,
    pub(crate) token_hash: Vec<u8>,
    pub(crate) invited_by: UserId,
    pub(crate) created_at: Timestamp,
    pub(crate) expires_at: Timestamp,
    pub(crate) accepted_at: Option<Timestamp>,
    pub(crate) revoked_at: Option<Timestamp>,
}

impl Invite {
    /// Refuses one that was revoked, used or has expired by `now`, in this order.
    pub(super) fn require_open(&self, now: Timestamp) -> Result<()> {
        if self.revoked_at.is_some() {
            Err(invalid())
        } else if self.accepted_at.is_some() {
            Err(Error::refused(Code::InviteUsed, "The invite was used before. Sign in."))
        } else if self.expires_at <= now {
            Err(Error::refused(Code::InviteExpired, "The invite has expired: ask for another."))
        } else {
            Ok(())
        }
    }
}

/// The token names no invite that stands.
pub(super) fn invalid() -> Error {
    Error::refused(Code::InviteInvalid, "There is no such invite, or it was taken back: ask for another.")
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);

    fn code(accepted: bool, revoked: bool, expires_in_ms: i64) -> Option<Code> {
        let invite = Invite {
            org_id: OrgId::new(),
            id: InviteId::new(),
            email: Email::try_from("bo@example.com".to_owned()).unwrap(),
            name: None,
            role: Role::Member,
            token_hash: Vec::new(),
            invited_by: UserId::new(),
            created_at: NOW,
            expires_at: Timestamp::from_millis(NOW.as_millis() + expires_in_ms),
            accepted_at: accepted.then_some(NOW),
            revoked_at: revoked.then_some(NOW),
        };
        invite.require_open(NOW).err().map(|error| error.code())
    }

    #[test]
    fn each_state_has_its_code() {
        assert_eq!(code(false, false, 1), None);
        assert_eq!(code(false, false, 0), Some(Code::InviteExpired));
        assert_eq!(code(true, false, 0), Some(Code::InviteUsed));
        assert_eq!(code(true, false, 1), Some(Code::InviteUsed));
        assert_eq!(code(false, true, 0), Some(Code::InviteInvalid));
        assert_eq!(code(true, true, 1), Some(Code::InviteInvalid));
    }
}
