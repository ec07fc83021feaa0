//! Who subscribes: a client that goes to another node when it loses one, and goes on where it was.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use roomcast_client::{Backoff, Event, Frame, Position, RefreshError, Subscription, Token, Verifier};
use tokio::sync::Notify;
use tokio::task::JoinSet;

use super::stream;
use crate::harness::{Client, Person, options, within};

/// How long it waits before it connects again.
const BACKOFF: Backoff = Backoff { base: Duration::from_millis(20), max: Duration::from_millis(400) };

/// How long it waits for a handshake: a node that is paused answers none.
pub(super) const PATIENCE: Duration = Duration::from_secs(2);

/// How it subscribes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Over {
    Socket,
    Stream,
}

/// Whoever is signed in.
#[derive(Clone)]
pub(super) struct Session {
    person: Arc<Mutex<Person>>,
    /// Whether another session follows when this one ends.
    renews: bool,
}

impl Session {
    /// One that ends with the access of its user.
    pub(super) fn new(person: Person) -> Self {
        Self { person: Arc::new(Mutex::new(person)), renews: false }
    }

    /// One that others follow.
    pub(super) fn renewed(person: Person) -> Self {
        Self { renews: true, ..Self::new(person) }
    }

    pub(super) fn person(&self) -> Person {
        self.person.lock().clone()
    }

    pub(super) fn replace(&self, person: Person) {
        *self.person.lock() = person;
    }
}

/// A subscription on a task of its own.
pub(super) struct Subscriber {
    pub(super) session: Session,
    pub(super) name: String,
    state: Arc<State>,
    stop: Arc<Notify>,
    task: JoinSet<Verifier>,
}

/// What is known of it while it runs.
pub(super) struct State {
    started: Instant,
    position: AtomicI64,
    deliveries: AtomicU64,
    resumes: AtomicU64,
    gaps: AtomicU64,
    pub(super) has_ended: AtomicBool,
    /// A PONG is wanted.
    ping: Notify,
    /// What happened to its connections, for whoever looks for a fault.
    story: Mutex<Vec<String>>,
}

impl Subscriber {
    /// From `after` on, or from the head; first to the node with this number.
    pub(super) fn start(
        over: Over,
        nodes: &[Client],
        first: usize,
        session: &Session,
        after: Option<i64>,
    ) -> Self {
        let nodes: Vec<Client> = nodes.iter().cycle().skip(first).take(nodes.len()).cloned().collect();
        let (state, stop) = (Arc::new(State::new()), Arc::new(Notify::new()));
        let (seen, stopped) = (Arc::clone(&state), Arc::clone(&stop));
        let mut task = JoinSet::new();
        match over {
            Over::Socket => task.spawn(run(subscription(&nodes, session, after), seen, stopped)),
            Over::Stream => task.spawn(stream::run(nodes, session.clone(), after, seen, stopped)),
        };
        let name = format!("{} over a {over:?}", session.person().name);
        Self { session: session.clone(), name, state, stop, task }
    }

    /// The highest `seq` of any frame so far.
    pub(super) fn position(&self) -> i64 {
        self.state.position.load(Ordering::SeqCst)
    }

    pub(super) fn deliveries(&self) -> u64 {
        self.state.deliveries.load(Ordering::SeqCst)
    }

    /// How often a connection went on where one before it had stopped.
    pub(super) fn resumes(&self) -> u64 {
        self.state.resumes.load(Ordering::SeqCst)
    }

    /// Whether it was sent away for good.
    pub(super) fn has_ended(&self) -> bool {
        self.state.has_ended.load(Ordering::SeqCst)
    }

    /// Asks for a PONG: what was not for it moves its position, too. A stream cannot.
    pub(super) fn ping(&self) {
        self.state.ping.notify_one();
    }

    /// What became of its connections.
    pub(super) fn story(&self) -> Vec<String> {
        self.state.story.lock().clone()
    }

    /// Ends it; returns what it was sent.
    pub(super) async fn stop(mut self) -> Verifier {
        self.stop.notify_one();
        let verifier = within("the end of a subscriber", self.task.join_next()).await.unwrap().unwrap();
        assert_eq!(self.state.gaps.load(Ordering::SeqCst), 0, "{}: {:#?}", self.name, self.story());
        verifier
    }
}

fn subscription(nodes: &[Client], session: &Session, after: Option<i64>) -> Subscription {
    let person = session.person();
    let mut options = options(&person);
    (options.after, options.timeout) = (after, PATIENCE);
    let mut bases = nodes.iter().map(|node| node.base.clone());
    let mut subscription = Subscription::new(bases.next().unwrap(), options).backoff(BACKOFF);
    for base in bases {
        subscription = subscription.or_at(base);
    }
    let (known, mut used) = (session.clone(), person.access_token.clone());
    let subscription = subscription.refresh_with(move || {
        let token = known.person().access_token;
        let fresh = (token != used).then(|| Token::from(token.as_str()));
        used = token;
        let none = if known.renews { RefreshError::unavailable } else { RefreshError::refused };
        async move { fresh.ok_or_else(|| none("nobody has signed in again")) }
    });
    subscription.verify_with(Verifier::recording(person.org_id().as_uuid()))
}

async fn run(mut subscription: Subscription, state: Arc<State>, stop: Arc<Notify>) -> Verifier {
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
                state.take(event, subscription.position());
            }
        }
    }
    subscription.close().await;
    subscription.verifier().unwrap().clone()
}

impl State {
    fn new() -> Self {
        Self {
            started: Instant::now(),
            position: AtomicI64::new(0),
            deliveries: AtomicU64::new(0),
            resumes: AtomicU64::new(0),
            gaps: AtomicU64::new(0),
            has_ended: AtomicBool::new(false),
            ping: Notify::new(),
            story: Mutex::default(),
        }
    }

    fn take(&self, event: Event, position: Option<Position>) {
        match event {
            Event::Activity(activity) => self.saw(&Frame::Activity(activity), position),
            Event::Connected(welcome) => self.saw(&Frame::Welcome(welcome), position),
            Event::Gap(gap) => self.saw(&Frame::ResumeGap(gap), position),
            Event::Disconnected { code, reason } => self.note(&format!("disconnected: {code} {reason}")),
            Event::Failed(error) => self.note(&format!("failed: {error}")),
            Event::Position { .. } => self.is_at(position),
            _ => {}
        }
    }

    /// Notes a frame, after which the position is this.
    pub(super) fn saw(&self, frame: &Frame, position: Option<Position>) {
        match frame {
            Frame::Activity(_) => {
                self.deliveries.fetch_add(1, Ordering::SeqCst);
            }
            Frame::Welcome(welcome) => {
                self.resumes.fetch_add(u64::from(welcome.resumed), Ordering::SeqCst);
                let (seq, head) = (welcome.seq, welcome.head_seq);
                self.note(&format!("welcomed after {seq} of {head}, resumed: {}", welcome.resumed));
            }
            Frame::ResumeGap(gap) => {
                self.gaps.fetch_add(1, Ordering::SeqCst);
                self.note(&format!("{gap:?}"));
            }
            _ => {}
        }
        self.is_at(position);
    }

    fn is_at(&self, position: Option<Position>) {
        if let Some(position) = position {
            self.position.store(position.seq, Ordering::SeqCst);
        }
    }

    pub(super) fn note(&self, what: &str) {
        let (at, position) = (self.started.elapsed().as_secs_f64(), self.position.load(Ordering::SeqCst));
        self.story.lock().push(format!("{at:.2} s at {position}: {what}"));
    }
}
