//! Removing an organisation that was not founded: its store and its entry in the directory.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use anyhow::Context as _;
use diesel::prelude::*;
use diesel::sql_types::{Bool, Text};
use diesel::{QueryableByName, sql_query};
use diesel_async::{AsyncPgConnection, RunQueryDsl, SimpleAsyncConnection as _};

use super::super::postgres::Postgres;
use super::super::replace::{sync_folder, with_suffix};
use super::super::schema::organisations;
use super::super::sqlite::Sqlite;
use super::super::{Conn, Db, DbError, Pools};
use super::placement::Tenant;
use super::provision::{GATE_TIMEOUT, TENANT_SCHEMA, exists, lock};
use crate::config::crash_point;
use crate::types::{Isolation, OrgId, Timestamp};
use crate::with_conn;

/// What became of the entry and the store of an organisation whose founding failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Removal {
    /// They are gone.
    Done,
    /// Another attempt to found the same organisation has taken them over, or it was founded.
    Kept,
}

#[derive(QueryableByName)]
struct Found {
    #[diesel(sql_type = Bool)]
    found: bool,
}

impl Db {
    /// Removes the entry of an organisation that was not founded, if it is still that of `created_at`, and before it
    /// the store, if it has one of its own: a store never outlives its entry.
    ///
    /// First the directory says that there is no store. Whoever takes the founding up again waits for the lock under
    /// which all that happens, and then makes the store anew, or finds that there is no entry.
    pub async fn remove_unfounded(&self, org: OrgId, created_at: Timestamp) -> anyhow::Result<Removal> {
        let Some(tenant) = self.placement(&[org]).await?.own()? else {
            self.forget(org);
            return Ok(self.delete_entry(org, created_at).await?);
        };
        match self.pools() {
            Pools::Postgres(postgres) => {
                let mut main = postgres.connect_for_migrations().await?;
                lock(&mut main, org, Some(GATE_TIMEOUT)).await?;
                self.remove_under_lock(&tenant, created_at, async || {
                    drop_on_postgres(postgres, &mut main, &tenant).await
                })
                .await
            }
            Pools::Sqlite(sqlite) => {
                let _turn = self.tenants().files.write().await;
                let path = sqlite.tenant_path(&tenant.name);
                self.remove_under_lock(&tenant, created_at, async || {
                    tokio::task::spawn_blocking(move || remove_file(&path, org)).await?
                })
                .await
            }
        }
    }

    async fn remove_under_lock(
        &self,
        tenant: &Tenant,
        created_at: Timestamp,
        remove: impl AsyncFnOnce() -> anyhow::Result<Removal>,
    ) -> anyhow::Result<Removal> {
        if !self.set_location(tenant.org, created_at, None).await? {
            return Ok(Removal::Kept);
        }
        self.forget(tenant.org);
        self.tenants().open.close(tenant.org).await?;
        crash_point("store-disowned");
        let removal = remove().await?;
        crash_point("store-removed");
        if removal == Removal::Kept {
            self.set_location(tenant.org, created_at, Some(&tenant.name)).await?;
            return Ok(removal);
        }
        let removal = self.delete_entry(tenant.org, created_at).await?;
        self.forget(tenant.org);
        Ok(removal)
    }

    /// Removes an entry, unless another attempt to found the organisation has taken it over.
    async fn delete_entry(&self, org: OrgId, created_at: Timestamp) -> Result<Removal, DbError> {
        let mut tx = self.central().begin_write().await?;
        let conn: &mut Conn = &mut tx;
        let deleted = with_conn!(conn, |c| {
            diesel::delete(organisations::table.find(org))
                .filter(organisations::created_at.eq(created_at))
                .execute(c)
                .await
        });
        let deleted = tx.finish(deleted.map_err(DbError::Query)).await?;
        Ok(if deleted == 1 { Removal::Done } else { Removal::Kept })
    }

    /// Where the directory says that the store is; false where the entry is another by now.
    async fn set_location(
        &self,
        org: OrgId,
        created_at: Timestamp,
        location: Option<&str>,
    ) -> Result<bool, DbError> {
        let mut tx = self.central().begin_write().await?;
        let conn: &mut Conn = &mut tx;
        let set = with_conn!(conn, |c| {
            diesel::update(organisations::table.find(org))
                .filter(organisations::created_at.eq(created_at))
                .set(organisations::location.eq(location))
                .execute(c)
                .await
        });
        Ok(tx.finish(set.map_err(DbError::Query)).await? == 1)
    }
}

async fn drop_on_postgres(
    postgres: &Postgres,
    main: &mut AsyncPgConnection,
    tenant: &Tenant,
) -> anyhow::Result<Removal> {
    if !exists(main, tenant).await? {
        return Ok(Removal::Done);
    }
    let (is_founded, statement) = match tenant.isolation {
        Isolation::Shared | Isolation::Schema => (
            is_founded(main, &tenant.name, tenant.org).await?,
            format!("DROP SCHEMA \"{}\" CASCADE", tenant.name),
        ),
        Isolation::Database => {
            let mut own = postgres.connect_to(&tenant.name).await?;
            let is_founded = is_founded(&mut own, TENANT_SCHEMA, tenant.org).await?;
            // Of a node that may just have used it, connections may be left for a moment: nothing is in it.
            (is_founded, format!("DROP DATABASE \"{}\" WITH (FORCE)", tenant.name))
        }
    };
    if is_founded {
        return Ok(Removal::Kept);
    }
    main.batch_execute(&statement).await.context("dropping a store")?;
    Ok(Removal::Done)
}

/// Whether the organisation is in this schema. Asked for it by name, as its rows show themselves to nobody else.
async fn is_founded(conn: &mut AsyncPgConnection, schema: &str, org: OrgId) -> anyhow::Result<bool> {
    let query = sql_query("SELECT to_regclass($1 || '.settings') IS NOT NULL AS found");
    let found: Found = query.bind::<Text, _>(schema).get_result(conn).await?;
    if !found.found {
        return Ok(false);
    }
    conn.batch_execute(&format!("SET roomcast.orgs TO '{{{org}}}'")).await?;
    let query = format!("SELECT EXISTS (SELECT FROM \"{schema}\".settings) AS found");
    let found: Found = sql_query(query).get_result(conn).await?;
    Ok(found.found)
}

/// Blocks.
fn remove_file(path: &Path, org: OrgId) -> anyhow::Result<Removal> {
    if !path.is_file() {
        return Ok(Removal::Done);
    }
    // It waits for whoever is closing the file just now and has it alone meanwhile.
    let mut conn = Sqlite::connect_for_migrations(path)?;
    let query = "SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE name = 'settings') AS found";
    let found: Found = diesel::RunQueryDsl::get_result(sql_query(query), &mut conn)?;
    if found.found {
        let query = sql_query("SELECT EXISTS (SELECT 1 FROM settings) AS found");
        let found: Found = diesel::RunQueryDsl::get_result(query, &mut conn)?;
        if found.found {
            return Ok(Removal::Kept);
        }
    }
    drop(conn);
    for end in ["-wal", "-shm", ""] {
        match fs::remove_file(with_suffix(path, end)) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                return Err(error).with_context(|| format!("removing the file of {org}"));
            }
            Ok(()) | Err(_) => {}
        }
    }
    sync_folder(path).map(|()| Removal::Done)
}
