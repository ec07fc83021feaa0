//! The members of the caller's organisation.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::model::User;
use super::service;
use crate::app::App;
use crate::error::{Problems, Result};
use crate::http::{
    Admin, Fields, FromFields, NoContent, Page, PageParams, PageQuery, PathId, ValidJson, ValidQuery,
};
use crate::types::{Email, PersonName, Role, Timestamp, UserId};

/// The routes of this feature.
pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list_users)).routes(routes!(update_user, delete_user))
}

/// A member of an organisation.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = User)]
pub(crate) struct UserBody {
    id: UserId,
    name: PersonName,
    email: Email,
    role: Role,
    created_at: Timestamp,
}

impl From<User> for UserBody {
    fn from(user: User) -> Self {
        Self { id: user.id, name: user.name, email: user.email, role: user.role, created_at: user.created_at }
    }
}

/// A member of an organisation, and whether they are online.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Member)]
pub(crate) struct MemberBody {
    #[serde(flatten)]
    user: UserBody,
    /// Whether the member has a socket open, or had one a moment ago.
    online: bool,
}

/// What to change of a member.
#[derive(Debug, ToSchema)]
pub(crate) struct UpdateUser {
    role: Role,
}

impl FromFields for UpdateUser {
    fn from_fields(fields: &mut Fields) -> Option<Self> {
        let role = fields.required("role");
        Some(Self { role: role? })
    }
}

/// The members of the organisation.
///
/// In the order in which they joined. For admins.
#[utoipa::path(get, path = "/users", tag = "users", params(PageParams), security(("bearer" = [])),
    responses((status = 200, description = "A page of members", body = Page<MemberBody>), Problems))]
pub(crate) async fn list_users(
    State(app): State<App>,
    admin: Admin,
    ValidQuery(query): ValidQuery<PageQuery>,
) -> Result<Json<Page<MemberBody>>> {
    let page = service::list(&app, &admin, &query).await?;
    let ids: Vec<UserId> = page.items.iter().map(|user| user.id).collect();
    let online = app.hub.online_among(admin.org, &ids).await?;
    Ok(Json(page.map(|user| MemberBody { online: online.contains(&user.id), user: user.into() })))
}

/// Change a member's role.
///
/// For admins. Fails with `last_admin` where the organisation would be left without one.
#[utoipa::path(patch, path = "/users/{id}", tag = "users", params(("id" = UserId, Path, description = "The user")),
    request_body = UpdateUser, security(("bearer" = [])),
    responses((status = 200, description = "As they are now", body = UserBody), Problems))]
pub(crate) async fn update_user(
    State(app): State<App>,
    admin: Admin,
    PathId(id): PathId<UserId>,
    ValidJson(body): ValidJson<UpdateUser>,
) -> Result<Json<UserBody>> {
    let user = service::change_role(&app, &admin, id, body.role).await?;
    Ok(Json(user.into()))
}

/// Remove a member.
///
/// Their sessions end and their sockets close. For admins. Fails with `last_admin` where the
/// organisation would be left without one.
#[utoipa::path(delete, path = "/users/{id}", tag = "users", params(("id" = UserId, Path, description = "The user")),
    security(("bearer" = [])),
    responses((status = 204, description = "They are removed"), Problems))]
pub(crate) async fn delete_user(
    State(app): State<App>,
    admin: Admin,
    PathId(id): PathId<UserId>,
) -> Result<NoContent> {
    service::remove(&app, &admin, id).await?;
    Ok(NoContent)
}
