//! Inviting, and accepting an invite.

use axum::Json;
use axum::extract::State;
use axum::middleware::map_response;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::model::Invite;
use super::service;
use super::token::InviteToken;
use crate::app::App;
use crate::auth::{OpaqueToken, SessionBody, no_store};
use crate::error::{Problems, Result};
use crate::http::{
    Admin, ClientInfo, Created, Fields, FromFields, NoContent, Page, PageParams, PageQuery, PathId,
    ValidJson, ValidQuery,
};
use crate::types::{Email, InviteId, Password, PersonName, Role, Timestamp, UserId};

/// The routes of this feature.
pub(crate) fn routes() -> OpenApiRouter<App> {
    let with_secrets = OpenApiRouter::new()
        .routes(routes!(invite_user))
        .routes(routes!(accept_invite))
        .layer(map_response(no_store));
    OpenApiRouter::new().routes(routes!(list_invites)).routes(routes!(delete_invite)).merge(with_secrets)
}

/// Whom to invite.
#[derive(Debug, ToSchema)]
pub(crate) struct InviteUser {
    #[schema(format = Email, max_length = 254, example = "bo@example.com")]
    pub(crate) email: Email,
    /// `MEMBER` unless given.
    pub(crate) role: Option<Role>,
    /// What the inviter calls them.
    #[schema(min_length = 1, max_length = 100)]
    pub(crate) name: Option<PersonName>,
}

impl FromFields for InviteUser {
    fn from_fields(fields: &mut Fields) -> Option<Self> {
        let email = fields.required("email");
        let role = fields.optional("role");
        let name = fields.optional("name");
        Some(Self { email: email?, role, name })
    }
}

/// An accepted invite, from the person it was for.
#[derive(Debug, ToSchema)]
pub(crate) struct AcceptInvite {
    #[schema(value_type = String)]
    pub(crate) token: OpaqueToken,
    #[schema(min_length = 1, max_length = 100, example = "Bo")]
    pub(crate) name: PersonName,
    /// The account's own where the email has one, else a new one of 8 to 128 characters.
    #[schema(value_type = String, format = Password, max_length = 128)]
    pub(crate) password: Password,
}

impl FromFields for AcceptInvite {
    fn from_fields(fields: &mut Fields) -> Option<Self> {
        let token = fields.required("token");
        let name = fields.required("name");
        let password = fields.required("password");
        Some(Self { token: token?, name: name?, password: password? })
    }
}

/// An invite with its token, which is told this once.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct InviteCreated {
    id: InviteId,
    email: Email,
    role: Role,
    /// To be handed to the invited person, for `POST /users/accept-invite`.
    #[schema(value_type = String)]
    invite_token: OpaqueToken,
    expires_at: Timestamp,
}

impl InviteCreated {
    fn new(invite: Invite, token: &InviteToken) -> Self {
        Self {
            id: invite.id,
            email: invite.email,
            role: invite.role,
            invite_token: token.to_opaque(),
            expires_at: invite.expires_at,
        }
    }
}

/// An invite that waits to be accepted.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Invite)]
pub(crate) struct InviteBody {
    id: InviteId,
    email: Email,
    #[schema(required)]
    name: Option<PersonName>,
    role: Role,
    /// The user who invited them.
    invited_by: UserId,
    created_at: Timestamp,
    expires_at: Timestamp,
}

impl From<Invite> for InviteBody {
    fn from(invite: Invite) -> Self {
        Self {
            id: invite.id,
            email: invite.email,
            name: invite.name,
            role: invite.role,
            invited_by: invite.invited_by,
            created_at: invite.created_at,
            expires_at: invite.expires_at,
        }
    }
}

/// Invite somebody.
///
/// An earlier invite of the same email that waits is revoked. For admins. Fails with `already_member`, or
/// with `member_limit_reached` where no seat is free; invites that wait take none.
#[utoipa::path(post, path = "/users/invite", tag = "users", request_body = InviteUser,
    security(("bearer" = [])),
    responses((status = 201, description = "The invite and its token", body = InviteCreated), Problems))]
pub(crate) async fn invite_user(
    State(app): State<App>,
    admin: Admin,
    ValidJson(body): ValidJson<InviteUser>,
) -> Result<Created<InviteCreated>> {
    let (invite, token) = service::invite(&app, &admin, body).await?;
    Ok(Created(InviteCreated::new(invite, &token)))
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
