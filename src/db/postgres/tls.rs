//! How a `postgres://` URL says to connect, TLS included.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use tokio_postgres::config::{Host, SslMode};
use tokio_postgres::tls::MakeTlsConnect;
use tokio_postgres::{Client, Connection, Socket};
use tokio_postgres_rustls::MakeRustlsConnect;

/// A parsed URL, ready to connect with. `sslmode` means what it means to PostgreSQL's own clients:
/// `prefer` (the default) and `require` encrypt without checking who answers, `verify-ca` checks the
/// certificate, `verify-full` also the host name; `sslrootcert` names a PEM file of authorities in
/// place of the system's.
/// See <https://www.postgresql.org/docs/current/libpq-ssl.html>.
#[derive(Clone)]
pub(super) struct PostgresConfig {
    config: tokio_postgres::Config,
    tls: MakeRustlsConnect,
}

/// How long a connection may take to be made.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// How long what was sent may stay unacknowledged before the connection counts as lost: a network that
/// swallows packets would otherwise hold a COMMIT, and all who wait for it, for a quarter of an hour.
const SILENCE_TIMEOUT: Duration = Duration::from_secs(10);

type TlsStream = <MakeRustlsConnect as MakeTlsConnect<Socket>>::Stream;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Verify {
    Nothing,
    Certificate,
    CertificateAndName,
}

impl PostgresConfig {
    pub(super) fn parse(url: &str) -> anyhow::Result<Self> {
        let (plain, sslmode, root_cert) = split_tls_options(url);
        let (mode, verify) = match sslmode.as_deref() {
            None | Some("prefer" | "allow") => (SslMode::Prefer, Verify::Nothing),
            Some("disable") => (SslMode::Disable, Verify::Nothing),
            Some("require") => (SslMode::Require, Verify::Nothing),
            Some("verify-ca") => (SslMode::Require, Verify::Certificate),
            Some("verify-full") => (SslMode::Require, Verify::CertificateAndName),
            Some(other) => bail!(
                "DATABASE_URL: sslmode={other} is not one of disable, allow, prefer, require, verify-ca, \
                 verify-full"
            ),
        };
        let mut config: tokio_postgres::Config =
            plain.parse().context("DATABASE_URL is not a valid postgres:// URL")?;
        config.ssl_mode(mode);
        config.connect_timeout(CONNECT_TIMEOUT);
        if config.get_tcp_user_timeout().is_none() {
            config.tcp_user_timeout(SILENCE_TIMEOUT);
        }
        if config.get_application_name().is_none() {
            config.application_name("roomcast");
        }
        Ok(Self { config, tls: MakeRustlsConnect::new(client_config(verify, root_cert.as_deref())?) })
    }

    pub(super) async fn connect(
        &self,
    ) -> Result<(Client, Connection<Socket, TlsStream>), tokio_postgres::Error> {
        self.config.connect(self.tls.clone()).await
    }

    /// The same server, another database.
    pub(super) fn with_database(&self, name: &str) -> Self {
        let mut other = self.clone();
        other.config.dbname(name);
        other
    }

    /// The server's address, for messages.
    pub(super) fn server(&self) -> String {
        let host = match self.config.get_hosts().first() {
            Some(Host::Tcp(name)) => name.clone(),
            #[cfg(unix)]
            Some(Host::Unix(path)) => path.display().to_string(),
            None => "localhost".to_owned(),
        };
        match self.config.get_ports().first() {
            Some(port) => format!("{host}:{port}"),
            None => host,
        }
    }
}

/// Takes `sslmode` and `sslrootcert` out of a URL's query: tokio-postgres knows neither the file nor the
/// modes that check a certificate.
fn split_tls_options(url: &str) -> (String, Option<String>, Option<String>) {
    let Some((base, query)) = url.split_once('?') else {
        return (url.to_owned(), None, None);
    };
    let (mut sslmode, mut root_cert, mut rest) = (None, None, Vec::new());
    for pair in query.split('&') {
        match pair.split_once('=') {
            Some(("sslmode", value)) => sslmode = Some(value.to_owned()),
            Some(("sslrootcert", value)) => root_cert = Some(value.replace("%2F", "/").replace("%2f", "/")),
            _ => rest.push(pair),
        }
    }
    let plain = if rest.is_empty() { base.to_owned() } else { format!("{base}?{}", rest.join("&")) };
    (plain, sslmode, root_cert)
}

/// TLS that encrypts without checking who answers: for a peer that is known by its address.
pub(crate) fn unverified() -> anyhow::Result<ClientConfig> {
    client_config(Verify::Nothing, None)
}

fn client_config(verify: Verify, root_cert: Option<&str>) -> anyhow::Result<ClientConfig> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .context("TLS is not available")?;
    let strict = match verify {
        Verify::Nothing => None,
        Verify::Certificate | Verify::CertificateAndName => {
            let roots = Arc::new(root_store(root_cert)?);
            Some(
                WebPkiServerVerifier::builder_with_provider(roots, Arc::clone(&provider))
                    .build()
                    .context("no usable certificate authority for DATABASE_URL")?,
            )
        }
    };
    Ok(match (verify, strict) {
        (Verify::CertificateAndName, Some(verifier)) => {
            builder.with_webpki_verifier(verifier).with_no_client_auth()
        }
        (_, strict) => builder
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Lenient { strict, provider }))
            .with_no_client_auth(),
    })
}

fn root_store(root_cert: Option<&str>) -> anyhow::Result<RootCertStore> {
    let mut roots = RootCertStore::empty();
    if let Some(path) = root_cert {
        let certificates = CertificateDer::pem_file_iter(Path::new(path))
            .with_context(|| format!("DATABASE_URL: cannot read sslrootcert {path}"))?;
        for certificate in certificates {
            let certificate = certificate.with_context(|| format!("DATABASE_URL: sslrootcert {path}"))?;
            roots.add(certificate).with_context(|| format!("DATABASE_URL: sslrootcert {path}"))?;
        }
    } else {
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    }
    Ok(roots)
}

/// Checks less than TLS usually does, as the URL asked for: the certificate without the name, or
/// nothing but that the peer holds the key it shows.
#[derive(Debug)]
struct Lenient {
    strict: Option<Arc<WebPkiServerVerifier>>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Lenient {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        use rustls::CertificateError::{NotValidForName, NotValidForNameContext};

        let Some(strict) = &self.strict else {
            return Ok(ServerCertVerified::assertion());
        };
        // webpki checks the name last, so a wrong name means that all else is in order.
        match strict.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now) {
            Err(rustls::Error::InvalidCertificate(NotValidForName | NotValidForNameContext { .. })) => {
                Ok(ServerCertVerified::assertion())
            }
            other => other,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, cert, dss, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, cert, dss, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tls_options_are_taken_out_of_the_url() {
        let (plain, mode, root) = split_tls_options(
            "postgres://u@h/d?sslmode=verify-full&application_name=x&sslrootcert=%2Fa%2Fca.pem",
        );
        assert_eq!(plain, "postgres://u@h/d?application_name=x");
        assert_eq!(mode.as_deref(), Some("verify-full"));
        assert_eq!(root.as_deref(), Some("/a/ca.pem"));
    }

    #[test]
    fn an_unknown_mode_is_refused() {
        assert!(PostgresConfig::parse("postgres://u@h/d?sslmode=maybe").is_err());
        assert!(PostgresConfig::parse("postgres://u@h/d?sslmode=require").is_ok());
    }
}
