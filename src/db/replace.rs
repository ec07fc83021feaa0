//! Putting another SQLite file in the place of the present one, all or nothing.
//!
//! A rename is atomic, several are not. So what is to be moved where is written down first, beside the
//! database, in one rename: before it nothing has happened; after it everything will have, since whoever
//! opens the database next finishes what is written there before SQLite sees a file.

use std::fs::{self, DirBuilder, File, TryLockError};
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use serde::{Deserialize, Serialize};

/// What SQLite keeps beside a database, and must go wherever that goes: the write-ahead log holds commits
/// that are not in the file yet, and would be taken for those of whatever has its name.
const COMPANIONS: [&str; 2] = ["-wal", "-shm"];

/// A file that is to be put in a place, and where it waits beside that.
#[derive(Debug, Clone)]
pub struct Staged {
    /// Where it waits, in the same folder.
    pub waits: PathBuf,
    /// Where it goes.
    pub place: PathBuf,
}

/// What is to be renamed, in order.
#[derive(Serialize, Deserialize)]
struct Plan {
    renames: Vec<(PathBuf, PathBuf)>,
}

/// A lock that processes hold against each other. The system gives it up for a process that crashes.
#[derive(Debug)]
pub struct Lock(File);

impl Drop for Lock {
    /// Gives it up by name: a process that was being started just now has a copy of the handle for a moment, and
    /// closing ours alone would leave the lock to that.
    fn drop(&mut self) {
        if let Err(error) = self.0.unlock() {
            tracing::debug!(%error, "the lock of the database goes with its file handle alone");
        }
    }
}

/// The place of a SQLite database, locked against hubs and commands for as long as this lives.
pub struct Place {
    path: PathBuf,
    _alone: Lock,
    _no_guests: Lock,
}

impl Place {
    /// Locks the place; its folder is made where there is none. Fails where a hub or a command uses it.
    pub fn lock(path: &Path) -> anyhow::Result<Self> {
        let path = std::path::absolute(path).context("where the database is")?;
        make_folder(&path)?;
        let alone = lock_alone(&path)?;
        let guests = open_lock(&path, "guests")?;
        match guests.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => bail!(
                "another command is at work on the database {}; try again when it is done",
                path.display()
            ),
            Err(TryLockError::Error(error)) => return Err(error).context("locking the database"),
        }
        finish(&path)?;
        Ok(Self { path, _alone: alone, _no_guests: Lock(guests) })
    }

    /// Whether there is a database.
    pub fn is_taken(&self) -> bool {
        self.path.symlink_metadata().is_ok()
    }

    /// Where the file that is to be put here waits.
    pub fn staged(&self) -> Staged {
        Staged { waits: with_suffix(&self.path, ".restoring"), place: self.path.clone() }
    }

    /// Puts these files in their places. What is there goes aside, to its name with `aside` added; where
    /// that is, is returned. The files that wait are whole and on the disk.
    pub fn put(self, files: &[Staged], aside: &str) -> anyhow::Result<Vec<PathBuf>> {
        let mut renames = Vec::new();
        let mut kept = Vec::new();
        for file in files {
            let (waits, place) = (std::path::absolute(&file.waits)?, std::path::absolute(&file.place)?);
            let old = with_suffix(&place, aside);
            for companion in std::iter::once("").chain(COMPANIONS) {
                let (from, to) = (with_suffix(&place, companion), with_suffix(&old, companion));
                if to.symlink_metadata().is_ok() {
                    bail!("{} exists already", to.display());
                }
                if from.symlink_metadata().is_ok() {
                    renames.push((from, to));
                }
            }
            if place.symlink_metadata().is_ok() {
                kept.push(old);
            }
            renames.push((waits, place));
        }
        write_durably(&plan_path(&self.path), &serde_json::to_vec(&Plan { renames })?)?;
        finish(&self.path)?;
        Ok(kept)
    }
}

