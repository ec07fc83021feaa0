//! Where a request comes from: found out once, for limits and for the activity log.

use std::net::{IpAddr, SocketAddr};

use anyhow::anyhow;
use axum::extract::{ConnectInfo, Request};
use axum::http::HeaderMap;
use ipnet::IpNet;

use crate::app::App;
use crate::error::Result;

/// The header in which each proxy appends whom it was asked by.
pub(crate) const FORWARDED_FOR: &str = "x-forwarded-for";

/// The address of whoever sent a request, as far as it can be believed. An IPv4 address that is mapped
/// into IPv6 is the IPv4 address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientAddress(pub IpAddr);

/// Gives every request its [`ClientAddress`].
pub(super) fn resolve(app: &App, request: &mut Request) -> Result<()> {
    let Some(ConnectInfo(peer)) = request.extensions().get::<ConnectInfo<SocketAddr>>() else {
        return Err(anyhow!("a request came from nowhere").into());
    };
    let address = client_of(peer.ip(), request.headers(), &app.config.server.trusted_proxies);
    request.extensions_mut().insert(ClientAddress(address));
    Ok(())
}

/// The peer; or, where that is a trusted proxy, whom it names in `X-Forwarded-For`, and so on from right to
/// left through all that are trusted. What cannot be read ends the walk at the last that could: whatever
/// is to the left of it, nobody trusted vouches for.
pub(crate) fn client_of(peer: IpAddr, headers: &HeaderMap, trusted: &[IpNet]) -> IpAddr {
    let mut client = peer.to_canonical();
    if trusted.is_empty() {
        return client;
    }
    // Several headers are one list, in their order (RFC 9110, section 5.2).
    let values = headers.get_all(FORWARDED_FOR).into_iter().collect::<Vec<_>>();
    let entries = values.iter().rev().flat_map(|value| value.as_bytes().rsplit(|byte| *byte == b','));
    for entry in entries {
        if !trusted.iter().any(|network| network.contains(&client)) {
            break;
        }
        match parse(entry) {
            Some(address) => client = address,
            None => break,
        }
    }
    client
}

