//! Old activities go, as a prefix, and everybody is told where the log now begins.

use std::time::Duration;

use roomcast::activity::{self, Activity, Origin, retention};
use roomcast::db::Db;
use roomcast::types::{Audience, Message, OrgId, Seq};
use roomcast::{transaction, upkeep};
use roomcast_client::{CloseCode, Frame, GapReason};

use crate::harness::environment::on_postgres;
use crate::harness::{PASSWORD, Person, TestApp, TestSocket, eventually};

const DAYS: u32 = 30;

fn message(number: usize) -> Activity {
    let message = Message::try_from(number.to_string()).unwrap();
    Activity::BroadcastMessage { message, data: None, audience: Audience::Everyone }
}

async fn app() -> TestApp {
    TestApp::with(|config| config.database.activity_retention_days = DAYS).await
}

/// Lets the retention pass, and signs in anew: tokens are shorter lived.
async fn later(app: &TestApp, person: &Person) -> Person {
    app.advance(Duration::from_hours(24) * (DAYS + 1));
    app.sign_in(person).await
}

async fn first_seq(app: &TestApp, org: OrgId) -> i64 {
    activity::load_head(&app.app.db, org).await.unwrap().first_seq.get()
}

async fn expect_expired(socket: &mut TestSocket, next: i64) {
    assert!(!socket.welcome().resumed);
    match socket.next().await {
        (Frame::ResumeGap(gap), _) => assert_eq!((gap.reason, gap.next_seq), (GapReason::Expired, next)),
        (_, text) => panic!("a RESUME_GAP was expected, not {text}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_old_goes_and_what_begins_after_it_is_told() {
    let app = app().await;
    let ana = app.register("Acme", "Ana", "ana@example.com", PASSWORD).await;
    let old = app.append_many(&ana, 1300, message).await;
    // So the room has it in ring and blocks.
    let mut socket = app.resume(&ana, 0).await;
    socket.up_to(old.get()).await;
    let ana = later(&app, &ana).await;
    app.append_many(&ana, 20, message).await;
    let kept = app.feed_after(&ana, old.get()).await;
    upkeep::run(&app.app).await.unwrap();

    let first = old.get() + 1;
    assert_eq!(first_seq(&app, ana.org_id()).await, first);
    assert_eq!(app.feed(&ana).await.texts(), kept.texts());
    let page = app.as_user(&ana).get(format!("/activities?before={}", first + 3)).await.expect_json(200);
    assert_eq!(page["items"].as_array().unwrap().len(), 3);
    assert!(page["nextCursor"].is_null());
    let none = app.as_user(&ana).get(format!("/activities?before={first}")).await.expect_json(200);
    assert!(none["items"].as_array().unwrap().is_empty());

    // The hub's sweep learns of it within a second; before that, whoever asks for what is gone finds no block.
    eventually("the hub to know", async || {
        let socket = Box::pin(app.resume(&ana, 0)).await;
        // A look may have come between two chunks.
        (!socket.welcome().resumed && socket.welcome().seq == first - 1).then_some(())
    })
    .await;
    for after in [0, 1, 700, first - 2] {
        let mut socket = app.resume(&ana, after).await;
        assert_eq!(socket.welcome().seq, first - 1);
        expect_expired(&mut socket, first).await;
        let delivered = socket.up_to(kept.0.last().unwrap().seq()).await;
        assert_eq!(delivered.iter().map(|one| one.text.as_str()).collect::<Vec<_>>(), kept.texts());
    }
    let mut socket = app.resume(&ana, first - 1).await;
    assert!(socket.welcome().resumed);
    assert_eq!(socket.up_to(kept.0.last().unwrap().seq()).await.len(), kept.0.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hub_that_does_not_know_yet_finds_out_when_it_reads() {
    let app = app().await;
    let ana = app.register("Acme", "Ana", "ana@example.com", PASSWORD).await;
    let old = app.append_many(&ana, 600, message).await;
    let ana = later(&app, &ana).await;
    // Its room is open and has read none of the old.
    let _socket = app.connect(&ana).await;
    upkeep::run(&app.app).await.unwrap();
    let mut socket = app.resume(&ana, 0).await;
    // A sweep may have come between two chunks: then there is a second gap where the reading finds it.
    let mut next = None;
    let first = loop {
        match socket.next().await {
            (Frame::ResumeGap(gap), _) => {
                assert_eq!(gap.reason, GapReason::Expired);
                assert!(next < Some(gap.next_seq));
                next = Some(gap.next_seq);
            }
            (Frame::Activity(activity), _) => break activity,
            (_, text) => panic!("a RESUME_GAP or an activity was expected, not {text}"),
        }
    };
    assert_eq!(
        (next, first.seq, first.kind.as_str()),
        (Some(old.get() + 1), old.get() + 1, "SESSION_STARTED")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_newest_entry_stays_however_old_and_the_log_goes_on() {
    let app = app().await;
    let acme = app.organisation("Acme").with_member("mia").create().await;
    app.change_role(&acme.admin, &acme["mia"], "ADMIN").await;
    app.change_role(&acme.admin, &acme["mia"], "MEMBER").await;
    app.advance(Duration::from_hours(24) * (DAYS + 1));
    upkeep::run(&app.app).await.unwrap();
    let head = activity::load_head(&app.app.db, acme.admin.org_id()).await.unwrap();
    assert_eq!(head.first_seq, head.last_seq);
    upkeep::run(&app.app).await.unwrap();
    assert_eq!(
        activity::load_head(&app.app.db, acme.admin.org_id()).await.unwrap().first_seq,
        head.first_seq
    );
    // Roles do not hang on the entries that gave them, in a room that opens only now.
    let app = app.stop().await.start().await;
    let (admin, mia) = (app.sign_in(&acme.admin).await, app.sign_in(&acme["mia"]).await);
    app.as_user(&mia).get("/users").await.expect_problem(403, "role_forbidden");
    app.as_user(&admin).get("/users").await.expect_status(200);
    let sent = app.broadcast(&admin, "on it goes").await;
    let read = app.feed(&admin).await;
    let expected: Vec<i64> = (head.last_seq.get()..=sent.seq()).collect();
    assert_eq!(read.seqs(), expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn zero_days_keep_everything() {
    let app = TestApp::start().await;
    let ana = app.register("Acme", "Ana", "ana@example.com", PASSWORD).await;
    app.append_many(&ana, 10, message).await;
    app.advance(Duration::from_hours(24) * 10_000);
    upkeep::run(&app.app).await.unwrap();
    assert_eq!(first_seq(&app, ana.org_id()).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn writers_and_other_nodes_go_on_meanwhile() {
    let app = app().await;
    let other = if on_postgres() { Some(app.another_node().await) } else { None };
    let acme = app.register("Acme", "Ana", "ana@example.com", PASSWORD).await;
    let globex = app.register("Globex", "Gil", "gil@example.com", PASSWORD).await;
    let old = app.append_many(&acme, 1700, message).await;
    app.append_many(&globex, 3, message).await;
    let acme = later(&app, &acme).await;
    let mut socket = app.connect(&acme).await;
    let prune = async {
        for node in std::iter::once(&app).chain(&other) {
            upkeep::run(&node.app).await.unwrap();
        }
    };
    let both = async {
        if let Some(other) = &other {
            upkeep::run(&other.app).await.unwrap();
        }
    };
    let (last, (), ()) = tokio::join!(app.append_many(&acme, 300, message), prune, both);
    upkeep::run(&app.app).await.unwrap();
    assert_eq!(first_seq(&app, acme.org_id()).await, old.get() + 1);
    let (entries, head) =
        activity::read_range(&app.app.db, acme.org_id(), Seq::new(1).unwrap(), last).await.unwrap();
    assert_eq!(head.last_seq, last);
    let seqs: Vec<i64> = entries.iter().map(|entry| entry.seq.get()).collect();
    assert_eq!(seqs, (old.get() + 1..=last.get()).collect::<Vec<_>>());
    assert_eq!(socket.up_to(last.get()).await.len(), 300);
    // The few of another organisation have gone, too.
    let head = activity::load_head(&app.app.db, globex.org_id()).await.unwrap();
    assert_eq!(head.first_seq, head.last_seq);
}

/// Appends more than a room reads at once and deletes it again, unseen by the hub in between.
async fn append_and_prune(app: &TestApp, person: &Person) -> roomcast::error::Result<Seq> {
    let url = app.app.config.database_url().unwrap();
    let beside = Db::open_beside(&url, 2).await.unwrap();
    let origin =
        Origin { org: person.org_id(), actor: None, ip: None, user_agent: None, at: app.clock().now() };
    transaction!(beside.org(person.org_id()), |tx| {
        let mut last = Seq::ZERO;
        for number in 0..400 {
            last = activity::append(tx, &origin, message(number)).await?.seq;
        }
        let later = app.clock().now().plus(Duration::from_hours(1));
        while retention::prune(tx, person.org_id(), later).await?.more {}
        Ok(last)
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hub_that_was_away_for_longer_than_the_log_is_kept_begins_anew() {
    let app = app().await;
    let ana = app.register("Acme", "Ana", "ana@example.com", PASSWORD).await;
    let mut socket = app.connect(&ana).await;
    let position = socket.welcome().seq;
    let last = append_and_prune(&app, &ana).await.unwrap();
    socket.expect_close(CloseCode::RESTART).await;
    let mut socket = app.resume(&ana, position).await;
    expect_expired(&mut socket, last.get()).await;
    assert_eq!(socket.next_activity().await.activity.seq, last.get());
    let sent = app.broadcast(&ana, "it goes on").await;
    assert_eq!(socket.expect_activity("BROADCAST_MESSAGE").await.text, sent.text);
}
