//! Idempotency keys in the writer: looked up and written in the transaction that appends.

use std::sync::Arc;

use roomcast::activity::Appended;
use roomcast::db::Db;
use roomcast::error::{Code, Result};
use roomcast::idempotency::{Answer, Claim, IdempotencyKey, Scope, SealKeys};
use roomcast::types::{Audience, Clock, LogEntry, OrgId, UserId};

use super::proxy::{Cut, Proxy};
use super::{Pending, Running, broadcast, finish, hold_all_logs, new_org, origin, read_log, texts};
use crate::harness::database::TestDatabase;

/// One user of one organisation, who sends broadcasts under keys.
#[derive(Clone, Copy)]
struct Sender {
    org: OrgId,
    user: UserId,
}

impl Sender {
    fn of(org: OrgId) -> Self {
        Self { org, user: UserId::new() }
    }

    /// A claim on a key with this text as the body.
    fn claim(self, key: &str, text: &str) -> Claim {
        let scope = Scope {
            org: self.org,
            user: self.user,
            method: "POST".to_owned(),
            path: "/organisations/broadcast".to_owned(),
            key: IdempotencyKey::try_from(key.to_owned()).unwrap(),
        };
        let seals = SealKeys::derive([b"a signing key that seals nothing here".as_slice()]).unwrap();
        Claim::new(scope, text.as_bytes(), Clock::default().now(), seals)
    }

    /// Begins an append under a key, which is queued when this returns.
    fn begin(self, running: &Running, key: &str, text: &str) -> Pending<Appended> {
        let (writer, claim) = (running.writer.clone(), self.claim(key, text));
        let (origin, activity) = (origin(self.org), broadcast(text, Audience::Everyone));
        Pending::begin(async move { writer.append_once(origin, activity, Some(claim)).await })
    }
}

#[track_caller]
fn entry(appended: Result<Appended>) -> Arc<LogEntry> {
    match appended.unwrap() {
        Appended::Entry(entry) => entry,
        Appended::Again(answer) => panic!("it was done before: {answer:?}"),
    }
}

