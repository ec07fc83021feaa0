//! Under concurrent appends of every kind, `seq` is dense and equals commit order in each log.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use roomcast::activity::{self, Activity, Origin};
use roomcast::db::Db;
use roomcast::error::{Error, Result};
use roomcast::transaction;
use roomcast::types::{ActivityId, Actor, Audience, Isolation, LogEntry, OrgId, UserId};
use tokio::task::JoinSet;

use super::{Running, broadcast, new_org, origin, read_log, soon};
use crate::harness::database::TestDatabase;

/// What a number of callers do at the same time, each one step after the other.
#[derive(Debug, Clone)]
struct Schedule {
    orgs: usize,
    nodes: usize,
    callers: Vec<Vec<Step>>,
}

#[derive(Debug, Clone)]
struct Step {
    org: prop::sample::Index,
    how: How,
    audience: usize,
    length: usize,
}

#[derive(Debug, Clone, Copy)]
enum How {
    /// Through the writer.
    Writer,
    /// Through the writer, by a caller who goes away at once.
    Abandoned,
    /// In a transaction of its own.
    Transaction,
    /// In a transaction that fails afterwards.
    RolledBack,
}

fn schedules() -> impl Strategy<Value = Schedule> {
    let how = prop_oneof![
        6 => Just(How::Writer),
        1 => Just(How::Abandoned),
        2 => Just(How::Transaction),
        1 => Just(How::RolledBack),
    ];
    let step = (any::<prop::sample::Index>(), how, 0..4_usize, 1..4000_usize);
    let step = step.prop_map(|(org, how, audience, length)| Step { org, how, audience, length });
    let callers = vec(vec(step, 1..30), 1..24);
    (1..8_usize, 1..4_usize, callers).prop_map(|(orgs, nodes, callers)| Schedule { orgs, nodes, callers })
}

/// An append that was acknowledged, and when.
struct Acknowledged {
    entry: Arc<LogEntry>,
    began: Instant,
    answered: Instant,
}

#[test]
fn seq_is_dense_and_equals_commit_order() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    // Each case is hundreds of synced transactions.
    let mut runner = TestRunner::new(ProptestConfig {
        cases: 8,
        max_shrink_iters: 20,
        failure_persistence: None,
        ..ProptestConfig::default()
    });
    let outcome = runner.run(&schedules(), |schedule| {
        runtime.block_on(check(schedule));
        Ok(())
    });
    outcome.unwrap();
}

async fn check(schedule: Schedule) {
    let database = TestDatabase::create().await;
    let nodes = database.nodes(schedule.nodes).await;
    let nodes: Arc<[Running]> = nodes.into_iter().map(Running::start).collect();
    let mut orgs = Vec::new();
    for _ in 0..schedule.orgs {
        let org = new_org(&nodes[0].db).await;
        for node in nodes.iter() {
            // Who has to ask where an organisation is before it queues may be gone by then.
            node.db.place(org, Isolation::Shared);
        }
        orgs.push(org);
    }
    let orgs: Arc<[OrgId]> = orgs.into();

    let are_done = Arc::new(AtomicBool::new(false));
    let mut watching = JoinSet::new();
    for org in orgs.iter() {
        watching.spawn(watch(nodes[0].db.clone(), *org, Arc::clone(&are_done)));
    }
    let abandoned = count(&schedule, How::Abandoned);
    let mut calling = JoinSet::new();
    for (index, steps) in schedule.callers.into_iter().enumerate() {
        calling.spawn(call(Arc::clone(&nodes), Arc::clone(&orgs), index, steps));
    }
    let acknowledged: Vec<Acknowledged> = soon(calling.join_all()).await.into_iter().flatten().collect();
    for node in nodes.iter() {
        node.stop().await;
    }
    are_done.store(true, Ordering::Relaxed);
    soon(watching.join_all()).await;

    let mut entries = 0;
    for org in orgs.iter() {
        entries += check_log(&nodes, *org, &acknowledged).await;
    }
    assert_eq!(entries, acknowledged.len() + abandoned, "nothing else is in the logs");
}

fn count(schedule: &Schedule, wanted: How) -> usize {
    let steps = schedule.callers.iter().flatten();
    steps.filter(|step| std::mem::discriminant(&step.how) == std::mem::discriminant(&wanted)).count()
}

