//! A room: the organisation's log as this node follows it, and the task that does its reading.

use std::sync::Arc;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::sync::{Notify, Semaphore, watch};

use super::Inner;
use super::bus::{BusState, Message};
use super::connection::{Link, Walk, Walkers};
use super::core::presence::Presence;
use super::core::{
    BlockNumber, ConnectionKey, Core, Counts, Denied, Diverged, Entry, Join, Joined, LogRead, Mark,
    SocketLimits, Sweep, Taken, Told, Turn, Wake, Work,
};
use super::load;
use super::protocol::CloseCode;
use crate::activity::{self, Head};
use crate::config::Broken;
use crate::error::Result;
use crate::types::{LogEntry, OrgId, Seq};

/// Bytes of its log that a room remembers.
const MAX_ROOM_BYTES: usize = 1 << 20;

/// So many times in a row the sweep may find what a healthy bus did not tell of, before the room subscribes
/// again: a subscription can look sound and carry nothing.
const MAX_SILENT_CATCHES: u32 = 2;

/// How long the bus may take to confirm something before the room goes on without it: the sweep finds what
/// is missed. Longer than a bus takes to find out that it is down: what the room gave up, nobody would subscribe.
const BUS_TIMEOUT: Duration = Duration::from_secs(3);

/// How long a room stays after its last use.
pub(super) const LINGER: Duration = Duration::from_secs(30);

/// What wakes a connection.
pub(super) enum Waker {
    /// A walker comes to a socket.
    Socket(Arc<Link>),
    /// A stream's task wakes.
    Stream(Arc<Notify>),
}

impl Wake for Waker {
    fn wake(&self) {
        match self {
            Self::Socket(link) => link.wake(),
            Self::Stream(task) => task.notify_one(),
        }
    }
}

/// Whether a room can be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// It is reading where its log stands.
    Opening,
    /// It can be used.
    Open,
    /// There is no such organisation.
    Missing,
    /// It has left the registry: look there for another.
    Retired,
}

/// A room's state.
pub(super) type RoomCore = Core<Waker>;

/// The organisation's log as this node follows it.
pub(super) struct Room {
    pub(super) org: OrgId,
    pub(super) core: Mutex<RoomCore>,
    /// Serves its sockets.
    pub(super) walk: Arc<Walk>,
    state: watch::Sender<State>,
    work: Notify,
    used_at: Mutex<Instant>,
    /// Catches of the sweep since the bus last said something.
    silent_catches: AtomicU32,
    /// Asks the room's task to subscribe again.
    subscribe_again: Notify,
}

impl Room {
    pub(super) fn new(
        org: OrgId,
        sockets: SocketLimits,
        broken: Broken,
        presence: Presence,
        walkers: Arc<Walkers>,
    ) -> Arc<Self> {
        Arc::new(Self {
            org,
            core: Mutex::new(Core::new(MAX_ROOM_BYTES, sockets, broken).with_presence(presence)),
            walk: Walk::new(walkers),
            state: watch::Sender::new(State::Opening),
            work: Notify::new(),
            used_at: Mutex::new(Instant::now()),
            silent_catches: AtomicU32::new(0),
            subscribe_again: Notify::new(),
        })
    }

    /// Notes that somebody uses the room.
    pub(super) fn touch(&self) {
        *self.used_at.lock() = Instant::now();
    }

    /// Whether it is still reading where its log stands.
    pub(super) fn is_opening(&self) -> bool {
        *self.state.borrow() == State::Opening
    }

    /// What the room is, once it is no longer opening.
    pub(super) async fn settled(&self) -> State {
        let now = *self.state.borrow();
        if now != State::Opening {
            return now;
        }
        let mut state = self.state.subscribe();
        match state.wait_for(|state| *state != State::Opening).await {
            Ok(state) => *state,
            Err(_) => State::Retired,
        }
    }

    /// Returns once the room has left the registry.
    pub(super) async fn gone(&self) {
        let mut state = self.state.subscribe();
        // An error means that the room itself is gone.
        drop(state.wait_for(|state| matches!(state, State::Retired | State::Missing)).await);
    }

    /// Takes entries that were committed on this node.
    pub(super) fn committed(&self, hub: &Inner, entries: Vec<Arc<LogEntry>>) {
        let now = Instant::now();
        let entries = entries.into_iter().map(|entry| Entry::live(&entry, now));
        self.told(hub, |core| core.offer(entries, now));
    }

    /// Takes what another node says.
    pub(super) fn received(&self, hub: &Inner, message: Message) {
        self.silent_catches.store(0, Relaxed);
        match message {
            Message::Committed(entries) => self.committed(hub, entries),
            Message::Head { epoch, seq, id } => {
                self.told(hub, |core| core.told_of_head(epoch, seq, id, Instant::now()));
            }
            Message::Presence(news) => {
                self.core.lock().presence().heard(news, Instant::now());
                self.hurry();
            }
            // It is about no log.
            Message::Work(_) => {}
        }
    }

