//! The transports, and how each of them puts what is said.

use std::time::Duration;

use bytes::Bytes;

use crate::config::Timeouts;
use crate::hub::core::Entry;
use crate::hub::protocol::{CloseCode, ServerFrame};
use crate::hub::sse;
use crate::hub::ws::frame;

/// How a peer is connected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::hub) enum Transport {
    /// A WebSocket: `GET /ws`.
    WebSocket,
    /// Server-sent events: `GET /stream`.
    Events,
}

impl Transport {
    /// Between two heartbeats.
    pub(super) fn heartbeat(self, timeouts: &Timeouts) -> Duration {
        match self {
            Self::WebSocket => timeouts.socket_heartbeat,
            Self::Events => timeouts.stream_heartbeat,
        }
    }

    /// A frame of ours; encoding these cannot fail, and a peer could do nothing about it if it did.
    pub(super) fn frame(self, frame: &ServerFrame) -> Option<Bytes> {
        let json = serde_json::to_vec(frame).ok()?;
        Some(match self {
            Self::WebSocket => frame::text(&json),
            Self::Events => sse::message(frame.position(), &json),
        })
    }

    /// An activity, encoded once for everybody whom it goes to.
    pub(super) fn entry(self, entry: &Entry) -> Bytes {
        match self {
            Self::WebSocket => entry.websocket(),
            Self::Events => entry.event(),
        }
    }

    /// The last thing that is said.
    pub(super) fn close(self, code: CloseCode) -> Bytes {
        match self {
            Self::WebSocket => frame::close(code),
            Self::Events => sse::close(code),
        }
    }
}
