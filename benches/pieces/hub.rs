//! What needs a database: appending, and reading the feed. The hub's parts run in this process, and requests go
//! through the router without a network.

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::ConnectInfo;
use axum::http::{Request, header};
use clap::Parser as _;
use futures_util::future::join_all;
use roomcast::activity::{Activity, Origin};
use roomcast::app::{App, Running};
use roomcast::config::Config;
use roomcast::types::{Audience, Clock, OrgId};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tower::ServiceExt as _;

use crate::Run;

/// Appends that wait together, and share a transaction.
pub(crate) const APPENDS: usize = 64;

/// Activities of a page.
pub(crate) const PAGE: usize = 50;

/// Activities of the log that pages are read of: a page costs the same wherever it begins.
const LOG: usize = 1024;

/// Where the log is.
#[derive(Clone, Copy)]
pub(crate) enum Store {
    Sqlite,
    Postgres,
}

/// An empty PostgreSQL database, where the environment names one.
#[expect(clippy::disallowed_methods, reason = "a bench has no settings but this")]
pub(crate) fn postgres_url() -> Option<String> {
    std::env::var("DATABASE_URL").ok().filter(|url| url.starts_with("postgres"))
}

#[derive(clap::Parser)]
struct Settings {
    #[command(flatten)]
    config: Config,
}

/// A hub with one organisation.
struct Hub {
    runtime: Runtime,
    running: Option<Running>,
    router: Router,
    org: OrgId,
    token: String,
    _folder: TempDir,
}

impl Hub {
    fn start(store: Store) -> Self {
        // One worker: whoever is on it is not interrupted, so appends that are queued together stay together.
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.expect("a runtime");
        let folder = tempfile::tempdir().expect("a temporary folder");
        let sqlite = || format!("sqlite:{}", folder.path().join("roomcast.db").display());
        let url = match store {
            Store::Sqlite => sqlite(),
            Store::Postgres => postgres_url().expect("it is only asked for where there is one"),
        };
        let mut config = Settings::parse_from(["roomcast"]).config;
        config.server.host = [127, 0, 0, 1].into();
        config.server.port = 0;
        config.server.drain_seconds = Duration::ZERO;
        config.database.database_url = Some(url.parse().expect("a database's address"));
        folder.path().clone_into(&mut config.database.data_dir);
        config.auth.jwt_access_secret =
            Some("a key for benches that signs nothing of worth".parse().expect("a key"));
        config.auth.access_lifetime = Duration::from_hours(1);
        config.limits.rate_limit_per_minute = 0;
        config.limits.auth_rate_limit_per_minute = 0;
        let running = runtime.block_on(App::start(config, Clock::default())).expect("a hub");
        let router = roomcast::router::router(&running.app);
        let org = OrgId::new();
        let mut hub =
            Self { runtime, running: Some(running), router, org, token: String::new(), _folder: folder };
        let email = format!("{org}@example.com");
        let session = hub.answer(hub.request("POST", "/auth/register").body(Body::from(
            json!({ "organisationName": "Acme", "name": "Ada", "email": email, "password": "a password for benches" })
                .to_string(),
        )));
        let session: Value = serde_json::from_slice(&session).expect("JSON");
        hub.org = session["organisation"]["id"].as_str().and_then(|id| id.parse().ok()).expect("an id");
        session["accessToken"].as_str().expect("a token").clone_into(&mut hub.token);
        hub
    }

    fn request(&self, method: &str, path: &str) -> axum::http::request::Builder {
        Request::builder()
            .method(method)
            .uri(format!("/api/v1{path}"))
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::AUTHORIZATION, format!("Bearer {}", self.token))
            .extension(ConnectInfo(SocketAddr::from(([127, 0, 0, 1], 1))))
    }

    /// The body of a successful answer.
    fn answer(&self, request: axum::http::Result<Request<Body>>) -> Vec<u8> {
        let request = request.expect("a request");
        let answered = self.router.clone().oneshot(request);
        let answer = self.runtime.spawn(async move {
            let answer = answered.await.expect("the router always answers");
            let status = answer.status();
            (status, to_bytes(answer.into_body(), usize::MAX).await.expect("a body"))
        });
        let (status, body) = self.runtime.block_on(answer).expect("an answer");
        assert!(status.is_success(), "{status}: {}", String::from_utf8_lossy(&body));
        body.into()
    }

    /// Appends so many at once, which all share one transaction.
    fn append(&self, count: usize) {
        let app = &self.running.as_ref().expect("it runs until it is dropped").app;
        let (writer, clock, org) = (app.writer.clone(), app.clock.clone(), self.org);
        let appends = (0..count).map(move |_| {
            let origin = Origin { org, actor: None, ip: None, user_agent: None, at: clock.now() };
            let message = "x".repeat(200).try_into().expect("it is a message");
            let audience = Audience::Everyone;
            let writer = writer.clone();
            async move {
                writer.append(origin, Activity::BroadcastMessage { message, data: None, audience }).await
            }
        });
        let appended = self.runtime.spawn(join_all(appends));
        for entry in self.runtime.block_on(appended).expect("they end") {
            entry.expect("it is appended");
        }
    }
}

impl Drop for Hub {
    fn drop(&mut self) {
        if let Some(running) = self.running.take() {
            self.runtime.block_on(running.stop());
        }
    }
}

/// As many callers append at once as share a transaction under load.
pub(crate) fn append(store: Store) -> Run {
    let hub = Hub::start(store);
    hub.append(APPENDS);
    Box::new(move || hub.append(APPENDS))
}

/// A page of the feed, from the request to the answer's bytes.
pub(crate) fn feed(store: Store) -> Run {
    let hub = Hub::start(store);
    (0..LOG / APPENDS).for_each(|_| hub.append(APPENDS));
    let path = format!("/activities?limit={PAGE}");
    Box::new(move || {
        let page = hub.answer(hub.request("GET", &path).body(Body::empty()));
        assert!(page.len() > PAGE, "a page has its activities");
    })
}
