//! All rows of an organisation, wherever they are: what is compared before and after.

use diesel::sql_types::Text;
use diesel::{QueryableByName, sql_query};
use diesel_async::RunQueryDsl as _;
use roomcast::db::{Conn, Db, DbError, Engine};
use roomcast::types::OrgId;
use roomcast::with_conn;

#[derive(QueryableByName)]
struct Line {
    #[diesel(sql_type = Text)]
    text: String,
}

async fn list(conn: &mut Conn, query: &str) -> Vec<String> {
    let lines: Vec<Line> = with_conn!(conn, |c| sql_query(query).load(c).await).unwrap();
    lines.into_iter().map(|line| line.text).collect()
}

/// The rows of a table for which a condition holds, each as text.
async fn rows(conn: &mut Conn, engine: Engine, table: &str, condition: &str) -> Vec<String> {
    let row = match engine {
        Engine::Postgres => "t::text".to_owned(),
        Engine::Sqlite => {
            let query = format!("SELECT name AS text FROM pragma_table_info('{table}')");
            let columns = list(conn, &query).await;
            columns.iter().map(|column| format!("quote({column})")).collect::<Vec<_>>().join(" || ',' || ")
        }
    };
    let query = format!("SELECT '{table} ' || {row} AS text FROM {table} t WHERE {condition} ORDER BY 1");
    list(conn, &query).await
}

/// The tables of the store that a scope of an organisation opens.
const POSTGRES_TABLES: &str = "SELECT c.relname::text AS text FROM pg_class c
    WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p') AND c.relname NOT LIKE '\\_\\_%'
    ORDER BY 1";
const SQLITE_TABLES: &str = "SELECT t.name AS text FROM sqlite_schema t WHERE t.type = 'table'
    AND t.name <> 'job_queues' AND EXISTS (SELECT 1 FROM pragma_table_info(t.name) c WHERE c.name = 'org_id' AND c.pk = 1)";

/// Every row that is an organisation's, in its store and in the directory.
pub(super) async fn dump(db: &Db, org: OrgId) -> Vec<String> {
    let engine = db.engine();
    let id = match engine {
        Engine::Postgres => format!("'{org}'"),
        Engine::Sqlite => format!("x'{}'", org.as_uuid().simple()),
    };
    let mut found = Vec::new();
    let mut tx = db.org(org).begin_read().await.unwrap();
    let tables = match engine {
        Engine::Postgres => list(&mut tx, POSTGRES_TABLES).await,
        Engine::Sqlite => list(&mut tx, SQLITE_TABLES).await,
    };
    assert!(tables.len() >= 8, "{tables:?}");
    for table in tables {
        found.extend(rows(&mut tx, engine, &table, &format!("org_id = {id}")).await);
    }
    tx.finish(Ok::<_, DbError>(())).await.unwrap();
    let mut tx = db.central().begin_read().await.unwrap();
    for (table, condition) in [
        ("organisations", format!("id = {id}")),
        ("memberships", format!("org_id = {id}")),
        ("credit_accounts", format!("org_id = {id}")),
        ("credit_entries", format!("org_id = {id}")),
        ("credit_reservations", format!("org_id = {id}")),
        ("message_totals", format!("org_id = {id}")),
        ("accounts", format!("id IN (SELECT account_id FROM memberships WHERE org_id = {id})")),
    ] {
        found.extend(rows(&mut tx, engine, table, &condition).await);
    }
    tx.finish(Ok::<_, DbError>(())).await.unwrap();
    found
}
