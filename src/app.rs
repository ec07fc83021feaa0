//! A running hub: its parts, and how they start and stop.

use std::net::SocketAddr;
use std::ops::Deref;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use anyhow::Context as _;
use metrics_exporter_prometheus::PrometheusHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::activity::Writer;
use crate::auth::{Hasher, Tokens, keys};
use crate::config::Config;
use crate::db::{Db, MigrationState};
use crate::gateways::Gateways;
use crate::hub::Hub;
use crate::hub::bus::{self, Bus};
use crate::idempotency::{Idempotency, SealKeys};
use crate::jobs::{self, Runner};
use crate::limits::Limits;
use crate::mail::{self, Mailer};
use crate::platform::PlatformTokens;
use crate::server::tls::Tls;
use crate::sign_ups::SignUpKey;
use crate::types::Clock;
use crate::{credits, messages, organisations, router, server, telemetry, tenancy, upkeep};

/// How often the recorder of metrics is kept small.
const METRICS_UPKEEP: Duration = Duration::from_secs(5);

/// How much longer than the sockets' window a stop waits for requests in flight, and for peers to answer a
/// close.
const REQUESTS_GRACE: Duration = Duration::from_secs(6);

/// How long it then waits for what is queued to be stored.
const STORING_GRACE: Duration = Duration::from_secs(2);

/// And how long for that to be told to other nodes. A stop takes no longer than the four together.
const BACKGROUND_GRACE: Duration = Duration::from_secs(2);

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
    /// The key of the marks of tokens that a forgotten password is replaced with.
    pub reset_key: keys::RefreshKey,
    /// Makes and checks platform administrators' tokens.
    pub platform_tokens: PlatformTokens,
    /// The key of their refresh tokens' marks.
    pub platform_refresh_key: keys::RefreshKey,
    /// Makes sign-ups' tokens.
    pub sign_up_key: SignUpKey,
    /// Answers requests with an idempotency key once.
    pub idempotency: Idempotency,
    /// Hashes passwords.
    pub hasher: Hasher,
    /// Appends what comes with no other change.
    pub writer: Writer,
    /// Bounds what anybody may ask for.
    pub limits: Limits,
    /// Delivers.
    pub hub: Hub,
    /// Has jobs done.
    pub jobs: Runner,
    /// Hand messages over to the world.
    pub gateways: Gateways,
    /// Sends emails of the hub's own.
    pub mail: Mailer,
    /// The certificate, where the hub speaks TLS itself.
    pub tls: Option<Arc<Tls>>,
    /// Connections and the requests on them: a stop waits for them.
    pub tasks: TaskTracker,
    /// Open sockets, for which a stop waits first.
    pub sockets: TaskTracker,
    /// Cancelled when the hub begins to stop: sockets are sent away, requests are still answered.
    pub stop: CancellationToken,
    /// Cancelled once the sockets are gone: nobody is let in, and connections end with their request.
    pub finish: CancellationToken,
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
    /// What stores for requests, and stops after them.
    storing: Tasks,
    /// What requests rely on, and which tells other nodes what was stored: it stops last.
    background: Tasks,
}

/// Tasks that are stopped together.
#[derive(Default)]
struct Tasks {
    tracker: TaskTracker,
    stop: CancellationToken,
}

impl Tasks {
    /// Stops them and waits for their end.
    async fn end(&self) {
        self.stop.cancel();
        self.tracker.close();
        self.tracker.wait().await;
    }
}

impl App {
    /// Opens the database, brings it up to date, and listens. Returns once requests are answered.
    pub async fn start(config: Config, clock: Clock) -> anyhow::Result<Running> {
        config.validate()?;
        Self::start_with(config, clock, None).await
    }

    /// The same, as a node on this bus.
    pub async fn start_on(config: Config, clock: Clock, bus: Arc<dyn Bus>) -> anyhow::Result<Running> {
        Self::start_with(config, clock, Some(bus)).await
    }

