//! Making a backup, while the hub runs and writes.

use std::fs::{self, DirBuilder, File};
use std::io::{BufWriter, ErrorKind, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context as _, bail};
use parking_lot::Mutex;
use uuid::Uuid;

use super::archive::{self, Manifest, Part};
use super::{DATABASE, POSTGRES_WAY, SIGNING_KEY};
use crate::config::Config;
use crate::db::{DatabaseUrl, replace, snapshot};
use crate::types::Timestamp;

/// How far a backup is, for whoever watches from another thread.
#[derive(Debug, Default)]
pub struct Progress {
    step: Mutex<Option<Step>>,
    total_bytes: AtomicU64,
}

/// What a backup is at.
#[derive(Debug, Clone)]
pub enum Step {
    /// It copies the database; the copy grows here.
    Copying(PathBuf),
    /// It packs the copy; the archive grows here.
    Packing(PathBuf),
}

impl Progress {
    fn begin(&self, step: Step, total_bytes: u64) {
        self.total_bytes.store(total_bytes, Ordering::Relaxed);
        *self.step.lock() = Some(step);
    }

    /// Removes what is not finished, for a process that is about to end before it is.
    pub fn abandon(&self) {
        if let Some(Step::Copying(file) | Step::Packing(file)) = &*self.step.lock()
            && let Some(workshop) = file.parent()
        {
            drop(Workshop(workshop.to_owned()));
        }
    }

    /// What it is at, and how many of a hundred parts of that are done.
    pub fn percent(&self) -> Option<(Step, u64)> {
        let step = self.step.lock().clone()?;
        let (Step::Copying(file) | Step::Packing(file)) = &step;
        let bytes = file.metadata().map_or(0, |file| file.len());
        let total = self.total_bytes.load(Ordering::Relaxed).max(1);
        Some((step, (bytes.saturating_mul(100) / total).min(100)))
    }
}

/// A folder for what is not finished; gone with whatever is in it when this goes.
struct Workshop(PathBuf);

impl Workshop {
    /// Beside `target`, so that what is finished can be renamed to it.
    fn beside(target: &Path) -> anyhow::Result<Self> {
        let name = target.file_name().context("FILE must be the name of a file")?.to_string_lossy();
        let folder = target.with_file_name(format!(".{name}.{}", Uuid::now_v7().simple()));
        // Nobody else looks in, nor had put a link in the way: it is new.
        let made = DirBuilder::new().mode(0o700).create(&folder);
        made.with_context(|| format!("cannot write beside {}", target.display()))?;
        Ok(Self(folder))
    }

    fn create(&self, name: &str) -> anyhow::Result<(PathBuf, File)> {
        let path = self.0.join(name);
        let file = File::options().create_new(true).read(true).write(true).mode(0o600).open(&path);
        let file = file.with_context(|| format!("cannot write {}", path.display()))?;
        Ok((path, file))
    }
}

impl Drop for Workshop {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.0) {
            tracing::warn!(folder = %self.0.display(), error = %error, "cannot remove an unfinished backup");
        }
    }
}

/// Writes a backup of the hub's database to `target`, which must not exist. It needs room for the database
/// twice there until it is done. Blocks for as long as that takes; the hub may run and write meanwhile.
pub fn create(
    config: &Config,
    target: &Path,
    now: Timestamp,
    progress: &Progress,
) -> anyhow::Result<Manifest> {
    let DatabaseUrl::Sqlite(database) = config.database_url()? else { bail!("{POSTGRES_WAY}") };
    if target.symlink_metadata().is_ok() {
        bail!("{} exists already, and a backup overwrites nothing: name another FILE", target.display());
    }
    let _guest = replace::lock_as_guest(&database)?;
    let workshop = Workshop::beside(target)?;

    let (copy, mut copied) = workshop.create(DATABASE)?;
    progress.begin(Step::Copying(copy.clone()), snapshot::expected_bytes(&database)?);
    snapshot::copy(&database, &copy).context("copying the database")?;
    if let Some(apart) = snapshot::count_apart(&copy)?.filter(|apart| *apart > 0) {
        bail!(
            "{apart} organisations have files of their own, which a backup does not hold: docs/tenancy.md says how the \
             whole folder is saved"
        );
    }
    let migrations = snapshot::applied_migrations(&copy)?;
    let mut parts = vec![Part::of(DATABASE, &mut copied)?];
    let mut files = vec![copied];
    if let Some(mut key) = generated_key(config)? {
        parts.push(Part::of(SIGNING_KEY, &mut key)?);
        files.push(key);
    }

    let manifest = Manifest::new(now, migrations, parts);
    let (packed, archive) = workshop.create("backup.tar")?;
    progress.begin(Step::Packing(packed.clone()), manifest.parts.iter().map(|part| part.bytes).sum());
    let mut out = BufWriter::new(&archive);
    archive::write(&mut out, &manifest, &mut files)?;
    out.flush().context("writing the backup")?;
    drop(out);
    archive.sync_all().context("writing the backup to the disk")?;
    place(&packed, target)?;
    Ok(manifest)
}

/// The signing key, where the hub made it itself.
fn generated_key(config: &Config) -> anyhow::Result<Option<File>> {
    if config.auth.jwt_access_secret.is_some() {
        return Ok(None);
    }
    let path = config.database.data_dir.join(SIGNING_KEY);
    match File::open(&path) {
        Ok(file) => Ok(Some(file)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
    }
}

/// Gives the finished archive its name, unless something has that by now: a link is never made over
/// something, as a rename is.
fn place(packed: &Path, target: &Path) -> anyhow::Result<()> {
    match fs::hard_link(packed, target) {
        Ok(()) => {}
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            bail!("{} has come to exist meanwhile; name another FILE", target.display())
        }
        // Not every file system has links.
        Err(_) => fs::rename(packed, target).with_context(|| format!("cannot write {}", target.display()))?,
    }
    replace::sync_folder(target)
}
