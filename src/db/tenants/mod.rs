//! Stores of organisations that are apart from the others: a schema, a database or a file each.
//!
//! The directory says where an organisation's rows are. That never changes once it is founded, so it is remembered
//! here, for a bounded number of organisations. A store is made when it is first used, once, however many come first
//! at the same time on however many nodes. What is wrong with one store is told to those who ask for it, and to
//! nobody else.

mod placement;
mod pools;
mod provision;
mod remove;

use std::sync::Arc;
use std::time::Duration;

use parking_lot::RwLock;
use tokio::sync::{Semaphore, SemaphorePermit};

use self::placement::Remembered;
pub(super) use self::placement::{Placement, Tenant};
pub(super) use self::pools::InUse;
use self::pools::OpenStores;
pub(super) use self::provision::TENANT_SCHEMA;
pub use self::provision::{TenantMigration, TenantState};
pub use self::remove::Removal;
use super::scope::Part;
use super::{Db, DbError};
use crate::types::{Isolation, OrgId};

/// How much the databases of organisations may take of a node.
#[derive(Debug, Clone, Copy)]
pub struct TenantBounds {
    /// How many of them have connections at the same time.
    pub open: usize,
    /// Connections to each. A SQLite file has its writer beside them.
    pub connections: usize,
    /// How long one that nobody uses keeps its connections.
    pub idle: Duration,
    /// Whether a store that is behind is brought up to date when it is first used.
    pub migrate: bool,
}

impl Default for TenantBounds {
    fn default() -> Self {
        Self { open: 16, connections: 3, idle: Duration::from_mins(1), migrate: true }
    }
}

/// Stores of a schema each that are looked at for the first time, at once: they share one server, and its connections.
const SCHEMAS_AT_ONCE: usize = 4;

/// Stores of a database each that are looked at for the first time, at once. One may hang without the others.
const DATABASES_AT_ONCE: usize = 16;

/// What a node knows of the stores that are apart.
pub(super) struct Tenants {
    bounds: TenantBounds,
    remembered: RwLock<Remembered>,
    open: OpenStores,
    schemas: Semaphore,
    databases: Semaphore,
    /// Taken by who removes a file; shared by those who make one.
    files: tokio::sync::RwLock<()>,
}

/// What a scope stands on.
pub(super) enum Ground {
    /// The directory, or the shared tables, in the main database.
    Main,
    /// A schema in the main database.
    Schema(Arc<Tenant>),
    /// A database or a file of its own.
    Database(InUse),
}

impl Tenants {
    pub(super) fn new(bounds: TenantBounds) -> Self {
        Self {
            bounds,
            remembered: RwLock::default(),
            open: OpenStores::new(bounds),
            schemas: Semaphore::new(SCHEMAS_AT_ONCE),
            databases: Semaphore::new(DATABASES_AT_ONCE),
            files: tokio::sync::RwLock::default(),
        }
    }

    /// A turn among those that look at stores of this kind for requests, for whoever takes one.
    async fn turn(&self, isolation: Isolation, takes_one: bool) -> Option<SemaphorePermit<'_>> {
        let turns = match isolation {
            Isolation::Shared | Isolation::Schema => &self.schemas,
            Isolation::Database => &self.databases,
        };
        // It is never closed; if it were, going on would be right.
        if takes_one { turns.acquire().await.ok() } else { None }
    }
}

impl Db {
    /// Where a part is that is not apart, where that is known without asking: nearly always.
    pub(super) fn known_ground(&self, part: &Part) -> Option<Ground> {
        let Part::Of(orgs) = part else { return Some(Ground::Main) };
        let is_shared = |org: &OrgId| matches!(self.recall(*org), Some(Placement::Shared));
        orgs.iter().all(is_shared).then_some(Ground::Main)
    }

    /// Where a part is, its store made and up to date.
    pub(super) async fn ground(&self, part: &Part) -> Result<Ground, DbError> {
        let Part::Of(orgs) = part else { return Ok(Ground::Main) };
        let Placement::Own(tenant) = self.placement(orgs).await? else { return Ok(Ground::Main) };
        self.make_ready(&tenant).await?;
        match tenant.isolation {
            Isolation::Shared | Isolation::Schema => Ok(Ground::Schema(tenant)),
            Isolation::Database => Ok(Ground::Database(self.tenants().open.acquire(self, &tenant).await?)),
        }
    }

    /// How far an organisation is apart. One that the directory does not have is not.
    pub async fn isolation(&self, org: OrgId) -> Result<Isolation, DbError> {
        match self.known_isolation(org) {
            Some(isolation) => Ok(isolation),
            None => Ok(self.placement(&[org]).await?.isolation()),
        }
    }

    /// The same, as far as this node remembers.
    pub fn known_isolation(&self, org: OrgId) -> Option<Isolation> {
        self.recall(org).map(|placement| placement.isolation())
    }

    /// These organisations by their stores: those that share one first, then each of the others alone.
    pub async fn by_store(&self, orgs: &[OrgId]) -> Result<Vec<Vec<OrgId>>, DbError> {
        self.remember_all(orgs).await?;
        let is_apart = |org: &OrgId| self.known_isolation(*org).is_some_and(Isolation::is_apart);
        let (apart, shared): (Vec<OrgId>, Vec<OrgId>) = orgs.iter().copied().partition(is_apart);
        let shared = (!shared.is_empty()).then_some(shared);
        Ok(shared.into_iter().chain(apart.into_iter().map(|org| vec![org])).collect())
    }

    /// Why this organisation's store cannot be used now, as far as this node knows without asking it.
    pub fn known_trouble(&self, org: OrgId) -> Option<DbError> {
        match self.recall(org)? {
            Placement::Own(tenant) => tenant.last_trouble(),
            Placement::Shared => None,
        }
    }

    /// Closes connections to databases of organisations that nobody has used for a while. Returns how many databases
    /// still have some.
    pub fn close_idle(&self) -> usize {
        self.tenants().open.close_idle()
    }
}
