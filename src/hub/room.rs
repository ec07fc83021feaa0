//! A room: the organisation's log as this node follows it, and the task that does its reading.

use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::sync::{Notify, watch};

use super::Inner;
use super::bus::BusDown;
use super::core::{self, ConnectionKey, Core, Diverged, Entry, Mark, SocketLimits, Sweep, Turn, Wake, Work};
use super::load;
use super::protocol::CloseCode;
use crate::activity::{self, Head};
use crate::config::Broken;
use crate::types::{LogEntry, OrgId, Seq};

/// Bytes of its log that a room remembers.
const MAX_ROOM_BYTES: usize = 1 << 20;

/// How long what is missing may come by itself before it is read.
const REORDER_WINDOW: Duration = Duration::from_millis(20);

/// How long the bus may take to confirm something before the room goes on without it: the sweep finds what
/// is missed. Longer than a bus takes to find out that it is down: what the room gave up, nobody would subscribe.
const BUS_TIMEOUT: Duration = Duration::from_secs(3);

/// How long a room stays after its last use.
pub(super) const LINGER: Duration = Duration::from_secs(30);

impl Wake for Arc<Notify> {
    fn wake(&self) {
        self.notify_one();
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

/// The organisation's log as this node follows it.
pub(super) struct Room {
    pub(super) org: OrgId,
    pub(super) core: Mutex<Core<Arc<Notify>>>,
    state: watch::Sender<State>,
    work: Notify,
    used_at: Mutex<Instant>,
}

impl Room {
    pub(super) fn new(org: OrgId, sockets: SocketLimits, broken: Broken) -> Arc<Self> {
        Arc::new(Self {
            org,
            core: Mutex::new(Core::new(MAX_ROOM_BYTES, sockets, broken)),
            state: watch::Sender::new(State::Opening),
            work: Notify::new(),
            used_at: Mutex::new(Instant::now()),
        })
    }

    /// Notes that somebody uses the room.
    pub(super) fn touch(&self) {
        *self.used_at.lock() = Instant::now();
    }

    /// What the room is, once it is no longer opening.
    pub(super) async fn settled(&self) -> State {
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

    /// Takes entries that were committed.
    pub(super) fn committed(&self, hub: &Inner, entries: Vec<Arc<LogEntry>>) {
        let now = Instant::now();
        self.offer(hub, entries.into_iter().map(|entry| Entry::live(entry, now)));
    }

    fn offer(&self, hub: &Inner, entries: impl Iterator<Item = Arc<Entry>>) {
        let (outcome, has_work) = {
            let mut core = self.core.lock();
            let outcome = core.offer(entries);
            (outcome, core.work().is_some())
        };
        if outcome == Err(Diverged) {
            hub.diverged(self);
        }
        if has_work {
            self.work.notify_one();
        }
    }

    /// A connection's turn.
    pub(super) fn take(&self, key: ConnectionKey) -> Turn {
        let (turn, has_work) = {
            let mut core = self.core.lock();
            let turn = core.take(key, Instant::now());
            let has_work = matches!(turn, Turn::Wait) && core.work().is_some();
            (turn, has_work)
        };
        if has_work {
            self.work.notify_one();
        }
        turn
    }

    /// A connection ends.
    pub(super) fn leave(&self, key: ConnectionKey) {
        self.core.lock().leave(key);
        self.touch();
    }

    /// Closes everybody: the node stops.
    pub(super) fn close_all(&self) {
        self.core.lock().close_all(CloseCode::ServiceRestart);
    }

    /// Compares the log's head with where the room stood before it was read.
    pub(super) fn sweep(&self, hub: &Inner, before: Mark, head: &Head, read_at: Instant) {
        let outcome = self.core.lock().sweep(before, head, read_at);
        match outcome {
            Ok(Sweep::Nothing) => {}
            Ok(Sweep::Behind) => {
                hub.metrics.sweep_catches.increment(1);
                self.work.notify_one();
            }
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
        self.subscribe(&hub).await;
        if self.open(&hub).await {
            self.follow(&hub).await;
        }
        // Before it leaves: whoever comes next subscribes after this, not beside it.
        if tokio::time::timeout(BUS_TIMEOUT, hub.bus.unsubscribe(self.org)).await.is_err() {
            tracing::warn!(organisation.id = %self.org, "the bus does not confirm the end of a subscription");
        }
        hub.retire(&self);
    }

    /// Begins to hear of the organisation.
    async fn subscribe(&self, hub: &Inner) {
        let confirmed = tokio::time::timeout(BUS_TIMEOUT, hub.bus.subscribe(self.org)).await;
        match confirmed {
            // The bus subscribes by itself when it is up again.
            Ok(Ok(()) | Err(BusDown)) => {}
            Err(_) => tracing::warn!(organisation.id = %self.org, "the bus does not confirm a subscription"),
        }
    }

    /// Reads what is missing or wanted, until the room has ended.
    async fn follow(&self, hub: &Inner) {
        let mut failures = 0;
        loop {
            let work = self.core.lock().work();
            let done = match work {
                None => {
                    if self.core.lock().is_ended() || !self.wait().await {
                        return;
                    }
                    continue;
                }
                Some(Work::FillGap(from, to)) => self.fill_gap(hub, from, to).await,
                Some(Work::ReadBlock(number, until)) => self.read_block(hub, number, until).await,
                Some(Work::RenewEpoch(old)) => {
                    let renewed = load::renew_epoch(&hub.db, self.org, old).await;
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
                    tokio::time::sleep(load::pause_after(failures)).await;
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
            let permit = hub.reads.acquire().await;
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

    /// Waits for work. False when the room has been unused for [`LINGER`], and has ended.
    async fn wait(&self) -> bool {
        let used_at = *self.used_at.lock();
        let idle = tokio::time::timeout_at((used_at + LINGER).into(), self.work.notified()).await.is_err();
        if !idle || *self.used_at.lock() != used_at {
            return true;
        }
        self.touch();
        // Decided under the lock under which somebody joins.
        !self.core.lock().end_if_empty()
    }

    async fn fill_gap(&self, hub: &Inner, from: Seq, to: Seq) -> crate::error::Result<()> {
        let may_come = self.core.lock().expects_missing();
        if may_come {
            tokio::time::sleep(REORDER_WINDOW).await;
            if self.core.lock().gap().is_none_or(|(still, _)| still != from) {
                return Ok(());
            }
        }
        let _permit = hub.reads.acquire().await;
        let (entries, head) = activity::read_range(&hub.db, self.org, from, to).await?;
        hub.metrics.gaps.increment(1);
        if head.first_seq > from {
            // With them went what they changed about access: only a room that opens anew can tell that.
            let outrun = self.core.lock().outrun();
            if outrun {
                tracing::warn!(organisation.id = %self.org, "a room was away for longer than its log is kept");
            }
            return Ok(());
        }
        if entries.is_empty() {
            return Err(anyhow::anyhow!(
                "the log of {} lacks entry {from}, though a later one is known",
                self.org
            )
            .into());
        }
        self.offer(hub, entries.into_iter().map(Entry::read));
        Ok(())
    }

    async fn read_block(
        &self,
        hub: &Inner,
        number: core::BlockNumber,
        until: Seq,
    ) -> crate::error::Result<()> {
        let _permit = hub.reads.acquire().await;
        let (entries, head) = activity::read_range(&hub.db, self.org, number.first(), until).await?;
        let first = number.first().max(head.first_seq);
        let expected = until.next().since(first).max(0);
        if i64::try_from(entries.len()) != Ok(expected) || entries.first().is_some_and(|e| e.seq != first) {
            return Err(anyhow::anyhow!("the log of {} has holes from {first} to {until}", self.org).into());
        }
        let entries = entries.into_iter().map(Entry::read).collect();
        hub.metrics.replay_reads.increment(1);
        self.core.lock().block_read(number, entries, head.first_seq);
        Ok(())
    }
}
