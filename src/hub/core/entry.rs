//! An entry of the log as a room holds it: with one encoding a protocol, made when first needed.

use std::sync::{Arc, OnceLock};
use std::time::Instant;

use bytes::Bytes;

use crate::hub::sse;
use crate::hub::ws::frame;
use crate::types::{LogEntry, Seq};

/// A committed entry with its encodings, shared by everybody whom it goes to.
#[derive(Debug)]
pub struct Entry {
    /// The entry.
    pub log: Arc<LogEntry>,
    /// When this node learned of it, for the latency of deliveries; `None` where it was read from the
    /// log, by somebody who was behind.
    pub learned_at: Option<Instant>,
    websocket: OnceLock<Bytes>,
    event: OnceLock<Bytes>,
}

impl Entry {
    /// An entry that was just committed.
    pub fn live(log: Arc<LogEntry>, now: Instant) -> Arc<Self> {
        Arc::new(Self { log, learned_at: Some(now), websocket: OnceLock::new(), event: OnceLock::new() })
    }

    /// An entry that was read from the log.
    pub fn read(log: LogEntry) -> Arc<Self> {
        Arc::new(Self {
            log: Arc::new(log),
            learned_at: None,
            websocket: OnceLock::new(),
            event: OnceLock::new(),
        })
    }

    /// Its place in the log.
    pub fn seq(&self) -> Seq {
        self.log.seq
    }

    /// The entry as one text frame of a WebSocket.
    pub fn websocket(&self) -> Bytes {
        self.websocket.get_or_init(|| frame::text(&self.log.json)).clone()
    }

    /// The entry as one server-sent event.
    pub fn event(&self) -> Bytes {
        self.event.get_or_init(|| sse::message(Some(self.log.seq), &self.log.json)).clone()
    }

    /// Roughly what it holds in memory once all of its encodings are made: what an entry counts must not change as
    /// long as it is kept.
    pub(super) fn cost(&self) -> usize {
        let encodings = 2 * self.log.json.len() + frame::MAX_HEADER + sse::MAX_FRAMING;
        size_of::<Self>() + self.log.cost() + encodings
    }
}
