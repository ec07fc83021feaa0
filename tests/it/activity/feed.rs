//! A page of the feed costs what is on it, however long the log is.

use std::sync::Arc;

use diesel::connection::InstrumentationEvent;
use diesel::{QueryableByName, sql_query};
use diesel_async::{AsyncConnection as _, RunQueryDsl as _};
use parking_lot::Mutex;
use roomcast::activity::{ActivityType, FeedFrom, FeedQuery, Reader, read_page};
use roomcast::db::{Conn, Db, PgConn};
use roomcast::error::Result;
use roomcast::read;
use roomcast::types::{OrgId, Role, Seq, UserId};

use super::{execute_on_either, new_org};
use crate::harness::TestDatabase;

/// A log of which a member may see one in some 17,000, by each kind of audience, in which fifty are of one type, and
/// one in a hundred names somebody else.
const FILL: &str = "
INSERT INTO activities (org_id, seq, id, type, audience_kind, audience_id, actor_id, actor_name, payload, created_at)
SELECT {org}, n, {id}, CASE WHEN n % 4000 = 0 THEN 'RARE_TYPE' ELSE 'BROADCAST_MESSAGE' END,
    kind, CASE WHEN kind <> 'ADMINS_AND' THEN NULL WHEN n % 50000 = 2 THEN {member} ELSE {admin} END,
    CASE WHEN n % 4000 = 0 THEN {member} ELSE {admin} END, 'Ana', '{\"message\":\"hello\"}', {at}
FROM (SELECT n, CASE
        WHEN n % 50000 = 1 THEN 'EVERYONE'
        WHEN n % 50000 = 2 THEN 'ADMINS_AND'
        WHEN n % 50000 IN (3, 4) THEN 'USERS'
        WHEN n % 100 = 7 THEN 'USERS'
        WHEN n % 2 = 0 THEN 'ADMINS'
        ELSE 'ADMINS_AND' END AS kind FROM {numbers} AS numbers) AS numbered;
INSERT INTO activity_recipients (org_id, user_id, seq)
SELECT org_id, CASE seq % 50000 WHEN 3 THEN {member} WHEN 4 THEN {admin} ELSE {other} END, seq
FROM activities WHERE audience_kind = 'USERS';
ANALYZE activities;
ANALYZE activity_recipients;
";

const ROWS: i64 = 200_000;

fn fill(
    id: impl Fn(uuid::Uuid) -> String,
    readers: [Reader; 2],
    new_id: &str,
    at: &str,
    numbers: &str,
) -> String {
    let [member, admin] = readers;
    FILL.replace("{org}", &id(member.org.as_uuid()))
        .replace("{member}", &id(member.user.as_uuid()))
        .replace("{admin}", &id(admin.user.as_uuid()))
        .replace("{other}", &id(UserId::new().as_uuid()))
        .replace("{id}", new_id)
        .replace("{at}", at)
        .replace("{numbers}", numbers)
}

fn queries(readers: [Reader; 2]) -> Vec<FeedQuery> {
    let middle = Seq::new(ROWS / 2).unwrap();
    let mut queries = Vec::new();
    for from in [FeedFrom::Before(None), FeedFrom::Before(Some(middle)), FeedFrom::After(middle)] {
        for kind in [None, Some("RARE_TYPE"), Some("BROADCAST_MESSAGE"), Some("NO_SUCH_TYPE")] {
            for actor in [None, Some(readers[0].user), Some(readers[1].user), Some(UserId::new())] {
                let kind = kind.map(|kind| ActivityType::try_from(kind.to_owned()).unwrap());
                queries.push(FeedQuery { from, kind, actor, limit: 50 });
            }
        }
    }
    queries
}

/// What PostgreSQL has read on this connection, since it last reported that: rows in all, and those of walks through a whole table.
#[derive(Debug, QueryableByName)]
struct Touched {
    #[diesel(sql_type = diesel::sql_types::BigInt)]
    scanned: i64,
    #[diesel(sql_type = diesel::sql_types::BigInt)]
    fetched: i64,
}

const TOUCHED: &str = "SELECT coalesce(sum(seq_tup_read), 0)::bigint AS scanned, \
    coalesce(sum(idx_tup_fetch), 0)::bigint AS fetched \
    FROM pg_stat_xact_user_tables WHERE relname IN ('activities', 'activity_recipients')";

async fn touched(conn: &mut PgConn) -> Result<Touched> {
    Ok(sql_query(TOUCHED).get_result(&mut **conn).await?)
}

