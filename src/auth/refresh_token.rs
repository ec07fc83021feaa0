//! Refresh tokens: which session, which turn of it, randomness, and a mark that says it is ours.
//!
//! The mark lets a token that was rotated long ago be told from an invented one, without keeping the
//! hash of every token that ever was.

use super::keys::{MARK_BYTES, RefreshKey};
use super::opaque::{OpaqueToken, TokenHash, random};
use crate::types::{OrgId, SessionId};
use uuid::Uuid;

const RANDOM_BYTES: usize = 16;
/// Organisation, session, generation, randomness.
const MARKED_BYTES: usize = 16 + 16 + 4 + RANDOM_BYTES;
const TOKEN_BYTES: usize = MARKED_BYTES + MARK_BYTES;

/// A refresh token with our mark on it. Whether it still counts, the session knows.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct RefreshToken {
    /// The organisation, which says in which store the session is.
    pub(crate) org: OrgId,
    /// The session.
    pub(crate) session: SessionId,
    /// How many came before it in its session.
    pub(crate) generation: u32,
    bytes: [u8; TOKEN_BYTES],
}

impl RefreshToken {
    /// A new token of a session.
    pub(crate) fn issue(
        key: &RefreshKey,
        org: OrgId,
        session: SessionId,
        generation: u32,
    ) -> anyhow::Result<Self> {
        let random = random::<RANDOM_BYTES>()?;
        let mut marked = Vec::with_capacity(TOKEN_BYTES);
        marked.extend_from_slice(org.as_uuid().as_bytes());
        marked.extend_from_slice(session.as_uuid().as_bytes());
        marked.extend_from_slice(&generation.to_be_bytes());
        marked.extend_from_slice(&random);
        let mark = key.mark(&marked);
        marked.extend_from_slice(&mark);
        let mut bytes = [0; TOKEN_BYTES];
        bytes.copy_from_slice(&marked);
        Ok(Self { org, session, generation, bytes })
    }

    /// Reads a token; `None` where it is malformed or its mark is not ours.
    pub(crate) fn parse(key: &RefreshKey, token: &OpaqueToken) -> Option<Self> {
        let bytes: [u8; TOKEN_BYTES] = token.bytes()?;
        let (marked, mark) = bytes.split_last_chunk::<MARK_BYTES>()?;
        if !key.verify(marked, mark) {
            return None;
        }
        let (org, rest) = marked.split_first_chunk::<16>()?;
        let (session, rest) = rest.split_first_chunk::<16>()?;
        let (generation, _random) = rest.split_first_chunk::<4>()?;
        Some(Self {
            org: Uuid::from_bytes(*org).into(),
            session: Uuid::from_bytes(*session).into(),
            generation: u32::from_be_bytes(*generation),
            bytes,
        })
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
    use crate::auth::keys::SigningKeys;

    fn key_of(secret: &[u8]) -> RefreshKey {
        RefreshKey::derive(&SigningKeys::of(secret, None))
    }

    fn key() -> RefreshKey {
        key_of(b"a signing key of some thirty bytes")
    }

    proptest! {
        #[test]
        fn what_is_issued_is_read_again(org: u128, session: u128, generation: u32) {
            let (org, session) = (Uuid::from_u128(org).into(), Uuid::from_u128(session).into());
            let token = RefreshToken::issue(&key(), org, session, generation).unwrap();
            let read = RefreshToken::parse(&key(), &token.to_opaque()).unwrap();
            prop_assert_eq!((read.org, read.session, read.generation), (org, session, generation));
            prop_assert_eq!(read.hash(), token.hash());
            let other = key_of(b"another signing key of thirty bytes");
            prop_assert!(RefreshToken::parse(&other, &token.to_opaque()).is_none());
        }

        #[test]
        fn a_changed_bit_is_refused(bit in 0usize..TOKEN_BYTES * 8) {
            let token = RefreshToken::issue(&key(), OrgId::new(), SessionId::new(), 7).unwrap();
            let mut bytes = token.bytes;
            bytes[bit / 8] ^= 1 << (bit % 8);
            prop_assert!(RefreshToken::parse(&key(), &OpaqueToken::of(&bytes)).is_none());
        }

        #[test]
        fn any_bytes_are_read_without_panic(bytes in any::<[u8; 32]>()) {
            prop_assert!(RefreshToken::parse(&key(), &OpaqueToken::of(&bytes)).is_none());
        }
    }
}
