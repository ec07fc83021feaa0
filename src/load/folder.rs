//! The folder of a hub that a run starts. It goes with the run; of a run that was killed the next one removes it.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use tempfile::TempDir;

const PREFIX: &str = "roomcast-load-";

/// Held by the run that the folder belongs to. A killed one holds it no more.
const LOCK: &str = "lock";

/// A run has locked its folder long before, and the hub of one that was killed has ended.
const LEFT_AFTER: Duration = Duration::from_mins(1);

/// A folder of this run's own, until it is dropped.
pub(super) struct Folder {
    folder: TempDir,
    _lock: File,
}

impl Folder {
    /// Makes one, and removes what others have left.
    pub(super) fn new() -> anyhow::Result<Self> {
        let parent = std::env::temp_dir();
        remove_left(&parent, LEFT_AFTER);
        Self::within(&parent).context("cannot make a temporary folder")
    }

    fn within(parent: &Path) -> anyhow::Result<Self> {
        let folder = tempfile::Builder::new().prefix(PREFIX).tempdir_in(parent)?;
        let lock = File::create(folder.path().join(LOCK))?;
        lock.try_lock()?;
        Ok(Self { folder, _lock: lock })
    }

    pub(super) fn path(&self) -> &Path {
        self.folder.path()
    }
}

/// Removes the folders that nobody holds any more. What cannot be removed is somebody else's, or is found again.
fn remove_left(parent: &Path, after: Duration) {
    for entry in fs::read_dir(parent).into_iter().flatten().flatten() {
        let is_ours = |name: &OsStr| name.to_str().is_some_and(|name| name.starts_with(PREFIX));
        if is_ours(&entry.file_name()) && entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            let path = entry.path();
            if is_left(&path.join(LOCK), after) {
                drop(fs::remove_dir_all(&path));
            }
        }
    }
}

fn is_left(lock: &Path, after: Duration) -> bool {
    let Ok(file) = File::open(lock) else { return false };
    let age = file.metadata().and_then(|found| found.modified()).ok().and_then(|at| at.elapsed().ok());
    age.is_some_and(|age| age >= after) && file.try_lock().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_killed_run_left_goes_with_the_next_and_nothing_else_does() {
        let parent = tempfile::tempdir().unwrap();
        let running = Folder::within(parent.path()).unwrap();
        let Folder { folder, _lock: lock } = Folder::within(parent.path()).unwrap();
        fs::create_dir(folder.path().join("data")).unwrap();
        let left = folder.keep();
        let strange = parent.path().join("roomcast-load-of-somebody");
        fs::create_dir(&strange).unwrap();

        remove_left(parent.path(), LEFT_AFTER);
        assert!(left.exists(), "it may have been made this moment");
        drop(lock);
        remove_left(parent.path(), Duration::ZERO);
        assert!(!left.exists());
        assert!(running.path().exists() && strange.exists());
    }
}
