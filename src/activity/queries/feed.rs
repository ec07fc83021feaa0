//! Reading the log as a feed.
//!
//! A page is merged from one walk for each audience that the reader belongs to, each in the order of an index
//! that begins with that audience: what the reader may not see is never looked at, however much of it there is.

use diesel::QueryResult;
use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use futures_util::future::try_join_all;

use crate::activity::feed::{FeedQuery, From, Reader};
use crate::activity::model::{
    AUDIENCE_ADMINS, AUDIENCE_ADMINS_AND, AUDIENCE_EVERYONE, AUDIENCE_USERS, ActivityRow,
};
use crate::db::schema::{activities, activity_recipients};
use crate::db::{Ask, AsyncSqlite, Conn};
use crate::types::{Role, Seq};

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

/// What one audience may see of a part.
macro_rules! list_of {
    ($conn:expr, $filter:expr, $audience:expr, $walk:expr, $limit:expr) => {
        match $audience {
            Audience::Named if $filter.query.kind.is_none() && $filter.query.actor.is_none() => {
                list_all_named!($conn, $filter, $walk, $limit)
            }
            Audience::Named => list_named!($conn, $filter, $walk, $limit),
            audience => list_kind!($conn, $filter, audience, $walk, $limit),
        }
    };
}

/// What an audience may see that stands in the activity itself.
macro_rules! list_kind {
    ($conn:expr, $filter:expr, $audience:expr, $walk:expr, $limit:expr) => {{
        let query = activities::table
            .filter(activities::org_id.eq($filter.reader.org))
            .select(ActivityRow::as_select())
            .limit($limit)
            .into_boxed();
        let query = match $audience {
            Audience::Kind(kind) => query.filter(activities::audience_kind.eq(kind)),
            // There is one kind that has an id. Were it named, PostgreSQL might walk all of that kind.
            Audience::Oneself | Audience::Named => {
                query.filter(activities::audience_id.eq($filter.reader.user))
            }
        };
        walk!(query, $filter, $walk, activities::seq).load($conn).await
    }};
}

/// What names the reader, of a type or an actor.
macro_rules! list_named {
    ($conn:expr, $filter:expr, $walk:expr, $limit:expr) => {{
        let row = activities::org_id
            .eq(activity_recipients::org_id)
            .and(activities::seq.eq(activity_recipients::seq));
        let query = activity_recipients::table
            .inner_join(activities::table.on(row))
            .filter(activity_recipients::org_id.eq($filter.reader.org))
            .filter(activity_recipients::user_id.eq($filter.reader.user))
            .filter(activities::audience_kind.eq(AUDIENCE_USERS))
            .select(ActivityRow::as_select())
            .limit($limit)
            .into_boxed();
        walk!(query, $filter, $walk, activity_recipients::seq).load($conn).await
    }};
}

/// The same of every type and actor: first which, then what they are. PostgreSQL might join by walking all that names
/// anybody.
macro_rules! list_all_named {
    ($conn:expr, $filter:expr, $walk:expr, $limit:expr) => {{
        let query = activity_recipients::table
            .filter(activity_recipients::org_id.eq($filter.reader.org))
            .filter(activity_recipients::user_id.eq($filter.reader.user))
            .select(activity_recipients::seq)
            .limit($limit)
            .into_boxed();
        match order!(query, $walk, activity_recipients::seq).load::<Seq>($conn).await {
            Ok(seqs) if seqs.is_empty() => Ok(Vec::new()),
            Ok(seqs) => {
                activities::table
                    .filter(activities::org_id.eq($filter.reader.org).and(activities::seq.eq_any(&seqs)))
                    .select(ActivityRow::as_select())
                    .load($conn)
                    .await
            }
            Err(error) => Err(error),
        }
    }};
}

/// At most `limit` activities of that part which the reader may see. It takes several queries, so they have to see one
/// snapshot.
pub(crate) struct ListFeed<'a> {
    pub(crate) filter: Filter<'a>,
    pub(crate) limit: i64,
}

impl ListFeed<'_> {
    pub(crate) async fn run(&self, conn: &mut Conn) -> QueryResult<Vec<ActivityRow>> {
        match conn {
            Conn::Postgres(conn) => self.on_postgres(conn).await,
            Conn::Sqlite(conn) => self.on_sqlite(conn).await,
        }
    }

    fn audiences(&self) -> &'static [Audience] {
        use Audience::{Kind, Named, Oneself};
        match self.filter.reader.role {
            Role::Admin => {
                &[Kind(AUDIENCE_EVERYONE), Kind(AUDIENCE_ADMINS), Kind(AUDIENCE_ADMINS_AND), Named]
            }
            Role::Member => &[Kind(AUDIENCE_EVERYONE), Oneself, Named],
        }
    }

    /// The walk to what lies before `until`.
    fn walk(&self, until: Option<Seq>) -> Walk {
        match self.filter.query.from {
            From::Before(from) => Walk::Down { from, until },
            From::After(from) => Walk::Up { from, until },
        }
    }

    /// Puts what was found for one audience to what was found for others. The last of a full page is returned: beyond
    /// it nothing is of use.
    fn merge(&self, page: &mut Vec<ActivityRow>, found: Vec<ActivityRow>) -> Option<Seq> {
        let length = usize::try_from(self.limit).unwrap_or_default();
        page.extend(found);
        page.sort_unstable_by_key(|row| row.seq);
        if let From::Before(_) = self.filter.query.from {
            page.reverse();
        }
        page.truncate(length);
        length.checked_sub(1).and_then(|last| page.get(last)).map(|row| row.seq)
    }
}

impl Ask for ListFeed<'_> {
    type Answer = Vec<ActivityRow>;

    /// For all audiences at once: a walk too far costs less than the journey of a question that waits for the one
    /// before.
    async fn on_postgres(&self, conn: &AsyncPgConnection) -> QueryResult<Vec<ActivityRow>> {
        let walks = self.audiences().iter().map(|audience| async {
            let mut conn = conn;
            list_of!(&mut conn, &self.filter, *audience, self.walk(None), self.limit)
        });
        let mut page = Vec::new();
        for found in try_join_all(walks).await? {
            self.merge(&mut page, found);
        }
        Ok(page)
    }

    async fn on_sqlite(&self, conn: &mut AsyncSqlite) -> QueryResult<Vec<ActivityRow>> {
        let mut page = Vec::new();
        let mut until = None;
        for audience in self.audiences() {
            let found = list_of!(conn, &self.filter, *audience, self.walk(until), self.limit)?;
            until = self.merge(&mut page, found);
        }
        Ok(page)
    }
}
