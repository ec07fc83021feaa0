//! Whole SQLite files: copying one that is being written, and looking at one from outside.

use std::path::Path;

use anyhow::{Context as _, bail};
use diesel::connection::SimpleConnection as _;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text};
use diesel::{QueryableByName, sql_query};

#[derive(QueryableByName)]
struct Line {
    #[diesel(sql_type = Text)]
    text: String,
}

#[derive(QueryableByName)]
struct Number {
    #[diesel(sql_type = BigInt)]
    number: i64,
}

#[derive(QueryableByName)]
struct Integrity {
    #[diesel(sql_type = Text)]
    integrity_check: String,
}

#[derive(QueryableByName)]
struct Mode {
    #[diesel(sql_type = Text)]
    journal_mode: String,
}

/// How many bytes a copy of the database will have, at most and roughly.
pub fn expected_bytes(path: &Path) -> anyhow::Result<u64> {
    let mut conn = connect(path)?;
    let query = "SELECT (page_count - freelist_count) * page_size AS number \
                 FROM pragma_page_count, pragma_freelist_count, pragma_page_size";
    let found: Number = sql_query(query).get_result(&mut conn)?;
    Ok(u64::try_from(found.number).unwrap_or(0))
}

/// Writes a copy of the database as of one moment into the empty file `into`, while others read and write
/// it. In one read transaction, so it sees neither less nor more than what had committed at its start; the
/// online-backup API would begin anew with each commit of another process.
///
/// Not synced: the copy is on its way to somewhere else.
pub fn copy(path: &Path, into: &Path) -> anyhow::Result<()> {
    let into = into.to_str().context("the path of a copy must be UTF-8")?;
    let mut conn = connect(path)?;
    sql_query("VACUUM INTO ?").bind::<Text, _>(into).execute(&mut conn)?;
    Ok(())
}

/// The versions of the migrations that are applied in a database, in order.
pub fn applied_migrations(path: &Path) -> anyhow::Result<Vec<String>> {
    let mut conn = connect(path)?;
    let query = "SELECT version AS text FROM __diesel_schema_migrations ORDER BY version";
    let found: Vec<Line> = sql_query(query).load(&mut conn)?;
    Ok(found.into_iter().map(|line| line.text).collect())
}

/// How many organisations have files of their own, beside this one. `None` in a database that is from before there were
/// any.
pub fn count_apart(path: &Path) -> anyhow::Result<Option<i64>> {
    let mut conn = connect(path)?;
    let query = "SELECT count(*) AS number FROM pragma_table_info('organisations') WHERE name = 'location'";
    if sql_query(query).get_result::<Number>(&mut conn)?.number == 0 {
        return Ok(None);
    }
    let query = "SELECT count(*) AS number FROM organisations WHERE location IS NOT NULL";
    Ok(Some(sql_query(query).get_result::<Number>(&mut conn)?.number))
}

/// The migrations that make triggers.
const WITH_TRIGGERS: [&str; 1] =
    [include_str!("../../migrations/sqlite/central/2026-11-22-000300_platform/up.sql")];

/// Whether a migration of ours holds this statement, as a whole and to the letter.
fn is_ours(statement: &str) -> bool {
    WITH_TRIGGERS.iter().any(|migration| migration.contains(&format!("\n{statement};\n")))
}

/// Fails unless the file is a whole database that holds tables, indexes and our own triggers alone. It comes from
/// outside: a trigger or a view in it could be anybody's code.
pub fn check(path: &Path) -> anyhow::Result<()> {
    let mut conn = connect(path)?;
    conn.batch_execute("PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON")?;
    let code: Vec<Line> = sql_query(
        "SELECT CASE type WHEN 'trigger' THEN coalesce(sql, '') ELSE '' END AS text FROM sqlite_schema \
         WHERE type NOT IN ('table', 'index') OR rootpage = 0",
    )
    .load(&mut conn)?;
    if !code.iter().all(|line| is_ours(&line.text)) {
        bail!("it holds triggers, views or virtual tables that Roomcast does not make");
    }
    let found: Option<Integrity> = sql_query("PRAGMA integrity_check(1)").get_result(&mut conn).optional()?;
    match found {
        Some(found) if found.integrity_check == "ok" => {}
        Some(found) => bail!("it is damaged: {}", found.integrity_check),
        None => bail!("it is damaged"),
    }
    let broken: Number =
        sql_query("SELECT count(*) AS number FROM pragma_foreign_key_check").get_result(&mut conn)?;
    if broken.number > 0 {
        bail!("{} of its rows refer to rows that do not exist", broken.number);
    }
    Ok(())
}

/// Has all that was committed in the one file, without a write-ahead log beside it. Nobody else has the
/// database open.
pub fn fold(path: &Path) -> anyhow::Result<()> {
    let mut conn = connect(path)?;
    let found = sql_query("PRAGMA journal_mode = DELETE").get_result::<Mode>(&mut conn);
    if found.context("another process has it open")?.journal_mode != "delete" {
        bail!("its write-ahead log could not be folded in");
    }
    Ok(())
}

fn connect(path: &Path) -> anyhow::Result<SqliteConnection> {
    let path = path.to_str().context("the path of the database must be UTF-8")?;
    let mut conn = SqliteConnection::establish(path)?;
    conn.batch_execute("PRAGMA busy_timeout = 30000")?;
    Ok(conn)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What becomes of a database with our triggers, once this has been done to it.
    fn checked(further: &str) -> Result<(), String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("roomcast.db");
        let mut conn = connect(&path).unwrap();
        conn.batch_execute(WITH_TRIGGERS[0]).unwrap();
        conn.batch_execute(further).unwrap();
        drop(conn);
        check(&path).map_err(|error| error.to_string())
    }

    #[test]
    fn our_own_triggers_pass_and_no_other_code_does() {
        assert_eq!(checked(""), Ok(()));
        let another = "CREATE TRIGGER t AFTER INSERT ON administrators BEGIN DELETE FROM platform_audit; END";
        let changed = "DROP TRIGGER platform_audit_no_update;
            CREATE TRIGGER platform_audit_no_update BEFORE UPDATE ON platform_audit
            BEGIN DELETE FROM administrators; END";
        let view = "CREATE VIEW v AS SELECT * FROM administrators";
        let table = "CREATE VIRTUAL TABLE t USING fts5(text)";
        for further in [another, changed, view, table] {
            let refused = checked(further).unwrap_err();
            assert!(refused.contains("that Roomcast does not make"), "{further}: {refused}");
        }
    }
}
