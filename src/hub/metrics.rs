//! What the hub counts, with its handles kept: they are touched for every delivery.

use metrics::{Counter, Gauge, Histogram, counter, gauge, histogram};

use super::protocol::CloseCode;

pub(super) struct HubMetrics {
    /// Sockets that are open now.
    pub(super) sockets: Gauge,
    /// Rooms on this node.
    pub(super) rooms: Gauge,
    /// Bytes of logs that rooms remember.
    pub(super) cached_bytes: Gauge,
    /// Sockets that were welcomed.
    pub(super) accepted: Counter,
    /// Activities written to sockets.
    pub(super) deliveries: Counter,
    /// Write calls that carried them.
    pub(super) writes: Counter,
    /// Bytes written to sockets.
    pub(super) written_bytes: Counter,
    /// Messages from clients.
    pub(super) received: Counter,
    /// Seconds from learning of a commit to having written it to a socket.
    pub(super) delivery_seconds: Histogram,
    /// Activities that came from memory, of those that were replayed or live.
    pub(super) replay_reads: Counter,
    /// Gaps that were read from the log.
    pub(super) gaps: Counter,
    /// Rooms that a sweep found behind.
    pub(super) sweep_catches: Counter,
    /// Sweeps that failed.
    pub(super) sweep_failures: Counter,
    /// Logs that were found replaced by others.
    pub(super) divergences: Counter,
}

impl HubMetrics {
    pub(super) fn new() -> Self {
        Self {
            sockets: gauge!("roomcast_sockets"),
            rooms: gauge!("roomcast_rooms"),
            cached_bytes: gauge!("roomcast_cached_bytes"),
            accepted: counter!("roomcast_sockets_accepted_total"),
            deliveries: counter!("roomcast_deliveries_total"),
            writes: counter!("roomcast_socket_writes_total"),
            written_bytes: counter!("roomcast_socket_written_bytes_total"),
            received: counter!("roomcast_socket_messages_received_total"),
            delivery_seconds: histogram!("roomcast_delivery_seconds"),
            replay_reads: counter!("roomcast_replay_reads_total"),
            gaps: counter!("roomcast_gaps_filled_total"),
            sweep_catches: counter!("roomcast_sweep_catches_total"),
            sweep_failures: counter!("roomcast_sweep_failures_total"),
            divergences: counter!("roomcast_log_divergences_total"),
        }
    }

    /// Counts a socket that this node closed, by why.
    pub(super) fn closed(code: CloseCode) {
        counter!("roomcast_sockets_closed_total", "code" => code.code().to_string()).increment(1);
    }
}
