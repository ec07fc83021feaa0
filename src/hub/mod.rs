//! The hub.
use crate::app::App;
use crate::config::Config;
use crate::db::schema::{sessions, users};
use crate::db::{CommitSink, Db};
use crate::error::{Code, Error, Result};
use crate::types::*;
use crate::{read, with_conn};
use axum::Router;
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Delivers what is committed.
#[derive(Clone)]
pub struct Hub {
    db: Db,
}

/// Somebody who may enter, as they are now.
#[derive(Debug, Clone)]
pub struct Admitted {
    /// The role.
    pub role: Role,
    /// The name.
    pub name: String,
}

impl Hub {
    /// Starts it.
    pub fn start(
        db: Db,
        _clock: Clock,
        _config: &Config,
        _tasks: &TaskTracker,
        _stop: CancellationToken,
    ) -> Self {
        Self { db }
    }
    /// Checks that the user and session of a token still stand. 401 `session_ended` where not.
    pub async fn admit(&self, org: OrgId, user: UserId, session: SessionId) -> Result<Admitted> {
        let found: Option<(Role, String)> = read!(self.db.org(org), |conn| {
            Ok(with_conn!(conn, |c| {
                users::table
                    .inner_join(
                        sessions::table.on(sessions::org_id
                            .eq(users::org_id)
                            .and(sessions::user_id.eq(users::id))),
                    )
                    .filter(
                        users::org_id
                            .eq(org)
                            .and(users::id.eq(user))
                            .and(sessions::id.eq(session))
                            .and(sessions::ended_at.is_null()),
                    )
                    .select((users::role, users::name))
                    .get_result(c)
                    .await
                    .optional()
            })?)
        })?;
        let (role, name) = found
            .ok_or_else(|| Error::refused(Code::SessionEnded, "The session has ended. Sign in again."))?;
        Ok(Admitted { role, name })
    }
    /// Returns once every socket is closed.
    pub async fn closed(&self) {}
}

impl CommitSink for Hub {
    fn committed(&self, _entries: Vec<Arc<LogEntry>>) {}
}

/// The socket's route.
pub fn routes() -> Router<App> {
    Router::new()
}
