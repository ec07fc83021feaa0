//! The hub: follows the logs of the organisations that somebody watches, and delivers them.
//!
//! It owns the rooms and the sockets. What is committed on this node is handed over at once through the
//! committed sink, and told to the other nodes over the bus; a sweep compares the logs' heads with the rooms'
//! cursors, so that a hint that was lost delays delivery and changes nothing else. The hub knows no feature:
//! what they append reaches it.

pub mod bus;
mod connection;
pub mod core;
mod load;
mod metrics;
mod nodes;
mod presence;
pub mod protocol;
mod room;
mod socket;
pub(crate) mod sse;
mod stream;
mod sweep;
pub(crate) mod ws;

use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use parking_lot::RwLock;
use tokio::sync::{Notify, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::bus::{Bus, BusState, EVERY_NODE, Listener, Message};
use self::connection::Walkers;
use self::core::{
    Admitted, ConnectionKey, Denied, Join, Joined, REORDER_WINDOW, SocketLimits, SocketsOf, Told,
};
use self::metrics::HubMetrics;
use self::presence::LeaseKeeper;
use self::room::{Room, State, Waker};
use crate::activity;
use crate::config::{Broken, Config};
use crate::db::{CommitSink, Db};
use crate::error::{Code, Error, Result, suspended};
use crate::limits::{FrameRate, Limit};
use crate::types::{Clock, OrgId, SessionId, Timestamp, UserId};

pub(crate) use presence::routes as presence_routes;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) use socket::parse_wish;
pub use socket::routes;
pub(crate) use stream::routes as stream_routes;

/// Replays share this many connections to the database. Together with [`MAX_FOLLOWS`] they are fewer than SQLite
/// has readers, so that requests always find one.
const MAX_READS: usize = 2;

/// What rooms have to read to follow their logs shares these: who may enter hangs on it, and does not wait for
/// what some replay.
const MAX_FOLLOWS: usize = 2;

/// Reads of logs in stores of single organisations, at once.
const MAX_OWN_READS: usize = 8;

/// Schemas that the sweep looks at, at once. They share the connections of everybody.
const MAX_SCHEMA_LOOKS: usize = 4;

/// Databases that the sweep looks at, at once. One that is away takes seconds the first time.
const MAX_DATABASE_LOOKS: usize = 8;

/// How long a request or a handshake waits for a room to open.
const OPEN_TIMEOUT: Duration = Duration::from_secs(5);

/// Delivers what is committed, and tells who may enter. Clones share it.
#[derive(Clone)]
pub struct Hub {
    inner: Arc<Inner>,
}

struct Inner {
    db: Db,
    clock: Clock,
    bus: Arc<dyn Bus>,
    /// The bus is up again, or down.
    bus_changed: Notify,
    rooms: RwLock<HashMap<OrgId, Arc<Room>>>,
    /// Bounds the reads of logs that are under way.
    reads: Semaphore,
    /// The same, of those that follow a log.
    follows: Semaphore,
    /// The same two in one, of organisations with a store of their own: one that hangs keeps nobody of the others.
    own_reads: Semaphore,
    /// Looks of the sweep at schemas of single organisations.
    schema_looks: Arc<Semaphore>,
    /// Looks of the sweep at databases of single organisations.
    database_looks: Arc<Semaphore>,
    metrics: Arc<HubMetrics>,
    walkers: Arc<Walkers>,
    access_lifetime: Duration,
    slow_socket: Duration,
    sockets: SocketLimits,
    frame_rate: Option<FrameRate>,
    broken: Broken,
    leases: LeaseKeeper,
    /// Is told of work for an organisation.
    worker: OnceLock<Box<dyn Fn(OrgId) + Send + Sync>>,
    tasks: TaskTracker,
    stop: CancellationToken,
}

