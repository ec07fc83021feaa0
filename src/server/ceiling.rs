//! How many connections there are, and may be.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use metrics::{Counter, Gauge, counter, gauge};

use crate::telemetry::metric;

/// Counts the open connections, upgraded ones too, and bounds them: each has a file, and a process that has
/// none left can neither accept nor reach its database.
pub(super) struct Ceiling {
    max: usize,
    open: AtomicUsize,
    connections: Gauge,
    refused: Counter,
}

impl Ceiling {
    pub(super) fn new(max: Option<usize>) -> Arc<Self> {
        Arc::new(Self {
            max: max.unwrap_or(usize::MAX),
            open: AtomicUsize::new(0),
            connections: gauge!(metric::CONNECTIONS),
            refused: counter!(metric::CONNECTIONS_REFUSED),
        })
    }

    /// Counts one more connection; `None` where there may be no more.
    pub(super) fn admit(self: &Arc<Self>) -> Option<Open> {
        // The accept loop alone adds to it.
        if self.open.load(Ordering::Relaxed) >= self.max {
            self.refused.increment(1);
            return None;
        }
        self.open.fetch_add(1, Ordering::Relaxed);
        self.connections.increment(1.0);
        Some(Open(Arc::clone(self)))
    }
}

/// An open connection, counted until this is dropped.
pub(super) struct Open(Arc<Ceiling>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::Relaxed);
        self.0.connections.decrement(1.0);
    }
}
