//! Metrics: their names in one place, and the recorder that `/metrics` is written from.

use std::time::Duration;

use anyhow::Context as _;
use axum::http::Method;
use metrics::{counter, histogram};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

/// Requests answered, by method, route and status.
pub const HTTP_REQUESTS: &str = "roomcast_http_requests_total";
/// Seconds to answer a request, by method and route.
pub const HTTP_SECONDS: &str = "roomcast_http_request_seconds";

/// Bounds of histograms of time, in seconds.
const SECONDS: [f64; 14] =
    [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0];

/// Bounds of histograms of counts.
const COUNTS: [f64; 10] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0];

/// Installs the process's recorder, or returns the one that is installed: a process has one, however
/// many hubs it runs.
pub fn install() -> anyhow::Result<PrometheusHandle> {
    static HANDLE: parking_lot::Mutex<Option<PrometheusHandle>> = parking_lot::Mutex::new(None);
    let mut installed = HANDLE.lock();
    if let Some(handle) = &*installed {
        return Ok(handle.clone());
    }
    let handle = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &SECONDS)?
        .set_buckets_for_metric(Matcher::Suffix("_size".to_owned()), &COUNTS)?
        .install_recorder()
        .context("installing the recorder of metrics")?;
    *installed = Some(handle.clone());
    Ok(handle)
}

/// Counts a request that was answered.
pub fn http_request(method: &Method, route: &str, status: u16, elapsed: Duration) {
    let method = method.as_str().to_owned();
    let route = route.to_owned();
    counter!(HTTP_REQUESTS, "method" => method.clone(), "route" => route.clone(), "status" => status.to_string())
        .increment(1);
    histogram!(HTTP_SECONDS, "method" => method, "route" => route).record(elapsed.as_secs_f64());
}
