//! Requests to where users say: to public addresses alone.
//!
//! Whoever may name a URL could otherwise have the hub reach what only the hub reaches: a database, a cloud's
//! metadata, itself. A name is resolved here, and what it resolves to is checked before anything is connected to;
//! so is an address that is written into the URL, and both again at each redirect.

use std::error::Error as StdError;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use ipnet::IpNet;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::redirect::{Action, Attempt, Policy};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};
use url::{Host, Url};

/// How long it may take until a connection stands.
const CONNECT: Duration = Duration::from_secs(5);

/// How long a request may take, with its redirects.
const TOTAL: Duration = Duration::from_secs(10);

/// Redirects that are followed.
const MAX_REDIRECTS: usize = 3;

/// What says who asks.
const USER_AGENT: &str = concat!("roomcast/", env!("CARGO_PKG_VERSION"));

/// Where requests may go.
#[derive(Debug, Clone)]
pub struct Reach(Arc<[IpNet]>);

impl Reach {
    /// Public addresses, and these networks.
    pub fn public_and(allowed: &[IpNet]) -> Self {
        Self(allowed.into())
    }

    fn includes(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        is_public(address) || self.0.iter().any(|network| network.contains(&address))
    }

    /// Refuses a URL that has an address in it which may not be reached; names are looked at when they are
    /// resolved.
    fn check(&self, url: &Url) -> Result<(), Refused> {
        let address: IpAddr = match url.host() {
            Some(Host::Ipv4(address)) => address.into(),
            Some(Host::Ipv6(address)) => address.into(),
            Some(Host::Domain(_)) => return Ok(()),
            None => return Err(Refused),
        };
        if self.includes(address) { Ok(()) } else { Err(Refused) }
    }
}

/// The address is none that may be reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refused;

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the address is not a public one")
    }
}

impl StdError for Refused {}

impl Refused {
    /// Whether this is why a request failed.
    pub fn is_cause_of(error: &reqwest::Error) -> bool {
        let mut source: Option<&(dyn StdError + 'static)> = Some(error);
        while let Some(error) = source {
            if error.is::<Self>() {
                return true;
            }
            source = error.source();
        }
        false
    }
}

/// Whether an address belongs to the internet at large (the registries of RFC 6890, and what wraps addresses of
/// version 4 into ones of version 6).
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    !(a == 0
        || address.is_loopback()
        || address.is_private()
        || address.is_link_local()
        || address.is_broadcast()
        || address.is_documentation()
        || address.is_multicast()
        // Shared by carriers, for protocols, for relays, for measurements, and reserved.
        || a == 100 && (64..128).contains(&b)
        || (a, b, c) == (192, 0, 0)
        || (a, b, c) == (192, 88, 99)
        || a == 198 && (b == 18 || b == 19)
        || a >= 240)
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let segments = address.segments();
    // What is given out is 2000::/3; the rest of it is for protocols (with Teredo), documentation or 6to4.
    segments[0] & 0xe000 == 0x2000
        && !(segments[0] == 0x2001 && segments[1] < 0x0200)
        && !(segments[0] == 0x2001 && segments[1] == 0x0db8)
        && segments[0] != 0x2002
        && !(segments[0] == 0x3fff && segments[1] < 0x1000)
}

/// Resolves names as the system does, and refuses those of which any address may not be reached: one of several
/// would do for an attack.
struct Resolver(Reach);

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let reach = self.0.clone();
        Box::pin(async move {
            let found: Vec<SocketAddr> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            if found.iter().any(|address| !reach.includes(address.ip())) {
                return Err(Refused.into());
            }
            let addresses: Addrs = Box::new(found.into_iter());
            Ok(addresses)
        })
    }
}

/// Makes requests to where users say.
#[derive(Clone)]
pub struct Outbound {
    client: reqwest::Client,
    reach: Reach,
}

impl Outbound {
    /// Requests go where `reach` says. Besides the system's authorities those of `authorities` are believed, in PEM.
    pub fn new(reach: Reach, authorities: Option<&[u8]>) -> anyhow::Result<Self> {
        let follow = {
            let reach = reach.clone();
            Policy::custom(move |attempt| follow(&reach, attempt))
        };
        let client = builder(authorities)?.redirect(follow).dns_resolver(Resolver(reach.clone())).build();
        Ok(Self { client: client.context("cannot make a client")?, reach })
    }

    /// A POST to this URL. Fails where it has an address in it that may not be reached.
    pub fn post(&self, url: &str) -> Result<reqwest::RequestBuilder, Refused> {
        let url = Url::parse(url).map_err(|_| Refused)?;
        self.reach.check(&url)?;
        Ok(self.client.post(url))
    }
}

