//! A server under test, in this process.

use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use clap::Parser;
use futures_util::future::join_all;
use roomcast::activity::{Activity, Origin};
use roomcast::app::{App, Running};
use roomcast::config::Config;
use roomcast::hub::bus::{Bus, Exchange};
use roomcast::types::{Actor, Clock, Isolation, LogEntry, Seq};
use tempfile::TempDir;

use super::client::Client;
use super::database::TestDatabase;
use super::environment::isolation;
use super::organisation::Person;
use super::wait::LIMIT;

/// The key that every server under test signs with.
pub(crate) const SIGNING_KEY: &str = "a key for tests that signs nothing of worth";

/// The real server, on a free port and a database of its own. It is also a client of itself.
///
/// When it goes, it stops the server and fails the test if anything is left running.
pub(crate) struct TestApp {
    /// Its parts, for what has no route: the writer, the database.
    pub(crate) app: App,
    client: Client,
    running: Option<Running>,
    ground: Ground,
}

/// What a server stands on, which outlives it.
#[derive(Clone)]
pub(crate) struct Ground {
    pub(crate) config: Config,
    /// The server's clock, to move time.
    pub(crate) clock: Clock,
    pub(crate) database: Arc<TestDatabase>,
    /// What the server writes beside its database; gone with the last who stands on it.
    _folder: Arc<TempDir>,
}

#[derive(Parser)]
struct Settings {
    #[command(flatten)]
    config: Config,
}

impl Deref for TestApp {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.client
    }
}

impl TestApp {
    /// A server with the settings that every test has.
    pub(crate) async fn start() -> Self {
        Self::with(|_| {}).await
    }

    /// A server whose organisations share their tables, whatever `ROOMCAST_TEST_ISOLATION` says: for tests that reach
    /// past the API into these.
    pub(crate) async fn start_shared() -> Self {
        Self::with(|config| config.tenancy.isolation = Isolation::Shared).await
    }

    /// A server with other settings.
    pub(crate) async fn with(change: impl FnOnce(&mut Config)) -> Self {
        let mut ground = Ground::create().await;
        change(&mut ground.config);
        ground.start().await
    }

    /// Another server on the same ground, without a bus to the first. PostgreSQL only: a SQLite folder takes
    /// one.
    pub(crate) async fn another_node(&self) -> Self {
        self.ground.start().await
    }

    /// The same with other settings.
    pub(crate) async fn another_node_with(&self, change: impl FnOnce(&mut Config)) -> Self {
        let mut ground = self.ground.clone();
        change(&mut ground.config);
        ground.start().await
    }

    /// So many servers on the same ground, on one bus within the process. PostgreSQL only.
    pub(crate) async fn on_one_exchange(count: usize, change: impl FnOnce(&mut Config)) -> Vec<Self> {
        let mut ground = Ground::create().await;
        change(&mut ground.config);
        let exchange = Exchange::default();
        let mut nodes = Vec::new();
        for _ in 0..count {
            nodes.push(ground.start_on(exchange.join()).await);
        }
        nodes
    }

    /// Stops it and fails unless everything that it runs has ended.
    pub(crate) async fn stop(mut self) -> Ground {
        let running = self.running.take().expect("it is stopped once");
        stop(running, &self.app).await;
        self.ground.clone()
    }

    /// What it stands on.
    pub(crate) fn ground(&self) -> &Ground {
        &self.ground
    }

    /// Where its database is.
    pub(crate) fn database_url(&self) -> String {
        self.ground.database.url_text()
    }

    /// Lets time pass.
    pub(crate) fn advance(&self, duration: Duration) {
        self.ground.clock.advance(duration);
    }

    /// The server's clock.
    pub(crate) fn clock(&self) -> &Clock {
        &self.ground.clock
    }

    /// Appends so many activities, some at a time: one organisation may not fill the writer's queue.
    pub(crate) async fn append_many(
        &self,
        person: &Person,
        count: usize,
        activity: impl Fn(usize) -> Activity,
    ) -> Seq {
        const AT_ONCE: usize = 50;
        let mut last = Seq::ZERO;
        for start in (0..count).step_by(AT_ONCE) {
            let numbers = start..count.min(start + AT_ONCE);
            let appends = join_all(numbers.map(|number| self.append(person, activity(number)))).await;
            last = appends.iter().map(|entry| entry.seq).fold(last, Seq::max);
        }
        last
    }

    /// Appends what no route appends, in the name of `person`.
    pub(crate) async fn append(&self, person: &Person, activity: Activity) -> Arc<LogEntry> {
        let actor = Actor { id: person.user_id(), name: person.name.clone() };
        let origin = Origin {
            org: person.org_id(),
            actor: Some(actor),
            ip: None,
            user_agent: None,
            at: self.clock().now(),
        };
        self.app.writer.append(origin, activity).await.unwrap()
    }
}

impl Ground {
    /// A fresh database and the settings that every test has.
    pub(crate) async fn create() -> Self {
        let database = Arc::new(TestDatabase::create().await);
        let folder = Arc::new(tempfile::tempdir().unwrap());
        let mut config = Settings::parse_from(["roomcast"]).config;
        config.server.host = [127, 0, 0, 1].into();
        config.server.port = 0;
        // A drain has tests of its own.
        config.server.drain_seconds = Duration::ZERO;
        config.database.database_url = Some(database.url_text().parse().unwrap());
        folder.path().clone_into(&mut config.database.data_dir);
        config.database.run_migrations = true;
        config.tenancy.isolation = isolation();
        config.auth.jwt_access_secret = Some(SIGNING_KEY.parse().unwrap());
        // Tests come from one address, in bursts. The limits have tests of their own.
        config.limits.rate_limit_per_minute = 0;
        config.limits.auth_rate_limit_per_minute = 0;
        config.limits.handshakes_per_minute = 0;
        config.limits.frames_per_minute = 0;
        config.limits.max_sockets_per_user = 0;
        Self { config, clock: Clock::default(), database, _folder: folder }
    }

    /// Starts a server on it.
    pub(crate) async fn start(&self) -> TestApp {
        self.started(App::start(self.config.clone(), self.clock.clone()).await.unwrap())
    }

    /// Starts a server on it, as a node on this bus.
    pub(crate) async fn start_on(&self, bus: Arc<dyn Bus>) -> TestApp {
        self.started(App::start_on(self.config.clone(), self.clock.clone(), bus).await.unwrap())
    }

    fn started(&self, running: Running) -> TestApp {
        TestApp {
            app: running.app.clone(),
            client: Client::of(running.url()),
            running: Some(running),
            ground: self.clone(),
        }
    }
}

async fn stop(running: Running, app: &App) {
    let stopped = tokio::time::timeout(LIMIT, running.stop()).await;
    if std::thread::panicking() {
        return;
    }
    assert!(stopped.is_ok(), "the server did not stop within {LIMIT:?}");
    assert_eq!(app.tasks.len(), 0, "tasks are left after the stop");
    assert_eq!(app.sockets.len(), 0, "sockets are left after the stop");
}

impl Drop for TestApp {
    fn drop(&mut self) {
        if let Some(running) = self.running.take() {
            tokio::task::block_in_place(|| {
                tokio::runtime::Handle::current().block_on(stop(running, &self.app));
            });
        }
    }
}
