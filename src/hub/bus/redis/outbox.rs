//! What waits to be published: bounded, so that a Redis that stalls neither blocks a node nor grows it.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::sync::Notify;

use super::metrics::{BusMetrics, Dropped};
use crate::hub::bus::Message;
use crate::types::OrgId;

/// Some tenth of a second of the fastest writer; where Redis is slower than that for long, the sweeps of the
/// others are ahead of it anyway.
const MAX_MESSAGES: usize = 4096;

/// The entries are shared with the rooms, which mostly remember them; this is what they hold where they do not.
const MAX_BYTES: usize = 16 << 20;

/// What waited longer than two sweeps of the others is news to nobody.
const MAX_AGE: Duration = Duration::from_secs(2);

/// Messages in the order in which they were committed.
pub(super) struct Outbox {
    waiting: Mutex<Waiting>,
    arrived: Notify,
    metrics: BusMetrics,
}

#[derive(Default)]
struct Waiting {
    messages: VecDeque<Waits>,
    bytes: usize,
}

struct Waits {
    org: OrgId,
    message: Message,
    bytes: usize,
    since: Instant,
}

impl Outbox {
    pub(super) fn new(metrics: BusMetrics) -> Self {
        Self { waiting: Mutex::default(), arrived: Notify::new(), metrics }
    }

    /// Takes a message, where it fits. Never waits.
    pub(super) fn push(&self, org: OrgId, message: Message) {
        let bytes = cost(&message);
        let now = Instant::now();
        let mut waiting = self.waiting.lock();
        while waiting.is_full(bytes) && waiting.is_late(now) {
            drop(waiting.take());
            BusMetrics::dropped(Dropped::Late);
        }
        if waiting.is_full(bytes) {
            BusMetrics::dropped(Dropped::OutboxFull);
            return;
        }
        waiting.bytes += bytes;
        waiting.messages.push_back(Waits { org, message, bytes, since: now });
        self.metrics.waiting(waiting.messages.len());
        drop(waiting);
        self.arrived.notify_one();
    }

    /// Takes what came first and is still worth sending, if anything waits.
    pub(super) fn pop(&self) -> Option<(OrgId, Message)> {
        let now = Instant::now();
        let mut waiting = self.waiting.lock();
        while waiting.is_late(now) {
            drop(waiting.take());
            BusMetrics::dropped(Dropped::Late);
        }
        let first = waiting.take();
        self.metrics.waiting(waiting.messages.len());
        first.map(|first| (first.org, first.message))
    }

    /// The same, once there is something.
    pub(super) async fn next(&self) -> (OrgId, Message) {
        loop {
            if let Some(first) = self.pop() {
                return first;
            }
            self.arrived.notified().await;
        }
    }
}

impl Waiting {
    fn is_full(&self, more: usize) -> bool {
        self.messages.len() >= MAX_MESSAGES || self.bytes + more > MAX_BYTES
    }

    /// Whether what came first has waited too long.
    fn is_late(&self, now: Instant) -> bool {
        self.messages.front().is_some_and(|first| now.duration_since(first.since) > MAX_AGE)
    }

    fn take(&mut self) -> Option<Waits> {
        let first = self.messages.pop_front()?;
        self.bytes -= first.bytes;
        Some(first)
    }
}

fn cost(message: &Message) -> usize {
    match message {
        Message::Committed(entries) => entries.iter().map(|entry| entry.cost()).sum(),
        Message::Head { .. } | Message::Work(_) => size_of::<Message>(),
        Message::Presence(news) => size_of::<Message>() + size_of_val(news.changes.as_slice()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::{ActivityId, EpochId, Seq};

    fn head() -> Message {
        Message::Head { epoch: EpochId::new(), seq: Seq::ZERO, id: ActivityId::new() }
    }

    #[test]
    fn it_holds_so_much_and_no_more() {
        let outbox = Outbox::new(BusMetrics::new());
        let org = OrgId::new();
        let first = head();
        outbox.push(org, first.clone());
        for _ in 0..2 * MAX_MESSAGES {
            outbox.push(org, head());
        }
        assert_eq!(outbox.waiting.lock().messages.len(), MAX_MESSAGES);
        assert_eq!(outbox.pop(), Some((org, first)));
        let mut waiting = outbox.waiting.lock();
        assert!(!waiting.is_full(1) && waiting.is_full(MAX_BYTES));
        while waiting.take().is_some() {}
        assert_eq!(waiting.bytes, 0);
    }

    #[test]
    fn what_waited_too_long_gives_way() {
        let outbox = Outbox::new(BusMetrics::new());
        let org = OrgId::new();
        for _ in 0..MAX_MESSAGES {
            outbox.push(org, head());
        }
        let long_ago = Instant::now().checked_sub(2 * MAX_AGE).expect("the machine runs for longer");
        let half = MAX_MESSAGES / 2;
        outbox.waiting.lock().messages.iter_mut().take(half).for_each(|message| message.since = long_ago);
        let fresh = head();
        outbox.push(org, fresh.clone());
        assert_eq!(outbox.waiting.lock().messages.len(), MAX_MESSAGES);
        let all: Vec<_> = std::iter::from_fn(|| outbox.pop()).collect();
        assert_eq!((all.len(), &all[half].1), (half + 1, &fresh));
    }
}
