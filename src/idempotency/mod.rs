//! Idempotency keys: a request that is sent again, because its answer was lost, gets that answer and does
//! nothing twice.
//!
//! Owns the table `idempotency_keys` of a tenant's store. A key counts for one organisation, caller, method
//! and path, for [`LIFETIME`]; a row that has expired counts as none. Its row is written in the transaction
//! of the effect, so both are there or neither is: what follows a commit changes nothing any more, and a
//! crash leaves nothing half done. An answer that holds a secret is sealed.
//!
//! A handler takes `IdempotentJson`, begins [`Once`], and ends with [`Once::finish`]. Its service asks
//! [`Once::claim`] in its transaction, after the locks that it decides under, and returns what
//! [`Fresh::keep`] or [`Fresh::keep_sealed`] wrote among its last statements. Pure appends give the claim
//! to the log's writer instead. Where the effect is in another store, [`Fresh::reserve`] commits the id of
//! what is to be, the effect is idempotent by that id, and [`Once::complete`] follows it.
//!
//! Who may do it is checked on each request, before any of this. That two requests with one key do not run
//! at the same time on one node is a courtesy, kept in memory; what decides is the database.

mod answer;
mod batch;
mod claim;
mod extract;
mod model;
mod once;
pub mod queries;
mod seal;

pub use answer::Answer;
pub(crate) use batch::Batch;
pub use claim::{Claim, Judged};
pub use extract::KeyedRequest;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) use extract::{HEADER, read_key};
pub(crate) use extract::{IdempotencyParams, IdempotentJson};
pub use model::{IdempotencyKey, Scope};
pub use once::{Claimed, Fresh, Idempotency, Once};
pub use seal::SealKeys;

use std::time::Duration;

use crate::db::Db;
use crate::error::Result;
use crate::types::{OrgId, Timestamp};
use crate::{read, transaction};

/// Those of these organisations that have keys which have expired by `now`.
pub(crate) async fn list_expired(db: &Db, orgs: &[OrgId], now: Timestamp) -> Result<Vec<OrgId>> {
    read!(db.orgs(orgs.to_vec()), |conn| Ok(queries::list_expired(conn, orgs, now).await?))
}

/// Deletes administrators' keys that have expired by `now`. They are few.
pub(crate) async fn delete_expired_of_administrators(db: &Db, now: Timestamp) -> Result<usize> {
    transaction!(db.central(), |tx| Ok(queries::delete_expired_of_administrators(tx, now).await?))
}

/// How long a key counts: longer than any client goes on repeating one request.
pub const LIFETIME: Duration = Duration::from_hours(24);
