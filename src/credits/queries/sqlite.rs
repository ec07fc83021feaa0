//! What only SQLite does this way: in one hop to the thread that may block.

use diesel::QueryResult;
use diesel::prelude::*;

use super::{Entry, Reservation};
use crate::db::AsyncSqlite;
use crate::db::schema::{credit_entries, credit_reservations};

pub(super) async fn insert_entries(conn: &mut AsyncSqlite, rows: Vec<Entry>) -> QueryResult<()> {
    conn.spawn_blocking(move |conn| {
        for row in &rows {
            diesel::insert_into(credit_entries::table).values(row).execute(conn)?;
        }
        Ok(())
    })
    .await
}

pub(super) async fn insert_reservations(conn: &mut AsyncSqlite, rows: Vec<Reservation>) -> QueryResult<()> {
    conn.spawn_blocking(move |conn| {
        for row in &rows {
            diesel::insert_into(credit_reservations::table).values(row).execute(conn)?;
        }
        Ok(())
    })
    .await
}
