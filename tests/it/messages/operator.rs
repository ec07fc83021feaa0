//! What operators do: top-ups, adjustments, counting anew.

use roomcast::types::{OrgId, Seq};
use serde_json::json;

use super::text;
use crate::harness::environment::{not_run, on_postgres};
use crate::harness::{Child, Client, Person, TestDatabase, at_last};
use crate::operator::{environment, succeed};

async fn told(client: &Client, admin: &Person) -> Vec<serde_json::Value> {
    let feed = client.as_user(admin).get("/activities?type=CREDITS_CHANGED").await.expect_json(200);
    feed["items"].as_array().unwrap().iter().map(|item| item["payload"].clone()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn credits_are_added_and_corrected_with_a_reason() {
    let database = TestDatabase::create().await;
    let url = database.url_text();
    let environment = environment(&url);
    let mut hub = Child::start(&[], &environment);
    let client = hub.listening().await;
    let acme = client.organisation("Acme").create().await;
    let output =
        succeed(&["credits", "top-up", "acme", "50", "--reason", "paid by invoice 7"], &environment).await;
    assert!(output.contains("150 credits"), "{output}");
    let output =
        succeed(&["credits", "adjust", &acme.id, "-20", "--reason", "a mistake"], &environment).await;
    assert!(output.contains("130 credits"), "{output}");
    for (arguments, word) in [
        (["credits", "adjust", "acme", "-131", "--reason", "x"], "fewer"),
        (["credits", "top-up", "acme", "-1", "--reason", "x"], "above zero"),
        (["credits", "top-up", "nobody", "1", "--reason", "x"], "no organisation"),
        (["credits", "top-up", "acme", "1", "--reason", ""], "invalid"),
    ] {
        let (status, output) = Child::start(&arguments, &environment).ended().await;
        assert!(!status.success() && output.contains(word), "{arguments:?}: {output}");
    }
    assert_eq!(client.credits(&acme.admin).await, (130, 0));
    let ledger = client.sound_ledger(&acme.admin).await;
    assert_eq!((&ledger[1]["kind"], &ledger[1]["reason"]), (&json!("TOP_UP"), &json!("paid by invoice 7")));
    assert_eq!((&ledger[2]["kind"], &ledger[2]["amount"]), (&json!("ADJUSTMENT"), &json!(-20)));
    let changes = told(&client, &acme.admin).await;
    assert_eq!(changes[0], json!({ "entry": 3, "amount": -20, "balance": 130, "reason": "a mistake" }));
    hub.stop().await;
}

/// Moves where an organisation's log stands, as no code of the hub does; where it stood.
async fn move_head(database: &TestDatabase, org: OrgId, to: Seq) -> Seq {
    use diesel::prelude::*;
    use diesel_async::RunQueryDsl;
    use roomcast::db::schema::activity_heads;

    let db = database.opened().await;
    let moved: Result<Seq, roomcast::error::Error> = async {
        roomcast::transaction!(db.org(org), |tx| {
            let conn: &mut roomcast::db::Conn = tx;
            let head = activity_heads::table.find(org);
            let before = roomcast::with_conn!(&mut *conn, |c| {
                head.select(activity_heads::last_seq).first(c).await
            })?;
            roomcast::with_conn!(conn, |c| {
                diesel::update(head).set(activity_heads::last_seq.eq(to)).execute(c).await
            })?;
            Ok(before)
        })
    }
    .await;
    moved.unwrap()
}

/// The ledger has a change, and the log cannot be written: the command has done what it was asked for, and a hub
/// tells of it later.
#[tokio::test(flavor = "multi_thread")]
async fn a_change_stands_where_the_log_cannot_be_written_and_is_told_of_later_once() {
    let database = TestDatabase::create().await;
    let url = database.url_text();
    let mut environment = environment(&url);
    let mut hub = Child::start(&[], &environment);
    let client = hub.listening().await;
    let acme = client.organisation("Acme").create().await;
    hub.stop().await;
    // The next entry would be one that is there.
    let head = move_head(&database, acme.admin.org_id(), Seq::ZERO).await;
    for reason in ["first", "second"] {
        let output = succeed(&["credits", "top-up", "acme", "50", "--reason", reason], &environment).await;
        assert!(output.contains("told later"), "{output}");
    }
    move_head(&database, acme.admin.org_id(), head).await;
    let output = succeed(&["credits", "top-up", "acme", "50", "--reason", "third"], &environment).await;
    assert!(output.contains("250 credits") && !output.contains("later"), "{output}");
    environment.push(("JOB_CONCURRENCY", "0"));
    let mut hub = Child::start(&[], &environment);
    let client = hub.listening().await;
    assert_eq!(client.credits(&acme.admin).await, (250, 0));
    let mut changes = told(&client, &acme.admin).await;
    changes.reverse();
    let expected: Vec<_> = ["first", "second", "third"]
        .iter()
        .zip(1..)
        .map(|(reason, place)| {
            json!({ "entry": place + 1, "amount": 50, "balance": 100 + 50 * place, "reason": reason })
        })
        .collect();
    assert_eq!(changes, expected);
    hub.stop().await;
}

/// The same, where no other change follows.
#[tokio::test(flavor = "multi_thread")]
async fn the_janitor_tells_of_a_change_that_nobody_was_told_of() {
    let database = TestDatabase::create().await;
    let url = database.url_text();
    let environment = environment(&url);
    let mut hub = Child::start(&[], &environment);
    let client = hub.listening().await;
    let acme = client.organisation("Acme").create().await;
    hub.stop().await;
    let head = move_head(&database, acme.admin.org_id(), Seq::ZERO).await;
    succeed(&["credits", "adjust", "acme", "-50", "--reason", "a mistake"], &environment).await;
    move_head(&database, acme.admin.org_id(), head).await;
    let mut hub = Child::start(&[], &environment);
    let client = hub.listening().await;
    let changes = at_last("word of the change", async || {
        let changes = told(&client, &acme.admin).await;
        (!changes.is_empty()).then_some(changes)
    })
    .await;
    assert_eq!(changes, [json!({ "entry": 2, "amount": -50, "balance": 50, "reason": "a mistake" })]);
    hub.stop().await;
}

/// More reservations are open than SQLite takes values in a statement.
#[tokio::test(flavor = "multi_thread")]
async fn totals_are_counted_however_many_messages_are_on_their_way() {
    if on_postgres() {
        return not_run("the tests run on PostgreSQL, which takes them as one value");
    }
    let database = TestDatabase::create().await;
    let url = database.url_text();
    let environment = environment(&url);
    let mut hub = Child::start(&[], &environment);
    let acme = hub.listening().await.organisation("Acme").create().await;
    hub.stop().await;
    let db = database.opened().await;
    let added: Result<(), roomcast::error::Error> = async {
        roomcast::transaction!(db.central(), |tx| {
            let conn: &mut roomcast::db::Conn = tx;
            let query = diesel::sql_query(
                "WITH RECURSIVE number(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM number WHERE n < 33000) \
                 INSERT INTO credit_reservations (org_id, message_id, channel, amount, created_at) \
                 SELECT org_id, randomblob(16), 'sms', 0, 0 FROM number, credit_accounts",
            );
            roomcast::with_conn!(conn, |c| diesel_async::RunQueryDsl::execute(query, c).await)?;
            Ok(())
        })
    }
    .await;
    added.unwrap();
    drop(db);
    let (status, output) = Child::start(&["messages", "totals"], &environment).ended().await;
    assert!(!status.success(), "{output}");
    let line = format!("{} sms QUEUED: 0 kept, 33000 counted", acme.id);
    assert!(output.contains(&line), "{output}");
}

#[tokio::test(flavor = "multi_thread")]
async fn totals_agree_with_the_messages_and_are_set_right_where_not() {
    let database = TestDatabase::create().await;
    let url = database.url_text();
    let mut environment = environment(&url);
    environment.extend([("SIMULATED_LATENCY", "0ms"), ("SIMULATED_REJECTED_PERCENT", "40")]);
    let mut hub = Child::start(&[], &environment);
    let client = hub.listening().await;
    let acme = client.organisation("Acme").create().await;
    let messages: Vec<_> = (0..50).map(|number| text(&number.to_string())).collect();
    let call = client.as_user(&acme.admin).post("/messages/batch").json(&json!({ "messages": messages }));
    call.await.expect_json(201);
    // While they are being sent, too.
    succeed(&["messages", "totals"], &environment).await;
    client.credits_settled(&acme.admin).await;
    let output = succeed(&["messages", "totals"], &environment).await;
    let sum: i64 = output
        .lines()
        .filter_map(|line| line.strip_prefix("sms ")?.split_whitespace().last()?.parse::<i64>().ok())
        .sum();
    assert_eq!(sum, 50, "{output}");
    assert!(!output.contains("QUEUED"), "{output}");
    spoil(&database).await;
    let (status, output) = Child::start(&["messages", "totals"], &environment).ended().await;
    assert!(!status.success() && output.contains("1 totals that differ"), "{output}");
    succeed(&["messages", "totals", "--repair"], &environment).await;
    succeed(&["messages", "totals"], &environment).await;
    hub.stop().await;
}

/// As no code of the hub does.
async fn spoil(database: &TestDatabase) {
    use diesel::prelude::*;
    use diesel_async::RunQueryDsl;
    use roomcast::db::schema::message_totals;

    let db = roomcast::db::Db::open_beside(&database.url(), 2).await.unwrap();
    let spoilt: Result<(), roomcast::error::Error> = async {
        roomcast::transaction!(db.central(), |tx| {
            let conn: &mut roomcast::db::Conn = tx;
            roomcast::with_conn!(conn, |c| {
                diesel::update(message_totals::table.filter(message_totals::status.eq("SENT")))
                    .set(message_totals::count.eq(message_totals::count + 1))
                    .execute(c)
                    .await
            })?;
            Ok(())
        })
    }
    .await;
    spoilt.unwrap();
}
