//! The hub dies between the steps of sending a message. Whatever that leads to outside, ledger and log have each
//! change once.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::receiver::Receiver;
use crate::harness::{Child, Client, Person, TestDatabase, at_last};
use crate::operator::{environment, succeed};

struct Scene {
    database: TestDatabase,
    receiver: Receiver,
}

/// What is left once a hub has died at a place and another one has been up for a while.
struct Left {
    client: Client,
    hub: Child,
    admin: Person,
    answered: Option<Value>,
}

impl Scene {
    async fn set() -> Self {
        Self { database: TestDatabase::create().await, receiver: Receiver::start().await }
    }

    /// Has a hub die there while it sends a message; then another one starts.
    async fn play(&self, place: &str) -> Left {
        self.play_with(place, &[]).await
    }

    /// The same with other settings.
    async fn play_with(&self, place: &str, settings: &[(&'static str, &'static str)]) -> Left {
        let url = self.database.url_text();
        let mut environment = environment(&url);
        environment.extend([("OUTBOUND_ALLOW", "127.0.0.1"), ("JOB_POLL", "50ms")]);
        environment.extend(settings);
        let mut crashing = environment.clone();
        let place = format!("message-{place}");
        crashing.push(("ROOMCAST_CRASH_AT", &place));
        let mut hub = Child::start(&[], &crashing);
        let client = hub.listening().await;
        let acme = client.organisation("Acme").create().await;
        let body = json!({ "to": self.receiver.base, "channel": "webhook", "body": "Hello" });
        let answer = client.as_user(&acme.admin).post("/messages").json(&body).into_sent().await;
        let (status, output) = hub.ended().await;
        assert!(!status.success() && !output.contains("panicked"), "{output}");
        // Nobody waits for a lease here, nor for the janitor: their times are made to be over.
        age(&self.database, acme.admin.org_id()).await;
        let mut hub = Child::start(&[], &environment);
        let client = hub.listening().await;
        let answered = answer.map(|answer| answer.expect_json(201));
        Left { client, hub, admin: acme.admin, answered }
    }
}

/// Makes leases end and reservations old.
async fn age(database: &TestDatabase, org: roomcast::types::OrgId) {
    use diesel::prelude::*;
    use diesel_async::RunQueryDsl;
    use roomcast::db::schema::{credit_reservations, job_queues, jobs};
    use roomcast::types::Timestamp;

    let db = database.opened().await;
    let past = Timestamp::from_millis(1_700_000_000_000);
    let aged: Result<(), roomcast::error::Error> = async {
        roomcast::transaction!(db.central(), |tx| {
            let conn: &mut roomcast::db::Conn = tx;
            roomcast::with_conn!(&mut *conn, |c| {
                diesel::update(credit_reservations::table)
                    .set(credit_reservations::created_at.eq(past))
                    .execute(c)
                    .await
            })?;
            roomcast::with_conn!(conn, |c| {
                diesel::update(job_queues::table).set(job_queues::due_at.eq(past)).execute(c).await
            })?;
            Ok(())
        })?;
        roomcast::transaction!(db.org(org), |tx| {
            let conn: &mut roomcast::db::Conn = tx;
            roomcast::with_conn!(conn, |c| {
                diesel::update(jobs::table)
                    .filter(jobs::due_at.is_not_null())
                    .set(jobs::due_at.eq(Some(past)))
                    .execute(c)
                    .await
            })?;
            Ok(())
        })
    }
    .await;
    aged.unwrap();
}

impl Left {
    /// Waits until nothing is reserved any more, and checks what must hold wherever a hub dies: a sound ledger in
    /// which each message ends once, a log with each change once, totals that agree. How often each entry is there.
    async fn settled(&self, scene: &Scene) -> BTreeMap<String, usize> {
        at_last("the end of every reservation", async || {
            let (_, reserved) = self.client.credits(&self.admin).await;
            (reserved == 0).then_some(())
        })
        .await;
        let ledger = self.client.sound_ledger(&self.admin).await;
        let mut kinds = BTreeMap::new();
        for entry in &ledger {
            *kinds.entry(entry["kind"].as_str().unwrap().to_owned()).or_insert(0) += 1;
        }
        let feed = self.client.feed_after(&self.admin, 0).await;
        for kind in ["MESSAGE_QUEUED", "MESSAGE_SENT"] {
            assert!(feed.of_type(kind).len() <= 1, "{kind} is there twice");
        }
        let url = scene.database.url_text();
        succeed(&["messages", "totals"], &environment(&url)).await;
        kinds
    }

