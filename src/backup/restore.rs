//! The way back: a backup becomes the hub's database.

use std::fs::{self, File};
use std::io::ErrorKind;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};

use super::archive::{Archive, Manifest};
use super::{POSTGRES_WAY, SIGNING_KEY};
use crate::config::Config;
use crate::db::replace::{Place, Staged, is_pending, make_folder, sync_folder, with_suffix};
use crate::db::{self, DatabaseUrl, Db, snapshot};
use crate::types::Timestamp;
use crate::upkeep;

/// What becomes of a database that is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Present {
    /// It stays, and nothing is restored.
    Keep,
    /// It is moved aside.
    MoveAside,
}

/// What a restore has done.
#[derive(Debug)]
pub struct Restored {
    /// What was in the backup.
    pub manifest: Manifest,
    /// How many logs have a new epoch.
    pub logs: usize,
    /// Where that is which was there before.
    pub aside: Vec<PathBuf>,
}

/// Puts the database of a backup, and its signing key, where the hub has its own. Every log gets a new
/// epoch: its clients may know positions that came after the backup.
///
/// All or nothing, also where it is killed: what is restored is made ready beside the database, and put in
/// place as one step.
pub async fn restore(
    config: &Config,
    file: &Path,
    present: Present,
    now: Timestamp,
) -> anyhow::Result<Restored> {
    let DatabaseUrl::Sqlite(database) = config.database_url()? else { bail!("{POSTGRES_WAY}") };
    let archive = Archive::open(file)?;
    let place = Place::lock(&database)?;
    if place.is_taken() && present == Present::Keep {
        bail!("there is a database at {}; with --replace it is moved aside", database.display());
    }
    let mut staged = Staging::begin(place.staged(), &config.database.data_dir)?;
    let manifest =
        staged.unpack(archive).with_context(|| format!("{} cannot be restored", file.display()))?;
    let logs = staged.make_ready(&manifest).await;
    let logs = logs.with_context(|| format!("the database in {} cannot be restored", file.display()))?;
    let put = place.put(&staged.files(&manifest), &format!(".before-restore-{}", compact(now)));
    // Once that is written down, what is ready is on its way to its place.
    staged.finished = put.is_ok() || is_pending(&database);
    Ok(Restored { manifest, logs, aside: put? })
}

/// A moment as the part of a file's name.
fn compact(moment: Timestamp) -> String {
    moment.to_string().chars().filter(char::is_ascii_alphanumeric).collect()
}

/// What is made ready beside its place. Until it is finished, it goes when this goes.
struct Staging {
    database: Staged,
    key: Staged,
    finished: bool,
}

impl Staging {
    /// Removes what an attempt that was killed has left.
    fn begin(database: Staged, data_dir: &Path) -> anyhow::Result<Self> {
        let key = data_dir.join(SIGNING_KEY);
        let key = Staged { waits: with_suffix(&key, ".restoring"), place: key };
        let staging = Self { database, key, finished: false };
        staging.clear()?;
        Ok(staging)
    }

    fn clear(&self) -> anyhow::Result<()> {
        let database = ["", "-wal", "-shm", "-journal", ".lock", ".guests"]
            .map(|end| with_suffix(&self.database.waits, end));
        for path in database.iter().chain([&self.key.waits]) {
            match fs::remove_file(path) {
                Err(error) if error.kind() != ErrorKind::NotFound => {
                    return Err(error).with_context(|| format!("cannot remove {}", path.display()));
                }
                Ok(()) | Err(_) => {}
            }
        }
        Ok(())
    }

    fn unpack(&self, archive: Archive<impl std::io::Read>) -> anyhow::Result<Manifest> {
        archive.unpack(|manifest| {
            let known = db::known_migrations()?;
            if let Some(unknown) = manifest.migrations.iter().find(|version| !known.contains(*version)) {
                bail!(
                    "it was made by a newer version of Roomcast ({}): it has migration {unknown}, which this \
                     version does not know. Restore it with that version, or a later one",
                    manifest.version
                );
            }
            let mut files = vec![create(&self.database.waits)?];
            if manifest.part(SIGNING_KEY).is_some() {
                make_folder(&self.key.waits)?;
                files.push(create(&self.key.waits)?);
            }
            Ok(files)
        })
    }

    /// Checks what was unpacked, gives its logs new epochs, and has all of it on the disk. Returns how many
    /// logs there are.
    async fn make_ready(&self, manifest: &Manifest) -> anyhow::Result<usize> {
        let path = &self.database.waits;
        snapshot::check(path)?;
        if snapshot::applied_migrations(path)? != manifest.migrations {
            bail!("its migrations are others than its manifest says");
        }
        let db = Db::open(&DatabaseUrl::Sqlite(path.clone()), 1).await?;
        db.migration_state().await?;
        let logs = upkeep::renew_epochs(&db).await?;
        drop(db);
        snapshot::fold(path)?;
        for lock in [".lock", ".guests"] {
            fs::remove_file(with_suffix(path, lock)).context("removing a lock file")?;
        }
        for file in self.files(manifest) {
            File::open(&file.waits).and_then(|file| file.sync_all()).context("writing to the disk")?;
            sync_folder(&file.waits)?;
        }
        Ok(logs)
    }

    fn files(&self, manifest: &Manifest) -> Vec<Staged> {
        let key = manifest.part(SIGNING_KEY).map(|_| self.key.clone());
        key.into_iter().chain([self.database.clone()]).collect()
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        if !self.finished
            && let Err(error) = self.clear()
        {
            tracing::warn!(error = %error, "cannot remove what was unpacked");
        }
    }
}

fn create(path: &Path) -> anyhow::Result<File> {
    let file = File::options().create_new(true).write(true).mode(0o600).open(path);
    file.with_context(|| format!("cannot write {}", path.display()))
}
