//! With row-level security, what is read by an index is read by one still.

use diesel::sql_types::Text;
use diesel::{QueryableByName, sql_query};
use diesel_async::RunQueryDsl as _;
use roomcast::db::{Db, DbError};
use roomcast::types::OrgId;
use roomcast::with_conn;
use uuid::Uuid;

use crate::harness::TestDatabase;
use crate::harness::environment::{not_run, postgres};

#[derive(QueryableByName)]
struct Line {
    #[diesel(sql_type = Text)]
    #[diesel(column_name = "QUERY PLAN")]
    plan: String,
}

async fn plan(db: &Db, orgs: &[OrgId], sql: &str) -> String {
    let mut tx = db.orgs(orgs.to_vec()).begin_write().await.unwrap();
    let lines: Vec<Line> =
        with_conn!(&mut *tx, |c| sql_query(format!("EXPLAIN {sql}")).load(c).await).unwrap();
    tx.finish(Ok::<_, DbError>(())).await.unwrap();
    lines.into_iter().map(|line| line.plan + "\n").collect()
}

fn id(number: usize) -> OrgId {
    Uuid::from_u128(0x7000_8000_0000_0000_0000 + u128::try_from(number).unwrap()).into()
}

/// Twenty thousand organisations, some of them with a long log: with few it is quicker to read them all.
const FILL: &str = "CREATE FUNCTION pg_temp.org(n bigint) RETURNS uuid LANGUAGE sql AS
        $$ SELECT (lpad(to_hex(x'70008000'::bigint), 16, '0') || lpad(to_hex(n), 16, '0'))::uuid $$;
    INSERT INTO shared.settings SELECT pg_temp.org(n), 'n', 'n', 'FREE', 3, 'ACTIVE', now(), now()
        FROM generate_series(0, 19999) n;
    INSERT INTO shared.activity_heads SELECT pg_temp.org(n), gen_random_uuid(), 1, 0, NULL, now()
        FROM generate_series(0, 19999) n;
    INSERT INTO shared.activities (org_id, seq, id, type, audience_kind, payload, created_at)
        SELECT pg_temp.org(s % 20), 1 + s / 20, gen_random_uuid(),
            CASE s / 20 % 50 WHEN 0 THEN 'USER_INVITED' ELSE 'BROADCAST_MESSAGE' END,
            CASE s / 20 % 50 WHEN 0 THEN 'ADMINS' ELSE 'EVERYONE' END, '{}', now()
        FROM generate_series(0, 99999) s;
    ANALYZE";

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_of_64_and_a_page_of_the_feed_are_read_by_an_index() {
    let Some(database) = TestDatabase::create_on_postgres().await else {
        return not_run("it is about PostgreSQL");
    };
    let db = database.db().await;
    postgres(&database.url_text()).await.batch_execute(FILL).await.unwrap();
    let batch: Vec<OrgId> = (0..64).map(|number| id(number * 20)).collect();
    let named: Vec<String> = batch.iter().map(|org| format!("'{org}'")).collect();
    let (one, named) = (batch[0], named.join(","));
    let page = format!("SELECT * FROM activities WHERE org_id = '{one}' AND seq < 3000");
    for (orgs, index, sql) in [
        (
            &batch[..],
            "activity_heads_pkey",
            format!(
                "SELECT * FROM activity_heads WHERE org_id = ANY(ARRAY[{named}]::uuid[]) ORDER BY org_id
                    FOR UPDATE SKIP LOCKED"
            ),
        ),
        (
            &batch[..],
            "activity_heads_pkey",
            format!("SELECT org_id, epoch, last_seq FROM activity_heads WHERE org_id IN ({named})"),
        ),
        (
            &batch[..1],
            "Index Scan",
            format!("{page} AND audience_kind = 'ADMINS' ORDER BY seq DESC LIMIT 51"),
        ),
        (
            &batch[..1],
            "Index Scan",
            format!(
                "{page} AND audience_kind = 'ADMINS' AND type = 'USER_INVITED' ORDER BY seq DESC LIMIT 51"
            ),
        ),
        (
            &batch[..1],
            "activities_pkey",
            format!(
                "SELECT * FROM activities WHERE org_id = '{one}' AND seq BETWEEN 257 AND 512 ORDER BY seq"
            ),
        ),
        (
            &batch[..1],
            "activity_heads_pkey",
            format!(
                "UPDATE activity_heads SET last_seq = last_seq + 1 WHERE org_id = '{one}' RETURNING last_seq"
            ),
        ),
    ] {
        let plan = plan(&db, orgs, &sql).await;
        assert!(plan.contains(index), "{sql}\n{plan}");
        assert!(!plan.contains("Seq Scan"), "{sql}\n{plan}");
        // The policy is there, and read once.
        assert!(plan.contains("InitPlan"), "{sql}\n{plan}");
    }
}
