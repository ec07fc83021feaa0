//! The marks on what nodes say to each other: a node acts only on what one of its own cluster wrote.

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use crate::types::OrgId;

/// The length of a mark: half an HMAC-SHA-256, the shortest that RFC 2104 recommends.
pub(super) const MARK_BYTES: usize = 16;

/// Marks messages, and knows the marks of others with the same signing key and prefix.
pub struct BusKeys {
    present: Hmac<Sha256>,
    previous: Option<Hmac<Sha256>>,
}

impl BusKeys {
    /// Derives them from the signing keys, for the cluster of hubs with this prefix. The present one marks;
    /// both are known, so that the signing key can be replaced.
    pub fn derive(prefix: &str, present: &[u8], previous: Option<&[u8]>) -> Self {
        let derive = |key: &[u8]| {
            let derived = hmac(key).chain_update(b"roomcast bus message v1 ").chain_update(prefix);
            hmac(&derived.finalize().into_bytes())
        };
        Self { present: derive(present), previous: previous.map(derive) }
    }

    /// Appends the mark of a message about an organisation.
    pub(crate) fn mark(&self, org: OrgId, message: &mut Vec<u8>) {
        let mark = over(&self.present, org, message).finalize().into_bytes();
        message.extend(mark.into_iter().take(MARK_BYTES));
    }

    /// Whether it is the mark of this message about this organisation, compared in constant time.
    pub(super) fn verify(&self, org: OrgId, message: &[u8], mark: &[u8; MARK_BYTES]) -> bool {
        let mut keys = std::iter::once(&self.present).chain(&self.previous);
        keys.any(|key| over(key, org, message).verify_truncated_left(mark).is_ok())
    }
}

fn hmac(key: &[u8]) -> Hmac<Sha256> {
    Hmac::new_from_slice(key).expect("HMAC takes a key of any length")
}

/// The organisation is of one length, so that nothing of it can pass for the message, nor the other way round.
fn over(key: &Hmac<Sha256>, org: OrgId, message: &[u8]) -> Hmac<Sha256> {
    key.clone().chain_update(org.as_uuid().as_bytes()).chain_update(message)
}
