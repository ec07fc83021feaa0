//! What anybody may ask for, and what is refused. Time is moved; only the first look at a bucket is at one
//! that is full, so a slow machine fills none of them by the way.

mod addresses;
mod bodies;
mod frames;
mod handshakes;
mod organisations;
mod passwords;
mod requests;
mod sessions;
mod sign_in;
mod sockets;

use std::time::Duration;

use reqwest::Method;
use roomcast::config::{Config, LimitsConfig};

use crate::harness::{Answer, Call, TestApp};

const MINUTE: Duration = Duration::from_mins(1);

/// A server with limits, behind a proxy: tests come from whatever address they say.
async fn limited(change: impl FnOnce(&mut LimitsConfig)) -> TestApp {
    TestApp::with(|config: &mut Config| {
        config.server.trusted_proxies = vec!["127.0.0.1/32".parse().unwrap()];
        change(&mut config.limits);
    })
    .await
}

/// A call from this address.
fn from(address: &str, call: Call) -> Call {
    call.header("x-forwarded-for", address)
}

/// Where the caller stands, as the answer tells: how much there is, how much is left, seconds until all is.
#[track_caller]
fn standing(answer: &Answer) -> (u32, u32, u64) {
    let number = |name: &str| {
        let value = answer.header(name).unwrap_or_else(|| panic!("no {name}: {answer:?}"));
        value.parse::<u64>().unwrap_or_else(|error| panic!("{name}: {value}: {error}"))
    };
    let small = |name: &str| u32::try_from(number(name)).unwrap();
    (small("ratelimit-limit"), small("ratelimit-remaining"), number("ratelimit-reset"))
}

/// Fails unless the answer says that this limit is reached; returns when to come back.
#[track_caller]
fn expect_limited(answer: Answer, limit: u32) -> Duration {
    let (told, remaining, reset) = standing(&answer);
    assert_eq!((told, remaining), (limit, 0), "{answer:?}");
    let retry_after = answer.header("retry-after").expect("a refusal says when to come back");
    let retry_after: u64 = retry_after.parse().unwrap();
    assert!((1..=60).contains(&retry_after), "{retry_after}");
    assert!(reset >= retry_after, "{reset} is before {retry_after}");
    answer.expect_problem(429, "rate_limited");
    Duration::from_secs(retry_after)
}

/// How often this limit has refused, in all tests of this process.
async fn refusals(app: &TestApp, limit: &str) -> f64 {
    let metrics = app.anonymous().at(Method::GET, "/metrics").await.expect_status(200);
    let line = format!(r#"roomcast_limited_total{{limit="{limit}"}}"#);
    let found = metrics.text.lines().find_map(|found| found.strip_prefix(&line));
    found.map_or(0.0, |value| value.trim().parse().unwrap())
}
