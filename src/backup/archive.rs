//! The file that a backup is.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek as _, Write};
use std::path::Path;

use anyhow::{Context as _, bail};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use tar::{EntryType, Header};

use super::{DATABASE, SIGNING_KEY};
use crate::types::Timestamp;

/// The form of the archive that this version writes, and the only one that it reads.
const FORMAT: u32 = 1;

/// The first entry.
const MANIFEST: &str = "manifest.json";

/// More than any manifest has: it is read into memory before anything is known of it.
const MAX_MANIFEST_BYTES: u64 = 64 * 1024;

/// What a backup holds, and of what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Manifest {
    format: u32,
    /// The version of Roomcast that made it.
    pub version: String,
    /// When, for people.
    pub created_at: String,
    /// The migrations that the database has.
    pub migrations: Vec<String>,
    /// What follows, in order.
    pub parts: Vec<Part>,
}

/// A file in a backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// `roomcast.db` or `signing.key`.
    pub name: String,
    /// Its length.
    pub bytes: u64,
    /// Its SHA-256, in hexadecimal.
    pub sha256: String,
}

impl Manifest {
    /// Of a backup that is made `now`.
    pub(super) fn new(now: Timestamp, migrations: Vec<String>, parts: Vec<Part>) -> Self {
        let version = env!("CARGO_PKG_VERSION").to_owned();
        Self { format: FORMAT, version, created_at: now.to_string(), migrations, parts }
    }

    /// A part by its name.
    pub fn part(&self, name: &str) -> Option<&Part> {
        self.parts.iter().find(|part| part.name == name)
    }
}

impl Part {
    /// The part that a file will be. It is read once, for its checksum.
    pub(super) fn of(name: &str, file: &mut File) -> anyhow::Result<Self> {
        let mut hasher = Hashing { inner: io::sink(), hash: Sha256::new(), bytes: 0 };
        file.rewind().and_then(|()| io::copy(file, &mut hasher)).context("reading what is backed up")?;
        file.rewind()?;
        let (bytes, sha256) = hasher.finish();
        Ok(Self { name: name.to_owned(), bytes, sha256 })
    }
}

/// Writes an archive of these parts, which are as the manifest says.
pub(super) fn write(out: impl Write, manifest: &Manifest, parts: &mut [File]) -> anyhow::Result<()> {
    let mut archive = tar::Builder::new(out);
    let text = serde_json::to_vec_pretty(manifest).context("writing the manifest")?;
    let length = u64::try_from(text.len()).context("the manifest is too long")?;
    archive.append(&header(MANIFEST, length)?, text.as_slice())?;
    for (part, file) in manifest.parts.iter().zip(parts) {
        archive.append(&header(&part.name, part.bytes)?, file)?;
    }
    archive.into_inner().and_then(|mut out| out.flush()).context("writing the backup")
}

fn header(name: &str, bytes: u64) -> anyhow::Result<Header> {
    let mut header = Header::new_gnu();
    header.set_path(name)?;
    header.set_size(bytes);
    header.set_mode(0o600);
    header.set_entry_type(EntryType::Regular);
    header.set_cksum();
    Ok(header)
}

/// An archive that is being read.
pub struct Archive<R: Read> {
    archive: tar::Archive<R>,
}

impl Archive<BufReader<File>> {
    /// Opens a file.
    pub fn open(path: &Path) -> anyhow::Result<Self> {
        let file = File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
        Ok(Self::new(BufReader::new(file)))
    }
}

impl<R: Read> Archive<R> {
    /// Reads an archive from anywhere.
    pub fn new(source: R) -> Self {
        Self { archive: tar::Archive::new(source) }
    }

    /// Reads all of it. `place` says where the content of a part goes, once the manifest is known to be one
    /// of ours. What was written counts only where this succeeds.
    pub fn unpack<W: Write>(
        mut self,
        place: impl FnOnce(&Manifest) -> anyhow::Result<Vec<W>>,
    ) -> anyhow::Result<Manifest> {
        // Raw: long names, sparse files and the other extensions of tar are nothing that we write.
        let mut entries = self.archive.entries().context("it is no backup")?.raw(true);
        let mut next = || -> anyhow::Result<Option<tar::Entry<'_, R>>> {
            entries.next().transpose().context("it is no backup, or not all of one")
        };
        let first = next()?.context("it is empty")?;
        let manifest = read_manifest(first)?;
        let mut places = place(&manifest)?;
        for (part, out) in manifest.parts.iter().zip(&mut places) {
            let entry = next()?.with_context(|| format!("{} is missing in it", part.name))?;
            read_part(entry, part, out)?;
        }
        if next()?.is_some() {
            bail!("there is more in it than its manifest names");
        }
        Ok(manifest)
    }
}

