//! How `REDIS_URL` says to connect.

use std::fmt;
use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;

use anyhow::{Context as _, bail};
use fred::types::RespVersion;
use fred::types::config::{
    ClusterDiscoveryPolicy, Config, Server, ServerConfig, TlsConfig, TlsConnector, TlsHostMapping,
};
use percent_encoding::percent_decode_str;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};
use url::{Host, Url};

/// A parsed `REDIS_URL`: `redis[s][-sentinel|-cluster]://[[user]:password@]host[:port][/database][?options]`.
/// Options: `node=host:port` names another sentinel or node of the cluster, any number of times;
/// `sentinelServiceName`, `sentinelUsername` and `sentinelPassword` are for sentinels; `sslrootcert` is a PEM
/// file of authorities in place of the system's. It may hold a password and is never printed.
#[derive(Clone)]
pub struct RedisUrl {
    server: ServerConfig,
    username: Option<String>,
    password: Option<String>,
    database: Option<u8>,
    tls: Option<Tls>,
}

/// TLS, and whom it trusts.
#[derive(Clone)]
struct Tls {
    root_cert: Option<String>,
}

/// What stands behind the address.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Standalone,
    Sentinel,
    Cluster,
}

impl fmt::Debug for RedisUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RedisUrl(…)")
    }
}

/// The options of a URL, as far as they are known.
#[derive(Default)]
struct Options {
    nodes: Vec<Server>,
    service: Option<String>,
    sentinel_username: Option<String>,
    sentinel_password: Option<String>,
    root_cert: Option<String>,
}

impl FromStr for RedisUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let scheme = text.split_once("://").map(|(scheme, _)| scheme);
        let (kind, is_tls) = match scheme {
            Some("redis") => (Kind::Standalone, false),
            Some("rediss") => (Kind::Standalone, true),
            Some("redis-sentinel") => (Kind::Sentinel, false),
            Some("rediss-sentinel") => (Kind::Sentinel, true),
            Some("redis-cluster") => (Kind::Cluster, false),
            Some("rediss-cluster") => (Kind::Cluster, true),
            _ => {
                return Err(
                    "must begin with redis://, redis-sentinel:// or redis-cluster://, or with rediss for TLS"
                        .to_owned(),
                );
            }
        };
        let url = Url::parse(text).map_err(|error| {
            format!("cannot be read ({error}): is every / : @ ? # % of its password written in percent?")
        })?;
        let options = Options::parse(&url, kind, is_tls)?;
        let host = match url.host() {
            Some(Host::Domain(name)) if !name.is_empty() => name.to_owned(),
            Some(Host::Ipv4(address)) => address.to_string(),
            Some(Host::Ipv6(address)) => address.to_string(),
            Some(Host::Domain(_)) | None => return Err("names no host".to_owned()),
        };
        let port = url.port().unwrap_or(if kind == Kind::Sentinel { 26379 } else { 6379 });
        let mut hosts = vec![Server::new(host, port)];
        hosts.extend(options.nodes);
        let server = match kind {
            Kind::Standalone => ServerConfig::Centralized { server: hosts.remove(0) },
            Kind::Sentinel => ServerConfig::Sentinel {
                hosts,
                service_name: options.service.ok_or("needs ?sentinelServiceName=, as in mymaster")?,
                username: options.sentinel_username,
                password: options.sentinel_password,
            },
            Kind::Cluster => {
                ServerConfig::Clustered { hosts, policy: ClusterDiscoveryPolicy::ConfigEndpoint }
            }
        };
        let credential = |text: &str| match percent_decode_str(text).decode_utf8() {
            Ok(text) if text.is_empty() => Ok(None),
            Ok(text) => Ok(Some(text.into_owned())),
            Err(_) => Err("has a user or password that is no UTF-8".to_owned()),
        };
        Ok(Self {
            server,
            username: credential(url.username())?,
            password: credential(url.password().unwrap_or_default())?,
            database: database(url.path(), kind)?,
            tls: is_tls.then_some(Tls { root_cert: options.root_cert }),
        })
    }
}

/// `/2` is the database 2. A cluster has one.
fn database(path: &str, kind: Kind) -> Result<Option<u8>, String> {
    let path = path.trim_start_matches('/');
    if path.is_empty() {
        return Ok(None);
    }
    match path.parse() {
        Ok(database) if kind != Kind::Cluster || database == 0 => Ok(Some(database)),
        Ok(_) => Err("names a database, of which a cluster has only 0".to_owned()),
        Err(_) => Err("ends with something that is not the number of a database".to_owned()),
    }
}

impl Options {
    fn parse(url: &Url, kind: Kind, is_tls: bool) -> Result<Self, String> {
        let mut options = Self::default();
        for (name, value) in url.query_pairs() {
            let value = value.into_owned();
            match &*name {
                "node" if kind != Kind::Standalone => {
                    let server = value.rsplit_once(':').and_then(|(host, port)| {
                        let host = host.trim_start_matches('[').trim_end_matches(']');
                        Some(Server::new(host.to_owned(), port.parse().ok()?))
                    });
                    options.nodes.push(server.ok_or("has a node= that is not host:port")?);
                }
                "sentinelServiceName" if kind == Kind::Sentinel => options.service = Some(value),
                "sentinelUsername" if kind == Kind::Sentinel => options.sentinel_username = Some(value),
                "sentinelPassword" if kind == Kind::Sentinel => options.sentinel_password = Some(value),
                "sslrootcert" if is_tls => options.root_cert = Some(value),
                // Not repeated: with a question mark in a password it would be a part of that.
                _ => {
                    return Err(
                        "has an option that does not go with its scheme; known are node, sentinelServiceName, \
                         sentinelUsername, sentinelPassword, sslrootcert"
                            .to_owned(),
                    );
                }
            }
        }
        Ok(options)
    }
}

