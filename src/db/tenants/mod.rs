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

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::RwLock;
use tokio::sync::{Semaphore, SemaphorePermit};

pub(super) use self::placement::Tenant;
use self::placement::{Placement, Remembered};
pub(super) use self::pools::InUse;
use self::pools::OpenStores;
use self::provision::GATE_TIMEOUT;
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

/// Stores of a schema each that are looked at for the first time, or made, at once: they share one server, and its connections.
const SCHEMAS_AT_ONCE: usize = 4;

/// Stores of a database each that are looked at for the first time, or made, at once. One may hang without the others.
const DATABASES_AT_ONCE: usize = 16;

/// What a node knows of the stores that are apart.
pub(super) struct Tenants {
    bounds: TenantBounds,
    remembered: RwLock<Remembered>,
    open: OpenStores,
    looks: Turns,
    makes: Turns,
    /// Taken by who removes a file; shared by those who make one.
    files: tokio::sync::RwLock<()>,
}

/// Turns among those who do the same with stores for requests. To make one may take long, and to look at one not.
struct Turns {
    schemas: Semaphore,
    databases: Semaphore,
}

impl Turns {
    fn new() -> Self {
        Self { schemas: Semaphore::new(SCHEMAS_AT_ONCE), databases: Semaphore::new(DATABASES_AT_ONCE) }
    }

    /// A turn with a store of this kind, for whoever takes one. Fails where none comes soon.
    async fn take(&self, isolation: Isolation, takes_one: bool) -> Result<Option<SemaphorePermit<'_>>, Busy> {
        let turns = match isolation {
            Isolation::Shared | Isolation::Schema => &self.schemas,
            Isolation::Database => &self.databases,
        };
        if !takes_one {
            return Ok(None);
        }
        // It is never closed; if it were, going on would be right.
        tokio::time::timeout(GATE_TIMEOUT, turns.acquire()).await.map(Result::ok).map_err(|_| Busy)
    }
}

/// Others are first. It says nothing about the store.
#[derive(Debug, thiserror::Error)]
#[error("too many other stores are being made ready")]
struct Busy;

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
            looks: Turns::new(),
            makes: Turns::new(),
            files: tokio::sync::RwLock::default(),
        }
    }
}

impl Db {
    /// Where a part is, where that is known without asking and nothing has to be waited for: nearly always.
    pub(super) fn known_ground(&self, part: &Part) -> Option<Ground> {
        let Part::Of(orgs) = part else { return Some(Ground::Main) };
        let [org] = orgs.as_slice() else {
            let is_shared = |org: &OrgId| matches!(self.recall(*org), Some(Placement::Shared));
            return orgs.iter().all(is_shared).then_some(Ground::Main);
        };
        match self.recall(*org)? {
            Placement::Shared => Some(Ground::Main),
            Placement::Own(tenant) if tenant.is_ready() => match tenant.isolation {
                Isolation::Shared | Isolation::Schema => Some(Ground::Schema(tenant)),
                // What goes wrong is told to who asks again and waits.
                Isolation::Database => {
                    self.tenants().open.try_acquire(self, &tenant).ok().flatten().map(Ground::Database)
                }
            },
            Placement::Own(_) | Placement::Broken { .. } => None,
        }
    }

    /// Where a part is, its store made and up to date.
    pub(super) async fn ground(&self, part: &Part) -> Result<Ground, DbError> {
        let Part::Of(orgs) = part else { return Ok(Ground::Main) };
        let Some(tenant) = self.placement(orgs).await?.own()? else { return Ok(Ground::Main) };
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

    /// The same, without the stores that were never made: nothing is in them.
    pub async fn by_made_store(&self, orgs: &[OrgId]) -> Result<Vec<Vec<OrgId>>, DbError> {
        let mut stores = self.by_store(orgs).await?;
        if !stores.iter().any(|orgs| self.is_own_store(orgs)) {
            return Ok(stores);
        }
        let rows = self.look_up(orgs).await?;
        let made: HashSet<OrgId> =
            rows.into_iter().filter(|row| row.location.is_some()).map(|row| row.id).collect();
        stores.retain(|orgs| !self.is_own_store(orgs) || orgs.iter().all(|org| made.contains(org)));
        Ok(stores)
    }

    /// Whether these organisations, of one store, are one that is apart, as far as this node remembers.
    pub fn is_own_store(&self, orgs: &[OrgId]) -> bool {
        matches!(orgs, [org] if self.known_isolation(*org).is_some_and(Isolation::is_apart))
    }

    /// Has the store of an organisation that is apart looked at or made, if that is to be done before it is used: it may
    /// take a while, which whoever holds what others wait for had better spend before.
    pub async fn prepare(&self, org: OrgId) -> Result<(), DbError> {
        match self.placement(&[org]).await?.own()? {
            Some(tenant) => self.make_ready(&tenant).await,
            None => Ok(()),
        }
    }

    /// Why this organisation's store cannot be used now, as far as this node knows without asking it.
    pub fn known_trouble(&self, org: OrgId) -> Option<DbError> {
        match self.recall(org)?.own() {
            Ok(tenant) => tenant?.last_trouble(),
            Err(broken) => Some(broken),
        }
    }

    /// Closes connections to databases of organisations that nobody has used for a while. Returns how many databases
    /// still have some.
    pub fn close_idle(&self) -> usize {
        self.tenants().open.close_idle()
    }
}
