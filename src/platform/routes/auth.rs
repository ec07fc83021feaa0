//! Administrators' sign-in.

use axum::extract::State;
use axum::{Extension, Json};

use crate::app::App;
use crate::auth::Refresh;
use crate::error::{Problems, Result};
use crate::http::{ClientInfo, Meter, NoContent, ValidJson};
use crate::platform::audit::Note;
use crate::platform::extract::Operator;
use crate::platform::service::sessions;
use crate::platform::wire::{AdministratorBody, PlatformLogin, PlatformSession};

/// Sign in as a platform administrator.
///
/// The tokens are for the platform's audience: members' tokens are not taken here, nor these where members' are,
/// but to act for an organisation that `X-Org-Id` or `X-Tenant` names. Fails with `credentials_invalid`.
#[utoipa::path(post, path = "/platform/auth/login", tag = "platform", request_body = PlatformLogin,
    responses((status = 200, description = "Signed in", body = PlatformSession), Problems))]
pub(crate) async fn platform_login(
    State(app): State<App>,
    client: ClientInfo,
    Extension(note): Extension<Note>,
    ValidJson(body): ValidJson<PlatformLogin>,
) -> Result<Json<PlatformSession>> {
    Ok(Json(sessions::log_in(&app, &client, &note, body).await?.into()))
}

/// Get an administrator's next pair of tokens.
///
/// By the same rules as `POST /auth/refresh`.
#[utoipa::path(post, path = "/platform/auth/refresh", tag = "platform", request_body = Refresh,
    responses((status = 200, description = "The next pair", body = PlatformSession), Problems))]
pub(crate) async fn platform_refresh(
    State(app): State<App>,
    meter: Meter,
    Extension(note): Extension<Note>,
    ValidJson(body): ValidJson<Refresh>,
) -> Result<Json<PlatformSession>> {
    Ok(Json(sessions::refresh(&app, &meter, &note, &body.refresh_token).await?.into()))
}

/// Sign out.
///
/// The session ends at once, on every node.
#[utoipa::path(post, path = "/platform/auth/logout", tag = "platform", security(("administrator" = [])),
    responses((status = 204, description = "Signed out"), Problems))]
pub(crate) async fn platform_logout(State(app): State<App>, operator: Operator) -> Result<NoContent> {
    sessions::log_out(&app, operator.session).await?;
    Ok(NoContent)
}

/// Who is asking.
#[utoipa::path(get, path = "/platform/auth/me", tag = "platform", security(("administrator" = [])),
    responses((status = 200, description = "The administrator", body = AdministratorBody), Problems))]
pub(crate) async fn get_platform_me(operator: Operator) -> Json<AdministratorBody> {
    Json(operator.administrator.into())
}
