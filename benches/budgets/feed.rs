//! The feed of a long log, most of which nobody but admins may see.

use std::fmt::Write as _;

use anyhow::{Context as _, Result};
use diesel::connection::SimpleConnection as _;
use diesel::{Connection as _, SqliteConnection};
use std::path::Path;
use std::process::{Command, Stdio};

use super::bench::{Bench, Found, load, serve};
use super::postgres::Postgres;

const READ: &str = "feed --history 0 --rate 100 --callers 8";
const ADMIN: &str = "ana@acme.example";
const MEMBER: &str = "bo@acme.example";

/// Statements with which both databases fill the log: `{rows}`, and what they call differently. One activity in
/// 100,000 is for the member, in turn by each kind of audience; the admin may see all. Of one type there are fifty.
const FILL: &str = "
INSERT INTO {s}activities (org_id, seq, id, type, audience_kind, audience_id, actor_id, actor_name, payload, created_at)
SELECT org, last + n, {uuid},
    CASE WHEN n % ({rows} / 50) = 0 THEN 'RARE_TYPE' ELSE 'BROADCAST_MESSAGE' END,
    kind, CASE WHEN kind <> 'ADMINS_AND' THEN NULL WHEN n % 100000 = 1 THEN member ELSE admin END,
    admin, 'Ana', '{\"message\":\"' || {text} || '\"}', at
FROM (SELECT n, CASE
        WHEN n % 300000 = 1 THEN 'EVERYONE'
        WHEN n % 300000 = 100001 THEN 'ADMINS_AND'
        WHEN n % 300000 = 200001 THEN 'USERS'
        WHEN n % 1000 = 7 THEN 'USERS'
        WHEN n % 2 = 0 THEN 'ADMINS'
        ELSE 'ADMINS_AND' END AS kind FROM {numbers} AS numbers) AS numbered
CROSS JOIN (SELECT h.org_id AS org, h.last_seq AS last, h.last_at AS at, a.id AS admin, m.id AS member
    FROM {s}activity_heads h
    JOIN {s}users a ON a.org_id = h.org_id AND a.email = 'ana@acme.example'
    JOIN {s}users m ON m.org_id = h.org_id AND m.email = 'bo@acme.example') AS known;
INSERT INTO {s}activity_recipients (org_id, user_id, seq)
SELECT org_id, actor_id, seq FROM {s}activities WHERE audience_kind = 'USERS';
INSERT INTO {s}activity_recipients (org_id, user_id, seq)
SELECT a.org_id, m.id, a.seq
FROM {s}activities a
JOIN {s}activity_heads h ON h.org_id = a.org_id
JOIN {s}users m ON m.org_id = a.org_id AND m.email = 'bo@acme.example'
WHERE a.audience_kind = 'USERS' AND (a.seq - h.last_seq) % 100000 = 1;
UPDATE {s}activity_heads SET
    last_id = (SELECT id FROM {s}activities a WHERE a.org_id = activity_heads.org_id AND a.seq = last_seq + {rows}),
    last_seq = last_seq + {rows}
WHERE org_id IN (SELECT org_id FROM {s}users WHERE email = 'ana@acme.example');
";

