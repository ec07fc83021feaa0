//! How long peers may take.

use std::time::Duration;

/// Bounds in time on what peers do. They are no settings, as no operator has a reason to change them; tests
/// shorten them.
#[derive(Debug, Clone)]
pub struct Timeouts {
    /// To send a request's head. A connection that is kept alive may be idle for as long.
    pub head: Duration,
    /// To finish a TLS handshake.
    pub tls_handshake: Duration,
    /// To take anything at all of an answer that is being written.
    pub write_stall: Duration,
    /// Between two heartbeats of a WebSocket. A peer that is silent for two is gone.
    pub socket_heartbeat: Duration,
    /// Between two heartbeats of a stream of events.
    pub stream_heartbeat: Duration,
    /// Between two looks at the files of certificate and key.
    pub certificate_look: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            head: Duration::from_secs(10),
            tls_handshake: Duration::from_secs(10),
            write_stall: Duration::from_secs(30),
            socket_heartbeat: Duration::from_secs(25),
            stream_heartbeat: Duration::from_secs(15),
            certificate_look: Duration::from_secs(5),
        }
    }
}
