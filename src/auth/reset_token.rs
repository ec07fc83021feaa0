//! Tokens that a forgotten password is replaced with: whose, which password it replaces, until when, and a mark that
//! says it is ours. Nothing is stored of them: once the account has another password, they count no more.

use uuid::Uuid;

use super::keys::{MARK_BYTES, RefreshKey};
use super::opaque::OpaqueToken;
use crate::types::{AccountId, Timestamp};

/// Account, version of its password, moment.
const MARKED_BYTES: usize = 16 + 8 + 8;
const TOKEN_BYTES: usize = MARKED_BYTES + MARK_BYTES;

/// A token with our mark on it. Whether it still counts, clock and account know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ResetToken {
    /// Whose password is replaced.
    pub(crate) account: AccountId,
    /// Which of the account's passwords that is.
    pub(crate) version: i64,
    /// Until when.
    pub(crate) expires_at: Timestamp,
}

impl ResetToken {
    /// As it travels.
    pub(crate) fn to_opaque(self, key: &RefreshKey) -> OpaqueToken {
        let mut bytes = Vec::with_capacity(TOKEN_BYTES);
        bytes.extend_from_slice(self.account.as_uuid().as_bytes());
        bytes.extend_from_slice(&self.version.to_be_bytes());
        bytes.extend_from_slice(&self.expires_at.as_millis().to_be_bytes());
        let mark = key.mark(&bytes);
        bytes.extend_from_slice(&mark);
        OpaqueToken::of(&bytes)
    }

    /// Reads a token; `None` where it is malformed or its mark is not ours.
    pub(crate) fn parse(key: &RefreshKey, token: &OpaqueToken) -> Option<Self> {
        let bytes: [u8; TOKEN_BYTES] = token.bytes()?;
        let (marked, mark) = bytes.split_last_chunk::<MARK_BYTES>()?;
        if !key.verify(marked, mark) {
            return None;
        }
        let (account, rest) = marked.split_first_chunk::<16>()?;
        let (version, rest) = rest.split_first_chunk::<8>()?;
        let (expires_at, _) = rest.split_first_chunk::<8>()?;
        Some(Self {
            account: Uuid::from_bytes(*account).into(),
            version: i64::from_be_bytes(*version),
            expires_at: Timestamp::from_millis(i64::from_be_bytes(*expires_at)),
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::auth::keys::SigningKeys;

    fn key() -> RefreshKey {
        RefreshKey::derive_for_resets(&SigningKeys::of(b"a signing key of some thirty bytes", None))
    }

    proptest! {
        #[test]
        fn what_is_issued_is_read_again_and_nothing_else(version: i64, at: i64, bit: prop::sample::Index) {
            let expires_at = Timestamp::from_millis(at);
            let token = ResetToken { account: AccountId::new(), version, expires_at };
            let travelling = token.to_opaque(&key());
            prop_assert_eq!(ResetToken::parse(&key(), &travelling), Some(token));
            let mut bytes: [u8; TOKEN_BYTES] = travelling.bytes().unwrap();
            let bit = bit.index(TOKEN_BYTES * 8);
            bytes[bit / 8] ^= 1 << (bit % 8);
            prop_assert_eq!(ResetToken::parse(&key(), &OpaqueToken::of(&bytes)), None);
            let other = RefreshKey::derive(&SigningKeys::of(b"a signing key of some thirty bytes", None));
            prop_assert_eq!(ResetToken::parse(&other, &travelling), None, "no other kind of token is one");
        }
    }
}
