//! TLS on our own port: the certificate with its key, read again when their files change.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, anyhow, bail};
use metrics::counter;
use parking_lot::RwLock;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{InconsistentKeys, ServerConfig};
use sha2::{Digest as _, Sha256};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_util::sync::CancellationToken;

use super::line::Line;
use super::stream::Timed;
use crate::config::ServerConfig as Settings;
use crate::telemetry::metric;

/// What plain HTTP is answered with, so that its sender knows what is wrong.
const SPEAK_TLS: &[u8] = b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\n\
    Content-Length: 53\r\nConnection: close\r\n\r\nThis port speaks TLS: begin with https:// or wss://.\n";

/// The first byte of a TLS handshake (RFC 8446, section 5.1). No method of HTTP begins with it.
const TLS_HANDSHAKE: u8 = 0x16;

/// Which contents of the two files were read.
type Fingerprint = [u8; 32];

/// The certificate that connections are served with. Those that are open keep theirs when it changes.
pub struct Tls {
    files: Files,
    current: RwLock<Arc<ServerConfig>>,
    loaded: Fingerprint,
    look: Notify,
}

/// Where certificate and key are.
#[derive(Clone)]
struct Files {
    cert: PathBuf,
    key: PathBuf,
}

/// What the files hold.
struct Contents {
    cert: Vec<u8>,
    key: Vec<u8>,
}

impl Tls {
    /// Reads certificate and key where the settings name them; fails in a sentence that names the setting.
    pub fn load(settings: &Settings) -> anyhow::Result<Option<Arc<Self>>> {
        let (Some(cert), Some(key)) = (&settings.tls_cert, &settings.tls_key) else {
            return Ok(None);
        };
        let files = Files { cert: cert.clone(), key: key.clone() };
        let contents = files.read()?;
        let config = files.config(&contents)?;
        let loaded = contents.fingerprint();
        for outcome in ["used", "refused"] {
            // Known from the start: an alert sees no rise in what first appears with its first event.
            counter!(metric::TLS_RELOADS, "outcome" => outcome).increment(0);
        }
        Ok(Some(Arc::new(Self { files, current: RwLock::new(config), loaded, look: Notify::new() })))
    }

    /// Has the files looked at now, rather than at the next turn.
    pub fn look_now(&self) {
        self.look.notify_one();
    }

    /// Does the handshake. `None` where the peer spoke HTTP without TLS, which it was told.
    pub(super) async fn accept(
        &self,
        stream: TcpStream,
        line: &Line,
        write_stall: Duration,
    ) -> io::Result<Option<TlsStream<Timed>>> {
        let mut first = [0];
        if stream.peek(&mut first).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if first != [TLS_HANDSHAKE] {
            return refuse_plain(stream).await.map(|()| None);
        }
        let acceptor = TlsAcceptor::from(Arc::clone(&self.current.read()));
        acceptor.accept(Timed::new(stream, line.clone(), write_stall)).await.map(Some)
    }

    /// Looks at the files again and again until `stop`, and serves new connections with what they hold once
    /// it is a pair. One that is none leaves the old in use and is logged at the second look: two files are
    /// not written at one moment.
    pub(crate) async fn watch(self: Arc<Self>, every: Duration, stop: CancellationToken) {
        let mut watch = Watch { used: self.loaded, problem: None };
        let mut ticks = tokio::time::interval(every);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            let asked = tokio::select! {
                () = stop.cancelled() => return,
                () = self.look.notified() => true,
                _ = ticks.tick() => false,
            };
            let files = self.files.clone();
            // A folder on the network may hang.
            let read = tokio::task::spawn_blocking(move || files.read()).await;
            watch.compare(&self, read.unwrap_or_else(|error| Err(error.into())), asked);
        }
    }
}

/// What a watch knows from its earlier looks.
struct Watch {
    used: Fingerprint,
    /// Why the present contents cannot be used, and whether that was logged.
    problem: Option<(String, bool)>,
}

impl Watch {
    fn compare(&mut self, tls: &Tls, read: anyhow::Result<Contents>, asked: bool) {
        let unchanged = matches!(&read, Ok(contents) if contents.fingerprint() == self.used);
        if unchanged {
            self.problem = None;
            if asked {
                tracing::info!("certificate and key have not changed");
            }
            return;
        }
        let config = read.and_then(|contents| Ok((contents.fingerprint(), tls.files.config(&contents)?)));
        match config {
            Ok((fingerprint, config)) => {
                *tls.current.write() = config;
                *self = Self { used: fingerprint, problem: None };
                counter!(metric::TLS_RELOADS, "outcome" => "used").increment(1);
                tracing::info!("new connections are served with the new certificate");
            }
            Err(error) => {
                let error = format!("{error:#}");
                let (seen, told) = match &self.problem {
                    Some((before, told)) if *before == error => (true, *told),
                    Some(_) | None => (false, false),
                };
                let tell = !told && (seen || asked);
                if tell {
                    counter!(metric::TLS_RELOADS, "outcome" => "refused").increment(1);
                    tracing::error!(
                        error,
                        "the changed certificate or key cannot be used: the old pair stays in use until the \
                         files are mended, and ends when it expires"
                    );
                }
                self.problem = Some((error, told || tell));
            }
        }
    }
}

impl Files {
    fn read(&self) -> anyhow::Result<Contents> {
        let read = |name: &str, path: &Path| {
            std::fs::read(path).with_context(|| format!("{name}: cannot read {}", path.display()))
        };
        Ok(Contents { cert: read("TLS_CERT", &self.cert)?, key: read("TLS_KEY", &self.key)? })
    }

    fn config(&self, contents: &Contents) -> anyhow::Result<Arc<ServerConfig>> {
        let (cert, key) = (self.cert.display(), self.key.display());
        let certificates = CertificateDer::pem_slice_iter(&contents.cert)
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| anyhow!("TLS_CERT: {cert} is not PEM: {error}"))?;
        if certificates.is_empty() {
            bail!("TLS_CERT: {cert} holds no certificate (-----BEGIN CERTIFICATE-----)");
        }
        let private = PrivateKeyDer::from_pem_slice(&contents.key).map_err(|_| {
            anyhow!("TLS_KEY: {key} holds no private key that can be read (PEM, not encrypted by a password)")
        })?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .context("preparing TLS")?
            .with_no_client_auth()
            .with_single_cert(certificates, private);
        let mut config = config.map_err(|error| match error {
            rustls::Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => {
                anyhow!("TLS_KEY: {key} is not the key of the first certificate in {cert} (TLS_CERT)")
            }
            error => anyhow!("TLS_CERT, TLS_KEY: {cert} and {key} cannot be used: {error}"),
        })?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Arc::new(config))
    }
}

impl Contents {
    fn fingerprint(&self) -> Fingerprint {
        let both = [Sha256::digest(&self.cert), Sha256::digest(&self.key)];
        Sha256::digest(both.concat()).into()
    }
}

async fn refuse_plain(mut stream: TcpStream) -> io::Result<()> {
    stream.write_all(SPEAK_TLS).await?;
    super::close_gently(stream).await
}
