//! Everybody who may speak to a server, wherever it runs.

use std::sync::Arc;
use std::time::Duration;

use roomcast_client::ConnectOptions;
use rustls::{ClientConfig, RootCertStore};

use super::caller::Caller;
use super::organisation::{OrganisationBuilder, Person};
use super::socket::TestSocket;
use super::wait::{LIMIT, LONG};

/// Callers of one server, and their sockets.
#[derive(Clone)]
pub(crate) struct Client {
    /// `http://127.0.0.1:PORT`.
    pub(crate) base: String,
    http: reqwest::Client,
}

impl Client {
    pub(crate) fn of(base: String) -> Self {
        Self::with_timeout(base, LIMIT)
    }

    /// Callers who wait longer than most: an outage is noticed late.
    pub(crate) fn patient(base: String) -> Self {
        Self::with_timeout(base, LONG)
    }

    /// Callers who soon ask elsewhere.
    pub(crate) fn impatient(base: String, patience: Duration) -> Self {
        Self::with_timeout(base, patience)
    }

    fn with_timeout(base: String, timeout: Duration) -> Self {
        // Nothing here is encrypted, but a client is not made without.
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls =
            ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let tls = tls.with_root_certificates(RootCertStore::empty()).with_no_client_auth();
        let http = reqwest::Client::builder().timeout(timeout).no_proxy().tls_backend_preconfigured(tls);
        let http = http.build().unwrap();
        Self { base, http }
    }

    /// Somebody who is not signed in.
    pub(crate) fn anonymous(&self) -> Caller {
        Caller::new(self.http.clone(), self.base.clone(), None)
    }

    /// Somebody who is.
    pub(crate) fn as_user(&self, person: &Person) -> Caller {
        self.with_token(&person.access_token)
    }

    /// Whoever brings this token.
    pub(crate) fn with_token(&self, token: &str) -> Caller {
        Caller::new(self.http.clone(), self.base.clone(), Some(token.to_owned()))
    }

    /// An organisation, to be built through the public API.
    pub(crate) fn organisation(&self, name: &str) -> OrganisationBuilder<'_> {
        OrganisationBuilder::new(self, name)
    }

    /// Opens a socket that starts at the head, and takes its WELCOME.
    pub(crate) async fn connect(&self, person: &Person) -> TestSocket {
        self.connect_with(options(person)).await
    }

    /// Opens a socket that resumes after `seq`, and takes its WELCOME.
    pub(crate) async fn resume(&self, person: &Person, seq: i64) -> TestSocket {
        self.connect_with(options(person).after(seq)).await
    }

    /// Opens a socket and takes its WELCOME.
    pub(crate) async fn connect_with(&self, options: ConnectOptions) -> TestSocket {
        let mut socket = self.open(options).await;
        socket.expect_welcome().await;
        socket
    }

    /// Opens a socket that may be closed before its WELCOME.
    pub(crate) async fn open(&self, options: ConnectOptions) -> TestSocket {
        TestSocket::open(&self.base, options).await
    }
}

/// What opens a socket of this person.
pub(crate) fn options(person: &Person) -> ConnectOptions {
    ConnectOptions::new(person.access_token.as_str())
}
