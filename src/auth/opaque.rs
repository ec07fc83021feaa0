//! Tokens that say nothing to their holder: random bytes as text, stored only as a hash.

use std::fmt;

use anyhow::anyhow;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Serialize, Serializer};
use sha2::{Digest as _, Sha256};

use crate::types::InvalidText;

/// A token as it travels. It is never printed.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct OpaqueToken(String);

impl OpaqueToken {
    /// The token that carries `bytes`.
    pub(crate) fn of(bytes: &[u8]) -> Self {
        Self(URL_SAFE_NO_PAD.encode(bytes))
    }

    /// The bytes it carries; `None` where it is no text of ours of that length.
    pub(crate) fn bytes<const N: usize>(&self) -> Option<[u8; N]> {
        URL_SAFE_NO_PAD.decode(&self.0).ok()?.try_into().ok()
    }

    /// The token itself, to be handed to whom it is for.
    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }
}

/// Any text may be presented as a token; what it is worth is found out later.
impl TryFrom<String> for OpaqueToken {
    type Error = InvalidText;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Ok(Self(text))
    }
}

impl fmt::Debug for OpaqueToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OpaqueToken(…)")
    }
}

impl Serialize for OpaqueToken {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

/// The hash of a token, as it is stored: SHA-256, since a token is too random to be guessed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TokenHash([u8; 32]);

impl TokenHash {
    /// The hash of the bytes that a token carries.
    pub(crate) fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// Whether `stored` is this hash. It takes as long wherever the two differ.
    pub(crate) fn matches(&self, stored: &[u8]) -> bool {
        let difference = self.0.iter().zip(stored).fold(0, |difference, (a, b)| difference | (a ^ b));
        stored.len() == self.0.len() && std::hint::black_box(difference) == 0
    }

    /// The hash as a column holds it.
    pub(crate) fn to_vec(self) -> Vec<u8> {
        self.0.to_vec()
    }
}

/// Bytes that nobody can guess.
pub(crate) fn random<const N: usize>() -> anyhow::Result<[u8; N]> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|error| anyhow!("no random numbers: {error}"))?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_hash_matches_itself_alone() {
        let hash = TokenHash::of(b"one");
        assert!(hash.matches(&hash.to_vec()));
        assert!(!hash.matches(&TokenHash::of(b"two").to_vec()));
        assert!(!hash.matches(&[]));
        assert!(!hash.matches(&[hash.to_vec(), vec![0]].concat()));
    }

    proptest! {
        #[test]
        fn bytes_come_back(bytes in any::<[u8; 32]>()) {
            let token = OpaqueToken::of(&bytes);
            prop_assert_eq!(token.bytes::<32>(), Some(bytes));
            prop_assert_eq!(token.bytes::<31>(), None);
        }

        #[test]
        fn any_text_is_read_without_panic(text in ".{0,200}") {
            let token = OpaqueToken::try_from(text).unwrap();
            if let Some(bytes) = token.bytes::<68>() {
                prop_assert!(OpaqueToken::of(&bytes) == token);
            }
        }
    }
}