/// Milliseconds of pages, at the 99th percentile: of everything, of a rare type, of what a member may see.
pub(crate) fn measure(bench: &Bench) -> Result<Vec<Found>> {
    let folder = tempfile::tempdir()?;
    let database = bench.postgres.as_ref().map(Postgres::create).transpose()?;
    let mut settings = Vec::new();
    if let Some(database) = &database {
        settings.push(("DATABASE_URL", database.url.as_str()));
        settings.push(("JWT_ACCESS_SECRET", "a secret of a hub that nobody else reaches"));
    }
    let data = folder.path().to_str().context("an odd folder")?;
    let seeded = Command::new(env!("CARGO_BIN_EXE_roomcast"))
        .arg("seed")
        .env_clear()
        .env("ROOMCAST_DATA_DIR", data)
        .env("RUST_LOG", "error")
        .envs(settings.iter().copied())
        .current_dir(data)
        .stdout(Stdio::null())
        .status()?;
    anyhow::ensure!(seeded.success(), "roomcast seed failed");
    eprintln!("  filling a log of {}", bench.feed_rows);
    match (&bench.postgres, &database) {
        (Some(postgres), Some(database)) => {
            postgres.run(&database.url, &on_postgres(bench.feed_rows))?;
            // As its upkeep would have by then; not in a transaction.
            for table in ["activities", "activity_recipients"] {
                postgres.run(&database.url, &format!("VACUUM ANALYZE shared.{table}"))?;
            }
        }
        _ => fill_sqlite(&folder.path().join("roomcast.db"), bench.feed_rows)?,
    }
    let hub = serve(&folder, &settings)?;
    let password = folder.path().join("password");
    std::fs::write(&password, "roomcast-demo")?;
    let password = password.to_str().context("an odd folder")?;
    [(ADMIN, None), (ADMIN, Some("type=RARE_TYPE")), (MEMBER, None)]
        .into_iter()
        .map(|(email, query)| {
            let mut target = vec![
                "--url",
                &hub.address,
                "--email",
                email,
                "--password-file",
                password,
                "--organisation",
                "acme",
            ];
            target.extend(query.map(|query| ["--feed-query", query]).into_iter().flatten());
            // What was just written is read for the first time.
            load(&format!("{READ} --duration 2s"), &target, &[])?;
            let found = load(&format!("{READ} --duration 8s"), &target, &["feed.p99"])?;
            Ok(Found::alone(found.first().copied().context("no p99")?))
        })
        .collect()
}

fn filled(rows: u64, schema: &str, uuid: &str, text: &str, numbers: &str) -> String {
    FILL.replace("{s}", schema)
        .replace("{rows}", &rows.to_string())
        .replace("{uuid}", uuid)
        .replace("{text}", text)
        .replace("{numbers}", numbers)
}

fn fill_sqlite(file: &Path, rows: u64) -> Result<()> {
    let mut database = SqliteConnection::establish(file.to_str().context("an odd folder")?)?;
    let numbers = format!(
        "(WITH RECURSIVE count(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM count WHERE n < {rows}) SELECT n FROM count)"
    );
    let text = format!("'{}'", "x".repeat(200));
    let statements = filled(rows, "", "randomblob(16)", &text, &numbers);
    // Nothing of it matters until all is there.
    let settings = "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -1000000;";
    database.batch_execute(&format!("{settings} BEGIN; {statements} COMMIT; PRAGMA journal_mode = WAL;"))?;
    Ok(())
}

fn on_postgres(rows: u64) -> String {
    // Rows that are made to fit need no look at what they refer to, and indexes made at the end take a third of the time.
    let mut sql = String::from(
        "SET session_replication_role = replica; SET synchronous_commit = off; SET maintenance_work_mem = '512MB'; ",
    );
    let indexes = "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'shared' AND tablename = 'activities' \
                   AND indexname LIKE 'idx%'";
    write!(
        sql,
        "CREATE TEMP TABLE dropped AS {indexes}; \
         DO $$ DECLARE i record; BEGIN FOR i IN SELECT * FROM dropped LOOP \
         EXECUTE 'DROP INDEX shared.' || i.indexname; END LOOP; END $$; "
    )
    .unwrap_or_else(|_| unreachable!("writing to a String cannot fail"));
    let numbers = format!("(SELECT n FROM generate_series(1, {rows}) AS n)");
    sql += &filled(rows, "shared.", "gen_random_uuid()", "repeat('x', 200)", &numbers);
    sql += "DO $$ DECLARE i record; BEGIN FOR i IN SELECT * FROM dropped LOOP EXECUTE i.indexdef; END LOOP; END $$; ";
    sql
}
