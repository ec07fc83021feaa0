//! What a run counts.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU8, AtomicU64, AtomicUsize, Ordering};

use hdrhistogram::Histogram;

/// Times in microseconds, up to an hour, to three digits.
pub(in crate::load) struct Times(Histogram<u64>);

/// An hour.
const LONGEST_US: u64 = 3_600_000_000;

impl Default for Times {
    fn default() -> Self {
        Self(Histogram::new_with_bounds(1, LONGEST_US, 3).expect("the bounds are in order"))
    }
}

impl Times {
    /// Notes how long something took that began and ended at these moments.
    pub(super) fn note(&mut self, began_ns: u64, ended_ns: u64) {
        self.0.saturating_record(ended_ns.saturating_sub(began_ns) / 1000);
    }

    /// What was noted.
    pub(in crate::load) fn histogram(&self) -> &Histogram<u64> {
        &self.0
    }
}

/// What the event loop counts; it alone writes it.
#[derive(Default)]
pub(in crate::load) struct Tally {
    /// Messages that subscribers received.
    pub(in crate::load) delivered: u64,
    /// From the moment a message should have been sent to the moment a subscriber had it.
    pub(in crate::load) deliveries: Times,
    /// From the moment a request should have been sent to its answer.
    pub(in crate::load) publishes: Times,
    /// The same of pages of the feed.
    pub(in crate::load) pages: Times,
    /// From the first packet of a socket to its WELCOME.
    pub(in crate::load) openings: Times,
    /// From the moment all came back at once to the moment one had all that it missed.
    pub(in crate::load) returns: Times,
    /// How often the server read its database meanwhile.
    pub(in crate::load) return_reads: Option<u64>,
    /// Sockets that are open.
    pub(in crate::load) open: usize,
    /// Requests that were sent.
    pub(in crate::load) sent: u64,
    /// Broadcasts that were acknowledged.
    pub(in crate::load) acknowledged: u64,
    /// Pages that were read.
    pub(in crate::load) read: u64,
    /// Messages of a room that its subscriber is not in.
    pub(in crate::load) foreign: u64,
    /// Pages that lacked something.
    pub(in crate::load) broken_pages: u64,
    /// Pings and heartbeats of the server.
    pub(in crate::load) heartbeats: u64,
    /// Requests that were refused, by status.
    pub(in crate::load) refused_requests: BTreeMap<u16, u64>,
    /// Handshakes that were refused, by status.
    pub(in crate::load) refused_handshakes: BTreeMap<u16, u64>,
    /// Sockets that the server closed, by close code; 1006 for those that it just dropped.
    pub(in crate::load) closes: BTreeMap<u16, u64>,
    /// Connections that broke, by what was said of it.
    pub(in crate::load) faults: BTreeMap<String, u64>,
    /// The limit on requests that the server tells.
    pub(in crate::load) request_limit: Option<u32>,
    /// The longest that a request waited for a caller, in nanoseconds.
    pub(in crate::load) longest_wait_ns: u64,
}

impl Tally {
    pub(super) fn fault(&mut self, what: &impl ToString) {
        *self.faults.entry(what.to_string()).or_default() += 1;
    }
}

/// What a run is at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::load) enum Stage {
    /// It fills logs.
    Preparing,
    /// It opens sockets.
    Opening,
    /// All come back at once.
    Returning,
    /// It measures.
    Measuring,
    /// It waits for what is owed.
    Settling,
}

/// What others may see of a run while it runs, and how they end it.
#[derive(Default)]
pub(in crate::load) struct Live {
    pub(in crate::load) open: AtomicUsize,
    pub(in crate::load) delivered: AtomicU64,
    pub(in crate::load) acknowledged: AtomicU64,
    pub(in crate::load) read: AtomicU64,
    stage: AtomicU8,
}

impl Live {
    pub(super) fn show(&self, tally: &Tally) {
        self.open.store(tally.open, Ordering::Relaxed);
        self.delivered.store(tally.delivered, Ordering::Relaxed);
        self.acknowledged.store(tally.acknowledged, Ordering::Relaxed);
        self.read.store(tally.read, Ordering::Relaxed);
    }

    pub(super) fn enter(&self, stage: Stage) {
        self.stage.store(stage as u8, Ordering::Relaxed);
    }

    pub(in crate::load) fn stage(&self) -> Stage {
        let stages = [Stage::Preparing, Stage::Opening, Stage::Returning, Stage::Measuring, Stage::Settling];
        let number = usize::from(self.stage.load(Ordering::Relaxed));
        stages.get(number).copied().unwrap_or(Stage::Preparing)
    }
}
