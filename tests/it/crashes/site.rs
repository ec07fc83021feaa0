//! The real program on one ground, which outlives its ends.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use reqwest::Method;
use serde_json::Value;
use tempfile::TempDir;

use super::subscriber::Subscriber;
use crate::harness::app::SIGNING_KEY;
use crate::harness::{Child, Client, TestDatabase, at_last};

/// The program, where it keeps what it keeps, and the address that it has each time.
pub(crate) struct Site {
    environment: Vec<(String, String)>,
    base: String,
    wrapper: Vec<String>,
    child: Option<Child>,
    /// Last, so that they outlive the program.
    pub(super) database: Option<TestDatabase>,
    _folder: TempDir,
}

impl Site {
    /// On the database that the tests run on.
    pub(crate) async fn create() -> Self {
        let database = TestDatabase::create().await;
        let mut site = Self::at(&database.url_text());
        site.database = Some(database);
        site
    }

    /// On a database of the test's own.
    pub(crate) fn at(url: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        let port = free_port();
        let mut environment = settings(&data, port);
        environment.push(("DATABASE_URL".to_owned(), url.to_owned()));
        environment.push(("JWT_ACCESS_SECRET".to_owned(), SIGNING_KEY.to_owned()));
        Self::new(environment, port, folder)
    }

    /// With nothing configured but this folder.
    pub(crate) fn in_folder(data: &Path) -> Self {
        let port = free_port();
        Self::new(settings(data, port), port, tempfile::tempdir().unwrap())
    }

    fn new(environment: Vec<(String, String)>, port: u16, folder: TempDir) -> Self {
        let base = format!("http://127.0.0.1:{port}");
        Self { environment, base, wrapper: Vec::new(), child: None, database: None, _folder: folder }
    }

    /// With this setting as well.
    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Run by another program, which becomes it.
    pub(crate) fn under(mut self, wrapper: &[&str]) -> Self {
        self.wrapper = wrapper.iter().map(|word| (*word).to_owned()).collect();
        self
    }

    /// Begins to start it; it does not listen yet.
    pub(crate) fn launch(&mut self) -> &mut Child {
        assert!(self.child.is_none(), "it runs already");
        let wrapper: Vec<&str> = self.wrapper.iter().map(String::as_str).collect();
        let environment: Vec<(&str, &str)> =
            self.environment.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        self.child.insert(Child::under(&wrapper, &[], &environment))
    }

    /// Starts it. Connections of an earlier life are forgotten.
    pub(crate) async fn start(&mut self) -> Client {
        let listening = self.launch().listening().await;
        assert_eq!(listening.base, self.base);
        self.client()
    }

    /// Who calls it: with new connections and much patience.
    pub(crate) fn client(&self) -> Client {
        Client::patient(self.base.clone())
    }

    /// The running program.
    pub(crate) fn child(&self) -> &Child {
        self.child.as_ref().expect("it runs")
    }

    /// What it has written, if it runs.
    pub(crate) fn output(&self) -> String {
        self.child.as_ref().map(Child::output).unwrap_or_default()
    }

    /// Ends it with SIGKILL; returns what it wrote.
    pub(crate) async fn kill(&mut self) -> String {
        let output = self.child.take().expect("it runs").kill().await;
        expect_no_fault(&output);
        output
    }

    /// Stops it in good order; returns what it wrote.
    pub(crate) async fn stop(&mut self) -> String {
        let output = self.child.take().expect("it runs").stop().await;
        expect_no_fault(&output);
        output
    }

    /// Waits until it says that it is ready, or why not.
    pub(crate) async fn expect_ready(&self, status: u16) -> Value {
        let client = self.client();
        at_last(&format!("/readyz with {status}"), async || {
            let answer = client.anonymous().at(Method::GET, "/readyz").into_sent().await?;
            (answer.status == status).then(|| answer.json())
        })
        .await
    }
}

fn settings(data: &Path, port: u16) -> Vec<(String, String)> {
    let data = data.to_str().unwrap().to_owned();
    let mut settings = vec![
        ("ROOMCAST_DATA_DIR".to_owned(), data),
        ("PORT".to_owned(), port.to_string()),
        // An answer that a crash took may be asked for again whenever the test gets round to it.
        ("REFRESH_LEEWAY".to_owned(), "10m".to_owned()),
    ];
    for limit in ["RATE_LIMIT_PER_MINUTE", "AUTH_RATE_LIMIT_PER_MINUTE", "HANDSHAKES_PER_MINUTE"] {
        settings.push((limit.to_owned(), "0".to_owned()));
    }
    settings
}

/// A port that is free now, and below those that outgoing connections are given.
pub(crate) fn free_port() -> u16 {
    static TRIED: AtomicU32 = AtomicU32::new(0);
    loop {
        let number = std::process::id().wrapping_mul(97) + TRIED.fetch_add(1, Ordering::Relaxed);
        let port = u16::try_from(20_000 + number % 12_000).unwrap();
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

/// What no crash, full disk or outage may make the program say.
pub(super) fn expect_no_fault(output: &str) {
    for fault in ["panicked", "a request failed", "log was replaced", "lacks entry", "has holes"] {
        assert!(!output.contains(fault), "{fault:?} in:\n{output}");
    }
}

/// Where SQLite keeps a site's data.
pub(super) fn database_file(folder: &Path) -> PathBuf {
    folder.join("roomcast.db")
}

/// How often they lost their sockets.
pub(super) fn disconnects(subscribers: &[Subscriber]) -> usize {
    subscribers.iter().map(Subscriber::disconnects).sum()
}
