//! An entry of the log as a room holds it: as sockets are sent it, and as streams are while some of them hold it.

use std::sync::{Arc, Weak};
use std::time::Instant;

use bytes::Bytes;
use parking_lot::Mutex;

use crate::hub::sse;
use crate::hub::ws::frame;
use crate::types::{LogEntry, Seq};

/// A committed entry with its encodings, shared by everybody whom it goes to.
#[derive(Debug)]
pub struct Entry {
    /// The entry. Its JSON is the part of the frame below.
    pub log: LogEntry,
    /// When this node learned of it, for the latency of deliveries; `None` where it was read from the
    /// log, by somebody who was behind.
    pub learned_at: Option<Instant>,
    websocket: Bytes,
    /// As long as a stream has it: most rooms have none, and the room remembers the more.
    event: Mutex<Weak<Event>>,
}

/// A server-sent event.
#[derive(Debug)]
struct Event(Bytes);

/// Holds an event for as long as its bytes are to be written.
struct Held(Arc<Event>);

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.0.0
    }
}

impl Entry {
    /// An entry that was just committed.
    pub fn live(log: &LogEntry, now: Instant) -> Arc<Self> {
        Self::new(log.clone(), Some(now))
    }

    /// An entry that was read from the log.
    pub fn read(log: LogEntry) -> Arc<Self> {
        Self::new(log, None)
    }

    fn new(mut log: LogEntry, learned_at: Option<Instant>) -> Arc<Self> {
        let websocket = frame::text(&log.json);
        // It is in memory once.
        log.json = websocket.slice(websocket.len() - log.json.len()..);
        Arc::new(Self { log, learned_at, websocket, event: Mutex::default() })
    }

    /// Its place in the log.
    pub fn seq(&self) -> Seq {
        self.log.seq
    }

    /// The entry as one text frame of a WebSocket.
    pub fn websocket(&self) -> Bytes {
        self.websocket.clone()
    }

    /// The entry as one server-sent event.
    pub fn event(&self) -> Bytes {
        let mut shared = self.event.lock();
        let event = shared.upgrade().unwrap_or_else(|| {
            let event = Arc::new(Event(sse::message(Some(self.log.seq), &self.log.json)));
            *shared = Arc::downgrade(&event);
            event
        });
        Bytes::from_owner(Held(event))
    }

    /// Roughly what it holds in memory.
    pub(super) fn cost(&self) -> usize {
        size_of::<Self>() + self.log.cost() - size_of::<LogEntry>() + frame::MAX_HEADER
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::{ActivityId, Audience, EpochId, OrgId, Timestamp};

    #[test]
    fn an_entry_is_in_memory_once_and_as_an_event_while_somebody_has_it() {
        let log = LogEntry {
            org: OrgId::new(),
            epoch: EpochId::new(),
            seq: Seq::ZERO.next(),
            id: ActivityId::new(),
            audience: Audience::Everyone,
            effect: None,
            created_at: Timestamp::from_millis(0),
            json: r#"{"seq":1}"#.into(),
        };
        let entry = Entry::live(&log, Instant::now());
        assert_eq!(entry.log.json, log.json);
        assert!(entry.websocket().as_ptr_range().contains(&entry.log.json.as_ptr()));
        let (first, second) = (entry.event(), entry.event());
        assert_eq!(first, sse::message(Some(log.seq), &log.json));
        assert_eq!(first.as_ptr(), second.as_ptr());
        drop((first, second));
        assert!(entry.event.lock().upgrade().is_none());
    }
}
