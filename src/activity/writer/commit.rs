//! The transactions of the writer, and what becomes of those that fail.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use anyhow::anyhow;
use diesel::result::{DatabaseErrorKind, Error as QueryError};
use metrics::{counter, histogram};

use super::alone::{Unresolved, settle_alone};
use super::queue::{BatchLimits, Waiting};
use super::{Appended, Part, Shared};
use crate::activity::model::{ActivityRow, Draft, Head};
use crate::activity::queries::{self, InsertBatch};
use crate::db::{Db, DbError, Tx};
use crate::error::{Error, Result};
use crate::idempotency::{Answer, Batch, Claim, Judged};
use crate::telemetry::metric::{COMMIT_BATCH_SIZE, COMMIT_SECONDS, COMMITS};
use crate::types::{Audience, LogEntry, OrgId, OrgIds};

/// What was appended for one organisation, in order.
pub(super) type Entries = Vec<Arc<LogEntry>>;

/// What becomes of a part once its transaction is committed.
#[derive(Default)]
pub(super) struct Placed {
    /// An answer for each of its items, in order.
    pub(super) answers: Vec<Result<Appended>>,
    /// What is new in the log. Fewer than the answers where some had been done before.
    pub(super) entries: Entries,
}

/// Appends what was taken in one transaction and answers its callers. Organisations that cannot go with
/// the others are left to tasks of their own.
pub(super) async fn commit_batch(shared: &Arc<Shared>, parts: Vec<Part>) {
    let mut placed = Vec::with_capacity(parts.len());
    match append_together(&shared.db, &parts, &mut placed).await {
        Ok(()) => {
            for (part, placed) in parts.into_iter().zip(placed) {
                match placed {
                    Some(placed) => part.succeed(placed),
                    // Somebody holds its head, or it has none.
                    None => settle_alone(part, None),
                }
            }
        }
        Err(Error::Database(DbError::OutcomeUnknown(error))) => {
            tracing::warn!(
                error = %error,
                organisation.ids = %ids(&parts),
                "the outcome of a batch's commit is unknown; looking for it in the log"
            );
            for (part, placed) in parts.into_iter().zip(placed) {
                settle_alone(part, placed.map(Unresolved::new));
            }
        }
        Err(error) if is_unavailable(&error) => {
            let is_apart = parts.iter().all(|part| part.isolation.is_apart());
            refuse(parts, &error);
            if !is_apart && matches!(error, Error::Database(DbError::Unreachable(_))) {
                // Who came meanwhile has waited as long for a connection. Trying again for them, batch by
                // batch, would make the last of them wait for minutes.
                refuse(shared.take(BatchLimits::NONE), &error);
            }
        }
        Err(error) => {
            tracing::warn!(
                error = format!("{error:#}"),
                organisation.ids = %ids(&parts),
                "a batch failed; each organisation's part is tried alone"
            );
            for part in parts {
                settle_alone(part, None);
            }
        }
    }
}

/// Whose parts these are.
fn ids(parts: &[Part]) -> OrgIds {
    OrgIds(parts.iter().map(|part| part.org).collect())
}

pub(super) fn refuse(parts: Vec<Part>, error: &Error) {
    for part in parts {
        let answers: Vec<_> = part.items.iter().map(|_| Err(repeat(error))).collect();
        part.answer(answers);
    }
}

/// One transaction over many organisations. Says in `placed`, for each part, what it appended: `None` is
/// where the head could not be locked. That counts only once this has returned `Ok`.
async fn append_together(db: &Db, parts: &[Part], placed: &mut Vec<Option<Placed>>) -> Result<()> {
    let orgs: Vec<OrgId> = parts.iter().map(|part| part.org).collect();
    let started = Instant::now();
    let lock = queries::LockHeads(&orgs);
    let (mut tx, heads) = db.orgs(orgs.clone()).begin_write_with(lock).await?;
    let outcome = tx.patience().hold(insert_together(&mut tx, heads, parts, placed)).await;
    tx.finish_with(outcome).await?;
    observe(placed.iter().flatten().map(|placed| placed.entries.len()).sum(), started);
    Ok(())
}

/// Places what goes behind these heads, and writes it; or returns what there is to write, where that is one statement.
async fn insert_together(
    tx: &mut Tx,
    heads: Vec<Head>,
    parts: &[Part],
    placed: &mut Vec<Option<Placed>>,
) -> Result<Option<InsertBatch>> {
    let mut heads: HashMap<OrgId, Head> = heads.into_iter().map(|head| (head.org_id, head)).collect();
    let locked = parts.iter().filter(|part| heads.contains_key(&part.org));
    let mut keys = Batch::load(tx, claims(locked.flat_map(|part| &part.items))).await?;
    let mut rows = Vec::new();
    for part in parts {
        let head = heads.get_mut(&part.org);
        placed.push(head.map(|head| place(head, &part.items, &mut rows, &mut keys)).transpose()?);
    }
    let heads = heads.into_values().collect();
    let mut entries = placed.iter().flatten().flat_map(|placed| &placed.entries);
    if !rows.is_empty() && keys.is_unchanged() && entries.all(|entry| !names_users(entry)) {
        note(tx, placed.iter().flatten());
        return Ok(Some(InsertBatch { rows, heads }));
    }
    insert(tx, rows, heads, placed.iter().flatten()).await?;
    keys.write(tx).await?;
    Ok(None)
}

