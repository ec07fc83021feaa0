//! An authority that issues certificates, and clients that trust it alone.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::raw::RawSocket;
use super::wait::within;

/// An authority, and a folder with the files that a server is given.
pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    connector: TlsConnector,
    folder: TempDir,
}

/// A certificate with its key, as files hold them.
pub(crate) struct Pair {
    pub(crate) cert: String,
    pub(crate) key: String,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        // A name of its own: OpenSSL takes a certificate for its own issuer where both have the same.
        params.distinguished_name.push(DnType::CommonName, "Roomcast test authority");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let root = params.self_signed(&key).unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(root.der().clone()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let mut config = config.unwrap().with_root_certificates(roots).with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        let issuer = Issuer::new(params, key);
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("root.crt"), root.pem()).unwrap();
        Self { issuer, connector: TlsConnector::from(Arc::new(config)), folder }
    }

    /// A new certificate for `localhost`.
    pub(crate) fn issue(&self) -> Pair {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(["localhost".to_owned()]).unwrap();
        let cert = params.signed_by(&key, &self.issuer).unwrap();
        Pair { cert: cert.pem(), key: key.serialize_pem() }
    }

    /// Where the server finds its certificate.
    pub(crate) fn cert_path(&self) -> PathBuf {
        self.folder.path().join("hub.crt")
    }

    /// Where it finds the key.
    pub(crate) fn key_path(&self) -> PathBuf {
        self.folder.path().join("hub.key")
    }

    /// Where whoever is to trust it finds its own certificate.
    pub(crate) fn root_path(&self) -> PathBuf {
        self.folder.path().join("root.crt")
    }

    /// Puts a pair where the server looks.
    pub(crate) fn install(&self, pair: &Pair) {
        let write = |path: &Path, text: &str| std::fs::write(path, text).unwrap();
        write(&self.cert_path(), &pair.cert);
        write(&self.key_path(), &pair.key);
    }

    /// Connects; fails unless the server's certificate is of this authority.
    pub(crate) async fn connect(&self, base: &str) -> TlsStream<TcpStream> {
        let address = base.strip_prefix("https://").unwrap();
        let tcp = within("connecting", TcpStream::connect(address)).await.unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        let stream = within("the TLS handshake", self.connector.connect(name, tcp)).await.unwrap();
        assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"http/1.1"[..]));
        stream
    }

    /// Connects, for what is said then byte by byte.
    pub(crate) async fn raw(&self, base: &str) -> RawSocket {
        RawSocket::over(self.connect(base).await)
    }

    /// The certificate that a new connection is served with.
    pub(crate) async fn served(&self, base: &str) -> CertificateDer<'static> {
        let stream = self.connect(base).await;
        stream.get_ref().1.peer_certificates().unwrap()[0].clone()
    }
}

impl Pair {
    /// The certificate as it is served.
    pub(crate) fn der(&self) -> CertificateDer<'static> {
        use rustls::pki_types::pem::PemObject as _;
        CertificateDer::from_pem_slice(self.cert.as_bytes()).unwrap()
    }
}
