//! A running hub: its parts, and how they start and stop.

use std::net::SocketAddr;
use std::ops::Deref;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use anyhow::Context as _;
use metrics_exporter_prometheus::PrometheusHandle;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::activity::Writer;
use crate::auth::{Hasher, Tokens, keys};
use crate::config::Config;
use crate::db::{Db, MigrationState};
use crate::hub::Hub;
use crate::limits::Limits;
use crate::types::Clock;
use crate::{organisations, router, server, telemetry};

/// How often the recorder of metrics is kept small.
const METRICS_UPKEEP: Duration = Duration::from_secs(5);

/// The parts of a hub, shared by all its requests and sockets. Clones are cheap.
#[derive(Clone)]
pub struct App(Arc<Services>);

/// The parts themselves.
pub struct Services {
    /// The settings.
    pub config: Config,
    /// The database.
    pub db: Db,
    /// The time.
    pub clock: Clock,
    /// Makes and checks access tokens.
    pub tokens: Tokens,
    /// The key of refresh tokens' marks.
    pub refresh_key: keys::RefreshKey,
    /// Hashes passwords.
    pub hasher: Hasher,
    /// Appends what comes with no other change.
    pub writer: Writer,
    /// Bounds what anybody may ask for.
    pub limits: Limits,
    /// Delivers.
    pub hub: Hub,
    /// Connections and the requests on them: a stop waits for them first.
    pub tasks: TaskTracker,
    /// Cancelled when the hub stops.
    pub stop: CancellationToken,
    /// What `/metrics` is written from.
    pub metrics: PrometheusHandle,
    /// Set once the migrations were found applied.
    pub migrated: OnceLock<()>,
}

impl Deref for App {
    type Target = Services;

    fn deref(&self) -> &Services {
        &self.0
    }
}

/// A hub that listens.
pub struct Running {
    /// Where.
    pub addr: SocketAddr,
    /// Its parts.
    pub app: App,
    /// What requests rely on, and which therefore stops after them.
    background: TaskTracker,
    background_stop: CancellationToken,
}

impl App {
    /// Opens the database, brings it up to date, and listens. Returns once requests are answered.
    pub async fn start(config: Config, clock: Clock) -> anyhow::Result<Running> {
        config.validate()?;
        // First: the parts keep handles to what they count.
        let metrics = telemetry::metric::install()?;
        let db = Db::open(&config.database_url()?, config.database.max_connections).await?;
        if config.database.run_migrations {
            for name in db.migrate().await.context("migrating the database")? {
                tracing::info!(migration = name, "migrated the database");
            }
        }
        // Also refuses a database that is newer than this version.
        let migrated = OnceLock::new();
        if db.migration_state().await? == MigrationState::Current {
            migrated.get_or_init(|| ());
        }
        let secret = keys::signing_key(&config)?;
        let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
        let (background, background_stop) = (TaskTracker::new(), CancellationToken::new());
        let queue = config.limits.append_queue;
        let writer = Writer::start(db.clone(), queue, &background, background_stop.clone());
        let hub = Hub::start(db.clone(), clock.clone(), &config, &background, background_stop.clone());
        let address = (config.server.host, config.server.port);
        let listener = TcpListener::bind(address)
            .await
            .with_context(|| format!("cannot listen on {}:{} (HOST, PORT)", address.0, address.1))?;
        let addr = listener.local_addr().context("cannot tell where it listens")?;
        let app = Self(Arc::new(Services {
            tokens: Tokens::new(&secret, config.auth.access_lifetime),
            refresh_key: keys::RefreshKey::derive(&secret),
            hasher: Hasher::start(config.limits.password_queue)?,
            limits: Limits::new(&config.limits, db.clone(), &clock),
            metrics,
            migrated,
            config,
            db,
            clock,
            writer,
            hub,
            tasks,
            stop,
        }));
        organisations::janitor::start(&app);
        background.spawn(app.limits.clone().keep_small(background_stop.clone()));
        background.spawn(keep_metrics_small(app.metrics.clone(), background_stop.clone()));
        server::spawn(&app, listener, router::router(&app));
        Ok(Running { addr, app, background, background_stop })
    }
}

impl Running {
    /// Stops: takes no more connections, closes the sockets, lets requests in flight finish, for at most
    /// the drain's time.
    pub async fn stop(self) {
        self.app.stop.cancel();
        self.app.hub.close_all();
        let finish = async {
            self.app.tasks.close();
            self.app.tasks.wait().await;
            self.background_stop.cancel();
            self.background.close();
            self.background.wait().await;
        };
        if tokio::time::timeout(self.app.config.server.drain_seconds, finish).await.is_err() {
            tracing::warn!("not everything finished within DRAIN_SECONDS; stopping all the same");
            self.background_stop.cancel();
        }
    }
}

/// Has the recorder fold what it gathered, which otherwise grows until somebody asks for it.
async fn keep_metrics_small(metrics: PrometheusHandle, stop: CancellationToken) {
    let mut ticks = tokio::time::interval(METRICS_UPKEEP);
    while stop.run_until_cancelled(ticks.tick()).await.is_some() {
        metrics.run_upkeep();
    }
}
