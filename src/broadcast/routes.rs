//! `POST /organisations/broadcast`.

use axum::extract::State;
use serde_json::{Map, Value};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::service;
use crate::activity::ActivityBody;
use crate::app::App;
use crate::error::{Problems, Result};
use crate::http::{Admin, Fields, FromFields};
use crate::idempotency::{Answer, IdempotencyParams, IdempotentJson, Once};
use crate::types::Message;

/// The routes of this feature.
pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(create_broadcast))
}

/// Most bytes of a broadcast's `data`, as compact JSON.
const MAX_DATA_BYTES: usize = 16 * 1024;

/// A message to everyone.
#[derive(Debug, ToSchema)]
pub(crate) struct CreateBroadcast {
    #[schema(value_type = String, min_length = 1, max_length = 4096, pattern = "^[^\\u0000]*$",
        example = "Lunch is ready")]
    message: Message,
    /// Anything for applications, at most 16 KiB as JSON.
    #[schema(value_type = Option<Object>)]
    data: Option<Map<String, Value>>,
}

impl FromFields for CreateBroadcast {
    fn from_fields(fields: &mut Fields) -> Option<Self> {
        let message = fields.required("message");
        let data = fields.optional_object("data", MAX_DATA_BYTES);
        Some(Self { message: message?, data })
    }
}

/// Send a message to every member.
///
/// The answer is the activity, byte for byte as members see it. For admins.
#[utoipa::path(post, path = "/organisations/broadcast", tag = "organisations", request_body = CreateBroadcast,
    params(IdempotencyParams), security(("bearer" = [])),
    responses((status = 201, description = "It is in the log and on its way", body = ActivityBody), Problems))]
pub(crate) async fn create_broadcast(
    State(app): State<App>,
    admin: Admin,
    IdempotentJson(key, body): IdempotentJson<CreateBroadcast>,
) -> Result<Answer> {
    let once = Once::begin(&app, &admin, key)?;
    let outcome = service::send(&app, &admin, body.message, body.data, &once).await;
    once.finish(outcome).await
}
