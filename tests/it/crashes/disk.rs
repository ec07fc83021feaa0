//! A small disk that a test may fill.

use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use tempfile::TempDir;

/// A file system in memory, of a few MiB. It goes when it is dropped.
pub(super) struct SmallDisk {
    folder: TempDir,
}

impl SmallDisk {
    /// Mounts one in `parent`; `None` where that is not allowed.
    pub(super) fn mount(parent: &Path, mebibytes: u32) -> Option<Self> {
        let folder = tempfile::tempdir_in(parent).unwrap();
        let options = format!("size={mebibytes}m,mode=0755");
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &options, "tmpfs"])
            .arg(folder.path())
            .stderr(Stdio::null())
            .status();
        mounted.is_ok_and(|status| status.success()).then_some(Self { folder })
    }

    pub(super) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Takes all the room that is left, but for so many bytes.
    pub(super) fn fill(&self, leave: usize) {
        let mut ballast = OpenOptions::new().create(true).append(true).open(self.ballast()).unwrap();
        for block in [1 << 16, 1 << 12, 1] {
            while ballast.write_all(&vec![0; block]).is_ok() {}
        }
        let length = ballast.metadata().unwrap().len();
        ballast.set_len(length.saturating_sub(leave as u64)).unwrap();
    }

    /// Gives it back.
    pub(super) fn free(&self) {
        fs::remove_file(self.ballast()).unwrap();
    }

    /// Allows no changes any more.
    pub(super) fn make_read_only(&self) {
        let remounted = Command::new("mount").args(["-o", "remount,ro"]).arg(self.path()).status();
        assert!(remounted.unwrap().success());
    }

    fn ballast(&self) -> std::path::PathBuf {
        self.path().join("ballast")
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: what a failed test has left open must not keep it.
        let unmounted = Command::new("umount").arg("-l").arg(self.path()).status();
        assert!(unmounted.is_ok_and(|status| status.success()) || std::thread::panicking());
    }
}

/// The bytes of a file, or 0 where there is none.
pub(super) fn size(path: &Path) -> u64 {
    File::open(path).and_then(|file| file.metadata()).map_or(0, |metadata| metadata.len())
}
