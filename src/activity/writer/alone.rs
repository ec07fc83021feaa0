//! Organisations that could not go with the others: each is settled by itself.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::anyhow;

use super::commit::{
    Entries, Placed, claims, insert, is_unavailable, observe, place, refuse, repeat, unknown, unreachable,
};
use super::queue::Waiting;
use super::{Appended, Part, Shared, start_lanes};
use crate::activity::model::Head;
use crate::activity::queries;
use crate::db::{Db, DbError, Tx};
use crate::error::{Error, Result};
use crate::idempotency::Batch;
use crate::transaction;
use crate::types::{Isolation, LogEntry, OrgId};

/// How long the outcome of a COMMIT is looked for: as long as a caller may reasonably hang. One attempt
/// may itself last for the time that a connection or a lock is waited for.
const RESOLVE_WITHIN: Duration = Duration::from_secs(10);

/// The pause after the first attempt to find it out; each further one is twice as long.
const RESOLVE_PAUSE: Duration = Duration::from_millis(50);

/// No pause is longer than this.
const RESOLVE_PAUSE_MAX: Duration = Duration::from_secs(1);

/// Settles a part by itself, on a task of its own. `unresolved` is what an earlier transaction appended
/// for it, if nobody knows whether that was committed.
pub(super) fn settle_alone(part: Part, unresolved: Option<Unresolved>) {
    let tasks = part.shared.tasks.clone();
    tasks.spawn(async move {
        let (shared, isolation) = (Arc::clone(&part.shared), part.isolation);
        settle(&shared, part, unresolved).await;
        if isolation.is_apart() {
            // What came meanwhile. The writer's task may be busy with those that share a store.
            start_lanes(&shared, isolation);
        }
    });
}

async fn settle(shared: &Shared, part: Part, unresolved: Option<Unresolved>) {
    let turns = match part.isolation {
        Isolation::Shared => &shared.alone,
        Isolation::Schema => &shared.schema_alone,
        Isolation::Database => &shared.database_alone,
    };
    let turn = tokio::time::timeout(RESOLVE_WITHIN, turns.acquire()).await;
    // Others that wait for their logs were first. It is never closed; if it were, going on would be right.
    let Ok(_permit) = turn else {
        let error = DbError::Unreachable("logs that somebody holds were waited for first".to_owned()).into();
        let error = if unresolved.is_some() { unknown(&error) } else { error };
        return refuse(vec![part], &error);
    };
    if let Some(Unresolved { deadline, .. }) = unresolved
        && deadline <= Instant::now()
    {
        let error = anyhow!("no connection became free to look for the outcome").into();
        return refuse(vec![part], &unknown(&error));
    }
    let error = match append_alone(&shared.db, part.org, &part.items, unresolved).await {
        Ok(placed) => return part.succeed(placed),
        Err(error) => error,
    };
    if part.items.len() == 1 {
        return part.answer([Err(error)]);
    }
    if !is_of_the_rows(&error) {
        return refuse(vec![part], &error);
    }
    tracing::warn!(
        organisation.id = %part.org,
        error = format!("{error:#}"),
        rows = part.items.len(),
        "an organisation's part of a batch failed; each row is tried alone"
    );
    let answers = append_one_by_one(&shared.db, part.org, &part.items).await;
    part.answer(answers);
}

/// Each row in a transaction of its own, in order. Once the database is away the rest is not tried.
async fn append_one_by_one(db: &Db, org: OrgId, items: &[Waiting]) -> Vec<Result<Appended>> {
    let mut answers = Vec::with_capacity(items.len());
    let mut away: Option<Error> = None;
    for item in items {
        if let Some(error) = &away {
            answers.push(Err(repeat(error)));
            continue;
        }
        let answer = append_alone(db, org, std::slice::from_ref(item), None).await.and_then(|mut placed| {
            placed.answers.pop().unwrap_or_else(|| Err(anyhow!("a row left no answer").into()))
        });
        if let Err(error) = &answer
            && !is_of_the_rows(error)
        {
            // Of the rest it is known that nothing happened.
            away = Some(match error {
                Error::Database(_) => unreachable(error),
                Error::Refused { .. } | Error::Invalid(_) | Error::Limited(_) | Error::Internal(_) => {
                    repeat(error)
                }
            });
        }
        answers.push(answer);
    }
    answers
}

/// What a transaction appended whose COMMIT nobody answered: it is in the log, or it is not.
pub(super) struct Unresolved {
    placed: Placed,
    /// Until when that is looked for.
    deadline: Instant,
}

