//! Metrics: their names and help in one place, and the recorder that `/metrics` is written from.

use std::collections::HashMap;
use std::sync::LazyLock;
use std::time::Duration;

use anyhow::Context as _;
use axum::http::Method;
use metrics::{Counter, Histogram, counter, histogram};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use parking_lot::RwLock;

macro_rules! metrics {
    ($($kind:ident $name:ident = $text:literal, $help:literal;)*) => {
        $(#[doc = $help] pub const $name: &str = $text;)*

        /// Gives each metric its help text.
        fn describe() {
            $(metrics!(@describe $kind, $name, $help);)*
        }
    };
    (@describe counter, $name:ident, $help:literal) => { metrics::describe_counter!($name, $help) };
    (@describe gauge, $name:ident, $help:literal) => { metrics::describe_gauge!($name, $help) };
    (@describe histogram, $name:ident, $help:literal) => { metrics::describe_histogram!($name, $help) };
}

metrics! {
    counter HTTP_REQUESTS = "roomcast_http_requests_total", "Requests answered, by method, route and status.";
    histogram HTTP_SECONDS = "roomcast_http_request_seconds", "Seconds to answer a request, by method and route.";
    counter REJECTIONS = "roomcast_rejections_total", "Requests refused or failed, by code.";
    gauge CONNECTIONS = "roomcast_connections", "Connections that are open now, sockets among them.";
    counter CONNECTIONS_REFUSED = "roomcast_connections_refused_total", "Connections refused because as many were open as may be.";
    counter TLS_HANDSHAKES_FAILED = "roomcast_tls_handshakes_failed_total", "TLS handshakes that failed or took too long.";
    counter TLS_RELOADS = "roomcast_tls_reloads_total", "Times that changed files of certificate and key were read, by outcome.";
    counter LIMITED = "roomcast_limited_total", "Requests, frames and sockets refused by a limit, by which.";
    gauge LIMIT_KEYS = "roomcast_limit_keys", "Callers that a limiter remembers, by limit.";
    histogram COMMIT_BATCH_SIZE = "roomcast_commit_batch_size", "Activities committed at once by the group-commit writer.";
    histogram COMMIT_SECONDS = "roomcast_commit_seconds", "Seconds that a batch of the group-commit writer took.";
    counter COMMITS = "roomcast_commits_total", "Batches that the group-commit writer committed.";
    counter APPEND_REJECTED = "roomcast_append_rejected_total", "Activities that the group-commit writer refused, by reason.";
    counter TRANSACTIONS = "roomcast_database_transactions_total", "Transactions begun on the database, by mode: read or write.";
    gauge TENANT_STORES_OPEN = "roomcast_tenant_stores_open", "Databases of single organisations that this node has connections to.";
    counter TENANT_STORES_CLOSED = "roomcast_tenant_stores_closed_total", "Times that the connections to a single organisation's database were closed, unused or for another's.";
    counter UPKEEP_DELETED = "roomcast_upkeep_deleted_total", "Rows deleted because their time was over, by kind.";
    gauge SOCKETS = "roomcast_sockets", "Sockets that are open now, by transport: websocket or sse.";
    gauge ROOMS = "roomcast_rooms", "Organisations whose log this node follows now.";
    gauge CACHED_BYTES = "roomcast_cached_bytes", "Bytes of logs that rooms remember.";
    counter SOCKETS_ACCEPTED = "roomcast_sockets_accepted_total", "Sockets that were welcomed, by transport.";
    counter SOCKETS_CLOSED = "roomcast_sockets_closed_total", "Sockets of any transport that this node closed or refused, by close code.";
    counter DELIVERIES = "roomcast_deliveries_total", "Activities written to sockets, by source: memory or log.";
    histogram DELIVERY_SECONDS = "roomcast_delivery_seconds", "Seconds from learning of a commit to having written it to a socket.";
    counter SOCKET_WRITES = "roomcast_socket_writes_total", "Write calls on sockets.";
    counter SOCKET_WRITTEN_BYTES = "roomcast_socket_written_bytes_total", "Bytes written to sockets.";
    counter SOCKET_RECEIVED = "roomcast_socket_messages_received_total", "Messages received from sockets.";
    counter REPLAY_READS = "roomcast_replay_reads_total", "Blocks of logs that were read for those who were behind.";
    counter GAPS = "roomcast_gaps_found_total", "Gaps in what rooms were told of.";
    counter GAPS_FILLED = "roomcast_gaps_filled_total", "Gaps that were filled, by source: bus (it came by itself) or log.";
    counter SWEEP_READS = "roomcast_sweep_reads_total", "Reads with which sweeps asked where logs stand.";
    counter SWEEP_CATCHES = "roomcast_sweep_catches_total", "Times that a sweep found what a room was not told of.";
    counter RESUBSCRIPTIONS = "roomcast_bus_resubscriptions_total", "Times that a room subscribed again because the sweep found what the bus had not told of.";
    counter SWEEP_FAILURES = "roomcast_sweep_failures_total", "Sweeps that could not compare rooms with their logs.";
    gauge BUS_OUTBOX = "roomcast_bus_outbox_messages", "Messages that wait to be published on the bus.";
    counter BUS_PUBLISHED = "roomcast_bus_published_total", "Messages published on the bus.";
    counter BUS_RECEIVED = "roomcast_bus_received_total", "Messages of other nodes received on the bus.";
    counter BUS_DROPPED = "roomcast_bus_dropped_total", "Messages that the bus dropped, by reason.";
    counter BUS_CONNECTS = "roomcast_bus_connects_total", "Times that the bus came up.";
    histogram BUS_ROUND_TRIP = "roomcast_bus_round_trip_seconds", "Seconds until the bus heard a probe of its own.";
    gauge BUS_UP = "roomcast_bus_up", "Whether the bus between the nodes carries messages: 1 or 0.";
    counter JOBS = "roomcast_jobs_total", "Jobs that ended or failed, by kind and outcome: done, failed (it is tried again, unless that was its last attempt) or dead.";
    gauge JOBS_RUNNING = "roomcast_jobs_running", "Jobs that this node runs now, by kind.";
    gauge JOBS_DEAD = "roomcast_jobs_dead", "Jobs of all organisations that have failed for good and wait for an admin.";
    histogram JOB_LAG = "roomcast_job_lag_seconds", "Seconds from the writing of a job to its claim, by kind.";
    counter MESSAGES = "roomcast_messages_total", "Attempts to send messages, by channel, gateway and outcome.";
    histogram MESSAGE_SECONDS = "roomcast_message_seconds", "Seconds that gateways took over a message, by gateway.";
    gauge BREAKERS_OPEN = "roomcast_gateway_breakers_open", "Circuit breakers of gateways that are open or half open now, by gateway.";
    counter LOG_LINES_LOST = "roomcast_log_lines_lost_total", "Log lines that are missing in the log files.";
    counter DIVERGENCES = "roomcast_log_divergences_total", "Logs that were found replaced by others.";
}

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
    describe();
    *installed = Some(handle.clone());
    Ok(handle)
}

