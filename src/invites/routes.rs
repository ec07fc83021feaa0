//! Inviting, and accepting an invite.

use axum::Json;
use axum::extract::State;
use axum::middleware::map_response;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::service;
use super::wire::{AcceptInvite, InviteBody, InviteCreated, InviteUser};
use crate::app::App;
use crate::auth::{SessionBody, no_store};
use crate::error::{Problems, Result};
use crate::http::{
    Admin, ClientInfo, Created, NoContent, Page, PageParams, PageQuery, PathId, ValidJson, ValidQuery,
};
use crate::idempotency::{Answer, IdempotencyParams, IdempotentJson, Once};
use crate::types::InviteId;

/// The routes of this feature.
pub(crate) fn routes() -> OpenApiRouter<App> {
    let with_secrets = OpenApiRouter::new()
        .routes(routes!(invite_user))
        .routes(routes!(accept_invite))
        .layer(map_response(no_store));
    OpenApiRouter::new().routes(routes!(list_invites)).routes(routes!(delete_invite)).merge(with_secrets)
}

/// Invite somebody.
///
/// An earlier invite of the same email that waits is revoked. For admins. Fails with `already_member`, or
/// with `member_limit_reached` where no seat is free; invites that wait take none.
#[utoipa::path(post, path = "/users/invite", tag = "users", request_body = InviteUser,
    params(IdempotencyParams), security(("bearer" = [])),
    responses((status = 201, description = "The invite and its token", body = InviteCreated), Problems))]
pub(crate) async fn invite_user(
    State(app): State<App>,
    admin: Admin,
    IdempotentJson(key, body): IdempotentJson<InviteUser>,
) -> Result<Answer> {
    let once = Once::begin(&app, &admin, key)?;
    let outcome = service::invite(&app, &admin, body, &once).await;
    once.finish(outcome).await
}

/// The invites that wait to be accepted.
///
/// For admins.
#[utoipa::path(get, path = "/users/invites", tag = "users", params(PageParams), security(("bearer" = [])),
    responses((status = 200, description = "A page of them", body = Page<InviteBody>), Problems))]
pub(crate) async fn list_invites(
    State(app): State<App>,
    admin: Admin,
    ValidQuery(query): ValidQuery<PageQuery>,
) -> Result<Json<Page<InviteBody>>> {
    let page = service::list(&app, &admin, &query).await?;
    Ok(Json(page.map(InviteBody::from)))
}

/// Revoke an invite.
///
/// For admins. One that was used or revoked is not found.
#[utoipa::path(delete, path = "/users/invites/{id}", tag = "users",
    params(("id" = InviteId, Path, description = "The invite")), security(("bearer" = [])),
    responses((status = 204, description = "It no longer counts"), Problems))]
pub(crate) async fn delete_invite(
    State(app): State<App>,
    admin: Admin,
    PathId(id): PathId<InviteId>,
) -> Result<NoContent> {
    service::revoke(&app, &admin, id).await?;
    Ok(NoContent)
}

/// Accept an invite.
///
/// The invited person becomes a member and is signed in. Fails with `invite_invalid`, `invite_used`,
/// `invite_expired`, `member_limit_reached`, or with `credentials_invalid` where the email has an account
/// and the password is not its own.
#[utoipa::path(post, path = "/users/accept-invite", tag = "users", request_body = AcceptInvite,
    responses((status = 201, description = "A member, and signed in", body = SessionBody), Problems))]
pub(crate) async fn accept_invite(
    State(app): State<App>,
    client: ClientInfo,
    ValidJson(body): ValidJson<AcceptInvite>,
) -> Result<Created<SessionBody>> {
    let signed_in = service::accept::accept(&app, &client, body).await?;
    Ok(Created(signed_in.into()))
}
