//! Locks that no row stands for.

use diesel::sql_types::{BigInt, Bool};
use diesel::{QueryResult, QueryableByName, sql_query};
use diesel_async::RunQueryDsl as _;

use super::Conn;

/// What one node does at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Claim {
    /// Deleting what is over.
    Upkeep,
}

impl Claim {
    /// The number of its advisory lock on PostgreSQL: ASCII, so that people can tell whose it is.
    const fn key(self) -> i64 {
        match self {
            Self::Upkeep => i64::from_be_bytes(*b"rcupkeep"),
        }
    }
}

/// Claims something until the transaction ends; false where another transaction has it. A SQLite file has
/// one hub, which claims nothing twice.
pub async fn try_claim(conn: &mut Conn, claim: Claim) -> QueryResult<bool> {
    #[derive(QueryableByName)]
    struct Claimed {
        #[diesel(sql_type = Bool)]
        claimed: bool,
    }

    match conn {
        Conn::Postgres(conn) => {
            let query = sql_query("SELECT pg_try_advisory_xact_lock($1) AS claimed");
            let found: Claimed = query.bind::<BigInt, _>(claim.key()).get_result(&mut **conn).await?;
            Ok(found.claimed)
        }
        Conn::Sqlite(_) => Ok(true),
    }
}