impl Hub {
    /// Starts it, and has it handed what is committed here, and what the bus carries. Its tasks run on `tasks` and end when `stop` is cancelled.
    pub fn start(
        db: Db,
        clock: Clock,
        bus: Arc<dyn Bus>,
        config: &Config,
        tasks: &TaskTracker,
        stop: CancellationToken,
    ) -> Self {
        let metrics = Arc::new(HubMetrics::new());
        let leases = LeaseKeeper::new(bus.redis(), config.hub.presence.clone());
        let inner = Arc::new(Inner {
            db,
            clock,
            bus,
            bus_changed: Notify::new(),
            rooms: RwLock::default(),
            reads: Semaphore::new(MAX_READS),
            follows: Semaphore::new(MAX_FOLLOWS),
            own_reads: Semaphore::new(MAX_OWN_READS),
            schema_looks: Arc::new(Semaphore::new(MAX_SCHEMA_LOOKS)),
            database_looks: Arc::new(Semaphore::new(MAX_DATABASE_LOOKS)),
            walkers: Walkers::new(Arc::clone(&metrics), tasks.clone()),
            metrics,
            access_lifetime: config.auth.access_lifetime,
            slow_socket: config.hub.slow_socket_seconds,
            sockets: SocketLimits {
                per_user: bound(config.limits.max_sockets_per_user),
                per_organisation: bound(config.limits.max_sockets_per_organisation),
            },
            frame_rate: FrameRate::per_minute(config.limits.frames_per_minute),
            broken: config.hub.broken(),
            leases,
            worker: OnceLock::new(),
            tasks: tasks.clone(),
            stop,
        });
        // The type first: a weak reference to the trait cannot be made of another weak reference.
        let sink: Arc<dyn CommitSink> = Arc::<Inner>::clone(&inner);
        inner.db.on_commit(Arc::downgrade(&sink));
        let listener: Arc<dyn Listener> = Arc::<Inner>::clone(&inner);
        listener.changed(inner.bus.state());
        // The bus ends after the leases were given up, which others are told over it.
        let bus_stop = CancellationToken::new();
        tasks.spawn(Arc::clone(&inner.bus).run(Arc::downgrade(&listener), bus_stop.clone()));
        let listening = Arc::clone(&inner);
        tasks.spawn(async move {
            // A bus that is down subscribes by itself to what is listed, once it is up.
            if listening.bus.subscribe(EVERY_NODE).await.is_err() {
                tracing::debug!("the bus is not up yet");
            }
        });
        tasks.spawn(sweep::run(Arc::clone(&inner)));
        let hub = Arc::clone(&inner);
        tasks.spawn(async move {
            LeaseKeeper::run(&hub).await;
            bus_stop.cancel();
        });
        Self { inner }
    }

    /// Checks that the bearer of a token may enter now, and says as whom: 401 `session_ended` where the
    /// session has ended or the user was removed, 503 where this node cannot tell.
    pub async fn admit(&self, org: OrgId, user: UserId, session: SessionId) -> Result<Admitted> {
        let checked = self.inner.with_room(org, |room| room.core.lock().check(user, session, Instant::now()));
        match checked.await {
            Ok(admitted) => Ok(admitted),
            Err(denied) => Err(self.inner.refusal(org, denied)),
        }
    }

    /// Sends every socket away: the node stops. Each is told its own moment of the window, evenly over it
    /// and whatever its organisation, and closed then; without a window, all are closed now. Whoever joins
    /// later has to look for the stop itself.
    pub fn drain(&self, window: Duration) {
        let rooms: Vec<Arc<Room>> = self.inner.rooms.read().values().cloned().collect();
        if window.is_zero() {
            for room in &rooms {
                room.close_all();
            }
            return;
        }
        let keys =
            rooms.iter().flat_map(|room| room.core.lock().keys().into_iter().map(move |key| (room, key)));
        let mut sockets: Vec<(&Arc<Room>, ConnectionKey)> = keys.collect();
        // At random: the sockets of one organisation are not to come back all at once.
        let order = RandomState::new();
        sockets.sort_by_cached_key(|(room, key)| order.hash_one((room.org, key)));
        let (now, count) = (Instant::now(), sockets.len());
        for (number, (room, key)) in sockets.into_iter().enumerate() {
            room.core.lock().go_away(key, now + share(window, number, count));
        }
    }

    /// Has `worker` told where another node says that there is work for an organisation. The first stands.
    pub fn on_work(&self, worker: impl Fn(OrgId) + Send + Sync + 'static) {
        self.inner.worker.get_or_init(|| Box::new(worker));
    }

