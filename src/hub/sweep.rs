//! The sweep: compares every room's cursor with its log's head, so that nothing that was committed stays
//! unseen for long, whatever hint of it was lost.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;

use super::Inner;
use super::bus::BusState;
use super::core::{Mark, Told};
use super::room::Room;
use crate::activity;
use crate::types::OrgId;

/// How often.
const INTERVAL: Duration = Duration::from_secs(1);

/// How often while the bus is down, and nothing else tells what other nodes commit.
const INTERVAL_ALONE: Duration = Duration::from_millis(200);

/// Sweeps under way at once: one whose query hangs does not keep the next from looking.
const MAX_AT_ONCE: usize = 3;

/// Heads asked for at once.
const CHUNK: usize = 256;

/// Bytes of their logs that the rooms of a node remember together.
const MAX_NODE_BYTES: usize = 256 << 20;

/// How often ended sessions are forgotten.
const FORGET_EVERY: Duration = Duration::from_mins(1);

/// Sweeps until the hub stops.
pub(super) async fn run(hub: Arc<Inner>) {
    let under_way = Arc::new(Semaphore::new(MAX_AT_ONCE));
    let mut forgotten_at = Instant::now();
    loop {
        let interval = match hub.bus.state() {
            BusState::Up => INTERVAL,
            BusState::Down => INTERVAL_ALONE,
        };
        tokio::select! {
            () = hub.stop.cancelled() => return,
            // What was said while it was down may be lost.
            () = hub.bus_changed.notified() => {}
            () = tokio::time::sleep(interval) => {}
        }
        let rooms: Vec<Arc<Room>> = hub.rooms.read().values().cloned().collect();
        hub.metrics.rooms.set(count_as_f64(rooms.len()));
        bound_memory(&hub, &rooms);
        if forgotten_at.elapsed() >= FORGET_EVERY {
            forgotten_at = Instant::now();
            let oldest = hub.oldest_live_token();
            for room in &rooms {
                room.core.lock().forget_ended_before(oldest);
            }
        }
        if let Ok(permit) = Arc::clone(&under_way).try_acquire_owned() {
            let sweeping = Arc::clone(&hub);
            hub.tasks.spawn(async move {
                sweeping.stop.run_until_cancelled(sweep(&sweeping, &rooms)).await;
                drop(permit);
            });
        }
    }
}

/// Compares the heads of these rooms' logs with where the rooms stood before the heads were read.
async fn sweep(hub: &Inner, rooms: &[Arc<Room>]) {
    let marked = rooms.iter().filter_map(|room| Some((room, room.core.lock().mark()?)));
    let marked: Vec<(&Arc<Room>, Mark)> = marked.collect();
    for chunk in marked.chunks(CHUNK) {
        let read_at = Instant::now();
        let orgs: Vec<OrgId> = chunk.iter().map(|(room, _)| room.org).collect();
        hub.metrics.sweep_reads.increment(1);
        let heads = match activity::load_heads(&hub.db, &orgs).await {
            Ok(heads) => heads,
            Err(error) => {
                hub.metrics.sweep_failures.increment(1);
                tracing::warn!(error = %error, "cannot look for what other nodes have committed");
                continue;
            }
        };
        let heads: HashMap<OrgId, _> = heads.into_iter().map(|head| (head.org_id, head)).collect();
        for (room, before) in chunk {
            if let Some(head) = heads.get(&room.org) {
                room.sweep(hub, *before, head, read_at, Told::Sweep);
            } else {
                // Never "nothing new": the room goes stale and refuses.
                hub.metrics.sweep_failures.increment(1);
                tracing::error!(organisation.id = %room.org, "the log of a watched organisation is gone");
            }
        }
    }
}

/// Has rooms forget, the largest first, until all together are within the bound.
fn bound_memory(hub: &Inner, rooms: &[Arc<Room>]) {
    let mut sizes: Vec<(usize, &Arc<Room>)> =
        rooms.iter().map(|room| (room.core.lock().cached_bytes(), room)).collect();
    let mut total: usize = sizes.iter().map(|(bytes, _)| bytes).sum();
    if total > MAX_NODE_BYTES {
        sizes.sort_unstable_by_key(|(bytes, _)| std::cmp::Reverse(*bytes));
        for (bytes, room) in sizes {
            if total <= MAX_NODE_BYTES {
                break;
            }
            let mut core = room.core.lock();
            core.forget();
            total = total - bytes + core.cached_bytes();
        }
    }
    hub.metrics.cached_bytes.set(count_as_f64(total));
}

/// A count as a gauge takes it.
#[expect(
    clippy::cast_precision_loss,
    reason = "gauges are for people, who do not miss the last bits of 2^53"
)]
fn count_as_f64(count: usize) -> f64 {
    count as f64
}
