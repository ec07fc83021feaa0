//! What the writer promises to one caller, whatever happens to others.

use diesel_async::SimpleAsyncConnection as _;
use futures_util::future::join_all;
use roomcast::activity;
use roomcast::db::Db;
use roomcast::error::{Code, Result};
use roomcast::types::{Audience, OrgId, Seq, UserId};
use roomcast::{transaction, with_conn};

use super::{
    Pending, Running, broadcast, execute, execute_on_either, finish, hold_all_logs, hold_all_logs_as,
    new_org, origin, read_log, soon, text, texts,
};
use crate::harness::database::TestDatabase;

async fn append_in_transaction(db: &Db, org: OrgId, text: &str) -> Result<Seq> {
    transaction!(db.org(org), |tx| {
        let entry = activity::append(tx, &origin(org), broadcast(text, Audience::Everyone)).await?;
        Ok(entry.seq)
    })
}

async fn answers(pending: Vec<Pending>) -> Vec<Result<Seq>> {
    let answers = join_all(pending.into_iter().map(Pending::answer)).await;
    answers.into_iter().map(|answer| answer.map(|entry| entry.seq)).collect()
}

fn seqs(answers: Vec<Result<Seq>>) -> Vec<i64> {
    answers.into_iter().map(|answer| answer.unwrap().get()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lone_append_is_committed_alone() {
    let database = TestDatabase::create().await;
    let running = Running::start(database.db().await);
    let org = new_org(&running.db).await;
    for seq in 1..=10 {
        let entry = running.begin(org, "hello").answer().await.unwrap();
        assert_eq!(entry.seq.get(), seq);
        assert_eq!(running.log(org).await.last(), Some(&*entry));
    }
    assert_eq!(running.batch_sizes(), [1; 10]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_shares_a_commit() {
    let database = TestDatabase::create().await;
    let running = Running::start(database.db().await);
    let orgs = [new_org(&running.db).await, new_org(&running.db).await];
    let held = hold_all_logs(&running.db).await;
    let pending = (0..200).map(|n| running.begin(orgs[n % 2], "hello")).collect();
    finish(held).await;

    let found = seqs(answers(pending).await);
    let expected: Vec<i64> = (0..200).map(|n| n / 2 + 1).collect();
    assert_eq!(found, expected);
    // What the writer took before the lock was held fast is one batch, and the rest another.
    let sizes = running.batch_sizes();
    assert!(sizes.len() <= 2, "{sizes:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_organisation_over_its_share_is_refused_and_others_are_not() {
    let database = TestDatabase::create().await;
    let running = Running::start(database.db().await);
    let (greedy, other) = (new_org(&running.db).await, new_org(&running.db).await);
    let held = hold_all_logs(&running.db).await;
    let share = running.writer.share();
    let pending: Vec<Pending> = (0..share).map(|_| running.begin(greedy, "much")).collect();

    let refused = running.writer.append(origin(greedy), broadcast("too much", Audience::Everyone));
    assert_eq!(soon(refused).await.unwrap_err().code(), Code::Overloaded);
    let accepted = running.begin(other, "little");

    finish(held).await;
    assert_eq!(accepted.answer().await.unwrap().seq.get(), 1);
    let all: Vec<i64> = (1..).take(share).collect();
    assert_eq!(seqs(answers(pending).await), all);
    // Who was answered has room again.
    assert!(running.begin(greedy, "more").answer().await.is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_row_fails_alone() {
    let database = TestDatabase::create().await;
    let running = Running::start(database.db().await);
    execute_on_either(
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
    let (bad, good) = (new_org(&running.db).await, new_org(&running.db).await);

    let held = hold_all_logs(&running.db).await;
    let of_bad: Vec<Pending> = ["one", "poison", "two", "three"].map(|text| running.begin(bad, text)).into();
    let of_good: Vec<Pending> = ["one", "two"].map(|text| running.begin(good, text)).into();
    finish(held).await;

    let mut of_bad = answers(of_bad).await;
    assert_eq!(of_bad.remove(1).unwrap_err().code(), Code::Internal);
    assert_eq!(seqs(of_bad), [1, 2, 3]);
    assert_eq!(seqs(answers(of_good).await), [1, 2]);
    assert_eq!(texts(&running.log(bad).await), ["one", "two", "three"]);
    assert_eq!(texts(&running.log(good).await), ["one", "two"]);
    assert_eq!(running.sink.of(bad).len(), 3);

    // One that comes by itself fails, too, and harms nobody.
    let alone = running.begin(bad, "poison").answer().await;
    assert_eq!(alone.unwrap_err().code(), Code::Internal);
    assert_eq!(running.begin(bad, "four").answer().await.unwrap().seq.get(), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_organisation_without_a_log_fails_alone() {
    let database = TestDatabase::create().await;
    let running = Running::start(database.db().await);
    let (gone, there) = (new_org(&running.db).await, new_org(&running.db).await);
    let mut held = hold_all_logs_as(&running.db, gone).await;
    let of_gone = vec![running.begin(gone, "one"), running.begin(gone, "two")];
    let of_there = vec![running.begin(there, "one"), running.begin(there, "two")];
    let id = match running.db.engine() {
        roomcast::db::Engine::Sqlite => format!("x'{}'", gone.as_uuid().simple()),
        roomcast::db::Engine::Postgres => format!("'{gone}'"),
    };
    execute(&mut held, &format!("DELETE FROM settings WHERE org_id = {id}")).await;
    finish(held).await;

    for answer in answers(of_gone).await {
        assert_eq!(answer.unwrap_err().code(), Code::NotFound);
    }
    assert_eq!(seqs(answers(of_there).await), [1, 2]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_held_head_delays_only_its_own_organisation() {
    let Some(database) = TestDatabase::create_on_postgres().await else {
        return;
    };
    // The holders need connections, too.
    let [node, elsewhere] = <[Db; 2]>::try_from(database.nodes(2).await).ok().unwrap();
    let running = Running::start(node);
    let other = new_org(&running.db).await;
    // More than are settled by themselves at the same time.
    let mut holders = Vec::new();
    for _ in 0..6 {
        let org = new_org(&running.db).await;
        let mut tx = elsewhere.org(org).begin_write().await.unwrap();
        activity::append(&mut tx, &origin(org), broadcast("holder", Audience::Everyone)).await.unwrap();
        holders.push((org, tx));
    }
    let mut pending: Vec<Pending> = Vec::new();
    for text in ["one", "two"] {
        pending.extend(holders.iter().map(|(org, _)| running.begin(*org, text)));
        for _ in 0..3 {
            running.begin(other, "free").answer().await.unwrap();
        }
    }
    assert!(!pending.iter_mut().any(Pending::is_answered));

    let mut held = Vec::new();
    for (org, tx) in holders {
        finish(tx).await;
        held.push(org);
    }
    assert_eq!(seqs(answers(pending).await), [[2; 6], [3; 6]].concat());
    for org in held {
        assert_eq!(texts(&running.log(org).await), ["holder", "one", "two"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_that_is_held_for_too_long_is_given_up() {
    let Some(database) = TestDatabase::create_on_postgres().await else {
        return;
    };
    let running = Running::start(database.db().await);
    let org = new_org(&running.db).await;
    let mut holder = running.db.org(org).begin_write().await.unwrap();
    activity::append(&mut holder, &origin(org), broadcast("holder", Audience::Everyone)).await.unwrap();
    let given_up = running.begin(org, "one").answer().await;
    assert_eq!(given_up.unwrap_err().code(), Code::StoreUnavailable);
    finish(holder).await;
    assert_eq!(running.begin(org, "two").answer().await.unwrap().seq.get(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_that_goes_away_leaves_its_entry() {
    let database = TestDatabase::create().await;
    let running = Running::start(database.db().await);
    let org = new_org(&running.db).await;
    let held = hold_all_logs(&running.db).await;
    let before = running.begin(org, "before");
    drop(running.begin(org, "gone"));
    let after = running.begin(org, "after");
    finish(held).await;
    assert_eq!(before.answer().await.unwrap().seq.get(), 1);
    assert_eq!(after.answer().await.unwrap().seq.get(), 3);
    assert_eq!(texts(&running.log(org).await), ["before", "gone", "after"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_appends_what_is_queued() {
    let database = TestDatabase::create().await;
    let running = Running::start(database.db().await);
    let org = new_org(&running.db).await;
    let held = hold_all_logs(&running.db).await;
    // More than one batch.
    let pending: Vec<Pending> = (0..1000).map(|_| running.begin(org, "hello")).collect();
    running.stop.cancel();
    finish(held).await;
    running.stop().await;
    assert!(answers(pending).await.iter().all(Result::is_ok));
    assert_eq!(running.log(org).await.len(), 1000);

    let late = running.writer.append(origin(org), broadcast("late", Audience::Everyone));
    assert_eq!(soon(late).await.unwrap_err().code(), Code::Draining);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_entry_for_named_users_keeps_them() {
    let database = TestDatabase::create().await;
    let running = Running::start(database.db().await);
    let org = new_org(&running.db).await;
    let mut users: Vec<UserId> = (0..3000).map(|_| UserId::new()).collect();
    users.sort_unstable();
    let activity = broadcast("psst", Audience::Users(users.into()));
    let entry = soon(running.writer.append(origin(org), activity)).await.unwrap();
    assert_eq!(running.log(org).await, [(*entry).clone()]);
    assert_eq!(text(&entry), "psst");
}

#[tokio::test(flavor = "multi_thread")]
async fn transactions_and_the_writer_share_a_log() {
    let database = TestDatabase::create().await;
    let running = Running::start(database.db().await);
    let org = new_org(&running.db).await;
    assert_eq!(append_in_transaction(&running.db, org, "one").await.unwrap().get(), 1);
    assert_eq!(running.begin(org, "two").answer().await.unwrap().seq.get(), 2);
    assert_eq!(append_in_transaction(&running.db, org, "three").await.unwrap().get(), 3);
    assert_eq!(texts(&read_log(&running.db, org).await), ["one", "two", "three"]);
    let head = activity::load_head(&running.db, org).await.unwrap();
    assert_eq!(head.last_seq.get(), 3);
    assert_eq!(activity::load_heads(&running.db, &[org, OrgId::new()]).await.unwrap(), [head]);
    let unknown = activity::load_head(&running.db, OrgId::new()).await;
    assert_eq!(unknown.unwrap_err().code(), Code::NotFound);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_swallowed_failure_does_not_pass_for_a_commit() {
    let Some(database) = TestDatabase::create_on_postgres().await else {
        return;
    };
    let running = Running::start(database.db().await);
    let org = new_org(&running.db).await;
    let mut tx = running.db.org(org).begin_write().await.unwrap();
    activity::append(&mut tx, &origin(org), broadcast("lost", Audience::Everyone)).await.unwrap();
    let conn = &mut *tx;
    let failed = with_conn!(conn, |c| c.batch_execute("SELECT 1 / 0").await);
    assert!(failed.is_err());
    let outcome: Result<()> = tx.finish(Ok(())).await;
    assert_eq!(outcome.unwrap_err().code(), Code::Internal);
    assert!(running.log(org).await.is_empty());
    assert!(running.sink.of(org).is_empty());
}
