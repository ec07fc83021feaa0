//! What a commit costs the database by itself: one row of a broadcast's size into a table without an index, committed
//! as the hub has its commits, through the driver that the hub uses, with nobody beside it.
//!
//! The budget is what the hub adds to "the database's own sync". A sync of a file that grows, as one would
//! write it by hand, is not that: PostgreSQL has a server to ask and writes into a log of full segments, and
//! SQLite writes over a log of pages that is there. Either may be quicker or slower than the file, so the
//! difference would say more about the file system than about the hub.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use diesel::connection::SimpleConnection as _;
use diesel::sql_types::Text;
use diesel::sqlite::SqliteConnection;
use diesel::{Connection as _, RunQueryDsl as _, sql_query};
use tokio_postgres::NoTls;

/// The median of so many.
const COMMITS: usize = 400;

const PAYLOAD_BYTES: usize = 200;

/// Milliseconds that the median commit takes, on this PostgreSQL or on SQLite.
pub(crate) fn alone_ms(database: Option<&str>) -> Result<f64> {
    let mut times = match database {
        None => on_sqlite()?,
        Some(url) => {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(on_postgres(url))?
        }
    };
    times.sort_unstable();
    Ok(times.get(times.len() / 2).context("no commit")?.as_secs_f64() * 1000.0)
}

fn on_sqlite() -> Result<Vec<Duration>> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("commits.db");
    let mut conn = SqliteConnection::establish(path.to_str().context("a path that is no text")?)?;
    conn.batch_execute(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; CREATE TABLE commits (payload text) STRICT",
    )?;
    let payload = "x".repeat(PAYLOAD_BYTES);
    let commit = |_| {
        let began = Instant::now();
        sql_query("INSERT INTO commits VALUES (?)").bind::<Text, _>(&payload).execute(&mut conn)?;
        Ok(began.elapsed())
    };
    (0..COMMITS).map(commit).collect()
}

async fn on_postgres(url: &str) -> Result<Vec<Duration>> {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
    let commits = async {
        client
            .batch_execute(
                "SET synchronous_commit TO on; DROP TABLE IF EXISTS public.commits; \
                 CREATE TABLE public.commits (payload text)",
            )
            .await?;
        let insert = client.prepare("INSERT INTO public.commits VALUES ($1)").await?;
        let payload = "x".repeat(PAYLOAD_BYTES);
        let mut times = Vec::with_capacity(COMMITS);
        for _ in 0..COMMITS {
            let began = Instant::now();
            client.execute(&insert, &[&payload]).await?;
            times.push(began.elapsed());
        }
        client.batch_execute("DROP TABLE public.commits").await?;
        Ok(times)
    };
    tokio::select! {
        times = commits => times,
        ended = connection => Err(ended.err().map_or_else(|| anyhow::anyhow!("the server hung up"), Into::into)),
    }
}
