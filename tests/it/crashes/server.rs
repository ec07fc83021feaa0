//! A PostgreSQL of the test's own, which it may stop, freeze and fill.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;
use uuid::Uuid;

use super::site::free_port;
use crate::harness::at_last;
use crate::harness::environment::{on_postgres, variable};

/// How a server ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shutdown {
    /// It sends everybody away and writes down where it stands.
    Fast,
    /// As by a crash: the next start has to recover.
    Immediate,
}

/// A server in a folder of its own, on a port that stays the same.
pub(crate) struct Server {
    programs: PathBuf,
    folder: TempDir,
    owner: (u32, u32),
    password: String,
    port: u16,
    process: Option<Child>,
}

impl Server {
    /// A server that is up; `None` where the tests run on SQLite or there are no programs for it.
    pub(crate) async fn create() -> Option<Self> {
        let (programs, home) =
            (variable("ROOMCAST_TEST_POSTGRES_BIN")?, variable("ROOMCAST_TEST_POSTGRES_HOME")?);
        if !on_postgres() {
            return None;
        }
        // Not in the usual temporary folder, which PostgreSQL's user may not be able to enter.
        let owner = fs::metadata(&home).unwrap();
        let folder = tempfile::tempdir_in(&home).unwrap();
        chown(folder.path(), Some(owner.uid()), Some(owner.gid())).unwrap();
        let mut server = Self {
            programs: programs.into(),
            folder,
            owner: (owner.uid(), owner.gid()),
            password: Uuid::now_v7().simple().to_string(),
            port: free_port(),
            process: None,
        };
        server.initialise();
        server.start().await;
        Some(server)
    }

    fn initialise(&self) {
        let password = self.folder.path().join("password");
        fs::write(&password, &self.password).unwrap();
        chown(&password, Some(self.owner.0), Some(self.owner.1)).unwrap();
        let made = self
            .command("initdb")
            .args(["--auth=scram-sha-256", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync"])
            .args(["--username=postgres", "--pwfile"])
            .arg(&password)
            .output()
            .unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    }

    /// One of its programs, run as its user on its data.
    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(self.programs.join(program));
        command.current_dir(self.folder.path()).arg("-D").arg(self.data()).stdin(Stdio::null());
        let me = fs::metadata("/proc/self").unwrap().uid();
        if me != self.owner.0 {
            command.uid(self.owner.0).gid(self.owner.1);
        }
        command
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// Who its files belong to.
    pub(crate) fn own(&self, path: &Path) {
        chown(path, Some(self.owner.0), Some(self.owner.1)).unwrap();
    }

    /// A superuser's URL.
    pub(crate) fn url(&self) -> String {
        format!("postgres://postgres:{}@127.0.0.1:{}/postgres?sslmode=disable", self.password, self.port)
    }

    /// Starts it, and waits until it takes connections.
    pub(crate) async fn start(&mut self) {
        assert!(self.process.is_none(), "it runs already");
        let log = fs::File::create(self.folder.path().join("log")).unwrap();
        let process = self
            .command("postgres")
            // What is killed here is a process, never the machine: no need to wait for a disk.
            .args(["-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=", "-c", "fsync=off"])
            .args(["-p", &self.port.to_string()])
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        self.process = Some(process);
        let url = self.url();
        at_last("the start of PostgreSQL", async || {
            tokio_postgres::connect(&url, tokio_postgres::NoTls).await.ok().map(drop)
        })
        .await;
    }

    /// Stops it, and waits for its end.
    pub(crate) async fn stop(&mut self, shutdown: Shutdown) {
        signal(if shutdown == Shutdown::Fast { "INT" } else { "QUIT" }, &[self.id()]);
        let mut process = self.process.take().expect("it runs");
        at_last("the end of PostgreSQL", async || process.try_wait().unwrap()).await;
    }

    fn id(&self) -> u32 {
        self.process.as_ref().expect("it runs").id()
    }

    /// Stops all of its processes where they are: connections stay open, and nobody answers.
    pub(crate) fn freeze(&self) {
        // The first one first, so that it starts no more of them.
        signal("STOP", &[self.id()]);
        signal("STOP", &children(self.id()));
    }

    /// Lets them go on.
    pub(crate) fn thaw(&self) {
        signal("CONT", &children(self.id()));
        signal("CONT", &[self.id()]);
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(process) = &mut self.process {
            // One that is frozen ends by nothing else.
            let mut ids = children(process.id());
            ids.push(process.id());
            signal("KILL", &ids);
            drop(process.wait());
        }
    }
}

fn signal(name: &str, ids: &[u32]) {
    // One that has ended meanwhile needs none.
    let ids = ids.iter().map(u32::to_string);
    drop(Command::new("kill").arg(format!("-{name}")).args(ids).stderr(Stdio::null()).status());
}

/// The processes that one has started.
fn children(parent: u32) -> Vec<u32> {
    let processes =
        fs::read_dir("/proc").unwrap().filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    let is_child = |id: &u32| {
        let status = fs::read_to_string(format!("/proc/{id}/status")).unwrap_or_default();
        let of = status.lines().find_map(|line| line.strip_prefix("PPid:"));
        of.is_some_and(|of| of.trim().parse() == Ok(parent))
    };
    processes.filter(is_child).collect()
}
