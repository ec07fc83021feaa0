//! The rows of jobs.

use std::time::Duration;

use diesel::deserialize::FromSqlRow;
use diesel::expression::AsExpression;
use diesel::prelude::*;
use diesel::sql_types::Text;
use serde::Serialize;

use crate::db::schema::jobs;
use crate::types::sql::text_column;
use crate::types::{InvalidText, JobId, LeaseId, OrgId, Timestamp};

/// Where a job stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, FromSqlRow, AsExpression, utoipa::ToSchema)]
#[diesel(sql_type = Text)]
#[serde(rename_all = "UPPERCASE")]
pub enum JobState {
    /// It waits for its time.
    Ready,
    /// Somebody has it, until the lease ends.
    Running,
    /// It has failed for good, until an admin runs it again.
    Dead,
}

impl JobState {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Ready => "READY",
            Self::Running => "RUNNING",
            Self::Dead => "DEAD",
        }
    }
}

impl TryFrom<String> for JobState {
    type Error = InvalidText;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        match text.as_str() {
            "READY" => Ok(Self::Ready),
            "RUNNING" => Ok(Self::Running),
            "DEAD" => Ok(Self::Dead),
            _ => Err(InvalidText::new("must be READY, RUNNING or DEAD")),
        }
    }
}

text_column!(JobState);

/// A job.
#[derive(Debug, Clone, Queryable, QueryableByName, Selectable, Insertable)]
#[diesel(table_name = jobs, treat_none_as_default_value = false)]
pub struct Job {
    /// Whose it is.
    pub org_id: OrgId,
    /// Its id.
    pub id: JobId,
    /// What it does.
    pub kind: String,
    /// What its kind needs to know, as JSON.
    pub payload: String,
    /// Where it stands.
    pub state: JobState,
    /// When it may be claimed; for one that runs, again. `None` is never.
    pub due_at: Option<Timestamp>,
    /// How often it was claimed.
    pub attempts: i64,
    /// How often it may be.
    pub max_attempts: i64,
    /// The claim that it runs under.
    pub lease_id: Option<LeaseId>,
    /// Why it failed the last time.
    pub last_error: Option<String>,
    /// When it was written.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

impl Job {
    /// Whether there will be no other attempt.
    pub fn is_last_attempt(&self) -> bool {
        self.attempts >= self.max_attempts
    }
}

/// A job to be written.
#[derive(Debug, Clone)]
pub struct NewJob {
    /// Its id.
    pub id: JobId,
    /// What it does.
    pub kind: &'static str,
    /// What its kind needs to know, as JSON.
    pub payload: String,
    /// How often it is tried.
    pub max_attempts: i64,
}

impl NewJob {
    /// A job that is due at once.
    pub fn new(kind: &'static str, payload: &impl Serialize, max_attempts: i64) -> anyhow::Result<Self> {
        Ok(Self { id: JobId::new(), kind, payload: serde_json::to_string(payload)?, max_attempts })
    }

    pub(super) fn into_row(self, org: OrgId, due_at: Timestamp, now: Timestamp) -> Job {
        Job {
            org_id: org,
            id: self.id,
            kind: self.kind.to_owned(),
            payload: self.payload,
            state: JobState::Ready,
            due_at: Some(due_at),
            attempts: 0,
            max_attempts: self.max_attempts,
            lease_id: None,
            last_error: None,
            created_at: now,
            updated_at: now,
        }
    }
}

/// An organisation that may have jobs, as the directory names it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Hint {
    pub(super) org: OrgId,
    pub(super) due_at: Timestamp,
    pub(super) announced_at: Timestamp,
}

/// The first wait before a job is tried again, which doubles.
const FIRST_WAIT: Duration = Duration::from_secs(2);

/// The longest.
const MAX_WAIT: Duration = Duration::from_mins(15);

/// How long to wait after so many attempts: twice as long each time, less up to a half, so that what failed
/// together does not come back together. `chance` is any number.
pub(super) fn backoff(attempts: i64, chance: u8) -> Duration {
    let doublings = u32::try_from(attempts.saturating_sub(1)).unwrap_or(0).min(16);
    let wait = FIRST_WAIT.saturating_mul(1 << doublings).min(MAX_WAIT);
    wait.saturating_sub(wait / 2 * u32::from(chance) / u32::from(u8::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_a_bound_and_differ() {
        let longest: Vec<u64> = (1..=4).map(|attempts| backoff(attempts, 0).as_secs()).collect();
        assert_eq!(longest, [2, 4, 8, 16]);
        assert_eq!(backoff(1, u8::MAX), FIRST_WAIT / 2);
        for attempts in [0, 1, 20, i64::MAX] {
            assert!((FIRST_WAIT / 2..=MAX_WAIT).contains(&backoff(attempts, 77)), "{attempts}");
        }
    }
}
