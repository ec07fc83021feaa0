//! Databases of a PostgreSQL server, one for each run.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Instant;

use anyhow::{Context as _, Result};
use tokio::runtime::Runtime;
use tokio_postgres::{Client, NoTls};
use url::Url;

use super::bench::median_ms;

/// A server.
pub(crate) struct Postgres {
    url: Url,
    runtime: Runtime,
}

/// A database of its own, until it is dropped.
pub(crate) struct Fresh<'a> {
    postgres: &'a Postgres,
    name: String,
    pub(crate) url: String,
}

impl Postgres {
    pub(crate) fn at(url: &str) -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        Ok(Self { url: url.parse().context("DATABASE_URL is no URL")?, runtime })
    }

    /// Does something over a connection.
    fn with<T>(&self, url: &str, act: impl AsyncFnOnce(&mut Client) -> Result<T>) -> Result<T> {
        self.runtime.block_on(async {
            let (mut client, connection) = tokio_postgres::connect(url, NoTls).await.context("PostgreSQL")?;
            tokio::select! {
                done = act(&mut client) => done,
                ended = connection => Err(ended.err().context("the connection ended")?.into()),
            }
        })
    }

    /// Has it run these statements.
    pub(crate) fn run(&self, url: &str, sql: &str) -> Result<()> {
        self.with(url, async |client| Ok(client.batch_execute(sql).await?))
    }

    /// A new database.
    pub(crate) fn create(&self) -> Result<Fresh<'_>> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("bench_{}_{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        self.run(self.url.as_str(), &format!("CREATE DATABASE {name}"))?;
        let mut url = self.url.clone();
        url.set_path(&name);
        Ok(Fresh { postgres: self, name, url: url.into() })
    }

    /// Milliseconds of a commit of one row by itself, the median of many.
    pub(crate) fn sync_ms(&self) -> Result<f64> {
        let database = self.create()?;
        self.with(&database.url, async |client| {
            client.batch_execute("SET synchronous_commit = on; CREATE TABLE synced (bytes text)").await?;
            let row = "x".repeat(200);
            let insert = client.prepare("INSERT INTO synced VALUES ($1)").await?;
            let mut times = Vec::new();
            for _ in 0..200 {
                let began = Instant::now();
                client.execute(&insert, &[&row]).await?;
                times.push(began.elapsed());
            }
            median_ms(times)
        })
    }
}

impl Drop for Fresh<'_> {
    fn drop(&mut self) {
        // The server goes when all is done; what is left until then is only space.
        drop(
            self.postgres.run(
                self.postgres.url.as_str(),
                &format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name),
            ),
        );
    }
}
