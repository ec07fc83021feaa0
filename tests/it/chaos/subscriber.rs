//! Who subscribes: a client that goes to another node when it loses one, and goes on where it was.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use roomcast_client::{Backoff, Event, RefreshError, Subscription, Token, Verifier};
use tokio::sync::Notify;
use tokio::task::JoinSet;

use crate::harness::{Client, Person, options, within};

/// How long it waits before it connects again.
const BACKOFF: Backoff = Backoff { base: Duration::from_millis(20), max: Duration::from_millis(400) };

/// How long it waits for a handshake: a node that is paused answers none.
const PATIENCE: Duration = Duration::from_secs(2);

/// Whoever is signed in under a session that may be replaced by another.
#[derive(Clone)]
pub(super) struct Session(Arc<Mutex<Person>>);

impl Session {
    pub(super) fn new(person: Person) -> Self {
        Self(Arc::new(Mutex::new(person)))
    }

    pub(super) fn person(&self) -> Person {
        self.0.lock().clone()
    }

    pub(super) fn replace(&self, person: Person) {
        *self.0.lock() = person;
    }
}

/// A subscription on a task of its own.
pub(super) struct Subscriber {
    pub(super) session: Session,
    pub(super) name: String,
    state: Arc<State>,
    stop: Arc<Notify>,
    task: JoinSet<Subscription>,
}

#[derive(Default)]
struct State {
    position: AtomicI64,
    deliveries: AtomicU64,
    resumes: AtomicU64,
    gaps: AtomicU64,
    has_ended: AtomicBool,
    /// A PONG is wanted.
    ping: Notify,
    /// What happened to its sockets, for whoever looks for a fault.
    story: Mutex<Vec<String>>,
}

impl Subscriber {
    /// From `after` on, or from the head; first to the node with this number.
    pub(super) fn start(nodes: &[Client], first: usize, session: &Session, after: Option<i64>) -> Self {
        let person = session.person();
        let mut options = options(&person);
        (options.after, options.timeout) = (after, PATIENCE);
        let mut bases = nodes.iter().cycle().skip(first).take(nodes.len()).map(|node| node.base.clone());
        let mut subscription = Subscription::new(bases.next().unwrap(), options).backoff(BACKOFF);
        for base in bases {
            subscription = subscription.or_at(base);
        }
        subscription = subscription.verify_with(Verifier::recording(person.org_id().as_uuid()));
        // A session that has ended is replaced by another, or by none for ever.
        let (known, mut used) = (session.clone(), person.access_token.clone());
        subscription = subscription.refresh_with(move || {
            let token = known.person().access_token;
            let fresh = (token != used).then(|| Token::from(token.as_str()));
            used = token;
            async move { fresh.ok_or_else(|| RefreshError::unavailable("nobody has signed in again")) }
        });
        let (state, stop) = (Arc::<State>::default(), Arc::new(Notify::new()));
        let mut task = JoinSet::new();
        task.spawn(run(subscription, Arc::clone(&state), Arc::clone(&stop)));
        Self { session: session.clone(), name: person.name, state, stop, task }
    }

    /// The highest `seq` of any frame so far.
    pub(super) fn position(&self) -> i64 {
        self.state.position.load(Ordering::SeqCst)
    }

    pub(super) fn deliveries(&self) -> u64 {
        self.state.deliveries.load(Ordering::SeqCst)
    }

    /// How often a socket went on where one before it had stopped.
    pub(super) fn resumes(&self) -> u64 {
        self.state.resumes.load(Ordering::SeqCst)
    }

    /// Whether it was sent away for good.
    pub(super) fn has_ended(&self) -> bool {
        self.state.has_ended.load(Ordering::SeqCst)
    }

    /// Asks for a PONG: what was not for it moves its position, too.
    pub(super) fn ping(&self) {
        self.state.ping.notify_one();
    }

    /// What became of its sockets.
    pub(super) fn story(&self) -> Vec<String> {
        self.state.story.lock().clone()
    }

    /// Ends it; returns what it was sent.
    pub(super) async fn stop(mut self) -> Verifier {
        self.stop.notify_one();
        let subscription = within("the end of a subscriber", self.task.join_next()).await.unwrap().unwrap();
        assert_eq!(self.state.gaps.load(Ordering::SeqCst), 0, "{}: {:#?}", self.name, self.story());
        subscription.verifier().unwrap().clone()
    }
}

async fn run(mut subscription: Subscription, state: Arc<State>, stop: Arc<Notify>) -> Subscription {
    loop {
        tokio::select! {
            () = stop.notified() => break,
            () = state.ping.notified() => drop(subscription.ping().await),
            event = subscription.next() => {
                let Some(event) = event else {
                    state.has_ended.store(true, Ordering::SeqCst);
                    stop.notified().await;
                    break;
                };
                state.take(&event);
            }
        }
        if let Some(position) = subscription.position() {
            state.position.store(position.seq, Ordering::SeqCst);
        }
    }
    subscription.close().await;
    subscription
}

impl State {
    fn take(&self, event: &Event) {
        let note = match event {
            Event::Activity(_) => {
                self.deliveries.fetch_add(1, Ordering::SeqCst);
                return;
            }
            Event::Connected(welcome) => {
                self.resumes.fetch_add(u64::from(welcome.resumed), Ordering::SeqCst);
                format!(
                    "connected after {} of {}, resumed: {}",
                    welcome.seq, welcome.head_seq, welcome.resumed
                )
            }
            Event::Gap(gap) => {
                self.gaps.fetch_add(1, Ordering::SeqCst);
                format!("{gap:?}")
            }
            Event::Disconnected { code, reason } => format!("disconnected: {code} {reason}"),
            Event::Failed(error) => format!("failed: {error}"),
            _ => return,
        };
        let position = self.position.load(Ordering::SeqCst);
        self.story.lock().push(format!("at {position}: {note}"));
    }
}
