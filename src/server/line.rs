//! A connection, as whoever answers a request on it may act upon it.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

/// The connection of a request. For answers that do not end: who gives one judges by itself how slow the peer may be.
#[derive(Clone, Default)]
pub(crate) struct Line(Arc<Shared>);

#[derive(Default)]
struct Shared {
    taken_over: OnceLock<Duration>,
    cut: CancellationToken,
}

impl Line {
    /// From the next write on, a peer that takes nothing is [cut](Self::cut) or not as the caller decides. Only
    /// where nothing of what was sent is acknowledged for `silence` is it ended without being asked for, by the kernel
    /// of Linux: such a peer has vanished, and others would learn that from a quarter of an hour of trying.
    pub(crate) fn take_over(&self, silence: Duration) {
        self.0.taken_over.get_or_init(|| silence);
    }

    /// How long a peer may leave everything unacknowledged, where somebody has taken over.
    pub(super) fn taken_over(&self) -> Option<Duration> {
        self.0.taken_over.get().copied()
    }

    /// Ends the connection, whatever is being written.
    pub(crate) fn cut(&self) {
        self.0.cut.cancel();
    }

    /// Returns when the connection is to end.
    pub(super) async fn is_cut(&self) {
        self.0.cut.cancelled().await;
    }
}
