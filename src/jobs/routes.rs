//! What admins see of jobs, and running dead ones again.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::model::{Job, JobState};
use super::service;
use crate::app::App;
use crate::error::{Problems, Result};
use crate::http::{Admin, Fields, FromFields, Page, PageQuery, PathId, ValidQuery};
use crate::types::{JobId, Timestamp};

/// The routes of jobs.
pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list_jobs)).routes(routes!(retry_job))
}

/// Work to be done later. What it is about is not shown: it may hold what its reader may not see.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Job)]
pub(crate) struct JobBody {
    id: JobId,
    /// What it does.
    #[schema(example = "messages.send")]
    kind: String,
    state: JobState,
    /// When it is done, or done again by another if who has it dies; null for one that is dead.
    #[schema(required)]
    due_at: Option<Timestamp>,
    /// How often it was begun.
    attempts: i64,
    max_attempts: i64,
    /// Why it failed the last time.
    #[schema(required)]
    last_error: Option<String>,
    created_at: Timestamp,
    updated_at: Timestamp,
}

impl From<Job> for JobBody {
    fn from(job: Job) -> Self {
        Self {
            id: job.id,
            kind: job.kind,
            state: job.state,
            due_at: job.due_at,
            attempts: job.attempts,
            max_attempts: job.max_attempts,
            last_error: job.last_error,
            created_at: job.created_at,
            updated_at: job.updated_at,
        }
    }
}

/// Which jobs are asked for.
#[derive(Debug)]
pub(crate) struct JobsQuery {
    state: JobState,
    page: PageQuery,
}

impl FromFields for JobsQuery {
    fn from_fields(fields: &mut Fields) -> Option<Self> {
        let state = fields.optional("state").unwrap_or(JobState::Dead);
        Some(Self { state, page: PageQuery::from_fields(fields)? })
    }
}

/// The same, for the OpenAPI document.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "describes `JobsQuery` in the OpenAPI document; it is never made")]
pub(crate) struct JobsParams {
    /// Where they stand; `DEAD` unless given.
    state: Option<JobState>,
    /// The `nextCursor` of the page before.
    cursor: Option<String>,
    /// Most items on the page.
    #[param(minimum = 1, maximum = 200, default = 50)]
    limit: Option<i64>,
}

/// The organisation's jobs: those that have failed for good, unless others are asked for.
///
/// For admins.
#[utoipa::path(get, path = "/jobs", tag = "jobs", params(JobsParams), security(("bearer" = [])),
    responses((status = 200, description = "A page of jobs", body = Page<JobBody>), Problems))]
pub(crate) async fn list_jobs(
    State(app): State<App>,
    admin: Admin,
    ValidQuery(query): ValidQuery<JobsQuery>,
) -> Result<Json<Page<JobBody>>> {
    let page = service::list(&app, admin.org, query.state, &query.page).await?;
    Ok(Json(page.map(JobBody::from)))
}

/// Run a job again that has failed for good.
///
/// It is tried up to eight times. For admins.
#[utoipa::path(post, path = "/jobs/{id}/retry", tag = "jobs",
    params(("id" = JobId, Path, description = "The job")), security(("bearer" = [])),
    responses((status = 200, description = "It is due now", body = JobBody), Problems))]
pub(crate) async fn retry_job(
    State(app): State<App>,
    admin: Admin,
    PathId(id): PathId<JobId>,
) -> Result<Json<JobBody>> {
    Ok(Json(service::revive(&app, admin.org, id).await?.into()))
}
