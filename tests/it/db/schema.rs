//! Both migrated databases have one schema, and `schema.rs` says the same.

use std::collections::{BTreeMap, BTreeSet};

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Nullable, Text};
use diesel::{QueryableByName, SqliteConnection, sql_query};
use roomcast::db::{DatabaseUrl, Db};

use crate::harness::TestDatabase;
use crate::harness::environment::{not_run, on_postgres, postgres};

/// What a column holds, whatever each database calls it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Class {
    /// `uuid`, or a blob of 16 bytes; a hash is `bytea`, or a blob.
    Bytes,
    /// A count or a moment: `bigint` or `timestamptz`, or an integer.
    Integer,
    Text,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Column {
    class: Class,
    nullable: bool,
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Table {
    columns: BTreeMap<String, Column>,
    primary_key: Vec<String>,
    /// The columns of each unique index, and whether it holds for some rows only.
    unique: BTreeSet<(Vec<String>, bool)>,
    /// The columns of every other index.
    indexes: BTreeSet<Vec<String>>,
}

type Schema = BTreeMap<String, Table>;

async fn sqlite() -> Schema {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("schema.db");
    let db = Db::open(&DatabaseUrl::Sqlite(path.clone()), 2).await.unwrap();
    db.migrate().await.unwrap();
    let mut conn = SqliteConnection::establish(path.to_str().unwrap()).unwrap();
    let mut schema = Schema::new();
    for table in list(&mut conn, "SELECT name AS value FROM sqlite_schema WHERE type = 'table'") {
        if !table.starts_with("__") && !table.starts_with("sqlite_") {
            let read = read_sqlite(&mut conn, &table);
            schema.insert(table, read);
        }
    }
    schema
}

#[derive(QueryableByName)]
struct Value {
    #[diesel(sql_type = Text)]
    value: String,
}

fn list(conn: &mut SqliteConnection, query: &str) -> Vec<String> {
    sql_query(query).load::<Value>(conn).unwrap().into_iter().map(|row| row.value).collect()
}

fn read_sqlite(conn: &mut SqliteConnection, table: &str) -> Table {
    #[derive(QueryableByName)]
    struct Info {
        #[diesel(sql_type = Text)]
        name: String,
        #[diesel(sql_type = Text, column_name = "type")]
        kind: String,
        #[diesel(sql_type = BigInt)]
        notnull: i64,
        #[diesel(sql_type = BigInt)]
        pk: i64,
    }
    #[derive(QueryableByName)]
    struct Index {
        #[diesel(sql_type = Text)]
        name: String,
        #[diesel(sql_type = BigInt)]
        unique: i64,
        #[diesel(sql_type = Text)]
        origin: String,
        #[diesel(sql_type = BigInt)]
        partial: i64,
    }
    let info: Vec<Info> =
        sql_query(format!("SELECT * FROM pragma_table_info('{table}')")).load(conn).unwrap();
    let mut found = Table::default();
    let mut key = BTreeMap::new();
    for column in info {
        let class = match column.kind.to_lowercase().as_str() {
            "blob" => Class::Bytes,
            "integer" => Class::Integer,
            "text" => Class::Text,
            other => panic!("{table}.{}: {other}", column.name),
        };
        if column.pk > 0 {
            key.insert(column.pk, column.name.clone());
        }
        // In a STRICT table a primary key may hold null unless it says otherwise; PostgreSQL's never does.
        let nullable = column.notnull == 0 && column.pk == 0;
        found.columns.insert(column.name, Column { class, nullable });
    }
    found.primary_key = key.into_values().collect();
    let indexes: Vec<Index> =
        sql_query(format!("SELECT * FROM pragma_index_list('{table}')")).load(conn).unwrap();
    for index in indexes {
        let query = format!("SELECT name AS value FROM pragma_index_info('{}') ORDER BY seqno", index.name);
        let columns = list(conn, &query);
        match (index.origin.as_str(), index.unique) {
            ("pk", _) => {}
            (_, 1) => drop(found.unique.insert((columns, index.partial == 1))),
            _ => drop(found.indexes.insert(columns)),
        }
    }
    found
}

async fn read_postgres(url: &str) -> Schema {
    let client = postgres(url).await;
    let mut schema = Schema::new();
    let columns = "SELECT table_name::text, column_name::text, data_type::text, is_nullable::text
        FROM information_schema.columns WHERE table_schema IN ('central', 'shared') AND table_name NOT LIKE '\\_\\_%'";
    for row in client.query(columns, &[]).await.unwrap() {
        let (table, column, kind): (String, String, String) = (row.get(0), row.get(1), row.get(2));
        let class = match kind.as_str() {
            "uuid" | "bytea" => Class::Bytes,
            "bigint" | "timestamp with time zone" => Class::Integer,
            "text" => Class::Text,
            other => panic!("{table}.{column}: {other}"),
        };
        let nullable = row.get::<_, String>(3) == "YES";
        schema.entry(table).or_default().columns.insert(column, Column { class, nullable });
    }
    let indexes = "SELECT t.relname::text, i.indisprimary, i.indisunique, i.indpred IS NOT NULL,
            ARRAY(SELECT a.attname::text FROM unnest(i.indkey) WITH ORDINALITY AS k (number, place)
                JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.number ORDER BY k.place)
        FROM pg_index i JOIN pg_class t ON t.oid = i.indrelid JOIN pg_namespace n ON n.oid = t.relnamespace
        WHERE n.nspname IN ('central', 'shared') AND t.relname NOT LIKE '\\_\\_%'";
    for row in client.query(indexes, &[]).await.unwrap() {
        let table = schema.get_mut(&row.get::<_, String>(0)).unwrap();
        let columns: Vec<String> = row.get(4);
        match (row.get(1), row.get(2)) {
            (true, _) => table.primary_key = columns,
            (false, true) => drop(table.unique.insert((columns, row.get(3)))),
            (false, false) => drop(table.indexes.insert(columns)),
        }
    }
    schema
}

#[tokio::test(flavor = "multi_thread")]
async fn both_databases_have_the_same_tables() {
    let Some(database) = TestDatabase::create_on_postgres().await else {
        not_run("the tests run on SQLite");
        return;
    };
    let (sqlite, postgres) = (sqlite().await, read_postgres(&database.url_text()).await);
    assert!(sqlite.len() >= 11, "{:?}", sqlite.keys());
    assert_eq!(sqlite.keys().collect::<Vec<_>>(), postgres.keys().collect::<Vec<_>>());
    for (name, table) in &sqlite {
        assert_eq!(table, &postgres[name], "{name}: SQLite is left, PostgreSQL right");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_of_ours_is_in_the_public_schema() {
    if !on_postgres() {
        return not_run("the tests run on SQLite");
    }
    let database = TestDatabase::create().await;
    let client = postgres(&database.url_text()).await;
    let query = "SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'public'";
    assert_eq!(client.query_one(query, &[]).await.unwrap().get::<_, i64>(0), 0);
}

/// What `schema.rs` says, read from its text: diesel's types name no columns at run time.
fn declared() -> Schema {
    let text = include_str!("../../../src/db/schema.rs");
    let mut schema = Schema::new();
    let tables = text.split("diesel::table!").skip(1);
    for body in tables {
        let mut lines = body.lines().map(str::trim).filter(|line| !line.is_empty());
        let head = lines.find(|line| line.ends_with(") {")).unwrap();
        let (name, key) = head.trim_end_matches(") {").split_once(" (").unwrap();
        let mut table =
            Table { primary_key: key.split(", ").map(str::to_owned).collect(), ..Table::default() };
        let mut renamed = None;
        for line in lines.take_while(|line| *line != "}") {
            if let Some(name) = line.strip_prefix("#[sql_name = \"") {
                renamed = Some(name.trim_end_matches("\"]").to_owned());
            } else if let Some((column, kind)) = line.trim_end_matches(',').split_once(" -> ") {
                let nullable = kind.starts_with("Nullable<");
                let class = match kind.trim_start_matches("Nullable<").trim_end_matches('>') {
                    "Id" | "Binary" => Class::Bytes,
                    "BigInt" | "Moment" => Class::Integer,
                    "Text" => Class::Text,
                    other => panic!("{name}.{column}: {other}"),
                };
                let column = renamed.take().unwrap_or_else(|| column.to_owned());
                table.columns.insert(column, Column { class, nullable });
            }
        }
        schema.insert(name.to_owned(), table);
    }
    schema
}

#[tokio::test(flavor = "multi_thread")]
async fn schema_rs_says_what_the_migrations_make() {
    let (declared, migrated) = (declared(), sqlite().await);
    assert_eq!(declared.keys().collect::<Vec<_>>(), migrated.keys().collect::<Vec<_>>());
    for (name, table) in &declared {
        assert_eq!(table.columns, migrated[name].columns, "{name}: schema.rs is left");
        assert_eq!(table.primary_key, migrated[name].primary_key, "{name}");
    }
}

#[test]
fn migrations_come_in_pairs_with_a_way_back() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations");
    let names = |database: &str, store: &str| -> BTreeSet<String> {
        let folder = std::fs::read_dir(root.join(database).join(store)).unwrap();
        folder
            .map(|entry| {
                let entry = entry.unwrap();
                for file in ["up.sql", "down.sql"] {
                    assert!(entry.path().join(file).exists(), "{:?} has no {file}", entry.path());
                }
                entry.file_name().into_string().unwrap()
            })
            .collect()
    };
    for store in ["central", "tenant"] {
        assert_eq!(names("sqlite", store), names("postgres", store));
    }
}

/// Row-level security holds the owner of a table, too: a statement over rows would find none of them, and succeed.
#[test]
fn a_tenant_migration_that_touches_rows_may_see_them() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations/postgres/tenant");
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if name.as_str() < "2026-11-22-000200" {
            continue;
        }
        for file in ["up.sql", "down.sql"] {
            let sql = std::fs::read_to_string(path.join(file)).unwrap().to_uppercase();
            // A policy's check is no statement.
            let statements = sql.replace("WITH CHECK", "");
            let touches = statements.lines().map(str::trim_start).any(|line| {
                ["UPDATE ", "DELETE ", "INSERT ", "SELECT ", "WITH ", "MERGE "]
                    .iter()
                    .any(|verb| line.starts_with(verb))
            });
            let sees = sql.contains("NO FORCE ROW LEVEL SECURITY")
                && sql.matches(" FORCE ROW LEVEL SECURITY").count()
                    >= 2 * sql.matches("NO FORCE ROW LEVEL SECURITY").count();
            assert!(!touches || sees, "{name}/{file}: see docs/data-model.md, Adding a migration");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_column_of_sqlite_is_strict() {
    #[derive(QueryableByName)]
    struct Strict {
        #[diesel(sql_type = Text)]
        name: String,
        #[diesel(sql_type = Nullable<BigInt>)]
        strict: Option<i64>,
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("strict.db");
    Db::open(&DatabaseUrl::Sqlite(path.clone()), 2).await.unwrap().migrate().await.unwrap();
    let mut conn = SqliteConnection::establish(path.to_str().unwrap()).unwrap();
    let query = "SELECT name, strict FROM pragma_table_list WHERE schema = 'main' AND type = 'table'
        AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' AND name NOT LIKE '\\_\\_%' ESCAPE '\\'";
    let tables: Vec<Strict> = sql_query(query).load(&mut conn).unwrap();
    assert!(tables.len() >= 11);
    for table in tables {
        assert_eq!(table.strict, Some(1), "{} would take text for a number", table.name);
    }
}
