//! Where the server is.

use std::net::{Ipv4Addr, SocketAddr, ToSocketAddrs as _};

use anyhow::{Context as _, bail, ensure};

/// An address to connect to, with what requests say of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Endpoint {
    /// Where to connect.
    pub(super) address: SocketAddr,
    /// The `Host` of requests.
    pub(super) host: String,
    /// The path and query of the URL, as they are written.
    pub(super) target: String,
}

impl Endpoint {
    /// Reads `http://…` or `ws://…`.
    pub(super) fn parse(url: &str) -> anyhow::Result<Self> {
        let (scheme, rest) =
            url.split_once("://").with_context(|| format!("{url:?} is no URL: http://HOST:PORT"))?;
        match scheme {
            "http" | "ws" => {}
            "https" | "wss" => bail!(
                "{url}: the load tester speaks no TLS, which costs it more than the hub's own work; point it at the \
                 hub's own address behind the proxy"
            ),
            _ => bail!("{url:?} is neither http:// nor ws://"),
        }
        let end = rest.find('/').unwrap_or(rest.len());
        let (host, target) = rest.split_at(end);
        ensure!(!host.is_empty() && !host.contains('@'), "{url:?} is no URL: http://HOST:PORT");
        let with_port = if host.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok()) {
            host.to_owned()
        } else {
            format!("{host}:80")
        };
        let mut found = with_port.to_socket_addrs().with_context(|| format!("cannot find {host}"))?;
        let address = found.next().with_context(|| format!("cannot find {host}"))?;
        Ok(Self { address, host: host.to_owned(), target: target.to_owned() })
    }

    /// What stands before the paths of the API.
    pub(super) fn base(&self) -> &str {
        self.target.trim_end_matches('/')
    }
}

/// From where sockets connect: an address has only so many ports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Sources {
    count: u8,
}

/// The most that 127.0.0.1, 127.0.0.2 … goes to here.
const MAX_SOURCES: usize = 250;

impl Sources {
    /// As many addresses of the loopback as `sockets` need, or as many as are `asked` for. Refuses what cannot
    /// be: another host is reached from the one address that there is.
    pub(super) fn find(to: SocketAddr, sockets: usize, asked: Option<u8>) -> anyhow::Result<Self> {
        let ports = ports();
        // A port is not free at once when a socket has closed, and others want some, too.
        let usable = ports - ports / 8;
        let is_loopback = matches!(to, SocketAddr::V4(to) if to.ip().is_loopback());
        let needed = sockets.div_ceil(usable).max(1);
        let count = asked.map_or(needed, usize::from);
        if !is_loopback {
            ensure!(
                count == 1,
                "{sockets} sockets do not fit: {to} is reached from one address, which has {usable} ports to spare \
                 (net.ipv4.ip_local_port_range); several source addresses are for 127.0.0.1 alone"
            );
        }
        ensure!(
            (needed..=MAX_SOURCES).contains(&count),
            "{sockets} sockets do not fit into {count} source addresses of {usable} ports each: give \
             --source-addresses {needed} (at most {MAX_SOURCES})"
        );
        Ok(Self { count: u8::try_from(count)? })
    }

    /// The address of one socket; none leaves it to the kernel.
    pub(super) fn of(self, socket: usize) -> Option<Ipv4Addr> {
        let number = u8::try_from(socket % usize::from(self.count)).unwrap_or_default();
        (self.count > 1).then(|| Ipv4Addr::new(127, 0, 0, number + 1))
    }

    /// How many there are.
    pub(super) fn count(self) -> u8 {
        self.count
    }
}

/// How many ports the kernel gives to who asks for any.
fn ports() -> usize {
    let range = std::fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").unwrap_or_default();
    let bounds: Vec<usize> = range.split_whitespace().filter_map(|bound| bound.parse().ok()).collect();
    match bounds[..] {
        [low, high] if low < high => high - low,
        _ => 28_000,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_read() {
        let endpoint = Endpoint::parse("ws://127.0.0.1:3000/a/b?c=d").unwrap();
        assert_eq!((endpoint.address.port(), endpoint.target.as_str()), (3000, "/a/b?c=d"));
        assert_eq!(Endpoint::parse("http://127.0.0.1").unwrap().address.port(), 80);
        assert_eq!(Endpoint::parse("http://127.0.0.1:1/").unwrap().base(), "");
        for url in ["127.0.0.1:3000", "https://127.0.0.1", "ftp://127.0.0.1", "http://", "http://a@127.0.0.1"]
        {
            assert!(Endpoint::parse(url).is_err(), "{url}");
        }
    }

    #[test]
    fn more_sockets_take_more_addresses() {
        let (near, far) = (SocketAddr::from(([127, 0, 0, 1], 1)), SocketAddr::from(([10, 0, 0, 1], 1)));
        assert_eq!(Sources::find(near, 10, None).unwrap().of(5), None);
        let many = Sources::find(near, 100_000, None).unwrap();
        assert!(many.count() > 1);
        assert_eq!(many.of(0), Some(Ipv4Addr::LOCALHOST));
        assert_ne!(many.of(1), many.of(0));
        assert!(Sources::find(near, 100_000, Some(1)).is_err());
        assert!(Sources::find(far, 100_000, None).is_err());
        assert!(Sources::find(far, 10, None).is_ok());
    }
}
