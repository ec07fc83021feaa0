//! Keeps this node's leases: one task for all rooms, which writes what has changed, renews the rest together,
//! and reads of the other nodes' leases what was missed.

use std::collections::HashSet;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use futures_util::future::join_all;
use parking_lot::Mutex;
use tokio::sync::Notify;

use super::store::LeaseStore;
use crate::config::PresenceTimes;
use crate::hub::Inner;
use crate::hub::bus::{Message, News, RedisHandle};
use crate::hub::core::presence::{Company, Presence};
use crate::hub::room::Room;
use crate::types::{NodeId, OrgId};

/// Rooms whose leases are written at once.
const AT_ONCE: usize = 64;

/// Users in one message, so that none of them is large.
const MOST_USERS: usize = 1000;

/// How long an exchange about one room may take.
const TIMEOUT: Duration = Duration::from_secs(2);

/// How long after a failure the next try is.
const RETRY: Duration = Duration::from_secs(1);

/// How long a node that stops tries to give up its leases. They run out by themselves.
const RELEASE_TIMEOUT: Duration = Duration::from_secs(1);

/// This node's leases.
pub(in crate::hub) struct LeaseKeeper {
    node: NodeId,
    times: PresenceTimes,
    /// Where they are kept; nowhere, where this node is alone.
    leases: Option<LeaseStore>,
    /// The last version that a lease of this node was given. A room that opens anew goes on from there.
    version: AtomicU64,
    /// Organisations whose leases are to be written or read.
    due: Mutex<HashSet<OrgId>>,
    wake: Notify,
    /// Has all leases renewed now.
    renew: Notify,
}

impl LeaseKeeper {
    pub(in crate::hub) fn new(redis: Option<RedisHandle>, times: PresenceTimes) -> Self {
        Self {
            node: NodeId::new(),
            times,
            leases: redis.map(LeaseStore::new),
            version: AtomicU64::new(0),
            due: Mutex::default(),
            wake: Notify::new(),
            renew: Notify::new(),
        }
    }

    /// Who is online in a room that opens.
    pub(in crate::hub) fn presence(&self) -> Presence {
        let company = if self.leases.is_some() { Company::Nodes } else { Company::Alone };
        Presence::new(self.times.clone(), company, Instant::now())
    }

    /// Has a room's leases written and read soon.
    pub(in crate::hub) fn want(&self, org: OrgId) {
        if self.leases.is_some() {
            self.due.lock().insert(org);
            self.wake.notify_one();
        }
    }

    /// Has all leases renewed, as where they are kept may have lost them.
    pub(in crate::hub) fn renew_all(&self) {
        self.renew.notify_one();
    }

    /// Keeps the leases until the hub stops, then gives them up: others need not wait for them to run out.
    pub(in crate::hub) async fn run(hub: &Inner) {
        let keeper = &hub.leases;
        let Some(leases) = keeper.leases.clone() else {
            hub.stop.cancelled().await;
            return;
        };
        let mut ticks = tokio::time::interval(keeper.times.renewal);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        // Organisations whose leases could not be exchanged, apart from what is due at once.
        let (mut failed, mut retry_at) = (HashSet::new(), None::<Instant>);
        loop {
            let mut due = HashSet::new();
            let all = tokio::select! {
                () = hub.stop.cancelled() => break,
                _ = ticks.tick() => true,
                () = keeper.renew.notified() => {
                    ticks.reset();
                    true
                }
                () = until(retry_at) => {
                    (due, retry_at) = (std::mem::take(&mut failed), None);
                    false
                }
                () = keeper.wake.notified() => false,
            };
            due.extend(std::mem::take(&mut *keeper.due.lock()));
            let mut rooms: Vec<Arc<Room>> = {
                let rooms = hub.rooms.read();
                rooms.values().filter(|room| all || due.contains(&room.org)).cloned().collect()
            };
            // In another order each time: those that are not come to are not to be the same again.
            let order = RandomState::new();
            rooms.sort_by_cached_key(|room| order.hash_one(room.org));
            for room in &rooms {
                failed.remove(&room.org);
            }
            failed.extend(keeper.exchange_all(hub, &leases, &rooms).await);
            retry_at = if failed.is_empty() {
                None
            } else {
                retry_at.or_else(|| Some(Instant::now() + RETRY.min(keeper.times.renewal)))
            };
        }
        let released = keeper.release_all(hub, &leases);
        if tokio::time::timeout(RELEASE_TIMEOUT, released).await.is_err() {
            tracing::debug!("leases of presence are left to run out");
        }
    }