    /// Tells the other nodes that there is work for an organisation.
    pub fn tell_work(&self, org: OrgId) {
        self.inner.bus.publish(EVERY_NODE, Message::Work(org));
    }

    /// Whether the bus carries messages.
    pub fn bus_state(&self) -> BusState {
        self.inner.bus.state()
    }

    /// How many sockets are open.
    pub fn sockets(&self) -> usize {
        self.inner.rooms.read().values().map(|room| room.core.lock().len()).sum()
    }
}

/// What a request is told whose sender may not enter.
fn refusal_of(denied: Denied) -> Error {
    match denied {
        Denied::UserUnknown | Denied::SessionEnded => Error::refused(
            Code::SessionEnded,
            "The session has ended, or its user was removed. Sign in again.",
        ),
        Denied::Suspended => suspended(),
        // That there are many sockets keeps nobody from asking for something else.
        Denied::Stale | Denied::TooManySockets(_) => {
            Error::refused(Code::AccessUnknown, "This node cannot tell now who may enter. Try again shortly.")
        }
    }
}

/// The middle of the `number`th of `count` equal parts of a window.
fn share(window: Duration, number: usize, count: usize) -> Duration {
    let nanos = window.as_nanos() * (2 * number as u128 + 1) / (2 * count.max(1) as u128);
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

/// A bound of the settings, where 0 is none.
fn bound(limit: u32) -> Option<usize> {
    usize::try_from(limit).ok().filter(|limit| *limit > 0)
}

impl From<SocketsOf> for Limit {
    fn from(sockets: SocketsOf) -> Self {
        match sockets {
            SocketsOf::User => Self::UserSockets,
            SocketsOf::Organisation => Self::OrganisationSockets,
        }
    }
}

impl Inner {
    /// The organisation's room, opened where there is none yet.
    fn room(self: &Arc<Self>, org: OrgId) -> Arc<Room> {
        if let Some(room) = self.rooms.read().get(&org) {
            return Arc::clone(room);
        }
        let mut rooms = self.rooms.write();
        let room = rooms.entry(org).or_insert_with(|| {
            let room =
                Room::new(org, self.sockets, self.broken, self.leases.presence(), Arc::clone(&self.walkers));
            let (task, hub) = (Arc::clone(&room), Arc::clone(self));
            self.tasks.spawn(async move {
                let stop = hub.stop.clone();
                tokio::select! {
                    () = task.run(hub) => {}
                    () = stop.cancelled() => {}
                }
            });
            room
        });
        Arc::clone(room)
    }

    /// Asks an open room. A user whom it does not know may have come to be on another node, and a view
    /// may be stale: the room then looks at its log's head once, and is asked again.
    async fn with_room<T>(
        self: &Arc<Self>,
        org: OrgId,
        mut ask: impl FnMut(&Arc<Room>) -> Result<T, Denied>,
    ) -> Result<T, Denied> {
        let deadline = tokio::time::Instant::now() + OPEN_TIMEOUT;
        let mut refreshed = false;
        loop {
            let room = self.room(org);
            room.touch();
            if room.is_opening() && self.db.known_trouble(org).is_some() {
                // It opens once the organisation's store can be used: nobody need wait for that.
                return Err(Denied::Stale);
            }
            match tokio::time::timeout_at(deadline, room.settled()).await {
                Err(_) => return Err(Denied::Stale),
                Ok(State::Missing) => return Err(Denied::UserUnknown),
                Ok(State::Retired | State::Opening) => continue,
                Ok(State::Open) => {}
            }
            let answer = ask(&room);
            if answer.is_err() && room.core.lock().is_ended() {
                // It has ended since it was found; the next one tells.
                if tokio::time::timeout_at(deadline, room.gone()).await.is_err() {
                    return Err(Denied::Stale);
                }
                continue;
            }
            match answer {
                Err(Denied::UserUnknown | Denied::Stale) if !refreshed => {
                    refreshed = true;
                    self.refresh(&room, deadline).await?;
                }
                answer => return answer,
            }
        }
    }

    /// Brings a room to its log's head.
    async fn refresh(&self, room: &Arc<Room>, deadline: tokio::time::Instant) -> Result<(), Denied> {
        let read_at = Instant::now();
        let Some(before) = room.core.lock().mark() else {
            return Err(Denied::Stale);
        };
        let heads = tokio::time::timeout_at(deadline, activity::load_heads(&self.db, &[room.org])).await;
        let Ok(Ok(heads)) = heads else {
            return Err(Denied::Stale);
        };
        let Some(head) = heads.first() else {
            return Err(Denied::UserUnknown);
        };
        room.sweep(self, before, head, read_at, Told::Asked);
        // Its task reads what is missing, which takes a few milliseconds.
        let caught_up = || room.core.lock().mark().is_none_or(|mark| mark.seq >= head.last_seq);
        while !caught_up() && !room.core.lock().is_ended() {
            if tokio::time::Instant::now() >= deadline {
                return Err(Denied::Stale);
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        Ok(())
    }

    /// Lets somebody in, once the organisation's room is open.
    async fn join(
        self: &Arc<Self>,
        org: OrgId,
        join: &Join,
        mut waker: impl FnMut(&Room) -> Waker,
    ) -> Result<(Arc<Room>, Joined), Denied> {
        let mut ahead_checked = false;
        loop {
            let joined = self.with_room(org, |room| {
                let joined = room.join(join, waker(room))?;
                Ok((Arc::clone(room), joined))
            });
            let (room, joined) = joined.await?;
            let ahead = joined.gap.is_some_and(|gap| gap.reason == core::GapReason::AheadOfLog);
            if !ahead || ahead_checked {
                return Ok((room, joined));
            }
            // Another node may be further than this one knows.
            room.leave(joined.key);
            self.refresh(&room, tokio::time::Instant::now() + OPEN_TIMEOUT).await?;
            ahead_checked = true;
        }
    }

    /// Takes a room that has ended, or never opened, out of the registry.
    fn retire(&self, room: &Room) {
        let mut rooms = self.rooms.write();
        if rooms.get(&room.org).is_some_and(|registered| std::ptr::eq(&raw const **registered, room)) {
            rooms.remove(&room.org);
        }
        drop(rooms);
        room.retired();
    }

    /// Another log was put in the place of the one that a room followed: its sockets were told to come
    /// back, and the room's task sees to the rest.
    fn diverged(&self, room: &Room) {
        self.metrics.divergences.increment(1);
        tracing::error!(organisation.id = %room.org, "the log was replaced by another; its sockets are closed");
    }

    /// What a request is told whose sender may not enter, or of whom that cannot be told.
    fn refusal(&self, org: OrgId, denied: Denied) -> Error {
        match (denied, self.db.known_trouble(org)) {
            (Denied::Stale, Some(trouble)) => trouble.into(),
            (denied, _) => refusal_of(denied),
        }
    }

    /// What bounds the reads of an organisation's log: this, unless its store is its own.
    async fn bound<'a>(&'a self, org: OrgId, bound: &'a Semaphore) -> &'a Semaphore {
        match self.db.isolation(org).await {
            Ok(isolation) if isolation.is_apart() => {
                // Before others wait for it, and where that fails, the read tells.
                drop(self.db.prepare(org).await);
                &self.own_reads
            }
            // Where the directory is away, the read tells.
            Ok(_) | Err(_) => bound,
        }
    }

    /// When what a room lacks is to be read: it may still come by itself where the bus carries it.
    fn due(&self) -> Instant {
        let window = match self.bus.state() {
            BusState::Up => REORDER_WINDOW,
            BusState::Down => Duration::ZERO,
        };
        Instant::now() + window
    }

    /// Tokens of sessions that ended before this have expired. A minute is added for clocks that differ.
    fn oldest_live_token(&self) -> Timestamp {
        self.clock.now().minus(self.access_lifetime + Duration::from_mins(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_even_and_within_the_window() {
        let window = Duration::from_secs(8);
        let shares: Vec<Duration> = (0..4).map(|number| share(window, number, 4)).collect();
        assert_eq!(shares, [1, 3, 5, 7].map(Duration::from_secs));
        assert_eq!(share(window, 0, 1), window / 2);
        let last = share(Duration::from_secs(u32::MAX.into()), 99_999, 100_000);
        assert!(last < Duration::from_secs(u32::MAX.into()));
    }
}
