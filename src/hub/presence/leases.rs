//! Keeps this node's leases: one task for all rooms, which writes what has changed, renews the rest together,
//! and reads of the other nodes' leases what was missed.

use std::collections::HashSet;
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

/// Whether leases could be exchanged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Done,
    Failed,
}

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
        loop {
            let all = tokio::select! {
                () = hub.stop.cancelled() => break,
                _ = ticks.tick() => true,
                () = keeper.renew.notified() => {
                    ticks.reset();
                    true
                }
                () = keeper.wake.notified() => false,
            };
            let due = std::mem::take(&mut *keeper.due.lock());
            let rooms: Vec<Arc<Room>> = {
                let rooms = hub.rooms.read();
                rooms.values().filter(|room| all || due.contains(&room.org)).cloned().collect()
            };
            if keeper.exchange_all(hub, &leases, &rooms).await == Outcome::Failed {
                ticks.reset_after(RETRY.min(keeper.times.renewal));
            }
        }
        let released = keeper.release_all(hub, &leases);
        if tokio::time::timeout(RELEASE_TIMEOUT, released).await.is_err() {
            tracing::debug!("leases of presence are left to run out");
        }
    }

    async fn exchange_all(&self, hub: &Inner, leases: &LeaseStore, rooms: &[Arc<Room>]) -> Outcome {
        let mut is_down = false;
        for chunk in rooms.chunks(AT_ONCE) {
            if is_down {
                // What fails for some is not tried for thousands, one timeout after the other.
                for room in chunk {
                    room.core.lock().presence().unreachable();
                }
                continue;
            }
            let exchanges = chunk.iter().map(|room| async {
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
                done.is_err()
            });
            is_down = join_all(exchanges).await.contains(&true);
        }
        if is_down { Outcome::Failed } else { Outcome::Done }
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
            if released.iter().any(Result::is_err) {
                return;
            }
            for room in chunk {
                let version = self.version.fetch_add(1, Ordering::Relaxed) + 1;
                let news = News { node: self.node, from: 0, version, changes: Vec::new() };
                hub.bus.publish(room.org, Message::Presence(news));
            }
        }
    }
}
