//! Reading the log as a feed.
//!
//! A page is merged from one walk for each audience that the reader belongs to, each in the order of an index
//! that begins with that audience: what the reader may not see is never looked at, however much of it there is.

use diesel::QueryResult;
use diesel::prelude::*;
use diesel_async::RunQueryDsl;

use crate::activity::feed::{FeedQuery, From, Reader};
use crate::activity::model::{
    AUDIENCE_ADMINS, AUDIENCE_ADMINS_AND, AUDIENCE_EVERYONE, AUDIENCE_USERS, ActivityRow,
};
use crate::db::Conn;
use crate::db::schema::{activities, activity_recipients};
use crate::types::{Role, Seq};
use crate::with_conn;

/// Who asks for which part of which log.
pub(crate) struct Filter<'a> {
    pub(crate) reader: Reader,
    pub(crate) query: &'a FeedQuery,
}

/// Those who may see something.
#[derive(Clone, Copy)]
enum Audience {
    /// All of whom this kind speaks.
    Kind(&'static str),
    /// The user whom the activity is about.
    Oneself,
    /// Users by name, the reader among them.
    Named,
}

/// Where a walk begins, and before or after what it ends.
#[derive(Clone, Copy)]
enum Walk {
    Down { from: Option<Seq>, until: Option<Seq> },
    Up { from: Seq, until: Option<Seq> },
}

/// The conditions and the order of a walk.
macro_rules! order {
    ($query:expr, $walk:expr, $seq:expr) => {{
        let mut query = $query;
        match $walk {
            Walk::Down { from, until } => {
                if let Some(from) = from {
                    query = query.filter($seq.lt(from));
                }
                if let Some(until) = until {
                    query = query.filter($seq.gt(until));
                }
                query.order($seq.desc())
            }
            Walk::Up { from, until } => {
                if let Some(until) = until {
                    query = query.filter($seq.lt(until));
                }
                query.filter($seq.gt(from)).order($seq.asc())
            }
        }
    }};
}

/// The conditions that the reader chose, and a walk.
macro_rules! walk {
    ($query:expr, $filter:expr, $walk:expr, $seq:expr) => {{
        let mut query = $query;
        if let Some(kind) = &$filter.query.kind {
            query = query.filter(activities::kind.eq(kind.as_str()));
        }
        if let Some(actor) = $filter.query.actor {
            query = query.filter(activities::actor_id.eq(actor));
        }
        order!(query, $walk, $seq)
    }};
}

/// At most `limit` activities of that part which the user may see. It takes several queries, so `conn` has to
/// show them one snapshot.
pub(crate) async fn list(conn: &mut Conn, filter: &Filter<'_>, limit: i64) -> QueryResult<Vec<ActivityRow>> {
    use Audience::{Kind, Named, Oneself};
    let audiences = match filter.reader.role {
        Role::Admin => {
            &[Kind(AUDIENCE_EVERYONE), Kind(AUDIENCE_ADMINS), Kind(AUDIENCE_ADMINS_AND), Named][..]
        }
        Role::Member => &[Kind(AUDIENCE_EVERYONE), Oneself, Named],
    };
    let length = usize::try_from(limit).unwrap_or_default();
    let mut rows: Vec<ActivityRow> = Vec::new();
    for audience in audiences {
        // Beyond the end of a full page nothing is of use.
        let until = length.checked_sub(1).and_then(|last| rows.get(last)).map(|row| row.seq);
        let walk = match filter.query.from {
            From::Before(from) => Walk::Down { from, until },
            From::After(from) => Walk::Up { from, until },
        };
        rows.extend(list_of(conn, filter, *audience, walk, limit).await?);
        rows.sort_unstable_by_key(|row| row.seq);
        if let Walk::Down { .. } = walk {
            rows.reverse();
        }
        rows.truncate(length);
    }
    Ok(rows)
}

/// What one audience may see of a part.
async fn list_of(
    conn: &mut Conn,
    filter: &Filter<'_>,
    audience: Audience,
    walk: Walk,
    limit: i64,
) -> QueryResult<Vec<ActivityRow>> {
    if let Audience::Named = audience {
        return list_named(conn, filter, walk, limit).await;
    }
    with_conn!(conn, |c| {
        let query = activities::table
            .filter(activities::org_id.eq(filter.reader.org))
            .select(ActivityRow::as_select())
            .limit(limit)
            .into_boxed();
        let query = match audience {
            Audience::Kind(kind) => query.filter(activities::audience_kind.eq(kind)),
            // There is one kind that has an id. Were it named, PostgreSQL might walk all of that kind.
            Audience::Oneself | Audience::Named => {
                query.filter(activities::audience_id.eq(filter.reader.user))
            }
        };
        walk!(query, filter, walk, activities::seq).load(c).await
    })
}

/// What names the reader.
async fn list_named(
    conn: &mut Conn,
    filter: &Filter<'_>,
    walk: Walk,
    limit: i64,
) -> QueryResult<Vec<ActivityRow>> {
    if filter.query.kind.is_none() && filter.query.actor.is_none() {
        // PostgreSQL might join by walking all that names anybody.
        return list_all_named(conn, filter, walk, limit).await;
    }
    with_conn!(conn, |c| {
        let row = activities::org_id
            .eq(activity_recipients::org_id)
            .and(activities::seq.eq(activity_recipients::seq));
        let query = activity_recipients::table
            .inner_join(activities::table.on(row))
            .filter(
                activity_recipients::org_id
                    .eq(filter.reader.org)
                    .and(activity_recipients::user_id.eq(filter.reader.user)),
            )
            .filter(activities::audience_kind.eq(AUDIENCE_USERS))
            .select(ActivityRow::as_select())
            .limit(limit)
            .into_boxed();
        walk!(query, filter, walk, activity_recipients::seq).load(c).await
    })
}

/// The same of every type and actor: first which, then what they are.
async fn list_all_named(
    conn: &mut Conn,
    filter: &Filter<'_>,
    walk: Walk,
    limit: i64,
) -> QueryResult<Vec<ActivityRow>> {
    let seqs: Vec<Seq> = with_conn!(conn, |c| {
        let query = activity_recipients::table
            .filter(
                activity_recipients::org_id
                    .eq(filter.reader.org)
                    .and(activity_recipients::user_id.eq(filter.reader.user)),
            )
            .select(activity_recipients::seq)
            .limit(limit)
            .into_boxed();
        order!(query, walk, activity_recipients::seq).load(c).await
    })?;
    if seqs.is_empty() {
        return Ok(Vec::new());
    }
    with_conn!(conn, |c| {
        activities::table
            .filter(activities::org_id.eq(filter.reader.org).and(activities::seq.eq_any(&seqs)))
            .select(ActivityRow::as_select())
            .load(c)
            .await
    })
}