fn read_manifest(entry: tar::Entry<'_, impl Read>) -> anyhow::Result<Manifest> {
    #[derive(Deserialize)]
    struct Form {
        format: u32,
        version: String,
    }

    expect(&entry, MANIFEST)?;
    let mut text = Vec::new();
    let length = entry.take(MAX_MANIFEST_BYTES).read_to_end(&mut text);
    length.context("its manifest cannot be read")?;
    // The form first: a later one may have other fields.
    let form: Form = serde_json::from_slice(&text).context("its manifest is not one of Roomcast")?;
    if form.format != FORMAT {
        bail!("it was made by another version of Roomcast, {:?}; restore it with that one", form.version);
    }
    let manifest: Manifest = serde_json::from_slice(&text).context("its manifest is not one of Roomcast")?;
    let names: Vec<&str> = manifest.parts.iter().map(|part| part.name.as_str()).collect();
    if names != [DATABASE] && names != [DATABASE, SIGNING_KEY] {
        bail!("its manifest names {names:?}, which is not what a backup holds");
    }
    Ok(manifest)
}

fn read_part(mut entry: tar::Entry<'_, impl Read>, part: &Part, out: &mut impl Write) -> anyhow::Result<()> {
    expect(&entry, &part.name)?;
    let mut hashing = Hashing { inner: out, hash: Sha256::new(), bytes: 0 };
    io::copy(&mut entry, &mut hashing).with_context(|| format!("unpacking {}", part.name))?;
    hashing.flush().with_context(|| format!("unpacking {}", part.name))?;
    let (bytes, sha256) = hashing.finish();
    if bytes != part.bytes {
        bail!("{} has {bytes} bytes in it, of {}: it is cut short or damaged", part.name, part.bytes);
    }
    if sha256 != part.sha256 {
        bail!("the checksum of {} is another than its manifest says: it is damaged", part.name);
    }
    Ok(())
}

/// Refuses whatever is no plain file of this very name.
fn expect(entry: &tar::Entry<'_, impl Read>, name: &str) -> anyhow::Result<()> {
    let found = entry.path_bytes();
    if entry.header().entry_type() != EntryType::Regular || *found != *name.as_bytes() {
        bail!("{:?} is in it where {name} should be", String::from_utf8_lossy(&found));
    }
    Ok(())
}

/// Counts and hashes what is written through it.
struct Hashing<W> {
    inner: W,
    hash: Sha256,
    bytes: u64,
}

impl<W> Hashing<W> {
    fn finish(self) -> (u64, String) {
        let digits =
            self.hash.finalize().iter().fold(String::new(), |digits, byte| digits + &format!("{byte:02x}"));
        (self.bytes, digits)
    }
}

