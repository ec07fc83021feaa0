//! Reading the log as a feed.

use diesel::QueryResult;
use diesel::dsl::exists;
use diesel::prelude::*;
use diesel_async::RunQueryDsl;

use crate::activity::feed::{FeedQuery, From};
use crate::activity::model::{AUDIENCE_ADMINS_AND, AUDIENCE_EVERYONE, AUDIENCE_USERS, ActivityRow};
use crate::db::Conn;
use crate::db::schema::{activities, activity_recipients};
use crate::types::{OrgId, Role, UserId};
use crate::with_conn;

/// Who asks for which part of which log.
pub(crate) struct Filter<'a> {
    pub(crate) org: OrgId,
    pub(crate) user: UserId,
    pub(crate) role: Role,
    pub(crate) query: &'a FeedQuery,
}

/// At most `limit` activities of that part which the user may see. The conditions on type, actor and seq
/// are those of the indexes.
pub(crate) async fn list(conn: &mut Conn, filter: &Filter<'_>, limit: i64) -> QueryResult<Vec<ActivityRow>> {
    with_conn!(conn, |c| {
        let named = exists(
            activity_recipients::table.filter(
                activity_recipients::org_id
                    .eq(filter.org)
                    .and(activity_recipients::user_id.eq(filter.user))
                    .and(activity_recipients::seq.eq(activities::seq)),
            ),
        );
        let mut query = activities::table
            .filter(activities::org_id.eq(filter.org))
            .select(ActivityRow::as_select())
            .limit(limit)
            .into_boxed();
        query = match filter.role {
            Role::Admin => query.filter(activities::audience_kind.ne(AUDIENCE_USERS).or(named)),
            Role::Member => query.filter(
                activities::audience_kind
                    .eq(AUDIENCE_EVERYONE)
                    .or(activities::audience_kind
                        .eq(AUDIENCE_ADMINS_AND)
                        .and(activities::audience_id.assume_not_null().eq(filter.user)))
                    .or(activities::audience_kind.eq(AUDIENCE_USERS).and(named)),
            ),
        };
        if let Some(kind) = &filter.query.kind {
            query = query.filter(activities::kind.eq(kind.as_str()));
        }
        if let Some(actor) = filter.query.actor {
            query = query.filter(activities::actor_id.eq(actor));
        }
        query = match filter.query.from {
            From::Before(None) => query.order(activities::seq.desc()),
            From::Before(Some(seq)) => query.filter(activities::seq.lt(seq)).order(activities::seq.desc()),
            From::After(seq) => query.filter(activities::seq.gt(seq)).order(activities::seq.asc()),
        };
        query.load(c).await
    })
}