/// Finishes a replacement that was written down, if there is one. The caller has locked the database.
pub(super) fn finish(path: &Path) -> anyhow::Result<()> {
    let plan_path = plan_path(&std::path::absolute(path)?);
    let text = match fs::read(&plan_path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error).with_context(|| format!("cannot read {}", plan_path.display())),
    };
    let plan: Plan = serde_json::from_slice(&text).with_context(|| plan_path.display().to_string())?;
    for (from, to) in &plan.renames {
        // Of what was done before an interruption, either the one is gone or the other is there.
        if from.symlink_metadata().is_ok() && to.symlink_metadata().is_err() {
            fs::rename(from, to).with_context(|| format!("moving {} to {}", from.display(), to.display()))?;
            sync_folder(to)?;
        }
    }
    fs::remove_file(&plan_path).with_context(|| format!("removing {}", plan_path.display()))?;
    sync_folder(&plan_path)
}

/// Whether a replacement has begun and is not finished.
pub fn is_pending(path: &Path) -> bool {
    plan_path(path).symlink_metadata().is_ok()
}

fn plan_path(path: &Path) -> PathBuf {
    with_suffix(path, ".restore")
}

/// Makes the folder of a database. It holds people's emails and the hashes of their passwords.
pub fn make_folder(path: &Path) -> anyhow::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    folder.map_or(Ok(()), |folder| {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)
            .with_context(|| format!("cannot create the folder {}", folder.display()))
    })
}

/// Takes the lock that says which hub owns the file.
pub(super) fn lock_alone(path: &Path) -> anyhow::Result<Lock> {
    let file = open_lock(path, "lock")?;
    // So that it is the hub's user who owns it, not the administrator who happens to come first.
    drop(open_lock(path, "guests")?);
    match file.try_lock() {
        Ok(()) => Ok(Lock(file)),
        Err(TryLockError::WouldBlock) => bail!(
            "another process uses this database (it holds {}); stop it, or give this one another \
             ROOMCAST_DATA_DIR",
            lock_path(path, "lock").display()
        ),
        Err(TryLockError::Error(error)) => {
            Err(error).with_context(|| format!("cannot lock {}", lock_path(path, "lock").display()))
        }
    }
}

/// Takes the lock of those who work beside a hub, which many may hold, and a restore excludes.
pub fn lock_as_guest(path: &Path) -> anyhow::Result<Lock> {
    if !path.is_file() {
        bail!("there is no database at {}; check ROOMCAST_DATA_DIR and DATABASE_URL", path.display());
    }
    let file = open_lock(path, "guests")?;
    match file.try_lock_shared() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => bail!("a restore is at work on {}", path.display()),
        Err(TryLockError::Error(error)) => return Err(error).context("locking the database"),
    }
    if is_pending(path) {
        bail!(
            "a restore of {} was interrupted: start the hub, or run `roomcast migrate`, and it is finished",
            path.display()
        );
    }
    Ok(Lock(file))
}

fn lock_path(path: &Path, kind: &str) -> PathBuf {
    with_suffix(path, &format!(".{kind}"))
}

fn open_lock(path: &Path, kind: &str) -> anyhow::Result<File> {
    let name = lock_path(path, kind);
    File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(0o600)
        .open(&name)
        .with_context(|| format!("cannot open the lock file {}", name.display()))
}

/// Writes a small file, readable by its owner alone, so that it is there with all of its bytes or not at all,
/// however the process or its machine ends.
pub fn write_durably(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let partial = with_suffix(path, ".partial");
    // What an earlier attempt may have left is not to be trusted for its mode.
    let removed = match fs::remove_file(&partial) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => Ok(()),
    };
    let written = removed
        .and_then(|()| File::options().create_new(true).write(true).mode(0o600).open(&partial))
        .and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all()))
        .and_then(|()| fs::rename(&partial, path))
        .inspect_err(|_| {
            // A full disk has room for nothing; what stays is harmless.
            drop(fs::remove_file(&partial));
        });
    written.with_context(|| format!("cannot write {}", path.display()))?;
    sync_folder(path)
}

