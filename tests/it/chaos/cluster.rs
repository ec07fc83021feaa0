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
use crate::harness::proxy::{Mode, Proxy};
use crate::harness::redis::{Guard, RedisServer};
use crate::harness::{Client, at_last};

/// How long a publisher waits for an answer before it asks another node.
const PATIENCE: Duration = Duration::from_secs(2);

/// A node that drains takes this long to send its sockets away.
const DRAIN_SECONDS: &str = "1";

/// A node: its process, which comes and goes, and the proxy through which its clients reach it.
pub(super) struct Node {
    site: Turn<Site>,
    pub(super) proxy: Proxy,
    /// Through which it reaches Redis.
    redis_link: Proxy,
    redis_turn: Turn<()>,
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
    redis: Turn<RedisServer>,
    /// Where the logs of the nodes go if the test fails.
    kept: PathBuf,
}

impl Cluster {
    /// All of it, running; `None` where there is no PostgreSQL to run it on. `name` tells where its logs are
    /// kept, should it come to that.
    pub(super) async fn start(name: &str, environment: &[(&str, &str)]) -> Option<Self> {
        let postgres = Server::create().await?;
        let redis = RedisServer::start(Guard::Open).await;
        let mut nodes = Vec::new();
        for _ in 0..NODES {
            nodes.push(Node::start(&postgres, &redis, environment).await);
        }
        let kept = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("chaos-{name}"));
        Some(Self { nodes, postgres: Turn::new(postgres), redis: Turn::new(redis), kept })
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

    /// Ends Redis, waits and starts it again.
    pub(super) async fn restart_redis(&self, away: Duration) {
        let mut redis = self.redis.lock().await;
        redis.stop();
        tokio::time::sleep(away).await;
        redis.resurrect().await;
    }

    /// Where Redis is, past the proxies.
    pub(super) async fn redis_url(&self) -> String {
        self.redis.lock().await.url()
    }

    pub(super) async fn flush_redis(&self) {
        self.redis.lock().await.flush();
    }

    /// Has all nodes reach Redis in this mode from now on.
    pub(super) fn set_redis(&self, mode: Mode) {
        for node in &self.nodes {
            node.set_redis(mode);
        }
    }

    /// How often the bus of each node came up.
    pub(super) async fn bus_connects(&self) -> Vec<u64> {
        self.take_counts().await;
        let connects = |node: &Node| node.counted("roomcast_bus_connects_total");
        self.nodes.iter().map(connects).collect()
    }

    /// Has these nodes reach Redis in this mode for so long.
    pub(super) async fn spoil_redis(&self, node: Option<usize>, mode: Mode, lasts: Duration) {
        let links: Vec<&Node> = match node {
            Some(node) => vec![&self.nodes[node]],
            None => self.nodes.iter().collect(),
        };
        // Another fault may have one of them already.
        let mut turns = Vec::new();
        for node in &links {
            turns.push(node.redis_turn.lock().await);
        }
        for node in &links {
            node.redis_link.set(mode);
        }
        tokio::time::sleep(lasts).await;
        for node in links {
            node.redis_link.set(Mode::Pass);
        }
    }

    /// A sum over all nodes and their lives, by the whole name of a metric with its labels.
    pub(super) fn counted(&self, metric: &str) -> u64 {
        self.nodes.iter().map(|node| node.counted(metric)).sum()
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
    async fn start(postgres: &Server, redis: &RedisServer, environment: &[(&str, &str)]) -> Self {
        let redis_link = Proxy::to(&redis.addr());
        let address = redis_link.addr().to_string();
        let mut site = Site::at(&postgres.url()).with("REDIS_URL", &redis.url_at(&address));
        site = site.with("DRAIN_SECONDS", DRAIN_SECONDS);
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
        Self {
            site: Turn::new(site),
            proxy,
            redis_link,
            redis_turn: Turn::default(),
            client,
            direct,
            written: Mutex::default(),
            counted,
        }
    }

    /// What becomes of what it and Redis send each other.
    pub(super) fn set_redis(&self, mode: Mode) {
        self.redis_link.set(mode);
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

    /// A sum over its lives.
    fn counted(&self, metric: &str) -> u64 {
        let lives = self.counted.lock();
        let sum: f64 = lives.iter().filter_map(|life| life.get(metric)).sum();
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "counters are small")]
        let count = sum as u64;
        count
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