#[track_caller]
fn again(appended: Result<Appended>) -> Answer {
    match appended.unwrap() {
        Appended::Again(answer) => answer,
        Appended::Entry(entry) => panic!("it was done now: {entry:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn equal_keys_in_one_batch_resolve_in_order() {
    let database = TestDatabase::create().await;
    let running = Running::start(database.db().await);
    let (ana, other) = (Sender::of(new_org(&running.db).await), Sender::of(new_org(&running.db).await));
    let bo = Sender { user: UserId::new(), ..ana };
    let held = hold_all_logs(&running.db).await;
    // The writer may have taken this one; what follows is one batch.
    let alone = running.begin(ana.org, "alone");
    let first = ana.begin(&running, "one", "hello");
    let second = ana.begin(&running, "one", "hello");
    let between = running.begin(ana.org, "between");
    let reused = ana.begin(&running, "one", "another");
    let of_bo = bo.begin(&running, "one", "of bo");
    let of_other = other.begin(&running, "one", "of another");
    let two = ana.begin(&running, "two", "hello");
    finish(held).await;

    assert_eq!(alone.answer().await.unwrap().seq.get(), 1);
    let first = entry(first.answer().await);
    let second = again(second.answer().await);
    assert_eq!((second.body(), second.is_replayed()), (&first.json, true));
    assert_eq!(reused.answer().await.unwrap_err().code(), Code::IdempotencyKeyReused);
    between.answer().await.unwrap();
    for pending in [of_bo, of_other, two] {
        entry(pending.answer().await);
    }
    assert_eq!(texts(&running.log(ana.org).await), ["alone", "hello", "between", "of bo", "hello"]);
    assert_eq!(texts(&running.log(other.org).await), ["of another"]);
    assert!(running.batch_sizes().len() <= 2, "{:?}", running.batch_sizes());

    // And in a batch of its own.
    assert_eq!(again(ana.begin(&running, "one", "hello").answer().await), second);
    assert_eq!(running.log(ana.org).await.len(), 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_batch_of_keys_is_done_once() {
    let database = TestDatabase::create().await;
    let running = Running::start(database.db().await);
    let senders = [Sender::of(new_org(&running.db).await), Sender::of(new_org(&running.db).await)];
    for round in 0..2 {
        let held = hold_all_logs(&running.db).await;
        let pending: Vec<_> = (0..400)
            .map(|n| senders[n % 2].begin(&running, &format!("key-{n}"), &format!("text {n}")))
            .collect();
        finish(held).await;
        for pending in pending {
            let appended = pending.answer().await;
            if round == 0 { drop(entry(appended)) } else { drop(again(appended)) }
        }
        for (index, sender) in senders.iter().enumerate() {
            let expected: Vec<String> = (0..200).map(|n| format!("text {}", n * 2 + index)).collect();
            assert_eq!(texts(&running.log(sender.org).await), expected);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_row_leaves_its_key_free() {
    let database = TestDatabase::create().await;
    let running = Running::start(database.db().await);
    super::execute_on_either(
        &running.db,
        &database.url_text(),
        "CREATE TRIGGER refuse BEFORE INSERT ON activities WHEN NEW.payload LIKE '%poison%'
            BEGIN SELECT RAISE(ABORT, 'poison'); END",
        "CREATE FUNCTION shared.refuse() RETURNS trigger LANGUAGE plpgsql
            AS $$ BEGIN RAISE check_violation USING MESSAGE = 'poison'; END $$;
         CREATE TRIGGER refuse BEFORE INSERT ON activities FOR EACH ROW
            WHEN (NEW.payload LIKE '%poison%') EXECUTE FUNCTION shared.refuse()",
    )
    .await;
    let ana = Sender::of(new_org(&running.db).await);
    let held = hold_all_logs(&running.db).await;
    let keyed = [("one", "hello"), ("two", "poison"), ("one", "hello"), ("three", "bye")];
    let pending = keyed.map(|(key, text)| ana.begin(&running, key, text));
    finish(held).await;
    let [one, two, one_again, three] = pending;
    let one = entry(one.answer().await);
    assert_eq!(two.answer().await.unwrap_err().code(), Code::Internal);
    assert_eq!(again(one_again.answer().await).body(), &one.json);
    entry(three.answer().await);
    // With another body: nothing is kept of what failed.
    entry(ana.begin(&running, "two", "well").answer().await);
    assert_eq!(texts(&running.log(ana.org).await), ["hello", "bye", "well"]);
}

/// What a COMMIT whose answer was lost comes to, under a key.
async fn one_append_is_done_once(cut: Cut) {
    let Some(database) = TestDatabase::create_on_postgres().await else {
        return;
    };
    let proxy = Proxy::before(&database.url_text()).await;
    let running = Running::start(Db::open(&proxy.url(), 10).await.unwrap());
    let direct = database.db().await;
    let ana = Sender::of(new_org(&direct).await);
    entry(ana.begin(&running, "zero", "zero").answer().await);
    proxy.cut_next(cut);
    let first = entry(ana.begin(&running, "one", "hello").answer().await);
    assert!(proxy.has_cut());
    assert_eq!(again(ana.begin(&running, "one", "hello").answer().await).body(), &first.json);
    assert_eq!(texts(&read_log(&direct, ana.org).await), ["zero", "hello"]);

    // With a repeated key in the batch, and with nothing but one.
    let held = hold_all_logs(&direct).await;
    let repeated = ana.begin(&running, "one", "hello");
    let new = ana.begin(&running, "two", "bye");
    proxy.cut_next(cut);
    finish(held).await;
    assert_eq!(again(repeated.answer().await).body(), &first.json);
    entry(new.answer().await);
    proxy.cut_next(cut);
    assert_eq!(again(ana.begin(&running, "one", "hello").answer().await).body(), &first.json);
    assert_eq!(texts(&read_log(&direct, ana.org).await), ["zero", "hello", "bye"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_that_was_lost_is_done_again() {
    one_append_is_done_once(Cut::BeforeCommit).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_whose_answer_was_lost_is_not_done_again() {
    one_append_is_done_once(Cut::AfterCommit).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_outcome_is_known_to_whoever_asks_again() {
    let Some(database) = TestDatabase::create_on_postgres().await else {
        return;
    };
    let proxy = Proxy::before(&database.url_text()).await;
    let running = Running::start(Db::open(&proxy.url(), 10).await.unwrap());
    let direct = Running::start(database.db().await);
    let ana = Sender::of(new_org(&direct.db).await);
    proxy.cut_next(Cut::AfterCommitForGood);
    let unknown = ana.begin(&running, "one", "hello").answer().await;
    assert_eq!(unknown.unwrap_err().code(), Code::OutcomeUnknown);
    let answer = again(ana.begin(&direct, "one", "hello").answer().await);
    let log = read_log(&direct.db, ana.org).await;
    assert_eq!((texts(&log), &log[0].json), (vec!["hello".to_owned()], answer.body()));
}
