//! What only SQLite does this way: in one hop to the thread that may block.

use diesel::QueryResult;
use diesel::prelude::*;

use super::{Attempt, Message};
use crate::db::AsyncSqlite;
use crate::db::schema::{message_attempts, messages};

pub(super) async fn insert_all(conn: &mut AsyncSqlite, rows: Vec<Message>) -> QueryResult<()> {
    conn.spawn_blocking(move |conn| {
        for row in &rows {
            diesel::insert_into(messages::table).values(row).execute(conn)?;
        }
        Ok(())
    })
    .await
}

pub(super) async fn insert_attempts(conn: &mut AsyncSqlite, rows: Vec<Attempt>) -> QueryResult<()> {
    conn.spawn_blocking(move |conn| {
        for row in &rows {
            diesel::insert_into(message_attempts::table).values(row).execute(conn)?;
        }
        Ok(())
    })
    .await
}