    fn told(&self, hub: &Inner, tell: impl FnOnce(&mut RoomCore)) {
        let (counts, has_work) = {
            let mut core = self.core.lock();
            tell(&mut core);
            let has_work = core.work(Instant::now()).is_some() || core.next_due().is_some();
            (core.take_counts(), has_work | core.presence().take_hurry())
        };
        self.count(hub, counts);
        if has_work {
            self.work.notify_one();
        }
    }

    /// A connection's turn.
    pub(super) fn take(&self, key: ConnectionKey, now: Instant) -> Turn {
        let (turn, has_work) = {
            let mut core = self.core.lock();
            let turn = core.take(key, now);
            let has_work = matches!(turn, Turn::Wait) && core.work(now).is_some();
            (turn, has_work)
        };
        if has_work {
            self.work.notify_one();
        }
        turn
    }

    /// A connection begins.
    pub(super) fn join(&self, join: &Join, waker: Waker) -> std::result::Result<Joined, Denied> {
        let joined = self.core.lock().join(join, waker, Instant::now());
        self.hurry();
        joined
    }

    /// A connection ends.
    pub(super) fn leave(&self, key: ConnectionKey) {
        self.core.lock().leave(key, Instant::now());
        self.hurry();
        self.touch();
    }

    /// Has the room's task look at who is online, if that is due earlier than it knows.
    pub(super) fn hurry(&self) {
        let hurries = self.core.lock().presence().take_hurry();
        if hurries {
            self.work.notify_one();
        }
    }

    fn settle_presence(&self, hub: &Inner) {
        let settled = self.core.lock().settle_presence(Instant::now());
        if settled.leases {
            hub.leases.want(self.org);
        }
    }

    /// Closes everybody: the node stops.
    pub(super) fn close_all(&self) {
        self.core.lock().close_all(CloseCode::ServiceRestart);
    }

    /// Compares the log's head with where the room stood before it was read.
    pub(super) fn sweep(&self, hub: &Inner, before: Mark, head: &Head, read_at: Instant, by: Told) {
        // Whoever asks for one organisation waits for the answer. The sweep asks for many, and under traffic
        // what it finds is often on its way.
        let due = if by == Told::Sweep { hub.due() } else { Instant::now() };
        let (outcome, counts) = {
            let mut core = self.core.lock();
            (core.sweep(before, head, read_at, due, by), core.take_counts())
        };
        self.count(hub, counts);
        match outcome {
            Ok(Sweep::Nothing) => {}
            Ok(Sweep::Behind) => self.work.notify_one(),
            Err(Diverged) => {
                hub.diverged(self);
                self.work.notify_one();
            }
        }
    }

    /// Leaves the registry's hands: whoever still holds it looks for another. That there is no such
    /// organisation stays true.
    pub(super) fn retired(&self) {
        self.state.send_if_modified(|state| {
            let retires = *state != State::Missing;
            if retires {
                *state = State::Retired;
            }
            retires
        });
        self.work.notify_one();
    }

    /// The room's task: opens it, reads what is missing or wanted, and ends when the room is unused.
    pub(super) async fn run(self: Arc<Self>, hub: Arc<Inner>) {
        // Confirmed before the head is read, or known to be down: what is committed after that is heard of,
        // or found by the sweep.
        // What it seldom does is in a box of its own, here and below: there are thousands of rooms.
        Box::pin(self.subscribe(&hub)).await;
        if Box::pin(self.open(&hub)).await {
            // Side by side: while it reads, the bus's answer is not to be kept waiting until that gives up.
            tokio::select! {
                () = self.follow(&hub) => {}
                () = self.stay_subscribed(&hub) => {}
            }
        }
        // Before it leaves: whoever comes next subscribes after this, not beside it.
        if Box::pin(tokio::time::timeout(BUS_TIMEOUT, hub.bus.unsubscribe(self.org))).await.is_err() {
            tracing::warn!(organisation.id = %self.org, "the bus does not confirm the end of a subscription");
        }
        hub.retire(&self);
    }

    /// Begins to hear of the organisation.
    async fn subscribe(&self, hub: &Inner) {
        let confirmed = tokio::time::timeout(BUS_TIMEOUT, hub.bus.subscribe(self.org)).await;
        // Where it says that it is down, it subscribes by itself when it is up again.
        if confirmed.is_err() {
            tracing::warn!(organisation.id = %self.org, "the bus does not confirm a subscription");
        }
    }

    /// Subscribes again whenever the sweep asks for it. Never returns.
    async fn stay_subscribed(&self, hub: &Inner) {
        loop {
            self.subscribe_again.notified().await;
            hub.metrics.resubscriptions.increment(1);
            Box::pin(self.subscribe(hub)).await;
        }
    }