impl<W: Write> Write for Hashing<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.hash.update(bytes.get(..written).unwrap_or_default());
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use proptest::prelude::*;

    use super::*;

    fn file(content: &[u8]) -> File {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(content).unwrap();
        file
    }

    /// A backup of these contents.
    fn backup(database: &[u8], key: Option<&[u8]>) -> Vec<u8> {
        let mut parts = vec![file(database)];
        let mut described = vec![Part::of(DATABASE, &mut parts[0]).unwrap()];
        if let Some(key) = key {
            parts.push(file(key));
            described.push(Part::of(SIGNING_KEY, &mut parts[1]).unwrap());
        }
        let manifest = Manifest::new(Timestamp::from_millis(0), vec!["20260101".to_owned()], described);
        let mut bytes = Vec::new();
        write(&mut bytes, &manifest, &mut parts).unwrap();
        bytes
    }

    /// What is in one, or why it is none.
    fn unpack(bytes: &[u8]) -> Result<Vec<Vec<u8>>, String> {
        let mut outs = Vec::new();
        let unpacked = Archive::new(Cursor::new(bytes)).unpack(|manifest| {
            outs = manifest.parts.iter().map(|_| tempfile::tempfile().unwrap()).collect();
            Ok(outs.iter().map(|out| out.try_clone().unwrap()).collect())
        });
        unpacked.map_err(|error| format!("{error:#}"))?;
        let read = |mut out: File| {
            let mut content = Vec::new();
            out.rewind().and_then(|()| out.read_to_end(&mut content)).unwrap();
            content
        };
        Ok(outs.into_iter().map(read).collect())
    }

    fn raw(entries: &[(&str, EntryType, &[u8])]) -> Vec<u8> {
        let mut archive = tar::Builder::new(Vec::new());
        for (name, kind, content) in entries {
            let mut header = Header::new_gnu();
            // Past what the library would refuse.
            header.as_gnu_mut().unwrap().name[..name.len()].copy_from_slice(name.as_bytes());
            header.set_size(content.len() as u64);
            header.set_entry_type(*kind);
            header.set_cksum();
            archive.append(&header, *content).unwrap();
        }
        archive.into_inner().unwrap()
    }

    fn manifest_of(bytes: &[u8]) -> Vec<u8> {
        let mut archive = tar::Archive::new(bytes);
        let mut text = Vec::new();
        archive.entries().unwrap().next().unwrap().unwrap().read_to_end(&mut text).unwrap();
        text
    }

    #[test]
    fn names_that_lead_elsewhere_are_refused() {
        let good = backup(b"database", None);
        let manifest = manifest_of(&good);
        for name in ["../roomcast.db", "/etc/passwd", "./roomcast.db", "roomcast.db/", "signing.key", ""] {
            let bytes =
                raw(&[(MANIFEST, EntryType::Regular, &manifest), (name, EntryType::Regular, b"database")]);
            assert!(unpack(&bytes).is_err(), "{name:?}");
        }
        for kind in [
            EntryType::Symlink,
            EntryType::Link,
            EntryType::Directory,
            EntryType::GNUSparse,
            EntryType::XHeader,
        ] {
            let bytes = raw(&[(MANIFEST, EntryType::Regular, &manifest), (DATABASE, kind, b"database")]);
            assert!(unpack(&bytes).is_err(), "{kind:?}");
        }
        let more = [
            (MANIFEST, EntryType::Regular, &*manifest),
            (DATABASE, EntryType::Regular, b"database"),
            (DATABASE, EntryType::Regular, b"database"),
        ];
        assert!(unpack(&raw(&more[..2])).is_ok());
        assert!(unpack(&raw(&more)).unwrap_err().contains("more in it"));
    }

    #[test]
    fn a_later_form_is_refused_by_the_version_that_made_it() {
        let good = backup(b"database", None);
        let text = String::from_utf8(manifest_of(&good)).unwrap();
        let later =
            text.replace("\"format\": 1", "\"format\": 2").replace(env!("CARGO_PKG_VERSION"), "9.9.9");
        let bytes = raw(&[(MANIFEST, EntryType::Regular, later.as_bytes())]);
        assert!(unpack(&bytes).unwrap_err().contains("9.9.9"));
    }

    proptest! {
        #[test]
        fn what_is_packed_is_unpacked(database in any::<Vec<u8>>(), key in proptest::option::of(any::<[u8; 32]>())) {
            let bytes = backup(&database, key.as_ref().map(<[u8; 32]>::as_slice));
            let expected: Vec<Vec<u8>> = std::iter::once(database).chain(key.map(|key| key.to_vec())).collect();
            prop_assert_eq!(unpack(&bytes), Ok(expected));
        }

        #[test]
        fn what_is_cut_short_is_refused(length in 0..3584_usize) {
            // Behind the last part there are only the zeros of the end, which may be missing.
            let bytes = backup(&[7; 1000], Some(&[8; 32]));
            prop_assert!(unpack(&bytes[..length]).is_err());
        }

        #[test]
        fn what_was_changed_is_refused_or_changes_nothing(place in 0..4096_usize, value in any::<u8>()) {
            let (database, key) = (vec![7; 1000], vec![8; 32]);
            let mut bytes = backup(&database, Some(&key));
            let place = place % bytes.len();
            bytes[place] = value;
            if let Ok(unpacked) = unpack(&bytes) {
                prop_assert_eq!(unpacked, vec![database, key]);
            }
        }

        #[test]
        fn garbage_is_refused(bytes in any::<Vec<u8>>()) {
            prop_assert!(unpack(&bytes).is_err());
        }
    }
}