/// Counts a request that was answered.
pub fn http_request(method: &Method, route: &str, status: u16, elapsed: Duration) {
    // A client may invent methods, and every label is kept for ever.
    let method = match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => "OTHER",
    };
    let answered = Answered { method, status };
    let known = ANSWERED.read();
    if let Some(handles) = known.get(&answered).and_then(|routes| routes.get(route)) {
        return handles.count(elapsed);
    }
    drop(known);
    let handles = AnsweredMetrics::new(&answered, route);
    handles.count(elapsed);
    ANSWERED.write().entry(answered).or_default().insert(route.to_owned(), handles);
}

/// What a request and its answer are counted under, besides the route.
#[derive(PartialEq, Eq, Hash)]
struct Answered {
    method: &'static str,
    status: u16,
}

struct AnsweredMetrics {
    requests: Counter,
    seconds: Histogram,
}

impl AnsweredMetrics {
    fn new(answered: &Answered, route: &str) -> Self {
        let Answered { method, status } = *answered;
        let route = route.to_owned();
        Self {
            requests: counter!(HTTP_REQUESTS, "method" => method, "route" => route.clone(), "status" => status.to_string()),
            seconds: histogram!(HTTP_SECONDS, "method" => method, "route" => route),
        }
    }

    fn count(&self, elapsed: Duration) {
        self.requests.increment(1);
        self.seconds.record(elapsed.as_secs_f64());
    }
}

/// Handles of what the process's recorder has for requests, by route. To find one there by its labels costs a
/// request more than the limits do. There are as many as routes, methods and statuses.
static ANSWERED: LazyLock<RwLock<HashMap<Answered, HashMap<String, AnsweredMetrics>>>> =
    LazyLock::new(RwLock::default);

/// Counts a request that was refused or failed.
pub fn rejected(code: &'static str) {
    counter!(REJECTIONS, "code" => code).increment(1);
}

/// Counts what a limit refused.
pub fn limited(limit: &'static str) {
    counter!(LIMITED, "limit" => limit).increment(1);
}
