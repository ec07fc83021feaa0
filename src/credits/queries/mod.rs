//! The tables of the ledger. Nothing but diesel.

mod postgres;
mod sqlite;

use diesel::QueryResult;
use diesel::prelude::*;
use diesel::upsert::excluded;
use diesel_async::RunQueryDsl;

use super::model::{Account, Entry, EntryKind, Reservation};
use crate::db::Conn;
use crate::db::schema::{credit_accounts, credit_entries, credit_reservations, message_totals};
use crate::types::{Channel, MessageId, OrgId, Timestamp};
use crate::with_conn;

/// Opens an account. `false` where it exists.
pub(super) async fn insert_account(conn: &mut Conn, account: &Account) -> QueryResult<bool> {
    let inserted = with_conn!(conn, |c| diesel::insert_into(credit_accounts::table)
        .values(account)
        .on_conflict_do_nothing()
        .execute(c)
        .await)?;
    Ok(inserted == 1)
}

/// Where a ledger stands.
pub(super) async fn find_account(conn: &mut Conn, org: OrgId) -> QueryResult<Option<Account>> {
    with_conn!(conn, |c| {
        credit_accounts::table.find(org).select(Account::as_select()).get_result(c).await.optional()
    })
}

/// The same, and nobody else changes it until the transaction ends: an update of nothing locks the row on both
/// databases.
pub(super) async fn lock_account(conn: &mut Conn, org: OrgId) -> QueryResult<Option<Account>> {
    with_conn!(conn, |c| {
        diesel::update(credit_accounts::table.find(org))
            .set(credit_accounts::updated_at.eq(credit_accounts::updated_at))
            .returning(Account::as_returning())
            .get_result(c)
            .await
            .optional()
    })
}

/// Moves an account that is locked to where it now stands.
pub(super) async fn update_account(conn: &mut Conn, account: &Account) -> QueryResult<()> {
    with_conn!(conn, |c| {
        diesel::update(credit_accounts::table.find(account.org_id))
            .set((
                credit_accounts::balance.eq(account.balance),
                credit_accounts::reserved.eq(account.reserved),
                credit_accounts::last_seq.eq(account.last_seq),
                credit_accounts::low_since.eq(account.low_since),
                credit_accounts::untold_seq.eq(account.untold_seq),
                credit_accounts::updated_at.eq(account.updated_at),
            ))
            .execute(c)
            .await
    })?;
    Ok(())
}

/// Appends entries.
pub(super) async fn insert_entries(conn: &mut Conn, rows: Vec<Entry>) -> QueryResult<()> {
    match conn {
        Conn::Postgres(conn) => postgres::insert_entries(conn, &rows).await,
        Conn::Sqlite(conn) => sqlite::insert_entries(conn, rows).await,
    }
}

/// Adds reservations.
pub(super) async fn insert_reservations(conn: &mut Conn, rows: Vec<Reservation>) -> QueryResult<()> {
    match conn {
        Conn::Postgres(conn) => postgres::insert_reservations(conn, &rows).await,
        Conn::Sqlite(conn) => sqlite::insert_reservations(conn, rows).await,
    }
}

/// Deletes the reservations of these messages, and returns those that were there.
pub(super) async fn take_reservations(
    conn: &mut Conn,
    org: OrgId,
    messages: &[MessageId],
) -> QueryResult<Vec<Reservation>> {
    with_conn!(conn, |c| {
        diesel::delete(credit_reservations::table)
            .filter(credit_reservations::org_id.eq(org).and(credit_reservations::message_id.eq_any(messages)))
            .returning(Reservation::as_returning())
            .get_results(c)
            .await
    })
}

/// Adds to how many messages stand where.
pub(super) async fn add_to_total(
    conn: &mut Conn,
    org: OrgId,
    channel: Channel,
    status: &str,
    count: i64,
) -> QueryResult<()> {
    let values = (
        message_totals::org_id.eq(org),
        message_totals::channel.eq(channel),
        message_totals::status.eq(status),
        message_totals::count.eq(count),
    );
    with_conn!(conn, |c| {
        diesel::insert_into(message_totals::table)
            .values(values)
            .on_conflict((message_totals::org_id, message_totals::channel, message_totals::status))
            .do_update()
            .set(message_totals::count.eq(message_totals::count + excluded(message_totals::count)))
            .execute(c)
            .await
    })?;
    Ok(())
}

