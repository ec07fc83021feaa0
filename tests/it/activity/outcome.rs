//! A COMMIT whose answer is lost happened or it did not: the writer finds out which.

use roomcast::db::Db;
use roomcast::error::Code;
use roomcast::types::OrgId;

use super::proxy::{Cut, Proxy};
use super::{Pending, Running, finish, hold_all_logs, new_org, read_log, texts};
use crate::harness::database::TestDatabase;

/// A writer whose connections pass through a proxy, and the database as it is without that.
struct Fixture {
    running: Running,
    proxy: Proxy,
    direct: Db,
    /// Last, so that it is dropped last.
    _database: TestDatabase,
}

impl Fixture {
    async fn start() -> Option<Self> {
        let database = TestDatabase::create_on_postgres().await?;
        let proxy = Proxy::before(&database.url_text()).await;
        Some(Self {
            running: Running::start(Db::open(&proxy.url(), 10).await.unwrap()),
            proxy,
            direct: database.db().await,
            _database: database,
        })
    }

    /// The log as it is; each entry of it was handed to the sink once.
    async fn log(&self, org: OrgId) -> Vec<String> {
        let log = read_log(&self.direct, org).await;
        let delivered: Vec<_> = self.running.sink.of(org).iter().map(|entry| (**entry).clone()).collect();
        assert_eq!(delivered, log);
        texts(&log)
    }
}

async fn one_append_is_answered_rightly(cut: Cut) {
    let Some(fixture) = Fixture::start().await else {
        return;
    };
    let org = new_org(&fixture.direct).await;
    fixture.running.begin(org, "one").answer().await.unwrap();
    fixture.proxy.cut_next(cut);
    let entry = fixture.running.begin(org, "two").answer().await.unwrap();
    assert!(fixture.proxy.has_cut());
    assert_eq!(entry.seq.get(), 2);
    assert_eq!(fixture.log(org).await, ["one", "two"]);
    fixture.running.begin(org, "three").answer().await.unwrap();
    assert_eq!(fixture.log(org).await, ["one", "two", "three"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_that_was_lost_is_appended_again() {
    one_append_is_answered_rightly(Cut::BeforeCommit).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_whose_answer_was_lost_is_found() {
    one_append_is_answered_rightly(Cut::AfterCommit).await;
}

async fn a_batch_is_answered_rightly(cut: Cut) {
    let Some(fixture) = Fixture::start().await else {
        return;
    };
    let mut orgs = Vec::new();
    for _ in 0..6 {
        orgs.push(new_org(&fixture.direct).await);
    }
    let held = hold_all_logs(&fixture.direct).await;
    let mut pending: Vec<(i64, Pending)> = Vec::new();
    for (seq, text) in [(1, "one"), (2, "two"), (3, "three")] {
        pending.extend(orgs.iter().map(|org| (seq, fixture.running.begin(*org, text))));
    }
    fixture.proxy.cut_next(cut);
    finish(held).await;
    for (seq, pending) in pending {
        assert_eq!(pending.answer().await.unwrap().seq.get(), seq);
    }
    assert!(fixture.proxy.has_cut());
    for org in orgs {
        assert_eq!(fixture.log(org).await, ["one", "two", "three"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_that_was_lost_is_appended_again() {
    a_batch_is_answered_rightly(Cut::BeforeCommit).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_whose_answer_was_lost_is_found() {
    a_batch_is_answered_rightly(Cut::AfterCommit).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outcome_that_cannot_be_found_out_is_called_unknown() {
    let Some(fixture) = Fixture::start().await else {
        return;
    };
    let org = new_org(&fixture.direct).await;
    let other = new_org(&fixture.direct).await;
    fixture.proxy.cut_next(Cut::AfterCommitForGood);
    let unknown = fixture.running.begin(org, "one");
    let unknown = async {
        let code = unknown.answer().await.unwrap_err().code();
        assert_eq!(code, Code::OutcomeUnknown);
    };
    let away = async {
        super::until(async || fixture.proxy.has_cut()).await;
        let code = fixture.running.begin(other, "one").answer().await.unwrap_err().code();
        assert_eq!(code, Code::StoreUnavailable);
    };
    tokio::join!(unknown, away);
    assert_eq!(texts(&read_log(&fixture.direct, org).await), ["one"]);
    assert!(read_log(&fixture.direct, other).await.is_empty());
}