    /// Returns those whose leases could not be exchanged. That is their own affair, unless it is so for many.
    async fn exchange_all(&self, hub: &Inner, leases: &LeaseStore, rooms: &[Arc<Room>]) -> Vec<OrgId> {
        let (mut failed, mut is_down) = (Vec::new(), false);
        for chunk in rooms.chunks(AT_ONCE) {
            if is_down {
                // What fails for all of some is not tried for thousands, one timeout after the other.
                for room in chunk {
                    room.core.lock().presence().unreachable();
                }
                failed.extend(chunk.iter().map(|room| room.org));
                continue;
            }
            let exchanges = chunk.iter().map(|room| self.try_exchange(hub, leases, room));
            let done = join_all(exchanges).await;
            let failures = chunk.iter().zip(done).filter(|(_, is_done)| !is_done);
            let before = failed.len();
            failed.extend(failures.map(|(room, _)| room.org));
            is_down = failed.len() - before == chunk.len() || !leases.is_up();
        }
        failed
    }

    async fn try_exchange(&self, hub: &Inner, leases: &LeaseStore, room: &Room) -> bool {
        let done = tokio::time::timeout(TIMEOUT, self.exchange(hub, leases, room)).await;
        let done = done.context("no answer in time").flatten();
        if let Err(error) = &done {
            let error = format!("{error:#}");
            tracing::debug!(organisation.id = %room.org, error, "cannot renew a lease");
            let mut core = room.core.lock();
            core.presence().unwritten();
            core.presence().unreachable();
        }
        room.hurry();
        done.is_ok()
    }

    /// Writes what this node's lease lacks, tells the others, and reads of theirs what is missing here.
    async fn exchange(&self, hub: &Inner, leases: &LeaseStore, room: &Room) -> anyhow::Result<()> {
        let mut is_whole = false;
        while !is_whole {
            let version = self.version.fetch_add(1, Ordering::Relaxed) + 1;
            let news = room.core.lock().presence().outgoing(self.node, version, MOST_USERS);
            let written = leases.write(room.org, &news, self.times.lease).await?;
            // What has changed since is told with what else does in the next moment.
            is_whole = written.intact && news.changes.len() < MOST_USERS;
            {
                let mut core = room.core.lock();
                let presence = core.presence();
                if !written.intact {
                    presence.unwritten();
                }
                presence.listed(&written.others, written.intact, Instant::now());
            }
            // Second: whoever missed it finds it in the lease.
            if written.intact && !news.changes.is_empty() {
                hub.bus.publish(room.org, Message::Presence(news));
            }
        }
        let wanted = room.core.lock().presence().wanted();
        for node in wanted {
            let lease = leases.read(room.org, node).await?;
            room.core.lock().presence().read(node, lease, Instant::now());
        }
        Ok(())
    }

    async fn release_all(&self, hub: &Inner, leases: &LeaseStore) {
        let rooms: Vec<Arc<Room>> = hub.rooms.read().values().cloned().collect();
        for chunk in rooms.chunks(AT_ONCE) {
            let released = join_all(chunk.iter().map(|room| leases.release(room.org, self.node))).await;
            if released.iter().all(Result::is_err) {
                return;
            }
            for (room, _) in chunk.iter().zip(released).filter(|(_, released)| released.is_ok()) {
                let version = self.version.fetch_add(1, Ordering::Relaxed) + 1;
                let news = News { node: self.node, from: 0, version, changes: Vec::new() };
                hub.bus.publish(room.org, Message::Presence(news));
            }
        }
    }
}

/// Waits until then, or for ever where there is no such moment.
async fn until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at.into()).await,
        None => std::future::pending().await,
    }
}
