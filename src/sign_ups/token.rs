//! Sign-up tokens: which sign-up, and a secret that only the person has whom it was given.

use uuid::Uuid;

use crate::auth::keys::{SigningKeys, mac};
use crate::auth::{OpaqueToken, TokenHash};
use crate::types::{OrgId, SignUpId};

/// An HMAC-SHA-256.
const SECRET_BYTES: usize = 32;
/// What tells it from an invite's: that one is accepted elsewhere.
const MARK: &[u8; 1] = b"S";
/// The mark, organisation, sign-up, secret.
const TOKEN_BYTES: usize = 1 + 16 + 16 + SECRET_BYTES;

/// What the secrets of sign-ups are made with.
///
/// They are not drawn at random, so that all attempts at one request come to one token: whichever of them has its
/// answer kept under the request's key, what that says is the token that counts.
pub struct SignUpKey(Vec<u8>);

impl SignUpKey {
    /// Derives it from the signing key, so that the two are never the same.
    pub fn derive(keys: &SigningKeys) -> Self {
        Self(mac(keys.present(), b"roomcast sign-up token v1"))
    }
}

/// A sign-up token. Whether it is the sign-up's, its hash tells.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct SignUpToken {
    /// The organisation, which says in which store the sign-up is.
    pub(crate) org: OrgId,
    /// The sign-up.
    pub(crate) sign_up: SignUpId,
    bytes: [u8; TOKEN_BYTES],
}

impl SignUpToken {
    /// The token of a sign-up.
    pub(crate) fn issue(key: &SignUpKey, org: OrgId, sign_up: SignUpId) -> Self {
        let ids = [org.as_uuid().into_bytes(), sign_up.as_uuid().into_bytes()].concat();
        let secret = mac(&key.0, &ids);
        let mut bytes = [0; TOKEN_BYTES];
        for (to, from) in bytes.iter_mut().zip(MARK.iter().chain(&ids).chain(&secret)) {
            *to = *from;
        }
        Self { org, sign_up, bytes }
    }

    /// Reads a token; `None` where it is malformed.
    pub(crate) fn parse(token: &OpaqueToken) -> Option<Self> {
        let bytes: [u8; TOKEN_BYTES] = token.bytes()?;
        let (mark, rest) = bytes.split_first_chunk::<1>()?;
        let (org, rest) = rest.split_first_chunk::<16>()?;
        let (sign_up, _secret) = rest.split_first_chunk::<16>()?;
        let read =
            Self { org: Uuid::from_bytes(*org).into(), sign_up: Uuid::from_bytes(*sign_up).into(), bytes };
        (mark == MARK).then_some(read)
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
        fn what_is_issued_is_read_again(org: u128, sign_up: u128) {
            let (org, sign_up) = (Uuid::from_u128(org).into(), Uuid::from_u128(sign_up).into());
            let key = SignUpKey::derive(&SigningKeys::of(b"the key of one cluster of hubs!!", None));
            let token = SignUpToken::issue(&key, org, sign_up);
            let read = SignUpToken::parse(&token.to_opaque()).unwrap();
            prop_assert_eq!((read.org, read.sign_up, read.hash()), (org, sign_up, token.hash()));
            let other = SignUpKey::derive(&SigningKeys::of(b"the key of another, or of before", None));
            prop_assert!(SignUpToken::issue(&other, org, sign_up) != token);
        }

        #[test]
        fn any_text_is_read_without_panic(text in ".{0,120}") {
            let token = OpaqueToken::try_from(text).unwrap();
            if let Some(read) = SignUpToken::parse(&token) {
                prop_assert!(read.to_opaque() == token);
            }
        }
    }
}
