//! Buses between nodes: one contract for all of them, and what the one on Redis does when that fails.

mod contract;
mod faults;

use std::collections::BTreeSet;
use std::sync::{Arc, Weak};

use parking_lot::Mutex;
use roomcast::hub::bus::{Bus, BusKeys, BusState, Listener, Message, RedisBus, RedisUrl};
use roomcast::telemetry::metric;
use roomcast::types::{ActivityId, Audience, EpochId, LogEntry, OrgId, Seq, Timestamp};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::harness::{eventually, within};

/// What the nodes of one cluster sign with.
const KEY: &[u8] = b"the signing key of these clusters";

/// What a hub is to its bus, without a hub.
#[derive(Default)]
struct Recorder {
    rooms: Mutex<BTreeSet<OrgId>>,
    heard: Mutex<Vec<(OrgId, Message)>>,
    changes: Mutex<Vec<BusState>>,
}

impl Listener for Recorder {
    fn received(&self, org: OrgId, message: Message) {
        self.heard.lock().push((org, message));
    }

    fn subscriptions(&self) -> Vec<OrgId> {
        self.rooms.lock().iter().copied().collect()
    }

    fn changed(&self, state: BusState) {
        self.changes.lock().push(state);
    }
}

/// A node, as far as it has to do with a bus.
struct Node {
    bus: Arc<dyn Bus>,
    recorder: Arc<Recorder>,
    stop: CancellationToken,
    running: JoinHandle<()>,
}

impl Node {
    fn on(bus: Arc<dyn Bus>) -> Self {
        let recorder = Arc::new(Recorder::default());
        let listener: Arc<dyn Listener> = Arc::<Recorder>::clone(&recorder);
        let weak: Weak<dyn Listener> = Arc::downgrade(&listener);
        let stop = CancellationToken::new();
        #[expect(clippy::disallowed_methods, reason = "the test stops it and waits for it")]
        let running = tokio::spawn(Arc::clone(&bus).run(weak, stop.clone()));
        Self { bus, recorder, stop, running }
    }

    /// On Redis, up or not.
    fn at(url: &str, prefix: &str) -> Self {
        Self::keyed(url, prefix, KEY, None)
    }

    /// On Redis, up or not, with these signing keys.
    fn keyed(url: &str, prefix: &str, present: &[u8], previous: Option<&[u8]>) -> Self {
        // First: a bus keeps handles to what it counts.
        metric::install().unwrap();
        let url: RedisUrl = url.parse().unwrap();
        Self::on(RedisBus::new(&url, prefix, BusKeys::derive(prefix, present, previous)).unwrap())
    }

    /// On Redis, and up.
    async fn up_at(url: &str, prefix: &str) -> Self {
        let node = Self::at(url, prefix);
        node.is(BusState::Up).await;
        node
    }

    /// Waits until its bus is so.
    async fn is(&self, state: BusState) {
        eventually(&format!("the bus being {state:?}"), async || (self.bus.state() == state).then_some(()))
            .await;
    }

    /// Opens a room, as a hub does: it is in the list before it subscribes.
    async fn open(&self, org: OrgId) {
        self.recorder.rooms.lock().insert(org);
        within("subscribing", self.bus.subscribe(org)).await.unwrap();
    }

    async fn close(&self, org: OrgId) {
        self.recorder.rooms.lock().remove(&org);
        within("unsubscribing", self.bus.unsubscribe(org)).await;
    }

    fn say(&self, org: OrgId, message: &Message) {
        self.bus.publish(org, message.clone());
    }

    fn heard(&self) -> Vec<(OrgId, Message)> {
        self.recorder.heard.lock().clone()
    }

    /// What it has heard once it has heard this, which nothing may follow yet.
    async fn heard_up_to(&self, last: &Message) -> Vec<(OrgId, Message)> {
        eventually("hearing the last message", async || {
            let heard = self.heard();
            heard.last().is_some_and(|(_, message)| message == last).then_some(heard)
        })
        .await
    }

    /// Stops it, which must not take long.
    async fn stop(self) {
        self.stop.cancel();
        within("the bus stopping", self.running).await.unwrap();
    }
}

/// A metric of this process, all nodes together.
fn counted(name: &str) -> f64 {
    let text = metric::install().unwrap().render();
    let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.parse().ok());
    value.unwrap_or(0.0)
}

fn head(seq: i64) -> Message {
    Message::Head { epoch: EpochId::new(), seq: Seq::new(seq).unwrap(), id: ActivityId::new() }
}

/// Entries of one commit.
fn batch(org: OrgId, seqs: std::ops::RangeInclusive<i64>, bytes: usize) -> Message {
    let epoch = EpochId::new();
    let entry = |seq| {
        Arc::new(LogEntry {
            org,
            epoch,
            seq: Seq::new(seq).unwrap(),
            id: ActivityId::new(),
            audience: Audience::Everyone,
            effect: None,
            created_at: Timestamp::from_millis(1_765_000_000_042),
            json: vec![b'x'; bytes].into(),
        })
    };
    Message::Committed(seqs.map(entry).collect())
}