impl RedisUrl {
    /// The servers, sentinels or nodes that it names.
    pub(crate) fn hosts(&self) -> impl Iterator<Item = String> {
        self.server.hosts().into_iter().map(|server| server.host.to_string())
    }

    /// Whether what is said on the way can neither be read nor altered.
    pub(crate) fn has_tls(&self) -> bool {
        self.tls.is_some()
    }

    /// Whether Redis is told who comes.
    pub(crate) fn has_password(&self) -> bool {
        self.password.is_some()
    }

    /// How to connect. Fails where the authorities cannot be read.
    pub(super) fn config(&self) -> anyhow::Result<Config> {
        let tls = self.tls.as_ref().map(Tls::config).transpose()?;
        Ok(Config {
            server: self.server.clone(),
            username: self.username.clone(),
            password: self.password.clone(),
            database: self.database,
            tls,
            // Under it a connection that is subscribed still answers: that is how a subscription is confirmed.
            version: RespVersion::RESP3,
            ..Config::default()
        })
    }
}

impl Tls {
    fn config(&self) -> anyhow::Result<TlsConfig> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .context("TLS is not available")?
            .with_root_certificates(self.roots()?)
            .with_no_client_auth();
        let connector = TlsConnector::from(config);
        // The nodes of a cluster tell addresses of each other, certificates are made out to names.
        Ok(TlsConfig { connector, hostnames: TlsHostMapping::DefaultHost })
    }

    fn roots(&self) -> anyhow::Result<RootCertStore> {
        let mut roots = RootCertStore::empty();
        if let Some(path) = &self.root_cert {
            let certificates = CertificateDer::pem_file_iter(Path::new(path))
                .with_context(|| format!("REDIS_URL: cannot read sslrootcert {path}"))?;
            for certificate in certificates {
                let certificate = certificate.with_context(|| format!("REDIS_URL: sslrootcert {path}"))?;
                roots.add(certificate).with_context(|| format!("REDIS_URL: sslrootcert {path}"))?;
            }
        } else {
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
        if roots.is_empty() {
            bail!(
                "REDIS_URL: no certificate authority to check the server with: name one with ?sslrootcert="
            );
        }
        Ok(roots)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> RedisUrl {
        text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    #[test]
    fn the_scheme_decides() {
        assert!(matches!(parse("redis://h").server, ServerConfig::Centralized { .. }));
        assert!(parse("rediss://h").tls.is_some());
        let cluster = parse("redis-cluster://h:1?node=i:2&node=[::1]:3").server;
        assert_eq!((cluster.is_clustered(), cluster.hosts().len()), (true, 3));
        let sentinel = parse("redis-sentinel://h?sentinelServiceName=m&node=i:2&sentinelPassword=p%26q");
        let ServerConfig::Sentinel { hosts, service_name, password, .. } = sentinel.server else {
            panic!("sentinels")
        };
        assert_eq!(hosts, [Server::new("h", 26379), Server::new("i", 2)]);
        assert_eq!((service_name.as_str(), password.as_deref()), ("m", Some("p&q")));
    }

    #[test]
    fn credentials_are_written_in_percent() {
        let url = parse("redis://us%C3%A9r:p%40ss%2Fw%3Fo+rd@[::1]:7/2");
        assert_eq!(url.username.as_deref(), Some("usér"));
        assert_eq!(url.password.as_deref(), Some("p@ss/w?o+rd"));
        assert_eq!(url.database, Some(2));
        assert_eq!(url.server.hosts(), [Server::new("::1", 7)]);
        assert_eq!(parse("redis://:word@h").username, None);
    }

    #[test]
    fn what_is_wrong_is_told_without_the_password() {
        for bad in [
            "http://u:hunter22@h",
            "redis:/u:hunter22@h",
            "hunter22",
            "redis://u:hunter22@",
            "redis://u:hunter22@h:port",
            "redis://u:hunter22/x@h",
            "redis://u:x?hunter22@h",
            "redis://u:hunter22@h/x",
            "redis-cluster://u:hunter22@h/1",
            "redis-cluster://u:hunter22@h?node=i",
            "redis-sentinel://u:hunter22@h",
            "redis://u:hunter22@h?hunter22=1",
            "redis://h?sslrootcert=/x",
        ] {
            let error = bad.parse::<RedisUrl>().expect_err(bad);
            assert!(!error.contains("hunter22"), "{error}");
        }
        let url = parse("redis://u:hunter22@h");
        assert!(!format!("{url:?}").contains("hunter22"));
        let error = parse("rediss://h?sslrootcert=/nowhere").config().expect_err("no such file");
        assert!(error.to_string().contains("/nowhere"));
    }
}
