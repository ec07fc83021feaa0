//! What only PostgreSQL does this way: a statement of a fixed text, however many rows there are.

use diesel::sql_types::{Array, BigInt, Nullable, Text};
use diesel::{QueryResult, sql_query};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use super::{Entry, Reservation};
use crate::types::sql;

pub(super) async fn insert_entries(conn: &mut AsyncPgConnection, rows: &[Entry]) -> QueryResult<()> {
    let Some(first) = rows.first() else { return Ok(()) };
    sql_query(
        "INSERT INTO credit_entries (org_id, seq, kind, amount, balance, message_id, reason, created_at) \
         SELECT $1, new.seq, new.kind, new.amount, new.balance, new.message_id, new.reason, $2 \
         FROM unnest($3, $4, $5, $6, $7, $8) AS new (seq, kind, amount, balance, message_id, reason)",
    )
    .bind::<sql::Id, _>(first.org_id)
    .bind::<sql::Moment, _>(first.created_at)
    .bind::<Array<BigInt>, _>(rows.iter().map(|row| row.seq).collect::<Vec<_>>())
    .bind::<Array<Text>, _>(rows.iter().map(|row| row.kind).collect::<Vec<_>>())
    .bind::<Array<BigInt>, _>(rows.iter().map(|row| row.amount).collect::<Vec<_>>())
    .bind::<Array<BigInt>, _>(rows.iter().map(|row| row.balance).collect::<Vec<_>>())
    .bind::<Array<Nullable<sql::Id>>, _>(rows.iter().map(|row| row.message_id).collect::<Vec<_>>())
    .bind::<Array<Nullable<Text>>, _>(rows.iter().map(|row| row.reason.as_deref()).collect::<Vec<_>>())
    .execute(conn)
    .await?;
    Ok(())
}

pub(super) async fn insert_reservations(
    conn: &mut AsyncPgConnection,
    rows: &[Reservation],
) -> QueryResult<()> {
    let Some(first) = rows.first() else { return Ok(()) };
    sql_query(
        "INSERT INTO credit_reservations (org_id, message_id, channel, amount, created_at) \
         SELECT $1, new.message_id, new.channel, new.amount, $2 \
         FROM unnest($3, $4, $5) AS new (message_id, channel, amount)",
    )
    .bind::<sql::Id, _>(first.org_id)
    .bind::<sql::Moment, _>(first.created_at)
    .bind::<Array<sql::Id>, _>(rows.iter().map(|row| row.message_id).collect::<Vec<_>>())
    .bind::<Array<Text>, _>(rows.iter().map(|row| row.channel).collect::<Vec<_>>())
    .bind::<Array<BigInt>, _>(rows.iter().map(|row| row.amount).collect::<Vec<_>>())
    .execute(conn)
    .await?;
    Ok(())
}