    async fn message(&self) -> Value {
        let list = self.client.as_user(&self.admin).get("/messages").await.expect_json(200);
        let id = list["items"][0]["id"].clone();
        self.client.message(&self.admin, &id).await
    }
}

fn counted(pairs: &[(&str, usize)]) -> BTreeMap<String, usize> {
    pairs.iter().map(|(kind, count)| ((*kind).to_owned(), *count)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_crash_between_reserving_and_writing_the_janitor_gives_back() {
    let scene = Scene::set().await;
    let left = scene.play("reserved").await;
    assert!(left.answered.is_none(), "nobody was told that it is queued");
    let kinds = left.settled(&scene).await;
    assert_eq!(kinds, counted(&[("INITIAL", 1), ("RESERVED", 1), ("REFUNDED", 1)]));
    assert!(scene.receiver.received().is_empty());
    left.hub.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_crash_before_sending_the_message_is_sent_once() {
    let scene = Scene::set().await;
    let left = scene.play("begun").await;
    assert_eq!(left.settled(&scene).await, counted(&[("INITIAL", 1), ("RESERVED", 1), ("SETTLED", 1)]));
    let outcomes: Vec<Value> = left.message().await["attempts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["outcome"].clone())
        .collect();
    assert_eq!(outcomes, ["UNKNOWN", "SENT"]);
    assert_eq!(scene.receiver.received().len(), 1);
    left.hub.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_crash_between_sending_and_recording_the_message_is_sent_again_under_the_same_key() {
    let scene = Scene::set().await;
    let left = scene.play("sent").await;
    assert_eq!(left.settled(&scene).await, counted(&[("INITIAL", 1), ("RESERVED", 1), ("SETTLED", 1)]));
    let received = scene.receiver.received();
    assert_eq!(received.len(), 2, "at least once for the outside world");
    assert_eq!(received[0].headers["idempotency-key"], received[1].headers["idempotency-key"]);
    assert_eq!(received[0].body, received[1].body);
    left.hub.stop().await;
}

/// The hub dies in the last attempt: nobody begins another, and nobody waits for ever for the end of that one.
#[tokio::test(flavor = "multi_thread")]
async fn after_a_crash_in_the_last_attempt_the_message_has_failed() {
    let scene = Scene::set().await;
    let left = scene.play_with("sent", &[("MESSAGE_ATTEMPTS", "1")]).await;
    assert_eq!(left.settled(&scene).await, counted(&[("INITIAL", 1), ("RESERVED", 1), ("REFUNDED", 1)]));
    let message = left.message().await;
    assert_eq!(
        (&message["status"], &message["attempts"][0]["outcome"]),
        (&json!("FAILED"), &json!("UNKNOWN"))
    );
    assert_eq!(scene.receiver.received().len(), 1);
    let feed = left.client.feed_after(&left.admin, 0).await;
    let failed = feed.of_type("MESSAGE_FAILED");
    assert_eq!(failed.len(), 1);
    assert!(failed[0].payload()["detail"].as_str().unwrap().contains("may have left"));
    let dead = left.client.as_user(&left.admin).get("/jobs").await.expect_json(200);
    assert_eq!(dead["items"], json!([]));
    left.hub.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_crash_between_recording_and_settling_it_is_settled() {
    for place in ["recorded", "closed"] {
        let scene = Scene::set().await;
        let left = scene.play(place).await;
        assert_eq!(
            left.settled(&scene).await,
            counted(&[("INITIAL", 1), ("RESERVED", 1), ("SETTLED", 1)]),
            "{place}"
        );
        assert_eq!(scene.receiver.received().len(), 1, "{place}");
        assert_eq!(left.message().await["status"], "SENT", "{place}");
        left.hub.stop().await;
    }
}
