//! Three nodes as processes of their own, the stores that they share, and what can be done to all of them.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use reqwest::Method;
use tokio::sync::Mutex as Turn;

use super::NODES;
use crate::crashes::server::{Server, Shutdown};
use crate::crashes::site::Site;
use crate::harness::environment::report;
use crate::harness::proxy::Proxy;
use crate::harness::{Client, at_last};

/// How long a publisher waits for an answer before it asks another node.
const PATIENCE: Duration = Duration::from_secs(2);

/// A node that drains takes this long to send its sockets away.
const DRAIN_SECONDS: &str = "1";

/// A node: its process, which comes and goes, and the proxy through which its clients reach it.
pub(super) struct Node {
    site: Turn<Site>,
    pub(super) proxy: Proxy,
    /// Through the proxy.
    pub(super) client: Client,
    /// Past it, to ask for metrics.
    direct: Client,
    /// What its earlier lives wrote.
    written: Mutex<String>,
    /// What its lives counted: of each life what was seen last.
    counted: Mutex<Vec<BTreeMap<String, f64>>>,
}

pub(super) struct Cluster {
    pub(super) nodes: Vec<Node>,
    postgres: Turn<Server>,
    /// Where the logs of the nodes go if the test fails.
    kept: PathBuf,
}

impl Cluster {
    /// All of it, running; `None` where there is no PostgreSQL to run it on.
    pub(super) async fn start(seed: u64, environment: &[(&str, &str)]) -> Option<Self> {
        let postgres = Server::create().await?;
        let mut nodes = Vec::new();
        for _ in 0..NODES {
            nodes.push(Node::start(&postgres, environment).await);
        }
        let kept = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("chaos-{seed}"));
        Some(Self { nodes, postgres: Turn::new(postgres), kept })
    }

    /// The clients of all nodes.
    pub(super) fn clients(&self) -> Vec<Client> {
        self.nodes.iter().map(|node| node.client.clone()).collect()
    }

    /// Ends PostgreSQL, waits and starts it again.
    pub(super) async fn restart_postgres(&self, shutdown: Shutdown, away: Duration) {
        let mut postgres = self.postgres.lock().await;
        postgres.stop(shutdown).await;
        tokio::time::sleep(away).await;
        postgres.start().await;
    }

    /// A sum over all nodes and their lives, by the whole name of a metric with its labels.
    pub(super) fn counted(&self, metric: &str) -> u64 {
        let lives = self.nodes.iter().flat_map(|node| node.counted.lock().clone());
        let sum: f64 = lives.filter_map(|life| life.get(metric).copied()).sum();
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "counters are small")]
        let count = sum as u64;
        count
    }

    /// Notes what every node has counted so far.
    pub(super) async fn take_counts(&self) {
        for node in &self.nodes {
            node.take_counts().await;
        }
    }

    /// Stops everything in good order. Fails if a node has written what it should not have.
    pub(super) async fn stop(&self) {
        for node in &self.nodes {
            let output = node.site.lock().await.stop().await;
            node.written.lock().push_str(&output);
        }
        for (number, node) in self.nodes.iter().enumerate() {
            let written = node.written.lock();
            let errors: Vec<&str> = written.lines().filter(|line| line.contains(" ERROR ")).collect();
            assert!(errors.is_empty(), "node {number} has written: {errors:#?}");
        }
    }
}

/// Keeps what the nodes wrote where the test fails.
pub(super) struct KeepLogs(pub(super) Arc<Cluster>);

impl Drop for KeepLogs {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            return;
        }
        let folder = &self.0.kept;
        std::fs::create_dir_all(folder).unwrap();
        for (number, node) in self.0.nodes.iter().enumerate() {
            let mut written = node.written.lock().clone();
            match node.site.try_lock() {
                Ok(site) => written.push_str(&site.output()),
                Err(_) => written.push_str("(it is being started or stopped)\n"),
            }
            std::fs::write(folder.join(format!("node-{number}.log")), written).unwrap();
        }
        report(&format!("the nodes' logs are kept in {}", folder.display()));
    }
}

impl Node {
    async fn start(postgres: &Server, environment: &[(&str, &str)]) -> Self {
        let mut site = Site::at(&postgres.url()).with("DRAIN_SECONDS", DRAIN_SECONDS);
        // Nobody has to sign in again only because the test takes its time.
        site = site.with("JWT_ACCESS_EXPIRES_IN", "6h").with("FRAMES_PER_MINUTE", "0");
        for (name, value) in environment {
            site = site.with(name, value);
        }
        let direct = site.start().await;
        let address = direct.base.strip_prefix("http://").unwrap();
        let proxy = Proxy::to(address);
        let client = Client::impatient(format!("http://{}", proxy.addr()), PATIENCE);
        let direct = Client::impatient(direct.base, PATIENCE);
        let counted = Mutex::new(vec![BTreeMap::new()]);
        Self { site: Turn::new(site), proxy, client, direct, written: Mutex::default(), counted }
    }

    /// Ends it with SIGKILL, waits and starts it again.
    pub(super) async fn kill(&self, away: Duration) {
        let mut site = self.site.lock().await;
        let output = site.kill().await;
        self.begin_again(&mut site, output, away).await;
    }

    /// Has it drain, waits for its end, and starts it again.
    pub(super) async fn drain(&self, away: Duration) {
        let mut site = self.site.lock().await;
        self.take_counts().await;
        let output = site.stop().await;
        self.begin_again(&mut site, output, away).await;
    }

    async fn begin_again(&self, site: &mut Site, output: String, away: Duration) {
        self.written.lock().push_str(&output);
        self.counted.lock().push(BTreeMap::new());
        tokio::time::sleep(away).await;
        site.start().await;
    }

    /// Stops its process for so long.
    pub(super) async fn pause(&self, lasts: Duration) {
        let site = self.site.lock().await;
        site.child().signal("-STOP");
        tokio::time::sleep(lasts).await;
        site.child().signal("-CONT");
    }

    /// Waits until it says that it is ready.
    pub(super) async fn expect_ready(&self) {
        at_last("a node that is ready", async || {
            let answer = self.direct.anonymous().at(Method::GET, "/readyz").into_sent().await?;
            (answer.status == 200).then_some(())
        })
        .await;
    }

    /// Notes what it has counted so far, if it answers.
    async fn take_counts(&self) {
        let Some(answer) = self.direct.anonymous().at(Method::GET, "/metrics").into_sent().await else {
            return;
        };
        let lines = answer.text.lines().filter(|line| !line.starts_with('#'));
        let counts = lines.filter_map(|line| line.rsplit_once(' '));
        let counts = counts.filter_map(|(name, value)| Some((name.to_owned(), value.parse().ok()?)));
        if let Some(life) = self.counted.lock().last_mut() {
            *life = counts.collect();
        }
    }
}
