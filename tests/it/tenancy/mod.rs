//! Organisations with stores of their own: where their rows are, who makes the stores, what one that fails does to the
//! others, and what a crash between the directory and a store leaves behind.

mod crashes;
mod migrate;
mod migrations;
mod stores;

use std::path::{Path, PathBuf};

use diesel::prelude::*;
use diesel::sqlite::SqliteConnection;
use diesel_async::RunQueryDsl;
use roomcast::db::schema::{organisations, settings};
use roomcast::db::{DatabaseUrl, Db};
use roomcast::error::Result;
use roomcast::types::{Isolation, OrgId};
use roomcast::{read, with_conn};

use crate::harness::TestApp;
use crate::harness::environment::{on_postgres, postgres};

/// The modes in which an organisation is apart, on the database that the tests run on.
fn modes() -> Vec<Isolation> {
    if on_postgres() { vec![Isolation::Schema, Isolation::Database] } else { vec![Isolation::Database] }
}

async fn start_in(isolation: Isolation) -> TestApp {
    TestApp::with(|config| config.tenancy.isolation = isolation).await
}

/// Every organisation of the directory, and where it says that its rows are.
async fn list_directory(db: &Db) -> Result<Vec<(OrgId, Isolation, Option<String>)>> {
    read!(db.central(), |conn| {
        let columns = (organisations::id, organisations::isolation, organisations::location);
        Ok(with_conn!(conn, |c| organisations::table.order(organisations::id).select(columns).load(c).await)?)
    })
}

/// Whether the organisation is in its store.
async fn is_founded(db: &Db, org: OrgId) -> Result<bool> {
    let count: i64 = read!(db.org(org), |conn| {
        let query = settings::table.filter(settings::org_id.eq(org)).count();
        Ok(with_conn!(conn, |c| query.get_result(c).await)?)
    })?;
    Ok(count == 1)
}

/// Where SQLite's files of organisations are, beside the main one.
fn folder_of(path: &Path) -> PathBuf {
    path.with_file_name(format!("{}.tenants", path.file_name().unwrap().to_str().unwrap()))
}

/// A connection of the test's own to an organisation's file.
fn connect_to_file(path: &Path, org: OrgId) -> SqliteConnection {
    let file = folder_of(path).join(format!("t_{}.db", org.as_uuid().simple()));
    diesel::Connection::establish(file.to_str().unwrap()).unwrap()
}

/// The stores that there are of their own, whatever the directory says.
async fn list_stores(url: &DatabaseUrl, isolation: Isolation, of: &[OrgId]) -> Vec<String> {
    match url {
        DatabaseUrl::Sqlite(path) => {
            let Ok(entries) = std::fs::read_dir(folder_of(path)) else { return Vec::new() };
            let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
            names.filter_map(|name| name.strip_suffix(".db").map(str::to_owned)).collect()
        }
        DatabaseUrl::Postgres(url) => {
            let query = match isolation {
                Isolation::Database => "SELECT datname::text FROM pg_database WHERE datname = ANY($1)",
                Isolation::Shared | Isolation::Schema => {
                    "SELECT nspname::text FROM pg_namespace WHERE nspname = ANY($1)"
                }
            };
            let names: Vec<String> = of
                .iter()
                .flat_map(|org| {
                    ["t", "roomcast"].map(|prefix| format!("{prefix}_{}", org.as_uuid().simple()))
                })
                .collect();
            let rows = postgres(url).await.query(query, &[&names]).await.unwrap();
            rows.iter().map(|row| row.get(0)).collect()
        }
    }
}