    async fn start_with(config: Config, clock: Clock, bus: Option<Arc<dyn Bus>>) -> anyhow::Result<Running> {
        // First: the parts keep handles to what they count.
        let metrics = telemetry::metric::install()?;
        let tenants = config.tenancy.bounds(config.database.run_migrations);
        let db = Db::open_bounded(&config.database_url()?, config.database.max_connections, tenants).await?;
        if config.database.run_migrations {
            for name in db.migrate().await.context("migrating the database")? {
                tracing::info!(migration = name, "migrated the database");
            }
        }
        // Also refuses a database that is newer than this version.
        let migrated = OnceLock::new();
        if db.migration_state().await? == MigrationState::Current {
            db.require_role().await?;
            migrated.get_or_init(|| ());
        }
        let signing = keys::SigningKeys::load(&config)?;
        let from_config = || bus::from_config(&config, signing.present(), signing.previous());
        let bus = bus.map_or_else(from_config, Ok)?;
        let tls = Tls::load(&config.server)?;
        let gateways = Gateways::from_config(&config)?;
        let seals = SealKeys::derive(signing.all())?;
        let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
        let (storing, running) = (Tasks::default(), Tasks::default());
        let (background, background_stop) = (&running.tracker, &running.stop);
        let queue = config.limits.append_queue;
        let writer = Writer::start(db.clone(), queue, &storing.tracker, storing.stop.clone());
        let hub = {
            let (db, clock, stop) = (db.clone(), clock.clone(), background_stop.clone());
            Hub::start(db, clock, bus, &config, background, stop)
        };
        let address = SocketAddr::new(config.server.host, config.server.port);
        let listener =
            server::listen(address).with_context(|| format!("cannot listen on {address} (HOST, PORT)"))?;
        let addr = listener.local_addr().context("cannot tell where it listens")?;
        let app = Self(Arc::new(Services {
            tokens: Tokens::new(signing.present(), config.auth.access_lifetime).accepting(signing.previous()),
            refresh_key: keys::RefreshKey::derive(&signing),
            reset_key: keys::RefreshKey::derive_for_resets(&signing),
            platform_tokens: PlatformTokens::new(&signing, config.auth.access_lifetime),
            platform_refresh_key: keys::RefreshKey::derive_for_platform(&signing),
            sign_up_key: SignUpKey::derive(&signing),
            mail: Mailer::new(&config, seals.clone()),
            idempotency: Idempotency::new(seals),
            hasher: Hasher::start(config.limits.password_queue)?,
            limits: Limits::new(&config.limits, db.clone(), &clock),
            jobs: Runner::new(&config.jobs, kinds(&config)),
            gateways,
            metrics,
            migrated,
            config,
            db,
            clock,
            writer,
            hub,
            tls,
            tasks,
            sockets: TaskTracker::new(),
            stop,
            finish: CancellationToken::new(),
        }));
        let hub = app.hub.clone();
        app.jobs.tell_others(move |org| hub.tell_work(org));
        app.hub.on_work(app.jobs.waker());
        organisations::janitor::start(&app);
        upkeep::start(&app);
        jobs::start(&app);
        messages::janitor::start(&app);
        background.spawn(app.limits.clone().keep_small(background_stop.clone()));
        if let Some(tls) = &app.tls {
            let every = app.config.server.timeouts.certificate_look;
            background.spawn(Arc::clone(tls).watch(every, background_stop.clone()));
        }
        if app.config.database.run_migrations {
            background.spawn(tenancy::migrate_in_background(app.db.clone(), background_stop.clone()));
        }
        background.spawn(close_idle_stores(app.db.clone(), background_stop.clone()));
        background.spawn(keep_metrics_small(app.metrics.clone(), background_stop.clone()));
        server::spawn(&app, listener, router::router(&app));
        Ok(Running { addr, app, storing, background: running })
    }
}

/// Every kind of jobs.
fn kinds(config: &Config) -> Vec<Arc<dyn jobs::Kind>> {
    let send =
        messages::jobs::Send::on_each_channel(config).map(|send| Arc::new(send) as Arc<dyn jobs::Kind>);
    let own: [Arc<dyn jobs::Kind>; 2] = [Arc::new(credits::jobs::Close), Arc::new(mail::Send::new(config))];
    own.into_iter().chain(send).collect()
}

impl Running {
    /// Where it listens, with the scheme that it speaks.
    pub fn url(&self) -> String {
        let scheme = if self.app.tls.is_some() { "https" } else { "http" };
        format!("{scheme}://{}", self.addr)
    }

    /// Stops: sends the sockets away over the drain's window, then takes no more connections, and lets
    /// requests in flight finish. It ends with the last of them, and after `DRAIN_SECONDS` and 10 seconds
    /// more whatever remains.
    pub async fn stop(self) {
        let Self { app, storing, background, .. } = self;
        let window = app.config.server.drain_seconds;
        app.stop.cancel();
        app.hub.drain(window);
        let finished = async {
            app.sockets.close();
            app.sockets.wait().await;
            app.finish.cancel();
            app.tasks.close();
            app.tasks.wait().await;
            // Of a handshake that was under way when the stop began.
            app.sockets.wait().await;
        };
        if tokio::time::timeout(window + REQUESTS_GRACE, finished).await.is_err() {
            let (connections, sockets) = (app.tasks.len(), app.sockets.len());
            tracing::warn!(connections, sockets, "not everything finished in time; stopping all the same");
            app.finish.cancel();
        }
        // One after the other: of what is stored now the other nodes are still told.
        let stored = tokio::time::timeout(STORING_GRACE, storing.end()).await;
        let told = tokio::time::timeout(BACKGROUND_GRACE, background.end()).await;
        if stored.is_err() || told.is_err() {
            tracing::warn!("not everything that was queued could be stored and told in time");
        }
    }
}

/// How often it looks for databases of organisations that nobody uses any more.
const CLOSE_IDLE_EVERY: Duration = Duration::from_secs(5);

/// Gives up connections to databases of organisations that nobody uses any more.
async fn close_idle_stores(db: Db, stop: CancellationToken) {
    let mut ticks = tokio::time::interval(CLOSE_IDLE_EVERY);
    while stop.run_until_cancelled(ticks.tick()).await.is_some() {
        db.close_idle();
    }
}

/// Has the recorder fold what it gathered, which otherwise grows until somebody asks for it.
async fn keep_metrics_small(metrics: PrometheusHandle, stop: CancellationToken) {
    let mut ticks = tokio::time::interval(METRICS_UPKEEP);
    while stop.run_until_cancelled(ticks.tick()).await.is_some() {
        metrics.run_upkeep();
    }
}
