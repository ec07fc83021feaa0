//! What goes wrong beside messages: gateways that keep the hub waiting, stores that do, a suspension, payloads that
//! nobody can read. Whatever it is, no message waits for ever, and none is sent twice for it.

use std::time::Duration;

use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use roomcast::db::schema::{job_queues, jobs};
use roomcast::types::{OrgId, Timestamp};
use serde_json::{Value, json};
use tokio::sync::oneshot;

use super::receiver::{Receiver, Reply};
use super::{hook, start_near, start_with, text};
use crate::harness::{TestApp, eventually};

const PAST: Timestamp = Timestamp::from_millis(1_700_000_000_000);

/// When the directory says that an organisation may have jobs.
async fn hint(app: &TestApp, org: OrgId) -> Option<Timestamp> {
    let found: Result<Option<Timestamp>, roomcast::error::Error> = async {
        roomcast::read!(app.app.db.central(), |conn| {
            let hint = roomcast::with_conn!(conn, |c| {
                job_queues::table.find(org).select(job_queues::due_at).first(c).await.optional()
            });
            Ok(hint?)
        })
    }
    .await;
    found.unwrap()
}

/// As if it had long been due.
async fn age_hint(app: &TestApp, org: OrgId) {
    let aged: Result<(), roomcast::error::Error> = async {
        roomcast::transaction!(app.app.db.central(), |tx| {
            let conn: &mut roomcast::db::Conn = tx;
            roomcast::with_conn!(conn, |c| {
                diesel::update(job_queues::table.find(org)).set(job_queues::due_at.eq(PAST)).execute(c).await
            })?;
            Ok(())
        })
    }
    .await;
    aged.unwrap();
}

async fn count_jobs(app: &TestApp, org: OrgId) -> i64 {
    let found: Result<i64, roomcast::error::Error> = async {
        roomcast::read!(app.app.db.org(org), |conn| {
            let count = roomcast::with_conn!(conn, |c| {
                jobs::table.filter(jobs::org_id.eq(org)).count().get_result(c).await
            });
            Ok(count?)
        })
    }
    .await;
    found.unwrap()
}

async fn received(receiver: &Receiver, count: usize) {
    eventually("requests at the receiver", async || (receiver.received().len() >= count).then_some(())).await;
    assert_eq!(receiver.received().len(), count);
}

/// One message is under way, which is all that may be of its organisation, and another waits. The directory names
/// the organisation to all nodes as long as that is so.
#[tokio::test(flavor = "multi_thread")]
async fn the_directory_names_an_organisation_as_long_as_jobs_wait_for_which_there_is_no_room() {
    let receiver = Receiver::start().await;
    let app = start_near(|config| {
        config.jobs.per_organisation = 1;
        config.jobs.poll = Duration::from_millis(10);
    })
    .await;
    let acme = app.organisation("Acme").create().await;
    let org = acme.admin.org_id();
    receiver.reply([Reply::Held(204)]);
    let first = app.send_message(&acme.admin, &hook(&receiver.base)).await;
    received(&receiver, 1).await;
    let second = app.send_message(&acme.admin, &hook(&receiver.base)).await;
    // What was announced counts no more.
    app.advance(Duration::from_secs(70));
    age_hint(&app, org).await;
    let settled = eventually("a look at what is due", async || {
        let hint = hint(&app, org).await;
        (hint != Some(PAST)).then_some(hint)
    });
    assert!(settled.await.is_some(), "it was taken off while a message waited");
    receiver.release(1);
    for message in [first, second] {
        app.message_once(&acme.admin, &message["id"], "SENT").await;
    }
    received(&receiver, 2).await;
    app.jobs_done(&acme.admin).await;
}

