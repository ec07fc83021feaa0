//! Sealing: answers that hold a secret are stored encrypted, so that who reads the database, or a backup of
//! it, learns no more than from the hashes in the other tables.

use std::fmt;
use std::sync::Arc;

use anyhow::anyhow;
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};

use crate::auth::{keys, random};

/// The keys of sealed answers. What one sealed, it opens, and nobody else does. Clones share them.
#[derive(Clone)]
pub struct SealKeys(Arc<[LessSafeKey]>);

impl SealKeys {
    /// Derives them from the signing keys. The first one's seals; all of them open, so that a signing key
    /// can be replaced while answers that it sealed are kept.
    pub fn derive<'a>(signing_keys: impl IntoIterator<Item = &'a [u8]>) -> anyhow::Result<Self> {
        let derive = |key: &[u8]| {
            let key = keys::mac(key, b"roomcast idempotency answer v1");
            let unbound = UnboundKey::new(&CHACHA20_POLY1305, &key);
            unbound.map(LessSafeKey::new).map_err(|_| anyhow!("a derived key is as long as the cipher's"))
        };
        Ok(Self(signing_keys.into_iter().map(derive).collect::<anyhow::Result<_>>()?))
    }

    /// Encrypts `plain`, bound to `context`: a nonce, which is random (2^32 answers under one key are far
    /// from where two might meet), the ciphertext and its tag.
    pub(crate) fn seal(&self, context: &[u8], plain: &[u8]) -> anyhow::Result<Vec<u8>> {
        let key = self.0.first().ok_or_else(|| anyhow!("there is no key to seal with"))?;
        let nonce = random::<NONCE_LEN>()?;
        let mut sealed = plain.to_vec();
        key.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(context), &mut sealed)
            .map_err(|_| anyhow!("an answer is too long to be sealed"))?;
        Ok([&nonce, sealed.as_slice()].concat())
    }

    /// What was sealed under `context`; `None` where that was with another key, or for something else, or
    /// where it was changed.
    pub(crate) fn open(&self, context: &[u8], sealed: &[u8]) -> Option<Vec<u8>> {
        let (nonce, sealed) = sealed.split_first_chunk::<NONCE_LEN>()?;
        self.0.iter().find_map(|key| {
            let mut opened = sealed.to_vec();
            let nonce = Nonce::assume_unique_for_key(*nonce);
            let length = key.open_in_place(nonce, Aad::from(context), &mut opened).ok()?.len();
            opened.truncate(length);
            Some(opened)
        })
    }
}

impl fmt::Debug for SealKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SealKeys(…)")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const OLD: &[u8] = b"the signing key of yesterday, 32+ bytes";
    const NEW: &[u8] = b"the signing key of today, 32 bytes and more";

    fn keys(signing_keys: &[&[u8]]) -> SealKeys {
        SealKeys::derive(signing_keys.iter().copied()).unwrap()
    }

    proptest! {
        #[test]
        fn what_is_sealed_is_opened_where_it_belongs_alone(
            plain in prop::collection::vec(any::<u8>(), 0..600),
            context in prop::collection::vec(any::<u8>(), 0..80),
            other in prop::collection::vec(any::<u8>(), 0..80),
            bit: prop::sample::Index,
        ) {
            let mut sealed = keys(&[OLD]).seal(&context, &plain).unwrap();
            let plain = Some(plain);
            prop_assert_eq!(&keys(&[OLD]).open(&context, &sealed), &plain);
            // After a rotation, too, and not once the old key is gone.
            prop_assert_eq!(&keys(&[NEW, OLD]).open(&context, &sealed), &plain);
            prop_assert_eq!(keys(&[NEW]).open(&context, &sealed), None);
            if other != context {
                prop_assert_eq!(keys(&[OLD]).open(&other, &sealed), None);
            }
            let bit = bit.index(sealed.len() * 8);
            sealed[bit / 8] ^= 1 << (bit % 8);
            prop_assert_eq!(keys(&[OLD]).open(&context, &sealed), None);
        }

        #[test]
        fn any_bytes_are_read_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
            prop_assert_eq!(keys(&[OLD]).open(b"", &bytes), None);
        }
    }

    #[test]
    fn nothing_is_sealed_the_same_way_twice() {
        let keys = keys(&[NEW, OLD]);
        let sealed = keys.seal(b"here", b"a secret").unwrap();
        assert_ne!(sealed, keys.seal(b"here", b"a secret").unwrap());
        assert!(!sealed.windows(8).any(|window| window == b"a secret"));
        assert_eq!(format!("{keys:?}"), "SealKeys(…)");
    }
}
