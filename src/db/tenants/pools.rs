//! Connections to databases of organisations: to a bounded number of them at a time.
//!
//! Where all places are taken, the database that was used longest ago and that nobody uses now gives up its own.

use std::collections::HashMap;
use std::ops::Deref;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use metrics::{counter, gauge};
use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::task::{JoinError, JoinHandle};

use super::super::{Db, DbError, Pools};
use super::{Tenant, TenantBounds};
use crate::telemetry::metric::{TENANT_STORES_CLOSED, TENANT_STORES_OPEN};
use crate::types::OrgId;

/// How long somebody waits for a place.
const PLACE_TIMEOUT: Duration = Duration::from_secs(5);

/// The databases that have connections.
pub(super) struct OpenStores {
    bounds: TenantBounds,
    by_org: Arc<Mutex<HashMap<OrgId, Arc<Open>>>>,
    /// Somebody has done with one.
    freed: Arc<Notify>,
}

/// One of them.
pub(crate) struct Open {
    pub(crate) tenant: Arc<Tenant>,
    pub(crate) pools: Pools,
    used_at: Mutex<Instant>,
}

/// A database that somebody uses: it keeps its connections for as long.
#[derive(Clone)]
pub(crate) struct InUse {
    open: Option<Arc<Open>>,
    freed: Arc<Notify>,
}

impl Deref for InUse {
    type Target = Open;

    fn deref(&self) -> &Open {
        self.open.as_ref().expect("it is emptied when it is dropped")
    }
}

impl Open {
    /// What somebody is told who got no connection. Where all of them are in use it is only busy, and who uses them finds
    /// out whether it answers.
    pub(crate) fn refusal(&self, error: &DbError) -> DbError {
        if self.pools.are_all_in_use() {
            DbError::TenantUnavailable(error.to_string())
        } else {
            self.tenant.refused(error)
        }
    }
}

impl Drop for InUse {
    fn drop(&mut self) {
        if let Some(open) = self.open.take() {
            *open.used_at.lock() = Instant::now();
        }
        self.freed.notify_one();
    }
}

impl OpenStores {
    pub(super) fn new(bounds: TenantBounds) -> Self {
        Self { bounds, by_org: Arc::default(), freed: Arc::default() }
    }

    /// The connections of this store, which somebody else may have to give up a place for.
    pub(super) async fn acquire(&self, db: &Db, tenant: &Arc<Tenant>) -> Result<InUse, DbError> {
        let deadline = tokio::time::Instant::now() + PLACE_TIMEOUT;
        loop {
            let mut freed = pin!(self.freed.notified());
            // From here on, so that what becomes free while this looks is not missed.
            freed.as_mut().enable();
            if let Some(in_use) = self.try_acquire(db, tenant)? {
                return Ok(in_use);
            }
            if tokio::time::timeout_at(deadline, freed).await.is_err() {
                let reason = format!(
                    "all {} databases that may have connections (TENANT_POOLS) were in use for {} s",
                    self.bounds.open,
                    PLACE_TIMEOUT.as_secs()
                );
                return Err(DbError::TenantUnavailable(reason));
            }
        }
    }

    /// The same, or `None` where all places are in use.
    pub(super) fn try_acquire(&self, db: &Db, tenant: &Arc<Tenant>) -> Result<Option<InUse>, DbError> {
        let in_use =
            |open: &Arc<Open>| Some(InUse { open: Some(Arc::clone(open)), freed: Arc::clone(&self.freed) });
        let mut by_org = self.by_org.lock();
        if let Some(open) = by_org.get(&tenant.org) {
            if Arc::ptr_eq(&open.tenant, tenant) {
                return Ok(in_use(open));
            }
            // They may be to a store that was removed, before this one was made in its place.
            close(by_org.remove(&tenant.org).into_iter().collect());
        }
        if by_org.len() >= self.bounds.open {
            // Nobody can begin to use one but under this lock.
            let unused = by_org.iter().filter(|(_, open)| Arc::strong_count(open) == 1);
            let oldest = unused.min_by_key(|(_, open)| *open.used_at.lock()).map(|(org, _)| *org);
            let Some(oldest) = oldest else { return Ok(None) };
            close(by_org.remove(&oldest).into_iter().collect());
        }
        let pools = match db.pools() {
            Pools::Postgres(postgres) => {
                postgres.of_database(&tenant.name, self.bounds.connections).map(Pools::Postgres)
            }
            Pools::Sqlite(sqlite) => {
                sqlite.of_tenant(&tenant.name, self.bounds.connections).map(Pools::Sqlite)
            }
        }
        .map_err(|error| DbError::TenantUnavailable(format!("{error:#}")))?;
        let open = Open { tenant: Arc::clone(tenant), pools, used_at: Mutex::new(Instant::now()) };
        let open = Arc::new(open);
        by_org.insert(tenant.org, Arc::clone(&open));
        gauge(by_org.len());
        Ok(in_use(&open))
    }

    /// Closes this organisation's and returns once they are closed, but for what somebody uses, who keeps it.
    pub(super) async fn close(&self, org: OrgId) -> Result<(), JoinError> {
        let closed = {
            let mut by_org = self.by_org.lock();
            let closed = close(by_org.remove(&org).into_iter().collect());
            gauge(by_org.len());
            closed
        };
        match closed {
            Some(closed) => closed.await,
            None => Ok(()),
        }
    }

    pub(super) fn close_idle(&self) -> usize {
        let mut by_org = self.by_org.lock();
        let is_idle = |open: &Arc<Open>| {
            Arc::strong_count(open) == 1 && open.used_at.lock().elapsed() >= self.bounds.idle
        };
        close(by_org.extract_if(|_, open| is_idle(open)).map(|(_, open)| open).collect());
        gauge(by_org.len());
        by_org.len()
    }
}

#[expect(clippy::cast_precision_loss, reason = "there are a few of them")]
fn gauge(open: usize) {
    gauge!(TENANT_STORES_OPEN).set(open as f64);
}

/// The last connection to a SQLite file writes its log back into it, which is to hold up nobody who has not to wait for it.
fn close(stores: Vec<Arc<Open>>) -> Option<JoinHandle<()>> {
    if stores.is_empty() {
        return None;
    }
    counter!(TENANT_STORES_CLOSED).increment(stores.len() as u64);
    Some(tokio::task::spawn_blocking(move || drop(stores)))
}
