//! What the hub counts, with its handles kept: they are touched for every delivery.

use metrics::{Counter, Gauge, Histogram, counter, gauge, histogram};

use super::connection::Transport;
use super::core::Counts;
use super::protocol::CloseCode;
use crate::telemetry::metric;

/// The sockets of a transport.
struct Open {
    now: Gauge,
    accepted: Counter,
}

impl Open {
    fn of(transport: &'static str) -> Self {
        Self {
            now: gauge!(metric::SOCKETS, "transport" => transport),
            accepted: counter!(metric::SOCKETS_ACCEPTED, "transport" => transport),
        }
    }
}

/// Handles of the hub's metrics; [`metric`] says what each counts.
pub(super) struct HubMetrics {
    websockets: Open,
    streams: Open,
    pub(super) rooms: Gauge,
    pub(super) cached_bytes: Gauge,
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
            websockets: Open::of("websocket"),
            streams: Open::of("sse"),
            rooms: gauge!(metric::ROOMS),
            cached_bytes: gauge!(metric::CACHED_BYTES),
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

    /// Counts a socket that was welcomed.
    pub(super) fn opened(&self, transport: Transport) {
        let open = self.open(transport);
        open.now.increment(1.0);
        open.accepted.increment(1);
    }

    /// One that was welcomed is gone.
    pub(super) fn ended(&self, transport: Transport) {
        self.open(transport).now.decrement(1.0);
    }

    fn open(&self, transport: Transport) -> &Open {
        match transport {
            Transport::WebSocket => &self.websockets,
            Transport::Events => &self.streams,
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