/// Entries, the newest first: at most `limit` of those before `before`.
pub(super) async fn list_entries(
    conn: &mut Conn,
    org: OrgId,
    before: i64,
    limit: i64,
) -> QueryResult<Vec<Entry>> {
    with_conn!(conn, |c| {
        credit_entries::table
            .filter(credit_entries::org_id.eq(org).and(credit_entries::seq.lt(before)))
            .order(credit_entries::seq.desc())
            .limit(limit)
            .select(Entry::as_select())
            .load(c)
            .await
    })
}

/// Reservations of all organisations from before `before`, the oldest first: at most `limit` after that of `after`.
pub(super) async fn list_reservations(
    conn: &mut Conn,
    before: Timestamp,
    after: Option<(Timestamp, MessageId)>,
    limit: i64,
) -> QueryResult<Vec<Reservation>> {
    let (since, after) = after.unwrap_or((Timestamp::from_millis(0), MessageId::from(uuid::Uuid::nil())));
    with_conn!(conn, |c| {
        credit_reservations::table
            .filter(credit_reservations::created_at.ge(since).and(credit_reservations::created_at.lt(before)))
            .filter(credit_reservations::created_at.gt(since).or(credit_reservations::message_id.gt(after)))
            .order((credit_reservations::created_at, credit_reservations::message_id))
            .limit(limit)
            .select(Reservation::as_select())
            .load(c)
            .await
    })
}

/// Accounts that have been low since before `before`, of which nobody was told.
pub(super) async fn list_untold(conn: &mut Conn, before: Timestamp) -> QueryResult<Vec<Account>> {
    with_conn!(conn, |c| {
        credit_accounts::table
            .filter(credit_accounts::low_since.lt(before))
            .select(Account::as_select())
            .load(c)
            .await
    })
}

/// Accounts in whose log something is missing that somebody decided: the first few.
pub(super) async fn list_untold_changes(conn: &mut Conn) -> QueryResult<Vec<OrgId>> {
    with_conn!(conn, |c| {
        credit_accounts::table
            .filter(credit_accounts::untold_seq.is_not_null())
            .order(credit_accounts::updated_at)
            .limit(UNTOLD)
            .select(credit_accounts::org_id)
            .load(c)
            .await
    })
}

/// Accounts that are told of in one go.
const UNTOLD: i64 = 500;

/// Entries that somebody decided, from this one on, in order: at most some.
pub(super) async fn list_decided(conn: &mut Conn, org: OrgId, from: i64) -> QueryResult<Vec<Entry>> {
    with_conn!(conn, |c| {
        credit_entries::table
            .filter(credit_entries::org_id.eq(org).and(credit_entries::seq.ge(from)))
            .filter(credit_entries::kind.eq_any([EntryKind::TopUp, EntryKind::Adjustment]))
            .order(credit_entries::seq)
            .limit(UNTOLD)
            .select(Entry::as_select())
            .load(c)
            .await
    })
}

/// The open reservations of an organisation.
pub(super) async fn list_reservations_of(
    conn: &mut Conn,
    org: OrgId,
) -> QueryResult<Vec<(MessageId, Channel)>> {
    with_conn!(conn, |c| {
        credit_reservations::table
            .filter(credit_reservations::org_id.eq(org))
            .select((credit_reservations::message_id, credit_reservations::channel))
            .load(c)
            .await
    })
}

/// How many messages of an organisation stand where.
pub(super) async fn list_totals(conn: &mut Conn, org: OrgId) -> QueryResult<Vec<(Channel, String, i64)>> {
    with_conn!(conn, |c| {
        message_totals::table
            .filter(message_totals::org_id.eq(org))
            .select((message_totals::channel, message_totals::status, message_totals::count))
            .load(c)
            .await
    })
}

/// Organisations that have messages, ordered by id: at most `limit` after `after`.
pub(super) async fn list_orgs_with_totals(
    conn: &mut Conn,
    after: OrgId,
    limit: i64,
) -> QueryResult<Vec<OrgId>> {
    with_conn!(conn, |c| {
        message_totals::table
            .filter(message_totals::org_id.gt(after))
            .filter(message_totals::count.gt(0))
            .select(message_totals::org_id)
            .distinct()
            .order(message_totals::org_id)
            .limit(limit)
            .load(c)
            .await
    })
}

/// How many messages of these organisations stand where, ordered by organisation, channel and status.
pub(super) async fn list_totals_of(
    conn: &mut Conn,
    orgs: &[OrgId],
) -> QueryResult<Vec<(OrgId, Channel, String, i64)>> {
    with_conn!(conn, |c| {
        message_totals::table
            .filter(message_totals::org_id.eq_any(orgs))
            .filter(message_totals::count.gt(0))
            .order((message_totals::org_id, message_totals::channel, message_totals::status))
            .load(c)
            .await
    })
}