/// The claims among these items.
pub(super) fn claims<'a>(items: impl Iterator<Item = &'a Waiting>) -> impl Iterator<Item = &'a Claim> {
    items.filter_map(|item| item.claim.as_ref())
}

/// Gives each append its place behind `head`, and moves the head there. What was done before under its
/// idempotency key, also by another of these items, takes no place and gets the answer of then.
pub(super) fn place(
    head: &mut Head,
    items: &[Waiting],
    rows: &mut Vec<ActivityRow>,
    keys: &mut Batch,
) -> Result<Placed> {
    let mut placed = Placed::default();
    for item in items {
        match item.claim.as_ref().map(|claim| keys.judge(claim)).transpose() {
            Ok(None | Some(Judged::Fresh(_))) => {}
            Ok(Some(Judged::Again(answer))) => {
                placed.answers.push(Ok(Appended::Again(answer)));
                continue;
            }
            Err(error) => {
                placed.answers.push(Err(error));
                continue;
            }
        }
        if let Err(refused) = head.require_taken(&item.activity) {
            placed.answers.push(Err(refused));
            continue;
        }
        head.last_seq = head.last_seq.next();
        head.last_id = Some(item.id);
        head.last_at = head.last_at.max(item.origin.at);
        let draft = Draft { id: item.id, origin: &item.origin, activity: &item.activity };
        let (row, entry) = draft.place(head)?;
        if let Some(claim) = &item.claim {
            keys.keep(claim, &Answer::created_json(entry.json.clone()))?;
        }
        rows.push(row);
        let entry = Arc::new(entry);
        placed.answers.push(Ok(Appended::Entry(Arc::clone(&entry))));
        placed.entries.push(entry);
    }
    Ok(placed)
}

/// Writes what was placed.
pub(super) async fn insert<'a>(
    tx: &mut Tx,
    rows: Vec<ActivityRow>,
    heads: Vec<Head>,
    placed: impl Iterator<Item = &'a Placed> + Clone,
) -> Result<()> {
    if rows.is_empty() {
        return Ok(());
    }
    InsertBatch { rows, heads }.run(tx).await?;
    for entry in placed.clone().flat_map(|placed| &placed.entries).filter(|entry| names_users(entry)) {
        queries::insert_recipients(tx, entry).await?;
    }
    note(tx, placed);
    Ok(())
}

/// Whether its audience is in rows of their own.
fn names_users(entry: &LogEntry) -> bool {
    matches!(entry.audience, Audience::Users(_))
}

/// The transaction hands these on once it is committed.
fn note<'a>(tx: &mut Tx, placed: impl Iterator<Item = &'a Placed>) {
    for entry in placed.flat_map(|placed| &placed.entries) {
        tx.note_appended(Arc::clone(entry));
    }
}

pub(super) fn observe(rows: usize, started: Instant) {
    if rows > 0 {
        counter!(COMMITS).increment(1);
        histogram!(COMMIT_BATCH_SIZE).record(f64::from(u32::try_from(rows).unwrap_or(u32::MAX)));
        histogram!(COMMIT_SECONDS).record(started.elapsed());
    }
}

/// Whether the database, rather than what was asked of it, made this fail: it did not happen.
pub(super) fn is_unavailable(error: &Error) -> bool {
    match error {
        Error::Database(error) => error.is_unavailable(),
        Error::Refused { .. } | Error::Invalid(_) | Error::Limited(_) | Error::Internal(_) => false,
    }
}

/// The same failure for another caller.
pub(super) fn repeat(error: &Error) -> Error {
    match error {
        Error::Refused { code, detail } => Error::refused(*code, detail.clone()),
        Error::Invalid(fields) => Error::Invalid(fields.clone()),
        Error::Limited(refusal) => Error::Limited(*refusal),
        Error::Database(DbError::OutcomeUnknown(_)) => unknown(error),
        Error::Database(_) if is_unavailable(error) => unreachable(error),
        Error::Database(_) | Error::Internal(_) => anyhow!("{error:#}").into(),
    }
}

pub(super) fn unreachable(error: &Error) -> Error {
    if let Error::Database(DbError::TenantUnavailable(reason)) = error {
        return DbError::TenantUnavailable(reason.clone()).into();
    }
    DbError::Unreachable(error.to_string()).into()
}

pub(super) fn unknown(error: &Error) -> Error {
    let cause = Box::new(match error {
        // Which says that already.
        Error::Database(DbError::OutcomeUnknown(cause)) => cause.to_string(),
        _ => error.to_string(),
    });
    DbError::OutcomeUnknown(QueryError::DatabaseError(DatabaseErrorKind::ClosedConnection, cause)).into()
}
