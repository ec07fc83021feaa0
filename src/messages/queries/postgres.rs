//! What only PostgreSQL does this way: a statement of a fixed text, however many rows there are.

use diesel::sql_types::{Array, BigInt, Text};
use diesel::{QueryResult, sql_query};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use super::{Attempt, Message};
use crate::types::sql;

pub(super) async fn insert_all(conn: &mut AsyncPgConnection, rows: &[Message]) -> QueryResult<()> {
    let Some(first) = rows.first() else { return Ok(()) };
    sql_query(
        "INSERT INTO messages (org_id, id, recipient, channel, body, status, price, created_by, job_id, created_at, \
             updated_at) \
         SELECT $1, new.id, new.recipient, new.channel, new.body, 'QUEUED', new.price, $2, new.job_id, $3, $3 \
         FROM unnest($4, $5, $6, $7, $8, $9) AS new (id, recipient, channel, body, price, job_id)",
    )
    .bind::<sql::Id, _>(first.org_id)
    .bind::<sql::Id, _>(first.created_by)
    .bind::<sql::Moment, _>(first.created_at)
    .bind::<Array<sql::Id>, _>(rows.iter().map(|row| row.id).collect::<Vec<_>>())
    .bind::<Array<Text>, _>(rows.iter().map(|row| &*row.recipient).collect::<Vec<_>>())
    .bind::<Array<Text>, _>(rows.iter().map(|row| row.channel).collect::<Vec<_>>())
    .bind::<Array<Text>, _>(rows.iter().map(|row| &*row.body).collect::<Vec<_>>())
    .bind::<Array<BigInt>, _>(rows.iter().map(|row| row.price).collect::<Vec<_>>())
    .bind::<Array<sql::Id>, _>(rows.iter().map(|row| row.job_id).collect::<Vec<_>>())
    .execute(conn)
    .await?;
    Ok(())
}

pub(super) async fn insert_attempts(conn: &mut AsyncPgConnection, rows: &[Attempt]) -> QueryResult<()> {
    let Some(first) = rows.first() else { return Ok(()) };
    sql_query(
        "INSERT INTO message_attempts (org_id, message_id, number, gateway, started_at) \
         SELECT $1, new.message_id, new.number, new.gateway, $2 \
         FROM unnest($3, $4, $5) AS new (message_id, number, gateway)",
    )
    .bind::<sql::Id, _>(first.org_id)
    .bind::<sql::Moment, _>(first.started_at)
    .bind::<Array<sql::Id>, _>(rows.iter().map(|row| row.message_id).collect::<Vec<_>>())
    .bind::<Array<BigInt>, _>(rows.iter().map(|row| row.number).collect::<Vec<_>>())
    .bind::<Array<Text>, _>(rows.iter().map(|row| &*row.gateway).collect::<Vec<_>>())
    .execute(conn)
    .await?;
    Ok(())
}
