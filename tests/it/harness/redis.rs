//! Redis servers of a test's own: alone, watched by sentinels, or as a cluster. Each is gone with the test.

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use super::environment::{not_run, on_postgres, variable};
use super::tls::Authority;
use super::wait::{at_last, eventually};

/// What a server asks for of whoever connects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Guard {
    /// Nothing.
    Open,
    /// The password [`PASSWORD`] of the user [`USER`], over TLS.
    Locked,
}

/// Signs in where a server is [`Guard::Locked`]. What is not a letter is written in percent in a URL.
pub(crate) const USER: &str = "hub";
/// Its password.
pub(crate) const PASSWORD: &str = "p@ss/word:7%";
const PASSWORD_IN_URL: &str = "p%40ss%2Fword%3A7%25";

/// Whether servers can be started here, which is said where they cannot. They belong to PostgreSQL, so the
/// pass of the tests on SQLite leaves them out.
#[track_caller]
pub(crate) fn redis_is_there() -> bool {
    if !on_postgres() {
        not_run("Redis is tested in the pass on PostgreSQL");
        return false;
    }
    assert!(variable("ROOMCAST_TEST_REDIS_URL").is_some(), "scripts/with-services installs Redis");
    true
}

/// A server that a test may stop, freeze and empty.
pub(crate) struct RedisServer {
    arguments: Vec<String>,
    port: u16,
    authority: Option<Authority>,
    process: Child,
    _folder: TempDir,
}

impl RedisServer {
    /// An empty one.
    pub(crate) async fn start(guard: Guard) -> Self {
        match guard {
            Guard::Open => Self::with(&[]).await,
            Guard::Locked => {
                let authority = Authority::new();
                authority.install(&authority.issue());
                let (cert, key) = (authority.cert_path(), authority.key_path());
                let (cert, key) = (cert.to_str().unwrap(), key.to_str().unwrap());
                let password = format!(">{PASSWORD}");
                let tls = ["--tls-cert-file", cert, "--tls-key-file", key, "--tls-auth-clients", "no"];
                let users =
                    ["--user", USER, "on", &password, "~*", "&*", "+@all", "--user", "default", "off"];
                let mut server = Self::launch(&[&tls[..], &users[..]].concat(), "--tls-port").await;
                server.authority = Some(authority);
                server.answers().await;
                server
            }
        }
    }

    /// One with these arguments besides.
    pub(crate) async fn with(arguments: &[&str]) -> Self {
        let mut server = Self::launch(arguments, "--port").await;
        server.answers().await;
        server
    }

    /// Starts it on a port that is free, without waiting until it answers.
    async fn launch(arguments: &[&str], port_option: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let port = free_port();
        let mut words: Vec<String> =
            ["--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir"].map(str::to_owned).to_vec();
        words.push(folder.path().to_str().unwrap().to_owned());
        if port_option != "--port" {
            words.extend(["--port".to_owned(), "0".to_owned()]);
        }
        words.extend([port_option.to_owned(), port.to_string()]);
        words.extend(["--cluster-port".to_owned(), free_port().to_string()]);
        words.extend(arguments.iter().map(|&word| word.to_owned()));
        let process = spawn(&words, folder.path());
        Self { arguments: words, port, authority: None, process, _folder: folder }
    }

    async fn answers(&mut self) {
        eventually("Redis answering", async || {
            assert!(self.process.try_wait().unwrap().is_none(), "Redis ended: {:?}", self.arguments);
            (self.try_cli(&["PING"]).trim() == "PONG").then_some(())
        })
        .await;
    }

    /// What `REDIS_URL` is set to.
    pub(crate) fn url(&self) -> String {
        self.url_at(&format!("127.0.0.1:{}", self.port))
    }

    /// The same for somebody who reaches it by another address.
    pub(crate) fn url_at(&self, address: &str) -> String {
        match &self.authority {
            None => format!("redis://{address}"),
            Some(authority) => {
                let root = authority.root_path();
                let port = address.rsplit(':').next().unwrap();
                format!("rediss://{USER}:{PASSWORD_IN_URL}@localhost:{port}?sslrootcert={}", root.display())
            }
        }
    }

    /// Its host and port.
    pub(crate) fn addr(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Its port.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Answers of `redis-cli` to a command, which has to succeed.
    pub(crate) fn cli(&self, words: &[&str]) -> String {
        let answer = self.try_cli(words);
        assert!(!answer.starts_with("ERR") && !answer.starts_with("NO"), "{words:?}: {answer}");
        answer
    }

    fn try_cli(&self, words: &[&str]) -> String {
        let mut command = Command::new("redis-cli");
        command.args(["-h", "localhost", "-p", &self.port.to_string()]);
        if let Some(authority) = &self.authority {
            command.args(["--tls", "--cacert"]).arg(authority.root_path());
            command.args(["--user", USER, "--no-auth-warning", "-a", PASSWORD]);
        }
        let output = command.args(words).stdin(Stdio::null()).output().unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Empties it.
    pub(crate) fn flush(&self) {
        self.cli(&["FLUSHALL"]);
    }

    /// Ends it at once, as a crash would.
    pub(crate) fn stop(&mut self) {
        // A frozen one ends too.
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    /// Starts it again where it was, empty.
    pub(crate) async fn restart(&mut self) {
        self.stop();
        self.resurrect().await;
    }

    /// Starts it after a [`RedisServer::stop`].
    pub(crate) async fn resurrect(&mut self) {
        self.process = spawn(&self.arguments, self._folder.path());
        self.answers().await;
    }

    /// Freezes it: its connections stay open, and nothing answers.
    pub(crate) fn pause(&self) {
        self.signal("-STOP");
    }

    /// Lets it go on.
    pub(crate) fn resume(&self) {
        self.signal("-CONT");
    }

    fn signal(&self, signal: &str) {
        let sent = Command::new("kill").args([signal, &self.process.id().to_string()]).status().unwrap();
        assert!(sent.success());
    }

    /// How many clients hear of a channel.
    pub(crate) fn listeners(&self, channel: &str) -> usize {
        let answer = self.cli(&["PUBSUB", "NUMSUB", channel]);
        answer.lines().nth(1).unwrap().parse().unwrap()
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        if self.process.kill().is_ok() {
            drop(self.process.wait());
        }
    }
}

/// The kernel ends it with the test's thread, should that not get to it.
fn spawn(words: &[String], folder: &Path) -> Child {
    let log = fs::File::create(folder.join("log")).unwrap();
    Command::new("setpriv")
        .args(["--pdeathsig", "KILL", "redis-server"])
        .args(words)
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(log)
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// Below the range that outgoing connections draw from, where another test would find it taken.
fn free_port() -> u16 {
    use std::sync::atomic::{AtomicU16, Ordering};
    static NEXT: AtomicU16 = AtomicU16::new(0);
    // Another process of the tests begins elsewhere.
    let start = u16::try_from(std::process::id() % 9000).unwrap();
    loop {
        let port = 21000 + (start + NEXT.fetch_add(1, Ordering::Relaxed)) % 11000;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}
