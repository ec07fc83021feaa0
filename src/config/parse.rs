//! How settings are read.

use std::fmt;
use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::time::Duration;

use axum::http::{HeaderValue, Uri};
use ipnet::IpNet;

use crate::http::json::MAX_DEPTH;

/// A setting that is never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// The secret itself.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl FromStr for Secret {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self(text.to_owned()))
    }
}

pub(super) fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: u32 = text.parse().map_err(|_| "must be a whole number of seconds".to_owned())?;
    Ok(Duration::from_secs(seconds.into()))
}

/// Tokens count whole seconds, so a shorter life would have ended before it began.
pub(super) fn lifetime(text: &str) -> Result<Duration, String> {
    let lifetime = humantime::parse_duration(text).map_err(|error| error.to_string())?;
    if (Duration::from_secs(1)..=Duration::from_hours(24 * 365)).contains(&lifetime) {
        Ok(lifetime)
    } else {
        Err("must be from 1s to 365d".to_owned())
    }
}

fn within(text: &str, bounds: RangeInclusive<usize>) -> Result<usize, String> {
    let number = text.parse().ok().filter(|number| bounds.contains(number));
    number.ok_or_else(|| format!("must be a whole number from {} to {}", bounds.start(), bounds.end()))
}

pub(super) fn tenant_pools(text: &str) -> Result<usize, String> {
    within(text, 1..=1000)
}

pub(super) fn connections(text: &str) -> Result<usize, String> {
    within(text, 2..=1000)
}

/// What is younger, the database refuses to delete.
pub(super) fn audit_days(text: &str) -> Result<u32, String> {
    let days: Option<u32> = text.parse().ok();
    days.filter(|days| *days == 0 || (30..=36_500).contains(days))
        .ok_or_else(|| "must be 0, or a whole number of days from 30 to 36500".to_owned())
}

pub(super) fn depth(text: &str) -> Result<usize, String> {
    within(text, 1..=MAX_DEPTH)
}

/// So small that an eighth still takes the heaviest append, so large that it is no memory to speak of.
pub(super) fn append_queue(text: &str) -> Result<usize, String> {
    within(text, 2048..=1 << 20)
}

pub(super) fn password_queue(text: &str) -> Result<usize, String> {
    within(text, 1..=1 << 16)
}

pub(super) fn at_least_one(text: &str) -> Result<usize, String> {
    within(text, 1..=10_000)
}

pub(super) fn poll(text: &str) -> Result<Duration, String> {
    let every = humantime::parse_duration(text).map_err(|error| error.to_string())?;
    if (Duration::from_millis(10)..=Duration::from_mins(1)).contains(&every) {
        Ok(every)
    } else {
        Err("must be from 10ms to 1m".to_owned())
    }
}

/// Braces would choose the slot of a cluster that keys lie in.
pub(super) fn key_prefix(text: &str) -> Result<String, String> {
    let fits = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'{' | b'}');
    if (1..=64).contains(&text.len()) && text.bytes().all(fits) {
        Ok(text.to_owned())
    } else {
        Err("must be 1 to 64 visible ASCII characters without braces".to_owned())
    }
}

/// An address, which is a network of one, or a network such as 10.0.0.0/8.
pub(super) fn network(text: &str) -> Result<IpNet, String> {
    let text = text.trim();
    let network = text.parse::<IpAddr>().map(IpNet::from).or_else(|_| text.parse());
    network.map_err(|_| "must be an address such as 10.0.0.1 or a network such as 10.0.0.0/8".to_owned())
}

/// `*`, or scheme, host and port as browsers write them: in lower case and without a path.
pub(super) fn origin(text: &str) -> Result<HeaderValue, String> {
    let text = text.trim();
    let expected = "must be * or an origin without a path, such as https://app.example.com".to_owned();
    if text == "*" {
        return Ok(HeaderValue::from_static("*"));
    }
    let uri: Uri = text.parse().map_err(|_| expected.clone())?;
    let (Some(scheme @ ("http" | "https")), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
        return Err(expected);
    };
    let origin = format!("{scheme}://{authority}");
    // Compared byte by byte, so what a browser would never send is told now.
    if origin != text || text.contains('@') || text != text.to_ascii_lowercase() {
        return Err(expected);
    }
    HeaderValue::from_str(text).map_err(|_| expected)
}

/// Scheme, host and a path, as people type it: what is put behind it must stay what it is.
pub(super) fn public_url(text: &str) -> Result<url::Url, String> {
    let expected = || "must be such as https://hub.example.com, without query and fragment".to_owned();
    let url = url::Url::parse(text.trim()).map_err(|_| expected())?;
    let plain = matches!(url.scheme(), "http" | "https")
        && url.query().is_none()
        && url.fragment().is_none()
        && url.username().is_empty()
        && url.password().is_none();
    if plain { Ok(url) } else { Err(expected()) }
}
