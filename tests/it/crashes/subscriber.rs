//! A subscriber that stays through everything, and remembers all that it was delivered.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use roomcast_client::{Activity, Backoff, Event, Subscription, Verifier};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::harness::{Client, Item, Person, at_last, options, within};

/// How long it waits before it connects again: not as long as a client would, so that a test is not longer
/// than it must be.
const BACKOFF: Backoff = Backoff { base: Duration::from_millis(20), max: Duration::from_millis(200) };

/// A subscription from the first activity on, on a task of its own.
pub(super) struct Subscriber {
    pub(super) person: Person,
    seen: Arc<Mutex<Seen>>,
    stop: CancellationToken,
    task: JoinSet<Subscription>,
}

#[derive(Default)]
struct Seen {
    activities: Vec<Activity>,
    sockets: usize,
    resumes: usize,
    disconnects: usize,
    gaps: usize,
    epochs: BTreeSet<String>,
}

impl Subscriber {
    pub(super) fn start(client: &Client, person: &Person) -> Self {
        let mut subscription = Subscription::new(client.base.clone(), options(person).after(0))
            .backoff(BACKOFF)
            .verify_with(Verifier::recording(person.org_id().as_uuid()));
        let (seen, stop) = (Arc::<Mutex<Seen>>::default(), CancellationToken::new());
        let mut task = JoinSet::new();
        let (record, stopped) = (Arc::clone(&seen), stop.clone());
        task.spawn(async move {
            while let Some(event) = stopped.run_until_cancelled(subscription.next()).await {
                let event = event.expect("a subscription does not end by itself");
                record.lock().take(event);
            }
            subscription
        });
        Self { person: person.clone(), seen, stop, task }
    }

    pub(super) fn deliveries(&self) -> usize {
        self.seen.lock().activities.len()
    }

    /// How often it went on where it had stopped.
    pub(super) fn resumes(&self) -> usize {
        // The first socket was given a position, too.
        self.seen.lock().resumes.saturating_sub(1)
    }

    pub(super) fn disconnects(&self) -> usize {
        self.seen.lock().disconnects
    }

    /// Waits until what was addressed to it has come, and fails unless that came once, in order, as it is in
    /// the log, and nothing else.
    pub(super) async fn expect_exactly(&self, addressed: &[Item]) {
        let expected: Vec<Activity> =
            addressed.iter().map(|item| serde_json::from_str(&item.text).unwrap()).collect();
        let all = at_last(&format!("the delivery of everything to {}", self.person.name), async || {
            let seen = self.seen.lock();
            (seen.activities.len() >= expected.len()).then(|| seen.activities.clone())
        })
        .await;
        let seqs = |activities: &[Activity]| activities.iter().map(|one| one.seq).collect::<Vec<_>>();
        assert_eq!(seqs(&all), seqs(&expected), "{}", self.person.name);
        assert_eq!(all, expected, "{}", self.person.name);
        let seen = self.seen.lock();
        assert_eq!(seen.gaps, 0, "{}", self.person.name);
        assert_eq!(seen.epochs.len(), 1, "{}: another epoch", self.person.name);
        assert_eq!(seen.resumes, seen.sockets, "{}: a socket did not resume", self.person.name);
    }

    /// Ends it; fails if the server has broken a promise.
    pub(super) async fn stop(mut self) {
        self.stop.cancel();
        let mut subscription =
            within("the end of a subscriber", self.task.join_next()).await.unwrap().unwrap();
        let verifier = subscription.verifier().unwrap();
        assert_eq!(verifier.violations(), [], "{}", self.person.name);
        subscription.close().await;
    }
}

impl Seen {
    fn take(&mut self, event: Event) {
        match event {
            Event::Activity(activity) => self.activities.push(activity),
            Event::Connected(welcome) => {
                self.sockets += 1;
                self.resumes += usize::from(welcome.resumed);
                self.epochs.insert(welcome.epoch.to_string());
            }
            Event::Disconnected { .. } => self.disconnects += 1,
            Event::Gap(_) => self.gaps += 1,
            _ => {}
        }
    }
}
