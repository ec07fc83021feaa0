//! What only PostgreSQL does this way.

use diesel::pg::Pg;
use diesel::prelude::*;
use diesel::query_builder::{AstPass, QueryFragment, QueryId};
use diesel::sql_types::{Array, BigInt, Nullable, Text};
use diesel::{QueryResult, sql_query};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use super::{ActivityRow, Head};
use crate::db::schema::activity_heads;
use crate::types::sql;
use crate::types::{ActivityId, OrgId, Seq, TargetId, Timestamp, UserId};

pub(super) async fn lock_heads(mut conn: &AsyncPgConnection, orgs: &[OrgId]) -> QueryResult<Vec<Head>> {
    activity_heads::table
        .filter(activity_heads::org_id.eq_any(orgs))
        .order(activity_heads::org_id)
        .select(Head::as_select())
        .for_update()
        .skip_locked()
        .load(&mut conn)
        .await
}

pub(super) async fn lock_head(conn: &mut AsyncPgConnection, org: OrgId) -> QueryResult<Option<Head>> {
    activity_heads::table.find(org).select(Head::as_select()).for_update().get_result(conn).await.optional()
}

/// As one statement of three parameters, however many they are.
pub(super) async fn insert_recipients(
    conn: &mut AsyncPgConnection,
    org: OrgId,
    seq: Seq,
    users: &[UserId],
) -> QueryResult<()> {
    sql_query(
        "INSERT INTO activity_recipients (org_id, user_id, seq) SELECT $1, named.id, $2 \
         FROM unnest($3) AS named (id) ON CONFLICT DO NOTHING",
    )
    .bind::<sql::Id, _>(org)
    .bind::<BigInt, _>(seq)
    .bind::<Array<sql::Id>, _>(users)
    .execute(conn)
    .await?;
    Ok(())
}

pub(super) async fn insert_batch(
    mut conn: &AsyncPgConnection,
    rows: &[ActivityRow],
    heads: &[Head],
) -> QueryResult<()> {
    Columns::new(rows, heads).execute(&mut conn).await?;
    Ok(())
}

/// A batch as one statement with an array for each column. Its text is the same for every batch, so it is
/// prepared once. An insert of many values has another text for each number of them and is prepared anew
/// each time: the writer was a third slower with it.
struct Columns<'a> {
    heads: HeadColumns,
    org_ids: Vec<OrgId>,
    seqs: Vec<Seq>,
    ids: Vec<ActivityId>,
    kinds: Vec<&'a str>,
    audience_kinds: Vec<&'a str>,
    audience_ids: Vec<Option<UserId>>,
    actor_ids: Vec<Option<UserId>>,
    actor_names: Vec<Option<&'a str>>,
    target_ids: Vec<Option<TargetId>>,
    target_names: Vec<Option<&'a str>>,
    payloads: Vec<&'a str>,
    ips: Vec<Option<&'a str>>,
    user_agents: Vec<Option<&'a str>>,
    created_at: Vec<Timestamp>,
}

struct HeadColumns {
    org_ids: Vec<OrgId>,
    last_seqs: Vec<Seq>,
    last_ids: Vec<Option<ActivityId>>,
    last_at: Vec<Timestamp>,
}

