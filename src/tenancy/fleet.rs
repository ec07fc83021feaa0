//! Many stores, some at a time.

use std::time::{Duration, Instant};

use futures_util::stream::{self, StreamExt as _};

use crate::db::{Db, TenantState};
use crate::error::Result;
use crate::organisations;
use crate::organisations::service::Apart;
use crate::types::{Isolation, OrgId};

/// Directory entries that are read at once.
const CHUNK: i64 = 256;

/// What is done to each store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Task {
    /// It is looked at, and left as it is.
    Look,
    /// It is brought up to date.
    Migrate,
}

/// Which stores, and how.
#[derive(Debug, Clone)]
pub struct Fleet {
    /// What is done.
    pub task: Task,
    /// So many at a time.
    pub concurrency: usize,
    /// How long a lock is waited for; `None` is for ever.
    pub lock_timeout: Option<Duration>,
    /// This one alone, by the id or the slug of its organisation.
    pub only: Option<String>,
}

impl Default for Fleet {
    fn default() -> Self {
        Self { task: Task::Look, concurrency: 4, lock_timeout: Some(Duration::from_secs(30)), only: None }
    }
}

/// What was found, or done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// These were applied, in order; none where it was up to date.
    Applied(Vec<String>),
    /// These are missing.
    Pending(Vec<String>),
    /// It is made when it is first used.
    Unmade,
}

/// One store's.
#[derive(Debug)]
pub struct Outcome {
    /// Whose store it is.
    pub org: OrgId,
    /// The organisation's name in addresses.
    pub slug: String,
    /// Which kind of store.
    pub isolation: Isolation,
    /// What became of it.
    pub step: std::result::Result<Step, String>,
    /// How long that took.
    pub took: Duration,
}

impl Fleet {
    /// Goes through the stores, and tells of each when it is done. Fails only where the directory cannot be read.
    pub async fn run(&self, db: &Db, mut tell: impl FnMut(&Outcome)) -> Result<Vec<Outcome>> {
        let apart = self.list(db).await?;
        let mut running =
            stream::iter(apart).map(|apart| self.settle(db, apart)).buffer_unordered(self.concurrency.max(1));
        let mut outcomes = Vec::new();
        while let Some(outcome) = running.next().await {
            tell(&outcome);
            outcomes.push(outcome);
        }
        Ok(outcomes)
    }

    /// How many stores there are to go through.
    pub async fn count(&self, db: &Db) -> Result<usize> {
        Ok(self.list(db).await?.len())
    }

    async fn list(&self, db: &Db) -> Result<Vec<Apart>> {
        let mut found = Vec::new();
        let mut after = OrgId::from(uuid::Uuid::nil());
        loop {
            let chunk = organisations::service::list_apart(db, after, CHUNK).await?;
            let Some(last) = chunk.last() else { return Ok(found) };
            after = last.id;
            let is_wanted = |apart: &Apart| match &self.only {
                Some(only) => *only == apart.id.to_string() || *only == apart.slug.as_str(),
                None => true,
            };
            found.extend(chunk.into_iter().filter(is_wanted));
        }
    }

    async fn settle(&self, db: &Db, apart: Apart) -> Outcome {
        let started = Instant::now();
        let step = match self.task {
            Task::Look => look(db, apart.id).await,
            Task::Migrate => {
                let migrated = db.migrate_tenant(apart.id, self.lock_timeout).await;
                migrated.map(|done| done.map_or(Step::Unmade, |done| Step::Applied(done.applied)))
            }
        };
        Outcome {
            org: apart.id,
            slug: apart.slug.to_string(),
            isolation: apart.isolation,
            step: step.map_err(|error| format!("{error:#}")),
            took: started.elapsed(),
        }
    }
}

async fn look(db: &Db, org: OrgId) -> anyhow::Result<Step> {
    Ok(match db.tenant_state(org).await? {
        Some(TenantState::Current) => Step::Applied(Vec::new()),
        Some(TenantState::Pending(names)) => Step::Pending(names),
        Some(TenantState::Unmade) | None => Step::Unmade,
    })
}
