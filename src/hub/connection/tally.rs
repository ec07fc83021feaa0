//! What a walk delivered, counted when it is over: the counters are shared by all threads.

use std::time::Instant;

use crate::hub::metrics::HubMetrics;

/// Adds up what is written, and tells the metrics when it is dropped.
pub(in crate::hub) struct Tally<'a> {
    metrics: &'a HubMetrics,
    writes: u64,
    bytes: u64,
    from_memory: u64,
    from_log: u64,
    /// How many deliveries there were of what this node learned of then.
    live: Option<(Instant, usize)>,
}

impl<'a> Tally<'a> {
    pub(super) fn of(metrics: &'a HubMetrics) -> Self {
        Self { metrics, writes: 0, bytes: 0, from_memory: 0, from_log: 0, live: None }
    }

    /// How much was written so far.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The kernel took so many bytes in one call.
    pub(super) fn wrote(&mut self, length: usize) {
        self.writes += 1;
        self.bytes += length as u64;
    }

    /// A turn was taken whole, with so many activities.
    pub(super) fn delivered(&mut self, from_memory: u64, from_log: u64, learned_at: Option<Instant>) {
        self.from_memory += from_memory;
        self.from_log += from_log;
        let Some(learned_at) = learned_at else { return };
        match &mut self.live {
            Some((at, count)) if *at == learned_at => *count += 1,
            _ => {
                self.tell_live();
                self.live = Some((learned_at, 1));
            }
        }
    }

    fn tell_live(&mut self) {
        if let Some((learned_at, count)) = self.live.take() {
            self.metrics.delivery_seconds.record_many(learned_at.elapsed().as_secs_f64(), count);
        }
    }
}

impl Drop for Tally<'_> {
    fn drop(&mut self) {
        if self.writes == 0 {
            return;
        }
        self.tell_live();
        self.metrics.writes.increment(self.writes);
        self.metrics.written_bytes.increment(self.bytes);
        self.metrics.deliveries_from_memory.increment(self.from_memory);
        self.metrics.deliveries_from_log.increment(self.from_log);
    }
}