/// A message is under way and another waits when the platform suspends their organisation.
#[tokio::test(flavor = "multi_thread")]
async fn a_suspended_organisation_sends_nothing_and_what_had_left_is_recorded() {
    let receiver = Receiver::start().await;
    let app = start_near(|config| {
        config.jobs.per_organisation = 1;
        config.jobs.poll = Duration::from_millis(10);
    })
    .await;
    let pat = app.operator("super_admin").await;
    let acme = app.organisation("Acme").create().await;
    let bolt = app.organisation("Bolt").create().await;
    receiver.reply([Reply::Held(204)]);
    let first = app.send_message(&acme.admin, &hook(&receiver.base)).await;
    received(&receiver, 1).await;
    let second = app.send_message(&acme.admin, &hook(&receiver.base)).await;
    app.suspend(&pat, &acme.id).await;
    receiver.release(1);
    eventually("the record of what had left, and its settlement", async || {
        (count_jobs(&app, acme.admin.org_id()).await == 1).then_some(())
    })
    .await;
    // A lease later nobody has sent anything again, nor for the first time.
    app.advance(Duration::from_secs(70));
    let elsewhere = app.send_message(&bolt.admin, &hook(&receiver.base)).await;
    app.message_once(&bolt.admin, &elsewhere["id"], "SENT").await;
    received(&receiver, 2).await;
    app.reopen(&pat, &acme.id).await;
    for message in [&first, &second] {
        let sent = app.message_once(&acme.admin, &message["id"], "SENT").await;
        assert_eq!(sent["attempts"].as_array().unwrap().len(), 1, "{sent}");
    }
    received(&receiver, 3).await;
    assert_eq!(app.credits_settled(&acme.admin).await, 98);
    let feed = app.feed_after(&acme.admin, 0).await;
    assert_eq!(feed.of_type("MESSAGE_SENT").len(), 2);
    app.jobs_done(&acme.admin).await;
}

/// Keeps everybody from ending an organisation's jobs until what is returned is dropped or sent.
async fn lock_jobs(app: &TestApp, org: OrgId) -> (oneshot::Sender<()>, tokio::task::JoinHandle<()>) {
    let (locked, is_locked) = oneshot::channel();
    let (release, released) = oneshot::channel::<()>();
    let db = app.app.db.clone();
    #[expect(clippy::disallowed_methods, reason = "the test waits for it")]
    let task = tokio::spawn(async move {
        let held: Result<(), roomcast::error::Error> = async {
            roomcast::transaction!(db.org(org), |tx| {
                let conn: &mut roomcast::db::Conn = tx;
                roomcast::with_conn!(conn, |c| {
                    diesel::update(jobs::table.filter(jobs::org_id.eq(org)))
                        .set(jobs::updated_at.eq(jobs::updated_at))
                        .execute(c)
                        .await
                })?;
                locked.send(()).unwrap();
                drop(released.await);
                Ok(())
            })
        }
        .await;
        held.unwrap();
    });
    is_locked.await.unwrap();
    (release, task)
}

/// While what became of one message cannot be recorded, gateways are listened to: what they answer about the others is
/// heard, which five failures in a row show.
#[tokio::test(flavor = "multi_thread")]
async fn gateways_are_heard_while_what_became_of_another_message_is_recorded() {
    let (app, receiver) = (start_near(|_| {}).await, Receiver::start().await);
    let acme = app.organisation("Acme").create().await;
    receiver.reply(std::iter::repeat_n(Reply::Held(503), 6));
    let messages: Vec<Value> = (0..6).map(|_| hook(&receiver.base)).collect();
    let body = json!({ "messages": messages });
    app.as_user(&acme.admin).post("/messages/batch").json(&body).await.expect_json(201);
    received(&receiver, 6).await;
    let (release, locked) = lock_jobs(&app, acme.admin.org_id()).await;
    for _ in 0..6 {
        receiver.release(1);
    }
    eventually("an open breaker", async || {
        let gateways = app.as_user(&acme.admin).get("/messages/gateways").await.expect_json(200);
        (gateways["items"][3]["breaker"] == "open").then_some(())
    })
    .await;
    release.send(()).unwrap();
    locked.await.unwrap();
    eventually("the record of all", async || {
        let list = app.as_user(&acme.admin).get("/messages").await.expect_json(200);
        let of = |status: &str| {
            list["items"].as_array().unwrap().iter().filter(|one| one["status"] == status).count()
        };
        (of("QUEUED") == 6).then_some(())
    })
    .await;
    received(&receiver, 6).await;
}

