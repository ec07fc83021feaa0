//! Invite tokens: which invite, and randomness that only the invited person has.

use uuid::Uuid;

use crate::auth::{OpaqueToken, TokenHash, random};
use crate::types::{InviteId, OrgId};

const RANDOM_BYTES: usize = 32;
/// Organisation, invite, randomness.
const TOKEN_BYTES: usize = 16 + 16 + RANDOM_BYTES;

/// An invite token. Whether it is the invite's, its hash tells.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct InviteToken {
    /// The organisation, which says in which store the invite is.
    pub(crate) org: OrgId,
    /// The invite.
    pub(crate) invite: InviteId,
    bytes: [u8; TOKEN_BYTES],
}

impl InviteToken {
    /// A new token of an invite.
    pub(crate) fn issue(org: OrgId, invite: InviteId) -> anyhow::Result<Self> {
        let random = random::<RANDOM_BYTES>()?;
        let mut bytes = [0; TOKEN_BYTES];
        let parts = org.as_uuid().into_bytes().into_iter().chain(invite.as_uuid().into_bytes()).chain(random);
        for (to, from) in bytes.iter_mut().zip(parts) {
            *to = from;
        }
        Ok(Self { org, invite, bytes })
    }

    /// Reads a token; `None` where it is malformed.
    pub(crate) fn parse(token: &OpaqueToken) -> Option<Self> {
        let bytes: [u8; TOKEN_BYTES] = token.bytes()?;
        let (org, rest) = bytes.split_first_chunk::<16>()?;
        let (invite, _random) = rest.split_first_chunk::<16>()?;
        Some(Self { org: Uuid::from_bytes(*org).into(), invite: Uuid::from_bytes(*invite).into(), bytes })
    }

    /// What is stored of it.
    pub(crate) fn hash(&self) -> TokenHash {
        TokenHash::of(&self.bytes)
    }

    /// As it travels.
    pub(crate) fn to_opaque(&self) -> OpaqueToken {
        OpaqueToken::of(&self.bytes)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_issued_is_read_again(org: u128, invite: u128) {
            let (org, invite) = (Uuid::from_u128(org).into(), Uuid::from_u128(invite).into());
            let token = InviteToken::issue(org, invite).unwrap();
            let read = InviteToken::parse(&token.to_opaque()).unwrap();
            prop_assert_eq!((read.org, read.invite, read.hash()), (org, invite, token.hash()));
        }

        #[test]
        fn any_text_is_read_without_panic(text in ".{0,120}") {
            let token = OpaqueToken::try_from(text).unwrap();
            if let Some(read) = InviteToken::parse(&token) {
                prop_assert!(read.to_opaque() == token);
            }
        }
    }

    #[test]
    fn no_two_tokens_are_the_same() {
        let (org, invite) = (OrgId::new(), InviteId::new());
        let issue = || InviteToken::issue(org, invite).unwrap().hash();
        assert_ne!(issue(), issue());
    }
}
