//! The sweep: compares every room's cursor with its log's head, so that nothing that was committed stays
//! unseen for long, whatever hint of it was lost.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::sync::Semaphore;

use super::Inner;
use super::bus::BusState;
use super::core::{Mark, Told};
use super::room::Room;
use crate::activity::{self, Head};
use crate::error::Result;
use crate::types::{Isolation, OrgId};

/// How often.
const INTERVAL: Duration = Duration::from_secs(1);

/// How often while the bus is down, and nothing else tells what other nodes commit.
const INTERVAL_ALONE: Duration = Duration::from_millis(200);

/// How often an organisation's own database is looked at: each look is a connection, where those of others are kept.
/// Two in a row may fail before a node knows too little to let anybody in.
const INTERVAL_DATABASE: Duration = Duration::from_secs(2);

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
    let mut own = OwnStores::default();
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
        let (apart, rooms): (Vec<_>, Vec<_>) = rooms.into_iter().partition(|room| is_apart(&hub, room));
        sweep_apart(&hub, apart, &mut own);
        if let Ok(permit) = Arc::clone(&under_way).try_acquire_owned() {
            let sweeping = Arc::clone(&hub);
            hub.tasks.spawn(async move {
                sweeping.stop.run_until_cancelled(sweep(&sweeping, &rooms)).await;
                drop(permit);
            });
        }
    }
}

/// When the stores of single organisations were last looked at.
#[derive(Default)]
struct OwnStores {
    looks: HashMap<OrgId, Look>,
}

/// After so many failures in a row the pause before the next look grows no further.
const MAX_DOUBLINGS: u32 = 2;

/// A look at one of them.
struct Look {
    next: Arc<Mutex<Next>>,
    /// Whose permit it holds as long as it is under way.
    under_way: Arc<Semaphore>,
}

/// When the next look is due.
struct Next {
    at: Instant,
    failures: u32,
}

impl Next {
    /// What hangs takes longer to fail than the pause between two looks: the pause begins when it has failed.
    fn after(&mut self, is_known: bool, every: Duration) {
        if is_known {
            self.failures = 0;
            return;
        }
        self.failures = (self.failures + 1).min(MAX_DOUBLINGS);
        self.at = Instant::now() + every * (1 << (self.failures - 1));
    }
}

/// Whether the room's organisation has a store of its own. One that is not remembered just now has its turn the next
/// time: its room asks for it.
fn is_apart(hub: &Inner, room: &Room) -> bool {
    hub.db.known_isolation(room.org).is_some_and(Isolation::is_apart)
}

/// Looks at those stores whose time has come, each by itself: one that hangs keeps the next look from no other.
fn sweep_apart(hub: &Arc<Inner>, rooms: Vec<Arc<Room>>, own: &mut OwnStores) {
    let watched: HashSet<OrgId> = rooms.iter().map(|room| room.org).collect();
    own.looks.retain(|org, _| watched.contains(org));
    for room in rooms {
        let (every, places) = match hub.db.known_isolation(room.org) {
            Some(Isolation::Database) => (INTERVAL_DATABASE, &hub.database_looks),
            Some(Isolation::Schema | Isolation::Shared) | None => (INTERVAL, &hub.schema_looks),
        };
        let look = own.looks.entry(room.org).or_insert_with(|| {
            let next = Next { at: Instant::now(), failures: 0 };
            Look { next: Arc::new(Mutex::new(next)), under_way: Arc::new(Semaphore::new(1)) }
        });
        let now = Instant::now();
        if now < look.next.lock().at {
            continue;
        }
        let Ok(turn) = Arc::clone(&look.under_way).try_acquire_owned() else { continue };
        look.next.lock().at = now + every;
        let (sweeping, places, next) = (Arc::clone(hub), Arc::clone(places), Arc::clone(&look.next));
        hub.tasks.spawn(async move {
            let stop = sweeping.stop.clone();
            stop.run_until_cancelled(async {
                // It is never closed; if it were, going on would be right.
                let _place = places.acquire().await;
                let is_known = sweep(&sweeping, &[room]).await;
                next.lock().after(is_known, every);
            })
            .await;
            drop(turn);
        });
    }
}

/// Compares the heads of these rooms' logs with where the rooms stood before the heads were read. False where some could
/// not be read.
async fn sweep(hub: &Inner, rooms: &[Arc<Room>]) -> bool {
    let mut are_known = true;
    let marked = rooms.iter().filter_map(|room| Some((room, room.core.lock().mark()?)));
    let marked: Vec<(&Arc<Room>, Mark)> = marked.collect();
    for chunk in marked.chunks(CHUNK) {
        let read_at = Instant::now();
        let orgs: Vec<OrgId> = chunk.iter().map(|(room, _)| room.org).collect();
        let heads = match load_heads(hub, &orgs).await {
            Ok(heads) => heads,
            Err(error) => {
                hub.metrics.sweep_failures.increment(1);
                tracing::warn!(error = %error, "cannot look for what other nodes have committed");
                are_known = false;
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
    are_known
}

/// The heads of these logs, a read for each store. That is one but where a node had forgotten where somebody is.
async fn load_heads(hub: &Inner, orgs: &[OrgId]) -> Result<Vec<Head>> {
    let mut heads = Vec::with_capacity(orgs.len());
    for orgs in hub.db.by_store(orgs).await? {
        hub.metrics.sweep_reads.increment(1);
        heads.extend(activity::load_heads(&hub.db, &orgs).await?);
    }
    Ok(heads)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fails_is_looked_at_later_and_later() {
        let every = Duration::from_secs(2);
        let mut next = Next { at: Instant::now(), failures: 0 };
        for times in [1, 2, 2] {
            let failed_at = Instant::now();
            next.after(false, every);
            assert!(next.at >= failed_at + every * times);
            assert!(next.at <= Instant::now() + every * times);
        }
        let due = next.at;
        next.after(true, every);
        assert_eq!((next.at, next.failures), (due, 0));
    }
}