impl Unresolved {
    pub(super) fn new(placed: Placed) -> Self {
        Self { placed, deadline: Instant::now() + RESOLVE_WITHIN }
    }
}

/// Appends rows of one organisation, all or none, and waits for its head. Where the outcome of a COMMIT is
/// unknown, of the `unresolved` one before or of its own, it finds that out before it goes on.
async fn append_alone(
    db: &Db,
    org: OrgId,
    items: &[Waiting],
    mut unresolved: Option<Unresolved>,
) -> Result<Placed> {
    let mut first_deadline = unresolved.as_ref().map(|unresolved| unresolved.deadline);
    let mut pause = RESOLVE_PAUSE;
    loop {
        let mut placed = Placed::default();
        let error = match attempt_alone(db, org, items, &mut unresolved, &mut placed).await {
            // What was unresolved and still is there was found.
            Ok(()) => return Ok(unresolved.map_or(placed, |found| found.placed)),
            Err(error) => error,
        };
        let is_unknown = matches!(error, Error::Database(DbError::OutcomeUnknown(_)));
        if is_unknown && unresolved.is_none() {
            let fresh = Unresolved::new(placed);
            // The first one stands: a database that fails at each COMMIT would be tried forever.
            let deadline = *first_deadline.get_or_insert(fresh.deadline);
            unresolved = Some(Unresolved { deadline, ..fresh });
        }
        let Some(Unresolved { deadline, .. }) = unresolved else {
            return Err(error);
        };
        // A failure that will stay ends the search, too, and says as little about the outcome.
        if Instant::now() + pause >= deadline || !(is_unknown || is_unavailable(&error)) {
            tracing::error!(
                organisation.id = %org,
                error = format!("{error:#}"),
                rows = items.len(),
                "whether these rows were committed could not be found out"
            );
            return Err(unknown(&error));
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(RESOLVE_PAUSE_MAX);
    }
}

/// One transaction of one organisation, which waits for the head. Where something is `unresolved` it first
/// looks for that in the log: found, nothing else is done; else nothing is unresolved any more.
async fn attempt_alone(
    db: &Db,
    org: OrgId,
    items: &[Waiting],
    unresolved: &mut Option<Unresolved>,
    placed: &mut Placed,
) -> Result<()> {
    let started = Instant::now();
    transaction!(db.org(org), |tx| {
        // Whoever held it has ended, so what can be seen now is how that ended.
        let Some(mut head) = queries::lock_head(tx, org).await? else {
            *unresolved = None;
            return Err(Error::not_found("organisation"));
        };
        if let Some(Unresolved { placed: Placed { entries, .. }, .. }) = unresolved.as_ref() {
            let found = are_in_log(tx, &head, entries).await?;
            tracing::info!(
                organisation.id = %org,
                rows = entries.len(),
                committed = found,
                "the outcome of a commit was found in the log"
            );
            if found {
                for entry in entries {
                    tx.note_appended(Arc::clone(entry));
                }
                return Ok(());
            }
            *unresolved = None;
        }
        let mut keys = Batch::load(tx, claims(items.iter())).await?;
        let mut rows = Vec::new();
        *placed = place(&mut head, items, &mut rows, &mut keys)?;
        insert(tx, rows, vec![head], std::iter::once(&*placed)).await?;
        keys.write(tx).await
    })?;
    let settled = unresolved.as_ref().map_or(&*placed, |found| &found.placed);
    observe(settled.entries.len(), started);
    Ok(())
}

/// Whether the log holds these entries at their places. They were one transaction: all or none.
async fn are_in_log(tx: &mut Tx, head: &Head, entries: &Entries) -> Result<bool> {
    let (Some(first), Some(last)) = (entries.first(), entries.last()) else {
        return Ok(false);
    };
    if head.first_seq > first.seq {
        // Only retention moves it, and that is a matter of days.
        return Err(anyhow!("the log was cut while the outcome of a commit was looked for").into());
    }
    let found = queries::list_ids(tx, head.org_id, first.seq, last.seq).await?;
    let ours = |entry: &Arc<LogEntry>| found.contains(&(entry.seq, entry.id));
    Ok(entries.iter().all(ours))
}

/// Whether fewer rows may succeed where these failed.
fn is_of_the_rows(error: &Error) -> bool {
    match error {
        Error::Database(DbError::Query(_)) => !is_unavailable(error),
        Error::Internal(_) => true,
        // The database is away, or the organisation has no log.
        Error::Database(
            DbError::Unreachable(_) | DbError::TenantUnavailable(_) | DbError::OutcomeUnknown(_),
        )
        | Error::Refused { .. }
        | Error::Invalid(_)
        | Error::Limited(_) => false,
    }
}