/// An address, also with a port and in brackets, as some proxies write it.
fn parse(entry: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(entry).ok()?.trim();
    let bare = || text.parse::<IpAddr>().ok();
    let with_port = || text.parse::<SocketAddr>().ok().map(|address| address.ip());
    let in_brackets = || text.strip_prefix('[')?.strip_suffix(']')?.parse::<std::net::Ipv6Addr>().ok();
    let address = bare().or_else(with_port).or_else(|| in_brackets().map(IpAddr::from));
    address.map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn headers(values: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(FORWARDED_FOR, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        headers
    }

    fn client(peer: &str, values: &[&str], trusted: &[&str]) -> String {
        let trusted: Vec<IpNet> = trusted.iter().map(|network| network.parse().unwrap()).collect();
        client_of(address(peer), &headers(values), &trusted).to_string()
    }

    const PROXIES: [&str; 3] = ["10.0.0.0/8", "127.0.0.1/32", "fd00::/8"];

    #[test]
    fn only_a_trusted_peer_is_believed() {
        assert_eq!(client("198.51.100.7", &["203.0.113.9"], &PROXIES), "198.51.100.7");
        assert_eq!(client("127.0.0.1", &["203.0.113.9"], &[]), "127.0.0.1");
        assert_eq!(client("127.0.0.1", &["203.0.113.9"], &PROXIES), "203.0.113.9");
        assert_eq!(client("::ffff:127.0.0.1", &["203.0.113.9"], &PROXIES), "203.0.113.9");
        assert_eq!(client("127.0.0.1", &[], &PROXIES), "127.0.0.1");
    }

    #[test]
    fn the_first_from_the_right_that_is_not_trusted_is_the_client() {
        let spoofed = "1.1.1.1, 203.0.113.9, 10.0.0.2";
        assert_eq!(client("10.0.0.1", &[spoofed], &PROXIES), "203.0.113.9");
        assert_eq!(
            client("10.0.0.1", &["1.1.1.1", "203.0.113.9,10.0.0.3", "10.0.0.2"], &PROXIES),
            "203.0.113.9"
        );
        assert_eq!(client("10.0.0.1", &["10.0.0.3, 10.0.0.2"], &PROXIES), "10.0.0.3");
        assert_eq!(client("fd00::1", &["2001:db8::1"], &PROXIES), "2001:db8::1");
    }

    #[test]
    fn what_cannot_be_read_ends_the_walk_at_the_last_trusted() {
        for bad in
            ["unknown", "", "203.0.113.9, ", "1.2.3", "203.0.113.9:http", "[203.0.113.9]", "fe80::1%eth0"]
        {
            assert_eq!(client("10.0.0.1", &[bad], &PROXIES), "10.0.0.1", "{bad:?}");
        }
        assert_eq!(client("10.0.0.1", &["203.0.113.9, ?, 10.0.0.2"], &PROXIES), "10.0.0.2");
    }

    #[test]
    fn ports_and_brackets_are_tolerated() {
        for (entry, expected) in [
            ("203.0.113.9:5123", "203.0.113.9"),
            ("[2001:db8::1]:5123", "2001:db8::1"),
            ("[2001:db8::1]", "2001:db8::1"),
            ("\t::ffff:203.0.113.9 ", "203.0.113.9"),
        ] {
            assert_eq!(client("10.0.0.1", &[entry], &PROXIES), expected);
        }
    }

    fn v4() -> impl Strategy<Value = IpAddr> {
        any::<[u8; 4]>().prop_map(IpAddr::from)
    }

    /// Addresses of proxies, half of them.
    fn hop() -> impl Strategy<Value = IpAddr> {
        prop_oneof![any::<[u8; 3]>().prop_map(|[a, b, c]| IpAddr::from([10, a, b, c])), v4()]
    }

    proptest! {
        /// However the list is cut into headers: the client is the first from the right that is not trusted.
        #[test]
        fn the_walk_is_that_of_the_whole_list(
            peer in hop(), hops in prop::collection::vec(hop(), 0..8), cuts in prop::collection::vec(any::<bool>(), 8),
        ) {
            let trusted: [IpNet; 1] = ["10.0.0.0/8".parse().unwrap()];
            let mut values: Vec<String> = Vec::new();
            for (hop, cut) in hops.iter().zip(&cuts) {
                match values.last_mut() {
                    Some(value) if !cut => value.extend([", ".to_owned(), hop.to_string()]),
                    _ => values.push(hop.to_string()),
                }
            }
            let values: Vec<&str> = values.iter().map(String::as_str).collect();
            let path: Vec<IpAddr> = hops.iter().copied().chain([peer]).collect();
            let expected = path.iter().rev().find(|hop| !trusted[0].contains(*hop)).unwrap_or(&path[0]);
            prop_assert_eq!(client_of(peer, &headers(&values), &trusted), *expected);
        }

        /// Nothing that stands left of a client changes who that is.
        #[test]
        fn what_the_client_sends_itself_changes_nothing(
            sent in prop::collection::vec(prop::collection::vec(0x20u8..0x7f, 0..40), 0..4), real in v4(),
        ) {
            let trusted: [IpNet; 1] = ["10.0.0.0/8".parse().unwrap()];
            prop_assume!(!trusted[0].contains(&real));
            let mut all = HeaderMap::new();
            for value in &sent {
                all.append(FORWARDED_FOR, HeaderValue::from_bytes(value).unwrap());
            }
            all.append(FORWARDED_FOR, HeaderValue::from_str(&real.to_string()).unwrap());
            prop_assert_eq!(client_of(address("10.0.0.1"), &all, &trusted), real);
            prop_assert_eq!(client_of(real, &all, &trusted), real);
        }

        #[test]
        fn any_bytes_are_read_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
            prop_assert!(parse(&bytes).is_none_or(|address| address == address.to_canonical()));
        }
    }
}
