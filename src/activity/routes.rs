//! `GET /activities`.

use axum::Json;
use axum::extract::State;
use serde_json::value::RawValue;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::feed::{self, FeedQuery};
use crate::app::App;
use crate::error::{Problems, Result};
use crate::http::{Member, Page, ValidQuery};
use crate::types::{ActivityId, Named, Seq, Timestamp, UserId};

/// The routes of this feature.
pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list_activities))
}

/// Something that happened in the organisation, the same in an answer, in the feed and as a live frame.
#[derive(ToSchema)]
#[schema(as = Activity, rename_all = "camelCase")]
#[expect(dead_code, reason = "describes the stored bytes in the OpenAPI document; it is never made")]
pub(crate) struct ActivityBody {
    /// What happened. Clients ignore types that they do not know.
    #[schema(rename = "type", example = "BROADCAST_MESSAGE")]
    kind: String,
    /// Its place in the organisation's log: 1, 2, 3 …
    #[schema(example = 42)]
    seq: Seq,
    id: ActivityId,
    /// The user who did it, by name as of then; null where nobody did.
    #[schema(required)]
    actor: Option<Named>,
    /// Whom or what it was done to, by name as of then; null where that says nothing.
    #[schema(required)]
    target: Option<Named>,
    /// What there is to know about it; its fields depend on the type.
    #[schema(value_type = Object)]
    payload: serde_json::Value,
    created_at: Timestamp,
}

/// Which part of the log is asked for.
#[derive(IntoParams)]
#[into_params(parameter_in = Query, rename_all = "camelCase")]
#[expect(dead_code, reason = "describes `FeedQuery` in the OpenAPI document; it is never made")]
pub(crate) struct FeedParams {
    /// Only activities before this seq, newest first. Not together with `after`.
    before: Option<Seq>,
    /// Only activities after this seq, oldest first.
    after: Option<Seq>,
    /// The `nextCursor` of the page before: takes the place of `after` where that is given, else of
    /// `before`.
    cursor: Option<String>,
    /// Only activities of this type.
    #[param(rename = "type", pattern = "^[A-Z0-9_]{1,64}$", example = "BROADCAST_MESSAGE")]
    kind: Option<String>,
    /// Only activities of this user.
    actor_id: Option<UserId>,
    /// Most items on the page.
    #[param(minimum = 1, maximum = 200, default = 50)]
    limit: Option<i64>,
}

/// The activity log.
///
/// What the caller may see of it in their present role, newest first, or oldest first with `after`.
#[utoipa::path(get, path = "/activities", tag = "activities", params(FeedParams), security(("bearer" = [])),
    responses((status = 200, description = "A page of activities", body = Page<ActivityBody>), Problems))]
pub(crate) async fn list_activities(
    State(app): State<App>,
    member: Member,
    ValidQuery(query): ValidQuery<FeedQuery>,
) -> Result<Json<Page<Box<RawValue>>>> {
    Ok(Json(feed::list(&app, &member, &query).await?))
}