/// A line of a plan of SQLite's.
#[derive(Debug, QueryableByName)]
struct Step {
    #[diesel(sql_type = diesel::sql_types::Text)]
    detail: String,
}

/// Whether SQLite comes to what it looks for in an order, and finds little else on the way. To walk the log itself and
/// to leave out what is not meant is what may take long.
fn is_short(step: &Step) -> bool {
    let detail = step.detail.as_str();
    let by_place = detail.contains("seq=?") || detail.contains("rowid=?");
    let by_audience = ["idx_activities_org_id_", "activity_recipients USING"];
    detail.starts_with("SEARCH") && (by_place || by_audience.iter().any(|index| detail.contains(index)))
        || detail.contains("IN-OPERATOR")
}

/// The statements that are executed on this connection from here on.
fn record(conn: &mut Conn) -> Arc<Mutex<Vec<String>>> {
    let recorded = Arc::new(Mutex::new(Vec::new()));
    let record = Arc::clone(&recorded);
    if let Conn::Sqlite(conn) = conn {
        conn.set_instrumentation(move |event: InstrumentationEvent<'_>| {
            if let InstrumentationEvent::StartQuery { query, .. } = event {
                record.lock().push(query.to_string());
            }
        });
    }
    recorded
}

async fn expect_short(conn: &mut Conn, reader: Reader, query: &FeedQuery) -> Result<usize> {
    let recorded = record(conn);
    let before = match conn {
        Conn::Postgres(conn) => touched(conn).await?,
        Conn::Sqlite(_) => Touched { scanned: 0, fetched: 0 },
    };
    let page = read_page(conn, reader, query).await?;
    match conn {
        Conn::Postgres(conn) => {
            let after = touched(conn).await?;
            let touched =
                Touched { scanned: after.scanned - before.scanned, fetched: after.fetched - before.fetched };
            // At most a page of each audience, and where that is looked up first, once more. To walk through what names
            // somebody would be 2,000 rows, through the log 200,000.
            let few = touched.scanned == 0 && touched.fetched <= 6 * (query.limit + 1);
            let is_counted =
                usize::try_from(touched.fetched).is_ok_and(|fetched| fetched >= page.items.len());
            assert!(few && is_counted, "{touched:?} of {:?}: {query:?}", reader.role);
        }
        Conn::Sqlite(conn) => {
            conn.set_instrumentation(|_: InstrumentationEvent<'_>| {});
            let statements = std::mem::take(&mut *recorded.lock());
            assert!(statements.len() >= 3, "{statements:?}");
            for statement in statements {
                let plan: Vec<Step> =
                    sql_query(format!("EXPLAIN QUERY PLAN {statement}")).load(&mut **conn).await?;
                assert!(!plan.is_empty() && plan.iter().all(is_short), "{plan:#?}\n{statement}");
            }
        }
    }
    Ok(page.items.len())
}

/// How many there are on that page, which is short work.
async fn count(db: &Db, reader: Reader, query: &FeedQuery) -> Result<usize> {
    read!(db.org(reader.org), |conn| expect_short(conn, reader, query).await)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_page_is_walked_to_in_the_order_of_an_index() {
    let database = TestDatabase::create().await;
    let db = database.db().await;
    let org: OrgId = new_org(&db).await;
    let readers = [Role::Member, Role::Admin].map(|role| Reader { org, user: UserId::new(), role });
    execute_on_either(
        &db,
        &database.url_text(),
        &fill(
            |id| format!("x'{}'", id.simple()),
            readers,
            "randomblob(16)",
            "0",
            &format!(
                "(WITH RECURSIVE count(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM count WHERE n < {ROWS}) \
                SELECT n FROM count)"
            ),
        ),
        &fill(
            |id| format!("'{id}'::uuid"),
            readers,
            "gen_random_uuid()",
            "now()",
            &format!("(SELECT n FROM generate_series(1, {ROWS}) AS n)"),
        ),
    )
    .await;
    for reader in readers {
        for query in queries(readers) {
            let found = count(&db, reader, &query).await.unwrap();
            let is_of_all = query.kind.is_none() && query.actor.is_none();
            if is_of_all && reader.role == Role::Admin {
                assert_eq!(found, 50, "{query:?}");
            } else if is_of_all {
                assert!((6..=12).contains(&found), "{found} {query:?}");
            }
        }
    }
}
