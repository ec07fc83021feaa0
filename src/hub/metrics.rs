//! What the hub counts, with its handles kept: they are touched for every delivery.

use metrics::{Counter, Gauge, Histogram, counter, gauge, histogram};

use super::core::Counts;
use super::protocol::CloseCode;
use crate::telemetry::metric;

/// Handles of the hub's metrics; [`metric`] says what each counts.
pub(super) struct HubMetrics {
    pub(super) sockets: Gauge,
    pub(super) rooms: Gauge,
    pub(super) cached_bytes: Gauge,
    pub(super) accepted: Counter,
    pub(super) deliveries_from_memory: Counter,
    pub(super) deliveries_from_log: Counter,
    pub(super) delivery_seconds: Histogram,
    pub(super) writes: Counter,
    pub(super) written_bytes: Counter,
    pub(super) received: Counter,
    pub(super) replay_reads: Counter,
    gaps: Counter,
    gaps_filled_by_bus: Counter,
    gaps_filled_from_log: Counter,
    pub(super) sweep_reads: Counter,
    sweep_catches: Counter,
    pub(super) resubscriptions: Counter,
    pub(super) sweep_failures: Counter,
    pub(super) divergences: Counter,
    pub(super) bus_up: Gauge,
}

impl HubMetrics {
    pub(super) fn new() -> Self {
        Self {
            sockets: gauge!(metric::SOCKETS),
            rooms: gauge!(metric::ROOMS),
            cached_bytes: gauge!(metric::CACHED_BYTES),
            accepted: counter!(metric::SOCKETS_ACCEPTED),
            deliveries_from_memory: counter!(metric::DELIVERIES, "source" => "memory"),
            deliveries_from_log: counter!(metric::DELIVERIES, "source" => "log"),
            delivery_seconds: histogram!(metric::DELIVERY_SECONDS),
            writes: counter!(metric::SOCKET_WRITES),
            written_bytes: counter!(metric::SOCKET_WRITTEN_BYTES),
            received: counter!(metric::SOCKET_RECEIVED),
            replay_reads: counter!(metric::REPLAY_READS),
            gaps: counter!(metric::GAPS),
            gaps_filled_by_bus: counter!(metric::GAPS_FILLED, "source" => "bus"),
            gaps_filled_from_log: counter!(metric::GAPS_FILLED, "source" => "log"),
            resubscriptions: counter!(metric::RESUBSCRIPTIONS),
            sweep_reads: counter!(metric::SWEEP_READS),
            sweep_catches: counter!(metric::SWEEP_CATCHES),
            sweep_failures: counter!(metric::SWEEP_FAILURES),
            divergences: counter!(metric::DIVERGENCES),
            bus_up: gauge!(metric::BUS_UP),
        }
    }

    /// Adds what happened in a room.
    pub(super) fn count(&self, counts: Counts) {
        let Counts { gaps, came, read, catches } = counts;
        self.gaps.increment(gaps);
        self.gaps_filled_by_bus.increment(came);
        self.gaps_filled_from_log.increment(read);
        self.sweep_catches.increment(catches);
    }

    /// Counts a socket that this node closed or refused.
    pub(super) fn closed(code: CloseCode) {
        counter!(metric::SOCKETS_CLOSED, "code" => code.code().to_string()).increment(1);
    }
}
