//! Writers that keep an organisation busy over HTTP, in every way in which the hub writes, and who watches.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::Dice;
use super::ledger::{Counts, Failures, Ledger, Outcome, Resolved, outcome};
use super::subscriber::Subscriber;
use crate::harness::{Answer, Call, Caller, Client, Item, Person, within};

/// How many send broadcasts to one organisation at the same time.
const BROADCASTERS: usize = 3;

/// What they write, as the ledger calls it.
const KINDS: [&str; 4] = ["broadcast", "invite", "role", "login"];

/// How long a writer that was not answered waits: long enough not to keep the machine busy with refusals.
const PAUSE: Duration = Duration::from_millis(20);

/// An organisation, what was written to it, and who watches it.
pub(super) struct Stage {
    actors: Arc<Actors>,
    pub(super) ledger: Arc<Ledger>,
    pub(super) subscribers: Vec<Subscriber>,
}

struct Actors {
    admin: Person,
    /// Signs in again and again.
    mia: Person,
    /// Changes between the roles.
    ben: Person,
    /// Bytes of data in a broadcast.
    bulk: usize,
    /// Numbers what is sent, so that no two messages or emails are the same.
    number: AtomicUsize,
}

impl Stage {
    /// With broadcasts that carry this much data. The admin and a member watch.
    pub(super) async fn set(client: &Client, name: &str, bulk: usize) -> Self {
        let organisation =
            client.organisation(name).on_plan("PRO").with_member("mia").with_member("ben").create().await;
        let actors = Actors {
            admin: organisation.admin.clone(),
            mia: organisation["mia"].clone(),
            ben: organisation["ben"].clone(),
            bulk,
            number: AtomicUsize::new(0),
        };
        let subscribers = [&actors.admin, &actors.mia].map(|person| Subscriber::start(client, person)).into();
        Self { actors: Arc::new(actors), ledger: Arc::default(), subscribers }
    }

    /// Whether each kind of write has failed by now, other than `before`.
    pub(super) fn has_failed_throughout(&self, before: &Failures) -> bool {
        let now = self.ledger.failures();
        KINDS.iter().all(|kind| {
            let count = |failures: &Failures| -> usize {
                failures.iter().filter(|((of, _), _)| of == kind).map(|(_, count)| count).sum()
            };
            count(&now) > count(before)
        })
    }

    pub(super) fn admin(&self) -> &Person {
        &self.actors.admin
    }

    /// Holds the log, the state and the deliveries to what was answered. Nobody writes meanwhile.
    pub(super) async fn check(&self, client: &Client, every_session: bool) -> Resolved {
        self.ledger.check_sessions(client, every_session).await;
        let log = client.feed(self.admin()).await.0;
        let resolved = self.ledger.check(client, self.admin(), &log).await;
        for subscriber in &self.subscribers {
            let is_admin = subscriber.person.id == self.admin().id;
            let addressed = |item: &&Item| is_admin || is_for_member(item, &subscriber.person);
            let addressed: Vec<Item> = log.iter().filter(addressed).cloned().collect();
            subscriber.expect_exactly(&addressed).await;
        }
        resolved
    }

    pub(super) async fn close(self) {
        for subscriber in self.subscribers {
            subscriber.stop().await;
        }
    }
}

/// Whether a member who is no admin may see this.
fn is_for_member(item: &Item, member: &Person) -> bool {
    match item.kind() {
        "USER_INVITED" | "INVITE_REVOKED" => false,
        "SESSION_STARTED" | "SESSION_ENDED" | "PASSWORD_CHANGED" => item.payload()["userId"] == member.id,
        _ => true,
    }
}

/// All writers of some organisations, at work until they are stopped.
pub(super) struct Load {
    stop: CancellationToken,
    in_flight: Arc<AtomicUsize>,
    writers: JoinSet<()>,
    ledgers: Vec<Arc<Ledger>>,
}

impl Load {
    pub(super) fn start(client: &Client, stages: &[Stage]) -> Self {
        let mut load = Self {
            stop: CancellationToken::new(),
            in_flight: Arc::default(),
            writers: JoinSet::new(),
            ledgers: stages.iter().map(|stage| Arc::clone(&stage.ledger)).collect(),
        };
        for stage in stages {
            let writer = || Writer {
                client: client.clone(),
                actors: Arc::clone(&stage.actors),
                ledger: Arc::clone(&stage.ledger),
                in_flight: Arc::clone(&load.in_flight),
                stop: load.stop.clone(),
            };
            for _ in 0..BROADCASTERS {
                load.writers.spawn(writer().broadcast());
            }
            load.writers.spawn(writer().invite());
            load.writers.spawn(writer().change_roles());
            load.writers.spawn(writer().sign_in());
        }
        load
    }