impl<'a> Columns<'a> {
    fn new(rows: &'a [ActivityRow], heads: &[Head]) -> Self {
        fn column<'a, R, T>(rows: &'a [R], of: impl Fn(&'a R) -> T) -> Vec<T> {
            rows.iter().map(of).collect()
        }
        Self {
            heads: HeadColumns {
                org_ids: column(heads, |head| head.org_id),
                last_seqs: column(heads, |head| head.last_seq),
                last_ids: column(heads, |head| head.last_id),
                last_at: column(heads, |head| head.last_at),
            },
            org_ids: column(rows, |row| row.org_id),
            seqs: column(rows, |row| row.seq),
            ids: column(rows, |row| row.id),
            kinds: column(rows, |row| &*row.kind),
            audience_kinds: column(rows, |row| &*row.audience_kind),
            audience_ids: column(rows, |row| row.audience_id),
            actor_ids: column(rows, |row| row.actor_id),
            actor_names: column(rows, |row| row.actor_name.as_deref()),
            target_ids: column(rows, |row| row.target_id),
            target_names: column(rows, |row| row.target_name.as_deref()),
            payloads: column(rows, |row| &*row.payload),
            ips: column(rows, |row| row.ip.as_deref()),
            user_agents: column(rows, |row| row.user_agent.as_deref()),
            created_at: column(rows, |row| row.created_at),
        }
    }
}

impl QueryId for Columns<'_> {
    type QueryId = Columns<'static>;

    const HAS_STATIC_QUERY_ID: bool = true;
}

impl QueryFragment<Pg> for Columns<'_> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        type Ids = Array<sql::Id>;
        type NullableIds = Array<Nullable<sql::Id>>;
        type Texts = Array<Text>;
        type NullableTexts = Array<Nullable<Text>>;

        out.push_sql(
            "WITH moved AS (UPDATE activity_heads SET last_seq = new.last_seq, last_id = new.last_id, ",
        );
        out.push_sql("last_at = new.last_at FROM unnest(");
        out.push_bind_param::<Ids, _>(&self.heads.org_ids)?;
        out.push_sql(", ");
        out.push_bind_param::<Array<BigInt>, _>(&self.heads.last_seqs)?;
        out.push_sql(", ");
        out.push_bind_param::<NullableIds, _>(&self.heads.last_ids)?;
        out.push_sql(", ");
        out.push_bind_param::<Array<sql::Moment>, _>(&self.heads.last_at)?;
        out.push_sql(
            ") AS new (org_id, last_seq, last_id, last_at) WHERE activity_heads.org_id = new.org_id ",
        );
        // What a COMMIT that is sent together with this asks for.
        out.push_sql("RETURNING set_config('roomcast.written', '1', true)) ");

        out.push_sql("INSERT INTO activities (org_id, seq, id, type, audience_kind, audience_id, actor_id, ");
        out.push_sql("actor_name, target_id, target_name, payload, ip, user_agent, created_at) ");
        out.push_sql("SELECT * FROM unnest(");
        out.push_bind_param::<Ids, _>(&self.org_ids)?;
        out.push_sql(", ");
        out.push_bind_param::<Array<BigInt>, _>(&self.seqs)?;
        out.push_sql(", ");
        out.push_bind_param::<Ids, _>(&self.ids)?;
        out.push_sql(", ");
        out.push_bind_param::<Texts, _>(&self.kinds)?;
        out.push_sql(", ");
        out.push_bind_param::<Texts, _>(&self.audience_kinds)?;
        out.push_sql(", ");
        out.push_bind_param::<NullableIds, _>(&self.audience_ids)?;
        out.push_sql(", ");
        out.push_bind_param::<NullableIds, _>(&self.actor_ids)?;
        out.push_sql(", ");
        out.push_bind_param::<NullableTexts, _>(&self.actor_names)?;
        out.push_sql(", ");
        out.push_bind_param::<NullableIds, _>(&self.target_ids)?;
        out.push_sql(", ");
        out.push_bind_param::<NullableTexts, _>(&self.target_names)?;
        out.push_sql(", ");
        out.push_bind_param::<Texts, _>(&self.payloads)?;
        out.push_sql(", ");
        out.push_bind_param::<NullableTexts, _>(&self.ips)?;
        out.push_sql(", ");
        out.push_bind_param::<NullableTexts, _>(&self.user_agents)?;
        out.push_sql(", ");
        out.push_bind_param::<Array<sql::Moment>, _>(&self.created_at)?;
        out.push_sql(")");
        Ok(())
    }
}
