//! What the bus counts, with its handles kept.

use std::time::Duration;

use metrics::{Counter, Gauge, Histogram, counter, gauge, histogram};

use crate::telemetry::metric;

/// Why a message did not get from here to there.
#[derive(Debug, Clone, Copy)]
pub(super) enum Dropped {
    /// More waited for Redis than may.
    OutboxFull,
    /// It waited for so long that the others know by their sweep.
    Late,
    /// Redis refused it, or the connection ended before its answer.
    Failed,
    /// More came than was read in time.
    Lagged,
    /// It is of another version, or of nobody's.
    Unknown,
    /// It was not marked with a key of ours.
    Forged,
}

/// Handles of the bus's metrics; [`metric`] says what each counts.
#[derive(Clone)]
pub(super) struct BusMetrics {
    outbox: Gauge,
    pub(super) published: Counter,
    pub(super) received: Counter,
    pub(super) connects: Counter,
    round_trip: Histogram,
}

impl BusMetrics {
    pub(super) fn new() -> Self {
        Self {
            outbox: gauge!(metric::BUS_OUTBOX),
            published: counter!(metric::BUS_PUBLISHED),
            received: counter!(metric::BUS_RECEIVED),
            connects: counter!(metric::BUS_CONNECTS),
            round_trip: histogram!(metric::BUS_ROUND_TRIP),
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "a few thousand at most")]
    pub(super) fn waiting(&self, messages: usize) {
        self.outbox.set(messages as f64);
    }

    pub(super) fn round_trip(&self, elapsed: Duration) {
        self.round_trip.record(elapsed.as_secs_f64());
    }

    pub(super) fn dropped(why: Dropped) {
        Self::dropped_many(why, 1);
    }

    pub(super) fn dropped_many(why: Dropped, count: u64) {
        let reason = match why {
            Dropped::OutboxFull => "outbox_full",
            Dropped::Late => "late",
            Dropped::Failed => "failed",
            Dropped::Lagged => "lagged",
            Dropped::Unknown => "unknown",
            Dropped::Forged => "forged",
        };
        counter!(metric::BUS_DROPPED, "reason" => reason).increment(count);
    }
}
