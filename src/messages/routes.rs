//! Sending, looking at and calling off messages.

use axum::Json;
use axum::extract::State;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::service::{self, send};
use super::wire::{
    BatchBody, GatewaysBody, MessageBody, MessageDetail, MessagesParams, MessagesQuery, SendMessage,
    SendMessages, SendOne,
};
use crate::app::App;
use crate::error::{Problems, Result};
use crate::http::{Member, NoContent, Page, PathId, ValidQuery};
use crate::idempotency::{Answer, IdempotencyParams, IdempotentJson, Once};
use crate::types::MessageId;

/// The routes of this feature.
pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(send_message, list_messages))
        .routes(routes!(send_messages))
        .routes(routes!(list_gateways))
        .routes(routes!(get_message, cancel_message))
}

/// Send a message.
///
/// It is queued, and its price reserved: its way from there is told by the activities `MESSAGE_SENT` and
/// `MESSAGE_FAILED`, which the sender and admins see. Fails with `insufficient_credits`.
#[utoipa::path(post, path = "/messages", tag = "messages", request_body = SendMessage,
    params(IdempotencyParams), security(("bearer" = [])),
    responses((status = 201, description = "It is queued", body = MessageBody), Problems))]
pub(crate) async fn send_message(
    State(app): State<App>,
    member: Member,
    IdempotentJson(key, body): IdempotentJson<SendOne>,
) -> Result<Answer> {
    let once = Once::begin(&app, &member, key)?;
    let outcome = send::one(&app, &member, body, &once).await;
    once.finish(outcome).await
}

/// Send up to 1,000 messages.
///
/// Each has a result of its own: queued, or why it is not. Where the credits do not suffice for all, the first
/// are queued.
#[utoipa::path(post, path = "/messages/batch", tag = "messages", request_body = SendMessages,
    params(IdempotencyParams), security(("bearer" = [])),
    responses((status = 201, description = "What became of each", body = BatchBody), Problems))]
pub(crate) async fn send_messages(
    State(app): State<App>,
    member: Member,
    IdempotentJson(key, body): IdempotentJson<SendMessages>,
) -> Result<Answer> {
    let once = Once::begin(&app, &member, key)?;
    let outcome = send::batch(&app, &member, body, &once).await;
    once.finish(outcome).await
}

/// The messages, the newest first.
///
/// Admins see all of the organisation's, members their own.
#[utoipa::path(get, path = "/messages", tag = "messages", params(MessagesParams), security(("bearer" = [])),
    responses((status = 200, description = "A page of messages", body = Page<MessageBody>), Problems))]
pub(crate) async fn list_messages(
    State(app): State<App>,
    member: Member,
    ValidQuery(query): ValidQuery<MessagesQuery>,
) -> Result<Json<Page<MessageBody<'static>>>> {
    let page = service::list(&app, &member, &query).await?;
    Ok(Json(page.map(MessageBody::from)))
}

/// The gateways, one for each channel.
#[utoipa::path(get, path = "/messages/gateways", tag = "messages", security(("bearer" = [])),
    responses((status = 200, description = "What messages leave through", body = GatewaysBody), Problems))]
pub(crate) async fn list_gateways(State(app): State<App>, member: Member) -> Json<GatewaysBody> {
    Json(service::gateways(&app, &member))
}

/// A message and the attempts to send it.
#[utoipa::path(get, path = "/messages/{id}", tag = "messages",
    params(("id" = MessageId, Path, description = "The message")), security(("bearer" = [])),
    responses((status = 200, description = "The message", body = MessageDetail), Problems))]
pub(crate) async fn get_message(
    State(app): State<App>,
    member: Member,
    PathId(id): PathId<MessageId>,
) -> Result<Json<MessageDetail>> {
    let (message, attempts) = service::load(&app, &member, id).await?;
    let attempts = attempts.into_iter().map(Into::into).collect();
    Ok(Json(MessageDetail { message: message.into(), attempts }))
}

/// Call a message off.
///
/// Its price is given back. Fails with `message_not_cancellable` once it is being sent, or has ended.
#[utoipa::path(delete, path = "/messages/{id}", tag = "messages",
    params(("id" = MessageId, Path, description = "The message")), security(("bearer" = [])),
    responses((status = 204, description = "It will not be sent"), Problems))]
pub(crate) async fn cancel_message(
    State(app): State<App>,
    member: Member,
    PathId(id): PathId<MessageId>,
) -> Result<NoContent> {
    service::cancel(&app, &member, id).await?;
    Ok(NoContent)
}