    /// Reads what is missing or wanted, until the room has ended.
    async fn follow(&self, hub: &Inner) {
        let mut failures = 0;
        // The other nodes' leases are looked for before somebody asks.
        hub.leases.want(self.org);
        loop {
            self.settle_presence(hub);
            let (work, due, ended) = {
                let mut core = self.core.lock();
                let due = [core.next_due(), core.presence().due()].into_iter().flatten().min();
                (core.work(Instant::now()), due, core.is_ended())
            };
            let done = match work {
                None if ended => return,
                None => {
                    if self.wait(due).await {
                        continue;
                    }
                    return;
                }
                Some(Work::ReadOn(before, to)) => Box::pin(self.read_on(hub, before, to)).await,
                Some(Work::ReadBlock(number, before)) => Box::pin(self.read_block(hub, number, before)).await,
                Some(Work::RenewEpoch(old)) => {
                    let renewed = Box::pin(load::renew_epoch(&hub.db, self.org, old)).await;
                    if renewed.is_ok() {
                        return;
                    }
                    renewed
                }
            };
            failures = match done {
                Ok(()) => 0,
                Err(error) => {
                    tracing::warn!(organisation.id = %self.org, error = %error, "a room cannot read its log");
                    Box::pin(tokio::time::sleep(load::pause_after(failures))).await;
                    failures + 1
                }
            };
        }
    }

    /// Reads where the log stands, however long the store is away. False where there is no such log.
    async fn open(&self, hub: &Inner) -> bool {
        let mut failures = 0;
        loop {
            // Thousands of rooms may open at once after a restart.
            let permit = hub.bound(self.org, &hub.reads).await.acquire().await;
            let read_at = Instant::now();
            match load::opening(&hub.db, self.org, hub.oldest_live_token()).await {
                Ok(Some(opening)) => {
                    self.core.lock().open(opening, read_at);
                    self.state.send_replace(State::Open);
                    return true;
                }
                Ok(None) => {
                    self.state.send_replace(State::Missing);
                    return false;
                }
                Err(error) => {
                    tracing::warn!(organisation.id = %self.org, error = %error, "a room cannot be opened yet");
                }
            }
            drop(permit);
            tokio::time::sleep(load::pause_after(failures)).await;
            failures += 1;
        }
    }

    /// Waits for work, at most until some is `due`. False when the room has been unused for [`LINGER`], and
    /// has ended.
    async fn wait(&self, due: Option<Instant>) -> bool {
        let used_at = *self.used_at.lock();
        let unused = used_at + LINGER;
        let until = due.map_or(unused, |due| due.min(unused));
        tokio::select! {
            () = self.work.notified() => return true,
            () = tokio::time::sleep_until(until.into()) => {}
        }
        if Instant::now() < unused || *self.used_at.lock() != used_at {
            return true;
        }
        self.touch();
        // Decided under the lock under which somebody joins.
        !self.core.lock().end_if_empty()
    }

    /// Reads what is missing after a mark, or looks whether the log is the one that the room follows.
    async fn read_on(&self, hub: &Inner, before: Mark, to: Seq) -> Result<()> {
        let read = self.read(hub, &hub.follows, before.seq, to).await?;
        let taken = self.core.lock().read_on(before, to, read, hub.due());
        self.after_read(hub, taken)
    }

    async fn read_block(&self, hub: &Inner, number: BlockNumber, before: Mark) -> Result<()> {
        let read = self.read(hub, &hub.reads, number.first(), number.last().min(before.seq)).await?;
        hub.metrics.replay_reads.increment(1);
        let taken = self.core.lock().block_read(number, before, read);
        self.after_read(hub, taken)
    }

    async fn read(&self, hub: &Inner, bound: &Semaphore, from: Seq, to: Seq) -> Result<LogRead> {
        let _permit = hub.bound(self.org, bound).await.acquire().await;
        let read_at = Instant::now();
        let (entries, head) = activity::read_range(&hub.db, self.org, from, to).await?;
        Ok(LogRead { entries: entries.into_iter().map(Entry::read).collect(), head, read_at })
    }

    fn after_read(&self, hub: &Inner, taken: Result<Taken, Diverged>) -> Result<()> {
        let counts = self.core.lock().take_counts();
        self.count(hub, counts);
        match taken {
            Ok(Taken::Whole) => {}
            Ok(Taken::Outrun) => {
                tracing::warn!(organisation.id = %self.org, "a room was away for longer than its log is kept");
            }
            Ok(Taken::Holes) => {
                return Err(anyhow::anyhow!("the log of {} lacks entries before its head", self.org).into());
            }
            Err(Diverged) => hub.diverged(self),
        }
        Ok(())
    }

    /// Adds what happened in the core to the node's counts.
    fn count(&self, hub: &Inner, counts: Counts) {
        if counts == Counts::default() {
            return;
        }
        hub.metrics.count(counts);
        if counts.catches > 0 && self.silent_catches.fetch_add(1, Relaxed) + 1 >= MAX_SILENT_CATCHES {
            self.silent_catches.store(0, Relaxed);
            if hub.bus.state() == BusState::Up {
                self.subscribe_again.notify_one();
            }
        }
    }
}