async fn call(
    nodes: Arc<[Running]>,
    orgs: Arc<[OrgId]>,
    index: usize,
    steps: Vec<Step>,
) -> Vec<Acknowledged> {
    let node = &nodes[index % nodes.len()];
    let mut acknowledged = Vec::new();
    for step in steps {
        let (origin, activity) = activity_of(&step, *step.org.get(&orgs));
        let began = Instant::now();
        let entry = match step.how {
            How::Writer => node.writer.append(origin, activity).await.unwrap(),
            How::Transaction => append(&node.db, &origin, activity).await.unwrap(),
            How::Abandoned => {
                let append = Box::pin(node.writer.append(origin, activity));
                drop(futures_util::future::select(append, std::future::ready(())).await);
                continue;
            }
            How::RolledBack => {
                append_and_fail(&node.db, &origin, activity).await.unwrap_err();
                continue;
            }
        };
        acknowledged.push(Acknowledged { entry, began, answered: Instant::now() });
    }
    acknowledged
}

fn activity_of(step: &Step, org: OrgId) -> (Origin, Activity) {
    let mut users = [UserId::new(), UserId::new(), UserId::new()];
    users.sort_unstable();
    let audience = match step.audience {
        0 => Audience::Everyone,
        1 => Audience::Admins,
        2 => Audience::AdminsAnd(users[0]),
        _ => Audience::Users(users.into()),
    };
    let mut origin = origin(org);
    origin.actor = Some(Actor { id: users[1], name: "Ana \"\u{1f980}\" \\ \u{7f}".to_owned() });
    (origin, broadcast(&"\u{e9}\n\"".repeat(step.length.div_ceil(3)), audience))
}

async fn append(db: &Db, origin: &Origin, activity: Activity) -> Result<Arc<LogEntry>> {
    transaction!(db.org(origin.org), |tx| activity::append(tx, origin, activity).await)
}

async fn append_and_fail(db: &Db, origin: &Origin, activity: Activity) -> Result<()> {
    transaction!(db.org(origin.org), |tx| {
        activity::append(tx, origin, activity).await?;
        Err(Error::not_found("reason to go on"))
    })
}

/// Reads a log over and over: no snapshot ever shows an entry without all those before it, and what was
/// seen once stays.
async fn watch(db: Db, org: OrgId, are_done: Arc<AtomicBool>) {
    let mut seen: Vec<ActivityId> = Vec::new();
    loop {
        // Before reading, so that the last look is at everything.
        let is_last = are_done.load(Ordering::Relaxed);
        let log = read_log(&db, org).await;
        assert_dense(&log);
        let ids: Vec<ActivityId> = log.iter().map(|entry| entry.id).collect();
        assert!(ids.starts_with(&seen), "what was committed never changes its place");
        seen = ids;
        if is_last {
            return;
        }
    }
}

fn assert_dense(log: &[LogEntry]) {
    for (entry, seq) in log.iter().zip(1..) {
        assert_eq!(entry.seq.get(), seq);
    }
    assert!(log.is_sorted_by_key(|entry| entry.created_at), "time runs backwards");
}

/// Compares a log with what callers and sinks were given. Returns its length.
async fn check_log(nodes: &[Running], org: OrgId, acknowledged: &[Acknowledged]) -> usize {
    let log = nodes[0].log(org).await;
    assert_dense(&log);
    let head = activity::load_head(&nodes[0].db, org).await.unwrap();
    assert_eq!(head.last_seq.get(), i64::try_from(log.len()).unwrap());
    assert_eq!(head.last_id, log.last().map(|entry| entry.id));
    if let Some(last) = log.last() {
        assert_eq!(head.last_at, last.created_at);
    }

    // Every acknowledged entry is there once, byte for byte; ids are unique because places are.
    let by_id: HashMap<ActivityId, &LogEntry> = log.iter().map(|entry| (entry.id, entry)).collect();
    assert_eq!(by_id.len(), log.len());
    let mut ours: Vec<&Acknowledged> = acknowledged.iter().filter(|ack| ack.entry.org == org).collect();
    for ack in &ours {
        assert_eq!(by_id.get(&ack.entry.id), Some(&&*ack.entry));
    }

    // What was answered before another began stands before it.
    ours.sort_by_key(|ack| ack.entry.seq);
    let mut latest_beginning: Option<Instant> = None;
    for ack in &ours {
        if let Some(latest) = latest_beginning {
            assert!(latest <= ack.answered, "an entry stands before one that was answered earlier");
        }
        latest_beginning = latest_beginning.max(Some(ack.began));
    }

    // The sinks were handed every entry once, each commit's in order; on one connection all in order.
    let mut delivered: Vec<Arc<LogEntry>> = Vec::new();
    for node in nodes {
        for commit in node.sink.commits.lock().iter() {
            let of_org = commit.iter().filter(|entry| entry.org == org);
            assert!(of_org.clone().is_sorted_by_key(|entry| entry.seq));
            delivered.extend(of_org.cloned());
        }
    }
    if nodes[0].db.engine() == roomcast::db::Engine::Postgres {
        delivered.sort_by_key(|entry| entry.seq);
    }
    assert!(delivered.iter().map(|entry| &**entry).eq(&log));
    log.len()
}