/// A gateway that keeps the hub waiting has all the room that there is for its channel. Other channels go on, and
/// what ends messages does.
#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_that_keeps_waiting_takes_no_room_of_other_channels() {
    let receiver = Receiver::start().await;
    let app = start_near(|config| {
        config.jobs.concurrency = 2;
        config.jobs.per_organisation = 2;
    })
    .await;
    let acme = app.organisation("Acme").create().await;
    let bolt = app.organisation("Bolt").create().await;
    receiver.reply([Reply::Held(204), Reply::Held(204)]);
    for _ in 0..2 {
        app.send_message(&acme.admin, &hook(&receiver.base)).await;
    }
    received(&receiver, 2).await;
    for person in [&acme.admin, &bolt.admin] {
        let message = app.send_message(person, &text("Hello")).await;
        app.message_once(person, &message["id"], "SENT").await;
    }
    assert_eq!(app.credits_settled(&bolt.admin).await, 99);
    eventually("the text's settlement", async || (app.credits(&acme.admin).await == (97, 2)).then_some(()))
        .await;
    receiver.release(2);
    assert_eq!(app.credits_settled(&acme.admin).await, 97);
    app.jobs_done(&acme.admin).await;
}

/// One of the jobs that are claimed together was written by another version.
#[tokio::test(flavor = "multi_thread")]
async fn a_payload_that_nobody_can_read_is_dead_and_holds_up_no_other() {
    let app = start_with(|config| config.jobs.concurrency = 0).await;
    let acme = app.organisation("Acme").create().await;
    let spoilt = app.send_message(&acme.admin, &text("one")).await;
    let org = acme.admin.org_id();
    let done: Result<(), roomcast::error::Error> = async {
        roomcast::transaction!(app.app.db.org(org), |tx| {
            let conn: &mut roomcast::db::Conn = tx;
            roomcast::with_conn!(conn, |c| {
                diesel::update(jobs::table).set(jobs::payload.eq("{}")).execute(c).await
            })?;
            Ok(())
        })
    }
    .await;
    done.unwrap();
    let other = app.send_message(&acme.admin, &text("two")).await;
    let mut ground = app.stop().await;
    ground.config.jobs.concurrency = 16;
    ground.config.jobs.poll = Duration::from_millis(10);
    let app = ground.start().await;
    app.message_once(&acme.admin, &other["id"], "SENT").await;
    let dead = eventually("a dead job", async || {
        let dead = app.as_user(&acme.admin).get("/jobs").await.expect_json(200);
        dead["items"].get(0).cloned()
    })
    .await;
    assert!(dead["lastError"].as_str().unwrap().contains("payload"), "{dead}");
    let message = app.message(&acme.admin, &spoilt["id"]).await;
    assert_eq!(message["status"], "QUEUED");
    // Once nothing else is to be done the directory says how many are dead, until that is no longer so.
    app.advance(Duration::from_secs(70));
    eventually("the directory's count", async || (count_dead(&app, org).await == Some(1)).then_some(()))
        .await;
    let path = format!("/messages/{}", spoilt["id"].as_str().unwrap());
    app.as_user(&acme.admin).delete(path).await.expect_status(204);
    assert_eq!(app.credits_settled(&acme.admin).await, 99);
    app.jobs_done(&acme.admin).await;
    app.advance(Duration::from_hours(2));
    eventually("the end of the count", async || count_dead(&app, org).await.is_none().then_some(())).await;
}

async fn count_dead(app: &TestApp, org: OrgId) -> Option<i64> {
    let found: Result<Option<i64>, roomcast::error::Error> = async {
        roomcast::read!(app.app.db.central(), |conn| {
            let found = roomcast::with_conn!(conn, |c| {
                job_queues::table.find(org).select(job_queues::dead).first(c).await.optional()
            });
            Ok(found?)
        })
    }
    .await;
    found.unwrap()
}
