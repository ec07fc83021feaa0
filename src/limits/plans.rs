//! The limits of organisations, which their plans set.
//!
//! Which plan an organisation has, the access view knows. What a plan allows is a row of the directory,
//! read once a minute at most, so that no request waits for a query and a row that an operator changes
//! counts soon.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use anyhow::anyhow;
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use parking_lot::RwLock;

use super::limiter::{Limiter, Time};
use super::{Limit, Standing};
use crate::db::schema::plans;
use crate::db::{Conn, Db};
use crate::error::{Error, Result};
use crate::types::{OrgId, PlanCode};
use crate::{read, with_conn};

/// How long what was read of the plans counts.
const FRESH: Duration = Duration::from_mins(1);

/// A limiter that organisations on plans of the same size share; `None` is no limit.
type PlanLimiter = Option<Arc<Limiter<OrgId>>>;

/// What each plan allows.
struct Plans {
    by_code: HashMap<PlanCode, PlanLimiter>,
    /// What a plan allows that is in no row, as one that was just added: no more than the smallest does.
    smallest: PlanLimiter,
}

impl Plans {
    /// The plans of these rows. A limiter goes on for whoever has the same limit as before, with what it
    /// counted.
    fn of(rows: Vec<(PlanCode, Option<i64>)>, before: Option<&Self>, time: &Time) -> Self {
        let mut limiters: HashMap<NonZeroU32, Arc<Limiter<OrgId>>> = HashMap::new();
        for limiter in before.iter().flat_map(|plans| plans.by_code.values()).flatten() {
            limiters.insert(limiter.size(), Arc::clone(limiter));
        }
        let mut limiter_of = |per_minute: i64| {
            // The column is above 0, and what is beyond 32 bits is as good as no limit.
            let per_minute = u32::try_from(per_minute).ok().and_then(NonZeroU32::new)?;
            let limiter = limiters
                .entry(per_minute)
                .or_insert_with(|| Arc::new(Limiter::new(Limit::Organisation, per_minute, time.clone())));
            Some(Arc::clone(limiter))
        };
        let by_code: HashMap<PlanCode, PlanLimiter> =
            rows.into_iter().map(|(code, per_minute)| (code, per_minute.and_then(&mut limiter_of))).collect();
        let smallest = by_code.values().flatten().min_by_key(|limiter| limiter.size()).cloned();
        Self { by_code, smallest }
    }
}

/// Counts the requests of organisations.
pub(super) struct PlanLimits {
    db: Db,
    time: Time,
    /// The plans, and when they were read.
    known: RwLock<Option<(Arc<Plans>, Duration)>>,
    /// Held by whoever reads them.
    reading: tokio::sync::Mutex<()>,
}

impl PlanLimits {
    pub(super) fn new(db: Db, time: Time) -> Self {
        Self { db, time, known: RwLock::default(), reading: tokio::sync::Mutex::default() }
    }

    /// Counts a request of an organisation on this plan.
    pub(super) async fn count(&self, org: OrgId, plan: &PlanCode) -> Result<Option<Standing>> {
        let plans = self.present().await?;
        let limiter = plans.by_code.get(plan).unwrap_or(&plans.smallest);
        let standing = limiter.as_ref().map(|limiter| limiter.count(org)).transpose();
        standing.map_err(Error::from)
    }

    /// The plans. Where they are known, one request a minute reads them again; where they are not, whoever
    /// asks waits for them.
    async fn present(&self) -> Result<Arc<Plans>> {
        let known = self.known.read().clone();
        let Some((plans, read_at)) = known else {
            let _reading = self.reading.lock().await;
            let known = self.known.read().clone();
            return match known {
                Some((plans, _)) => Ok(plans),
                None => self.read(None).await,
            };
        };
        if self.time.elapsed() < read_at + FRESH {
            return Ok(plans);
        }
        let Ok(_reading) = self.reading.try_lock() else {
            return Ok(plans);
        };
        match self.read(Some(&plans)).await {
            Ok(plans) => Ok(plans),
            Err(error) => {
                tracing::warn!(error = %error, "cannot read the plans; what they allowed before goes on");
                *self.known.write() = Some((Arc::clone(&plans), self.time.elapsed()));
                Ok(plans)
            }
        }
    }

    async fn read(&self, before: Option<&Plans>) -> Result<Arc<Plans>> {
        let read_at = self.time.elapsed();
        let rows = read!(self.db.central(), |conn| Ok(list_limits(conn).await?))?;
        if rows.is_empty() {
            return Err(anyhow!("there are no plans, so no organisation's limit is known").into());
        }
        let plans = Arc::new(Plans::of(rows, before, &self.time));
        *self.known.write() = Some((Arc::clone(&plans), read_at));
        Ok(plans)
    }

    /// Forgets the organisations that are as good as new; returns how many are left.
    pub(super) fn forget(&self) -> usize {
        let known = self.known.read().clone();
        let limiters = known.iter().flat_map(|(plans, _)| plans.by_code.values()).flatten();
        let mut left: HashMap<NonZeroU32, usize> = HashMap::new();
        for limiter in limiters {
            left.entry(limiter.size()).or_insert_with(|| limiter.forget());
        }
        left.values().sum()
    }
}

/// The requests a minute that each plan allows; `None` is no limit.
async fn list_limits(conn: &mut Conn) -> QueryResult<Vec<(PlanCode, Option<i64>)>> {
    with_conn!(conn, |c| plans::table.select((plans::code, plans::requests_per_minute)).load(c).await)
}
