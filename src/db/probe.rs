//! A look at the database from outside, for `roomcast config check`.

use anyhow::Context as _;

use super::postgres::Postgres;
use super::{DatabaseUrl, Db, MigrationState};

/// What was found.
#[derive(Debug)]
pub struct Found {
    /// In a sentence.
    pub summary: String,
    /// How many connections a PostgreSQL server leaves to a hub.
    max_connections: Option<usize>,
}

impl Found {
    /// What is risky about a pool of `max_connections` there.
    pub fn risks(&self, max_connections: usize) -> Option<String> {
        let server = self.max_connections.filter(|server| *server < max_connections)?;
        Some(format!(
            "DATABASE_MAX_CONNECTIONS={max_connections} is more than the {server} that PostgreSQL lets this user \
             have: under load, requests wait in vain. Lower it, or raise max_connections there."
        ))
    }
}

/// Reaches the database once, without waiting for one that is not up, and changes nothing.
pub async fn run(url: &DatabaseUrl) -> anyhow::Result<Found> {
    match url {
        DatabaseUrl::Postgres(url) => {
            let (server, max_connections) = Postgres::probe(url).await?;
            let db = Db::open(&DatabaseUrl::Postgres(url.clone()), 2).await?;
            let summary = format!("{server} is reached; {}", migrations(&db).await?);
            Ok(Found { summary, max_connections: Some(max_connections) })
        }
        DatabaseUrl::Sqlite(path) if !path.exists() => {
            let summary = format!("there is no database at {} yet: a start makes one", path.display());
            Ok(Found { summary, max_connections: None })
        }
        DatabaseUrl::Sqlite(path) => {
            let db = Db::open_beside(url, 1).await?;
            db.ping().await.context("the database does not answer")?;
            let summary = format!("{} is reached; {}", path.display(), migrations(&db).await?);
            Ok(Found { summary, max_connections: None })
        }
    }
}

async fn migrations(db: &Db) -> anyhow::Result<String> {
    Ok(match db.migration_state().await? {
        MigrationState::Current => "it is up to date".to_owned(),
        MigrationState::Pending(names) => format!("{} migrations are pending", names.len()),
    })
}
