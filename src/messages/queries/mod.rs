//! The tables of messages and attempts. Nothing but diesel.

mod postgres;
mod sqlite;

use diesel::QueryResult;
use diesel::prelude::*;
use diesel_async::RunQueryDsl;

use super::model::{Attempt, Message, Outcome, Status};
use crate::db::Conn;
use crate::db::schema::{message_attempts, messages};
use crate::types::{Channel, MessageId, OrgId, Timestamp, UserId};
use crate::with_conn;

/// Adds messages of one organisation.
pub(super) async fn insert_all(conn: &mut Conn, rows: &[Message]) -> QueryResult<()> {
    match conn {
        Conn::Postgres(conn) => postgres::insert_all(conn, rows).await,
        Conn::Sqlite(conn) => sqlite::insert_all(conn, rows.to_vec()).await,
    }
}

/// A message.
pub(super) async fn find(conn: &mut Conn, org: OrgId, id: MessageId) -> QueryResult<Option<Message>> {
    with_conn!(conn, |c| {
        messages::table.find((org, id)).select(Message::as_select()).get_result(c).await.optional()
    })
}

/// Moves those of these messages to another status that have one of `from`, and returns them.
pub(super) async fn transition(
    conn: &mut Conn,
    org: OrgId,
    ids: &[MessageId],
    from: &[Status],
    to: Status,
    at: Timestamp,
) -> QueryResult<Vec<Message>> {
    with_conn!(conn, |c| {
        diesel::update(messages::table)
            .filter(messages::org_id.eq(org).and(messages::id.eq_any(ids)))
            .filter(messages::status.eq_any(from))
            .set((messages::status.eq(to), messages::updated_at.eq(at)))
            .returning(Message::as_returning())
            .get_results(c)
            .await
    })
}

/// Which messages are listed.
pub(super) struct Filter {
    pub(super) org: OrgId,
    /// Only those of this user.
    pub(super) created_by: Option<UserId>,
    pub(super) status: Option<Status>,
    pub(super) channel: Option<Channel>,
    pub(super) recipient: Option<String>,
    /// Only those from then or later.
    pub(super) from: Option<Timestamp>,
    /// Only those from before then.
    pub(super) until: Option<Timestamp>,
    /// Only those that come after this one in the list.
    pub(super) after: Option<(Timestamp, MessageId)>,
}

/// Messages, the newest first.
pub(super) async fn list(conn: &mut Conn, filter: &Filter, limit: i64) -> QueryResult<Vec<Message>> {
    with_conn!(conn, |c| {
        let mut query = messages::table
            .filter(messages::org_id.eq(filter.org))
            .order((messages::created_at.desc(), messages::id.desc()))
            .limit(limit)
            .select(Message::as_select())
            .into_boxed();
        if let Some(user) = filter.created_by {
            query = query.filter(messages::created_by.eq(user));
        }
        if let Some(status) = filter.status {
            query = query.filter(messages::status.eq(status));
        }
        if let Some(channel) = filter.channel {
            query = query.filter(messages::channel.eq(channel));
        }
        if let Some(recipient) = &filter.recipient {
            query = query.filter(messages::recipient.eq(recipient));
        }
        if let Some(from) = filter.from {
            query = query.filter(messages::created_at.ge(from));
        }
        if let Some(until) = filter.until {
            query = query.filter(messages::created_at.lt(until));
        }
        if let Some((at, id)) = filter.after {
            // The first is what the index is entered by.
            query = query
                .filter(messages::created_at.le(at))
                .filter(messages::created_at.lt(at).or(messages::id.lt(id)));
        }
        query.load(c).await
    })
}

/// Named in one statement: SQLite takes no more than 32,766 values in one.
const NAMED_AT_ONCE: usize = 1000;

/// Which of these messages there are, and where they stand.
pub(super) async fn list_statuses(
    conn: &mut Conn,
    org: OrgId,
    ids: &[MessageId],
) -> QueryResult<Vec<(MessageId, Status)>> {
    let mut found = Vec::with_capacity(ids.len());
    for ids in ids.chunks(NAMED_AT_ONCE) {
        let more: Vec<(MessageId, Status)> = with_conn!(&mut *conn, |c| {
            messages::table
                .filter(messages::org_id.eq(org).and(messages::id.eq_any(ids)))
                .select((messages::id, messages::status))
                .load(c)
                .await
        })?;
        found.extend(more);
    }
    Ok(found)
}

/// Begins attempts.
pub(super) async fn insert_attempts(conn: &mut Conn, rows: Vec<Attempt>) -> QueryResult<()> {
    match conn {
        Conn::Postgres(conn) => postgres::insert_attempts(conn, &rows).await,
        Conn::Sqlite(conn) => sqlite::insert_attempts(conn, rows).await,
    }
}

/// Ends the attempts at these messages that have no end.
pub(super) async fn end_attempts(
    conn: &mut Conn,
    org: OrgId,
    ids: &[MessageId],
    outcome: Outcome,
    detail: &str,
    at: Timestamp,
) -> QueryResult<()> {
    with_conn!(conn, |c| {
        diesel::update(message_attempts::table)
            .filter(message_attempts::org_id.eq(org).and(message_attempts::message_id.eq_any(ids)))
            .filter(message_attempts::outcome.is_null())
            .set((
                message_attempts::outcome.eq(Some(outcome)),
                message_attempts::detail.eq(Some(detail)),
                message_attempts::ended_at.eq(Some(at)),
            ))
            .execute(c)
            .await
    })?;
    Ok(())
}

/// The attempts at a message, in order.
pub(super) async fn list_attempts(conn: &mut Conn, org: OrgId, id: MessageId) -> QueryResult<Vec<Attempt>> {
    with_conn!(conn, |c| {
        message_attempts::table
            .filter(message_attempts::org_id.eq(org).and(message_attempts::message_id.eq(id)))
            .order(message_attempts::number)
            .select(Attempt::as_select())
            .load(c)
            .await
    })
}

/// How many messages of an organisation there are, by channel and status.
pub(super) async fn count(conn: &mut Conn, org: OrgId) -> QueryResult<Vec<(Channel, Status, i64)>> {
    with_conn!(conn, |c| {
        messages::table
            .filter(messages::org_id.eq(org))
            .group_by((messages::channel, messages::status))
            .select((messages::channel, messages::status, diesel::dsl::count_star()))
            .load(c)
            .await
    })
}
