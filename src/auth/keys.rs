//! The keys that the hub signs with.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;

use anyhow::{Context as _, bail};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use crate::config::Config;

/// The length of a generated key.
const KEY_BYTES: usize = 32;

/// The key for access tokens: the configured one, else one that is made at first start and kept in the
/// data folder, readable by its owner alone.
pub fn signing_key(config: &Config) -> anyhow::Result<Vec<u8>> {
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
            write_whole(&path, &key).with_context(|| format!("cannot create {}", path.display()))?;
        }
        Err(error) => return Err(error).with_context(|| format!("cannot read {}", path.display())),
    }
    Ok(key)
}

/// Writes a file that is there with all of its bytes or not at all, however the process or its machine ends:
/// half a key would stop every later start.
fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let beside = path.with_extension("key.new");
    // What an earlier attempt may have left is of no use to anybody, and not to be trusted for its mode.
    match fs::remove_file(&beside) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    let mut file = OpenOptions::new().create_new(true).write(true).mode(0o600).open(&beside)?;
    let written = file.write_all(bytes).and_then(|()| file.sync_all());
    written.and_then(|()| fs::rename(&beside, path)).inspect_err(|_| {
        // A full disk has room for nothing; what stays is harmless.
        drop(fs::remove_file(&beside));
    })?;
    // The name, too, has to outlive a loss of power.
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}

/// Marks refresh tokens as ours, so that one that was rotated long ago is told from an invented one
/// without keeping every token that ever was.
#[derive(Clone)]
pub struct RefreshKey(Vec<u8>);

impl RefreshKey {
    /// Derives it from the signing key, so that the two are never the same.
    pub fn derive(signing_key: &[u8]) -> Self {
        Self(mac(signing_key, b"roomcast refresh token v1"))
    }

    /// The mark of a token's bytes.
    pub fn mark(&self, message: &[u8]) -> [u8; MARK_BYTES] {
        let mut mark = [0; MARK_BYTES];
        for (to, from) in mark.iter_mut().zip(mac(&self.0, message)) {
            *to = from;
        }
        mark
    }

    /// Whether `mark` is the mark of `message`, compared in constant time.
    pub fn verify(&self, message: &[u8], mark: &[u8; MARK_BYTES]) -> bool {
        Hmac::<Sha256>::new_from_slice(&self.0).is_ok_and(|mut mac| {
            mac.update(message);
            mac.verify_truncated_left(mark).is_ok()
        })
    }
}

/// The length of a mark: half an HMAC-SHA-256, the shortest that RFC 2104 recommends.
pub const MARK_BYTES: usize = 16;

fn mac(key: &[u8], message: &[u8]) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes a key of any length");
    mac.update(message);
    mac.finalize().into_bytes().to_vec()
}
