//! Redeeming a sign-up.

use axum::extract::State;
use axum::middleware::map_response;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::service;
use super::wire::RedeemSignUp;
use crate::app::App;
use crate::auth::{SessionBody, no_store};
use crate::error::{Problems, Result};
use crate::http::{ClientInfo, Created, ValidJson};

/// The routes of this feature.
pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(sign_up)).layer(map_response(no_store))
}

/// Become the first admin of an organisation that the platform founded.
///
/// With the token that its founding was answered with, and a new account, or the account that has this email
/// where the password is its own. Fails with `sign_up_invalid`, `sign_up_used`, `sign_up_expired`, with
/// `credentials_invalid` where the email has an account and the password is not its own, or with
/// `organisation_suspended`.
#[utoipa::path(post, path = "/auth/sign-up", tag = "auth", request_body = RedeemSignUp,
    responses((status = 201, description = "The admin, signed in", body = SessionBody), Problems))]
pub(crate) async fn sign_up(
    State(app): State<App>,
    client: ClientInfo,
    ValidJson(body): ValidJson<RedeemSignUp>,
) -> Result<Created<SessionBody>> {
    let signed_in = service::redeem(&app, &client, body).await?;
    Ok(Created(signed_in.into()))
}
