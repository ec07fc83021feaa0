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
/// What sentinels call what they watch.
const SERVICE: &str = "mymaster";
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
    folder: TempDir,
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
                let mut server = Self::launch(&[&tls[..], &users[..]].concat(), "--tls-port");
                server.authority = Some(authority);
                server.answers().await;
                server
            }
        }
    }

    /// One with these arguments besides.
    pub(crate) async fn with(arguments: &[&str]) -> Self {
        let mut server = Self::launch(arguments, "--port");
        server.answers().await;
        server
    }

    /// One that watches others.
    async fn sentinel(primary: u16) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (file, port) = (folder.path().join("sentinel.conf"), free_port());
        let settings = format!(
            "port {port}\nbind 127.0.0.1\nsentinel monitor {SERVICE} 127.0.0.1 {primary} 2\n\
             sentinel down-after-milliseconds {SERVICE} 500\nsentinel failover-timeout {SERVICE} 2000\n"
        );
        fs::write(&file, settings).unwrap();
        let mut server = Self::spawned(&[file.to_str().unwrap(), "--sentinel"], port, folder);
        server.answers().await;
        server
    }

    /// Starts it on a port that is free, without waiting until it answers.
    fn launch(arguments: &[&str], port_option: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (port, bus_port) = (free_port(), free_port().to_string());
        // A replica is one at once, and not when others may have come to be served with it.
        let soon = ["--repl-diskless-sync-delay", "0"];
        let own = ["--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--cluster-port", &bus_port];
        let here = ["--dir", folder.path().to_str().unwrap(), "--port", "0", port_option, &port.to_string()];
        let words = [&own[..], &here[..], &soon[..], arguments].concat();
        let words: Vec<String> = words.into_iter().map(str::to_owned).collect();
        Self::spawned(&words, port, folder)
    }

    fn spawned(arguments: &[impl ToString], port: u16, folder: TempDir) -> Self {
        let arguments: Vec<String> = arguments.iter().map(ToString::to_string).collect();
        let process = spawn(&arguments, folder.path());
        Self { arguments, port, authority: None, process, folder }
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

    /// Starts it after a [`RedisServer::stop`], where it was, and empty.
    pub(crate) async fn resurrect(&mut self) {
        self.process = spawn(&self.arguments, self.folder.path());
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

    /// Whether a sentinel sees the two others, and a replica at this port.
    fn knows(&self, replica: &str) -> bool {
        let replicas = self.cli(&["SENTINEL", "REPLICAS", SERVICE]);
        let seen = self.cli(&["SENTINEL", "MASTER", SERVICE]);
        let mut words = seen.lines().skip_while(|word| *word != "num-other-sentinels").skip(1);
        words.next() == Some("2") && replicas.lines().any(|word| word == replica)
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        if self.process.kill().is_ok() {
            drop(self.process.wait());
        }
    }
}

/// A primary with a replica that takes its place, as three sentinels see to.
pub(crate) struct Sentinels {
    pub(crate) primary: RedisServer,
    replica: RedisServer,
    watchers: Vec<RedisServer>,
}

impl Sentinels {
    pub(crate) async fn start() -> Self {
        let primary = RedisServer::start(Guard::Open).await;
        let port = primary.port.to_string();
        let replica = RedisServer::with(&["--replicaof", "127.0.0.1", &port]).await;
        at_last("the replica", async || replica.cli(&["INFO"]).contains("link_status:up").then_some(()))
            .await;
        let mut sentinels = Vec::new();
        for _ in 0..3 {
            sentinels.push(RedisServer::sentinel(primary.port).await);
        }
        let replica_port = replica.port.to_string();
        at_last("the sentinels knowing each other and the replica", async || {
            sentinels.iter().all(|sentinel| sentinel.knows(&replica_port)).then_some(())
        })
        .await;
        Self { primary, replica, watchers: sentinels }
    }

    pub(crate) fn url(&self) -> String {
        let [first, rest @ ..] = self.watchers.as_slice() else { unreachable!() };
        let rest: Vec<String> = rest.iter().map(|sentinel| format!("node={}", sentinel.addr())).collect();
        format!("redis-sentinel://{}?sentinelServiceName={SERVICE}&{}", first.addr(), rest.join("&"))
    }

    /// Whether the replica has become the primary.
    pub(crate) fn has_failed_over(&self) -> bool {
        self.replica.cli(&["INFO", "replication"]).contains("role:master")
    }
}

/// Three primaries, each with a third of the slots.
pub(crate) struct RedisCluster {
    pub(crate) primaries: Vec<RedisServer>,
    /// One for each primary, where there are any.
    _replicas: Vec<RedisServer>,
}

impl RedisCluster {
    pub(crate) async fn start(with_replicas: bool) -> Self {
        let mut servers = Vec::new();
        for _ in 0..if with_replicas { 6 } else { 3 } {
            let own = ["--cluster-enabled", "yes", "--cluster-node-timeout", "1000"];
            servers.push(RedisServer::with(&own).await);
        }
        let mut words = vec!["--cluster".to_owned(), "create".to_owned()];
        words.extend(servers.iter().map(RedisServer::addr));
        let replicas = if with_replicas { "1" } else { "0" };
        words.extend(["--cluster-replicas", replicas, "--cluster-yes"].map(str::to_owned));
        let mut command = Command::new("redis-cli");
        command.args(&words).stdin(Stdio::null());
        let created = tokio::task::block_in_place(|| command.output()).unwrap();
        assert!(created.status.success(), "{}", String::from_utf8_lossy(&created.stdout));
        let is_whole = |server: &RedisServer| {
            let nodes = server.cli(&["CLUSTER", "NODES"]);
            let replicas = nodes.lines().filter(|line| line.contains("slave")).count();
            server.cli(&["CLUSTER", "INFO"]).contains("cluster_state:ok")
                && nodes.lines().count() == servers.len()
                && replicas == servers.len() - 3
        };
        at_last("the cluster", async || servers.iter().all(is_whole).then_some(())).await;
        let role = |server: &RedisServer| server.cli(&["INFO", "replication"]).contains("role:master");
        let (primaries, replicas): (Vec<_>, Vec<_>) = servers.into_iter().partition(role);
        // One that was never in step does not take over.
        let is_in_step = |replica: &RedisServer| replica.cli(&["INFO"]).contains("link_status:up");
        at_last("the replicas", async || replicas.iter().all(is_in_step).then_some(())).await;
        Self { primaries, _replicas: replicas }
    }

    pub(crate) fn url(&self) -> String {
        let [first, rest @ ..] = self.primaries.as_slice() else { unreachable!() };
        let rest: Vec<String> = rest.iter().map(|server| format!("node={}", server.addr())).collect();
        format!("redis-cluster://{}?{}", first.addr(), rest.join("&"))
    }

    /// Which primary has a channel, by its number.
    pub(crate) fn owner(&self, channel: &str) -> usize {
        let owns = |server: &RedisServer| !server.try_cli(&["SPUBLISH", channel, ""]).starts_with("MOVED");
        self.primaries.iter().position(owns).unwrap()
    }

    /// Gives the slot of a channel to another primary.
    pub(crate) fn move_slot(&self, channel: &str, to: usize) {
        let from = self.owner(channel);
        let slot = self.primaries[from].cli(&["CLUSTER", "KEYSLOT", channel]);
        let id = |number: usize| self.primaries[number].cli(&["CLUSTER", "MYID"]);
        let (slot, source, target) = (slot.trim(), id(from), id(to));
        let set = |number: usize, words: &[&str]| {
            self.primaries[number].cli(&[&["CLUSTER", "SETSLOT", slot], words].concat());
        };
        set(to, &["IMPORTING", source.trim()]);
        set(from, &["MIGRATING", target.trim()]);
        set(to, &["NODE", target.trim()]);
        set(from, &["NODE", target.trim()]);
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
