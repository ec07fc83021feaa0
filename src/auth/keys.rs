//! The keys that the hub signs with.

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Read as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::Path;

use anyhow::{Context as _, bail};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use crate::config::Config;
use crate::db::replace::write_durably;

/// The length of a generated key.
const KEY_BYTES: usize = 32;

/// The secrets that tokens are signed with, and that further keys are derived from: each purpose by a label
/// of its own.
#[derive(Clone)]
pub struct SigningKeys {
    present: Vec<u8>,
    previous: Option<Vec<u8>>,
}

impl SigningKeys {
    /// Those of the settings: the present one, made at first start where none is set, and the one before it,
    /// if it is set.
    pub fn load(config: &Config) -> anyhow::Result<Self> {
        let previous = config.auth.jwt_access_secret_previous.as_ref();
        Ok(Self {
            present: signing_key(config)?,
            previous: previous.map(|secret| secret.reveal().as_bytes().to_vec()),
        })
    }

    /// Keys without a setting.
    #[cfg(any(test, feature = "fuzzing"))]
    pub(crate) fn of(present: &[u8], previous: Option<&[u8]>) -> Self {
        Self { present: present.to_vec(), previous: previous.map(<[u8]>::to_vec) }
    }

    /// What is signed or sealed from now on is with this one.
    pub fn present(&self) -> &[u8] {
        &self.present
    }

    /// What it replaced: what was signed or sealed with this one still counts.
    pub fn previous(&self) -> Option<&[u8]> {
        self.previous.as_deref()
    }

    /// The present one, then the previous.
    pub fn all(&self) -> impl Iterator<Item = &[u8]> {
        std::iter::once(self.present()).chain(self.previous())
    }
}

/// The key for access tokens: the configured one, else one that is made at first start and kept in the
/// data folder, readable by its owner alone.
fn signing_key(config: &Config) -> anyhow::Result<Vec<u8>> {
    if let Some(secret) = &config.auth.jwt_access_secret {
        return Ok(secret.reveal().as_bytes().to_vec());
    }
    let folder = &config.database.data_dir;
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .with_context(|| format!("cannot create the folder {}", folder.display()))?;
    let path = folder.join("signing.key");
    let mut key = Vec::new();
    match OpenOptions::new().read(true).open(&path) {
        Ok(mut file) => {
            file.read_to_end(&mut key).with_context(|| format!("cannot read {}", path.display()))?;
            check_mode(&path, file.metadata().with_context(|| path.display().to_string())?.mode())?;
            if key.len() != KEY_BYTES {
                bail!(
                    "{} does not hold a key of {KEY_BYTES} bytes; delete it to get a new one",
                    path.display()
                );
            }
        }
        Err(error) if error.kind() == ErrorKind::NotFound => {
            key = vec![0; KEY_BYTES];
            getrandom::fill(&mut key).map_err(|error| anyhow::anyhow!("no random numbers: {error}"))?;
            write_durably(&path, &key)?;
        }
        Err(error) => return Err(error).with_context(|| format!("cannot read {}", path.display())),
    }
    Ok(key)
}

/// Refuses a key that every user of the machine can read, and warns of one that a group can: an orchestrator
/// may give its volumes a group on purpose.
fn check_mode(path: &Path, mode: u32) -> anyhow::Result<()> {
    let path = path.display();
    if mode & 0o007 != 0 {
        bail!(
            "{path} can be read by every user of this machine, who could sign in as anybody: \
             chmod 600 '{path}', or delete it to get a new one, which signs everybody out"
        );
    }
    if mode & 0o070 != 0 {
        tracing::warn!("the group of {path} can read the signing key: chmod 600 '{path}'");
    }
    Ok(())
}

/// Marks refresh tokens as ours, so that one that was rotated long ago is told from an invented one
/// without keeping every token that ever was.
#[derive(Clone)]
pub struct RefreshKey {
    present: Vec<u8>,
    previous: Option<Vec<u8>>,
}

impl RefreshKey {
    /// Derives it from the signing keys, so that the two are never the same.
    pub fn derive(keys: &SigningKeys) -> Self {
        let derive = |key: &[u8]| mac(key, b"roomcast refresh token v1");
        Self { present: derive(keys.present()), previous: keys.previous().map(derive) }
    }

    /// The same for platform administrators, whose tokens are no members'.
    pub fn derive_for_platform(keys: &SigningKeys) -> Self {
        let derive = |key: &[u8]| mac(key, b"roomcast platform refresh token v1");
        Self { present: derive(keys.present()), previous: keys.previous().map(derive) }
    }

    /// The same for the tokens that a password is forgotten with.
    pub fn derive_for_resets(keys: &SigningKeys) -> Self {
        let derive = |key: &[u8]| mac(key, b"roomcast password reset token v1");
        Self { present: derive(keys.present()), previous: keys.previous().map(derive) }
    }

    /// The mark of a token's bytes.
    pub fn mark(&self, message: &[u8]) -> [u8; MARK_BYTES] {
        let mut mark = [0; MARK_BYTES];
        for (to, from) in mark.iter_mut().zip(mac(&self.present, message)) {
            *to = from;
        }
        mark
    }

    /// Whether `mark` is the mark of `message` by either key, compared in constant time.
    pub fn verify(&self, message: &[u8], mark: &[u8; MARK_BYTES]) -> bool {
        std::iter::once(&self.present).chain(&self.previous).any(|key| {
            Hmac::<Sha256>::new_from_slice(key).is_ok_and(|mut mac| {
                mac.update(message);
                mac.verify_truncated_left(mark).is_ok()
            })
        })
    }
}

/// The length of a mark: half an HMAC-SHA-256, the shortest that RFC 2104 recommends.
pub const MARK_BYTES: usize = 16;

/// HMAC-SHA-256, also to derive a key for each purpose from the signing key.
pub(crate) fn mac(key: &[u8], message: &[u8]) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes a key of any length");
    mac.update(message);
    mac.finalize().into_bytes().to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_of_the_previous_key_counts_and_new_ones_are_of_the_present() {
        let (old, new) = (b"the old key of thirty-two bytes!", b"the new key of thirty-two bytes!");
        let before = RefreshKey::derive(&SigningKeys::of(old, None));
        let between = RefreshKey::derive(&SigningKeys::of(new, Some(old)));
        let after = RefreshKey::derive(&SigningKeys::of(new, None));
        assert!(between.verify(b"token", &before.mark(b"token")));
        assert!(after.verify(b"token", &between.mark(b"token")));
        assert!(!after.verify(b"token", &before.mark(b"token")));
    }

    #[test]
    fn a_key_that_all_can_read_is_refused_with_the_command_that_mends_it() {
        let check = |mode| check_mode(Path::new("/data/signing.key"), mode);
        assert!(check(0o100_600).is_ok());
        assert!(check(0o100_640).is_ok());
        let refused = check(0o100_644).unwrap_err().to_string();
        assert!(refused.contains("chmod 600 '/data/signing.key'"), "{refused}");
    }
}