/// Has the folder of a file remember its name on the disk.
pub fn sync_folder(path: &Path) -> anyhow::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder)
        .and_then(|folder| folder.sync_all())
        .with_context(|| format!("cannot sync {}", folder.display()))
}

/// A path with something added to its last name.
pub fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stage(folder: &Path) -> (PathBuf, Vec<Staged>) {
        let path = folder.join("a.db");
        for (name, content) in [
            ("a.db", "old"),
            ("a.db-wal", "old wal"),
            ("a.db.restoring", "new"),
            ("key", "old key"),
            ("key.restoring", "new key"),
        ] {
            fs::write(folder.join(name), content).unwrap();
        }
        let key = Staged { waits: folder.join("key.restoring"), place: folder.join("key") };
        let database = Staged { waits: folder.join("a.db.restoring"), place: path.clone() };
        (path, vec![key, database])
    }

    fn expect_replaced(folder: &Path) {
        let read = |name: &str| fs::read_to_string(folder.join(name)).unwrap();
        assert_eq!(
            (read("a.db"), read("a.db.old"), read("a.db.old-wal")),
            ("new".into(), "old".into(), "old wal".into())
        );
        assert_eq!((read("key"), read("key.old")), ("new key".into(), "old key".into()));
        let mut left: Vec<_> =
            fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        left.retain(|name| !name.to_str().unwrap().starts_with("a.db.lock"));
        left.retain(|name| !name.to_str().unwrap().starts_with("a.db.guests"));
        assert_eq!(left.len(), 5, "{left:?}");
    }

    #[test]
    fn what_was_there_goes_aside() {
        let folder = tempfile::tempdir().unwrap();
        let (path, files) = stage(folder.path());
        let aside = Place::lock(&path).unwrap().put(&files, ".old").unwrap();
        assert_eq!(aside, [folder.path().join("key.old"), folder.path().join("a.db.old")]);
        expect_replaced(folder.path());
    }

    #[test]
    fn an_interruption_after_any_step_is_made_good() {
        // As many renames as were done before the interruption.
        for done in 0..=5 {
            let folder = tempfile::tempdir().unwrap();
            let (path, _) = stage(folder.path());
            let renames = [
                ("key", "key.old"),
                ("key.restoring", "key"),
                ("a.db", "a.db.old"),
                ("a.db-wal", "a.db.old-wal"),
                ("a.db.restoring", "a.db"),
            ];
            let renames: Vec<_> = renames
                .map(|(from, to)| (folder.path().join(from), folder.path().join(to)))
                .into_iter()
                .collect();
            for (from, to) in renames.iter().take(done) {
                fs::rename(from, to).unwrap();
            }
            write_durably(&plan_path(&path), &serde_json::to_vec(&Plan { renames }).unwrap()).unwrap();
            assert!(is_pending(&path));
            if path.is_file() {
                let refused = lock_as_guest(&path).unwrap_err().to_string();
                assert!(refused.contains("interrupted"), "{refused}");
            }
            drop(Place::lock(&path).unwrap());
            expect_replaced(folder.path());
        }
    }

    #[test]
    fn a_place_in_use_is_not_given() {
        let folder = tempfile::tempdir().unwrap();
        let (path, _) = stage(folder.path());
        let guest = lock_as_guest(&path).unwrap();
        let another = lock_as_guest(&path).unwrap();
        assert!(Place::lock(&path).err().unwrap().to_string().contains("another command"));
        drop((guest, another));
        let place = Place::lock(&path).unwrap();
        assert!(lock_as_guest(&path).unwrap_err().to_string().contains("restore"));
        assert!(lock_alone(&path).is_err());
        drop(place);
        lock_alone(&path).unwrap();
    }
}