/// Requests to where the operator says, which follow no redirect.
pub fn trusted(authorities: Option<&[u8]>) -> anyhow::Result<reqwest::Client> {
    builder(authorities)?.redirect(Policy::none()).build().context("cannot make a client")
}

/// A redirect that asks for the same request elsewhere (RFC 9110, 15.4.8 and 15.4.9) is followed to where a
/// request may go, but never out of TLS; any other is the answer.
fn follow(reach: &Reach, attempt: Attempt<'_>) -> Action {
    let is_same = matches!(attempt.status().as_u16(), 307 | 308);
    let lays_open = attempt.previous().last().is_some_and(|from| lays_open(from, attempt.url()));
    if !is_same || lays_open || attempt.previous().len() > MAX_REDIRECTS {
        return attempt.stop();
    }
    match reach.check(attempt.url()) {
        Ok(()) => attempt.follow(),
        Err(refused) => attempt.error(refused),
    }
}

/// Whether what was sent over TLS would go on without.
fn lays_open(from: &Url, to: &Url) -> bool {
    from.scheme() == "https" && to.scheme() != "https"
}

fn builder(authorities: Option<&[u8]>) -> anyhow::Result<reqwest::ClientBuilder> {
    let builder = reqwest::Client::builder()
        .connect_timeout(CONNECT)
        .timeout(TOTAL)
        .user_agent(USER_AGENT)
        // The URL that a redirect came from may hold a secret.
        .referer(false)
        // A proxy would resolve names in our place.
        .no_proxy()
        .tls_backend_preconfigured(tls(authorities)?);
    Ok(builder)
}

fn tls(authorities: Option<&[u8]>) -> anyhow::Result<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    for certificate in CertificateDer::pem_slice_iter(authorities.unwrap_or_default()) {
        roots.add(certificate.context("OUTBOUND_CA is no PEM")?).context("OUTBOUND_CA has no authority")?;
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_public_addresses_are_reached() {
        let reach = Reach::public_and(&["10.1.0.0/16".parse().unwrap()]);
        for (address, expected) in [
            ("1.1.1.1", true),
            ("93.184.216.34", true),
            ("2606:4700:4700::1111", true),
            ("10.1.2.3", true),
            ("::ffff:10.1.2.3", true),
            ("10.2.0.1", false),
            ("127.0.0.1", false),
            ("127.9.9.9", false),
            ("0.0.0.0", false),
            ("169.254.169.254", false),
            ("172.16.0.1", false),
            ("192.168.1.1", false),
            ("100.64.0.1", false),
            ("192.0.0.1", false),
            ("198.18.0.1", false),
            ("203.0.113.1", false),
            ("224.0.0.1", false),
            ("255.255.255.255", false),
            ("::1", false),
            ("::", false),
            ("::ffff:127.0.0.1", false),
            ("::127.0.0.1", false),
            ("64:ff9b::7f00:1", false),
            ("2002:7f00:1::", false),
            ("2001:0:4136:e378::", false),
            ("2001:db8::1", false),
            ("fc00::1", false),
            ("fe80::1", false),
            ("fec0::1", false),
            ("ff02::1", false),
        ] {
            assert_eq!(reach.includes(address.parse().unwrap()), expected, "{address}");
        }
    }

    #[test]
    fn no_redirect_leads_out_of_tls() {
        for (from, to, expected) in [
            ("https://a.example/", "http://a.example/", true),
            ("https://a.example/", "https://b.example/", false),
            ("http://a.example/", "http://b.example/", false),
            ("http://a.example/", "https://a.example/", false),
        ] {
            let (from, to) = (Url::parse(from).unwrap(), Url::parse(to).unwrap());
            assert_eq!(lays_open(&from, &to), expected, "{from} {to}");
        }
    }

    #[test]
    fn an_address_in_a_url_is_looked_at_however_it_is_written() {
        let reach = Reach::public_and(&[]);
        for url in [
            "http://127.0.0.1/",
            "http://2130706433/",
            "http://0x7f.1/",
            "http://[::1]/",
            "http://[::ffff:7f00:1]/",
        ] {
            assert_eq!(reach.check(&Url::parse(url).unwrap()), Err(Refused), "{url}");
        }
        assert_eq!(reach.check(&Url::parse("https://example.com/").unwrap()), Ok(()));
        assert_eq!(reach.check(&Url::parse("https://1.1.1.1/").unwrap()), Ok(()));
    }
}