    /// How all writes were answered so far, those of earlier loads included.
    pub(super) fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        for ledger in &self.ledgers {
            counts.add(ledger.counts());
        }
        counts
    }

    /// How many requests are under way.
    pub(super) fn in_flight(&self) -> usize {
        self.in_flight.load(Ordering::SeqCst)
    }

    /// Stops them once each has its answer, or knows that none comes.
    pub(super) async fn stop(mut self) {
        self.stop.cancel();
        while let Some(writer) = self.writers.join_next().await {
            if let Err(error) = writer {
                std::panic::resume_unwind(error.into_panic());
            }
        }
    }

    /// Fails the test if a writer has met with what it does not expect.
    pub(super) async fn expect_no_failure(&mut self) {
        if let Some(writer) = self.writers.try_join_next() {
            self.stop.cancel();
            within("a writer that failed", async { writer.unwrap() }).await;
            panic!("a writer has ended before it was stopped");
        }
    }
}

struct Writer {
    client: Client,
    actors: Arc<Actors>,
    ledger: Arc<Ledger>,
    in_flight: Arc<AtomicUsize>,
    stop: CancellationToken,
}

impl Writer {
    fn number(&self) -> usize {
        self.actors.number.fetch_add(1, Ordering::SeqCst)
    }

    /// Text that cannot be made smaller, as PostgreSQL would.
    fn bulk(&self) -> String {
        let mut dice = Dice::new(self.number() as u64);
        (0..self.actors.bulk).map(|_| char::from(b' ' + 2 + u8::try_from(dice.below(58)).unwrap())).collect()
    }

    fn as_admin(&self) -> Caller {
        self.client.as_user(&self.actors.admin)
    }

    async fn send(&self, call: Call) -> Outcome<Answer> {
        self.in_flight.fetch_add(1, Ordering::SeqCst);
        let answer = call.into_sent().await;
        self.in_flight.fetch_sub(1, Ordering::SeqCst);
        let outcome = outcome(answer);
        if !matches!(outcome, Outcome::Done(_)) {
            tokio::time::sleep(PAUSE).await;
        }
        outcome
    }

    /// Through the group commit.
    async fn broadcast(self) {
        while !self.stop.is_cancelled() {
            let message = format!("message {}", self.number());
            let mut body = json!({ "message": message });
            if self.actors.bulk > 0 {
                body["data"] = json!({ "bulk": self.bulk() });
            }
            let outcome = self.send(self.as_admin().post("/organisations/broadcast").json(&body)).await;
            self.ledger.broadcast(&message, &outcome);
        }
    }

    /// Through a transaction of its own. Every third invite is revoked again.
    async fn invite(self) {
        while !self.stop.is_cancelled() {
            let email = format!("guest.{}@example.com", self.number());
            let body = json!({ "email": email });
            let outcome = self.send(self.as_admin().post("/users/invite").json(&body)).await;
            self.ledger.invite(&email, &outcome);
            let Outcome::Done(answer) = outcome else { continue };
            if self.number().is_multiple_of(3) && !self.stop.is_cancelled() {
                let id = answer.json()["id"].as_str().unwrap().to_owned();
                let outcome = self.send(self.as_admin().delete(format!("/users/invites/{id}"))).await;
                self.ledger.revocation(&id, &outcome);
            }
        }
    }

    /// The role as it is; `None` where nobody tells.
    async fn role_of_ben(&self) -> Option<String> {
        let Outcome::Done(answer) = self.send(self.as_admin().get("/users")).await else { return None };
        let is_ben = |user: &&Value| user["id"] == self.actors.ben.id;
        Some(answer.items().iter().find(is_ben).unwrap()["role"].as_str().unwrap().to_owned())
    }

    async fn change_roles(self) {
        let mut role = None;
        while !self.stop.is_cancelled() {
            let Some(present) = role.take() else {
                role = self.role_of_ben().await;
                continue;
            };
            let next = if present == "ADMIN" { "MEMBER" } else { "ADMIN" };
            let path = format!("/users/{}", self.actors.ben.id);
            let outcome = self.send(self.as_admin().patch(path).json(&json!({ "role": next }))).await;
            self.ledger.role(&outcome);
            if let Outcome::Done(_) = outcome {
                role = Some(next.to_owned());
            }
        }
    }

    /// Signs in, and goes on with the session.
    async fn sign_in(self) {
        let mia = &self.actors.mia;
        while !self.stop.is_cancelled() {
            let body = json!({ "email": mia.email, "password": mia.password });
            let outcome = self.send(self.client.anonymous().post("/auth/login").json(&body)).await;
            let outcome = match outcome {
                Outcome::Done(answer) => Outcome::Done(Person::of(answer.json(), &mia.password)),
                Outcome::Refused(code) => Outcome::Refused(code),
                Outcome::Unknown => Outcome::Unknown,
            };
            self.ledger.login(&outcome);
            let Outcome::Done(session) = outcome else { continue };
            if !self.stop.is_cancelled() {
                let body = json!({ "refreshToken": session.refresh_token });
                let outcome = self.send(self.client.anonymous().post("/auth/refresh").json(&body)).await;
                self.ledger.refresh(&session.session_id(), &outcome);
            }
        }
    }
}
