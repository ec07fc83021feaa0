//! Sign-up, sign-in, and the caller's own account.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::middleware::map_response;
use axum::response::Response;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::service::{forgotten, profile, refresh, sessions, sign_in};
use super::wire::{
    ForgotPassword, Login, Me, MembershipBody, Refresh, Register, ResetPassword, SessionBody, Switch,
    TokensBody, UpdateMe, UpdateMeBody,
};
use crate::app::App;
use crate::error::{Problems, Result};
use crate::http::{
    ClientInfo, Created, Member, Meter, NoContent, Page, PageParams, PageQuery, ValidJson, ValidQuery,
};
use crate::users::UserBody;

/// The routes of this feature.
pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(register))
        .routes(routes!(login))
        .routes(routes!(refresh_tokens))
        .routes(routes!(forgot_password))
        .routes(routes!(reset_password))
        .routes(routes!(switch_organisation))
        .routes(routes!(logout))
        .routes(routes!(get_me, update_me))
        .routes(routes!(list_organisations))
        .layer(map_response(no_store))
}

/// Keeps answers that hold tokens out of caches (RFC 6749, section 5.1).
pub(crate) async fn no_store(mut response: Response) -> Response {
    let value = HeaderValue::from_static("no-store");
    response.headers_mut().insert(header::CACHE_CONTROL, value);
    response
}

/// Found an organisation.
///
/// Its founder becomes its first admin, with a new account; or with the account that has this email,
/// where the password is its own. Fails with `email_taken` or `registration_closed`.
#[utoipa::path(post, path = "/auth/register", tag = "auth", request_body = Register,
    responses((status = 201, description = "The founder is signed in", body = SessionBody), Problems))]
pub(crate) async fn register(
    State(app): State<App>,
    client: ClientInfo,
    ValidJson(body): ValidJson<Register>,
) -> Result<Created<SessionBody>> {
    let signed_in = sign_in::register(&app, &client, body).await?;
    Ok(Created(signed_in.into()))
}

/// Sign in.
///
/// To the organisation that is named, else to the one used last. Fails with `credentials_invalid` or
/// `no_membership`.
#[utoipa::path(post, path = "/auth/login", tag = "auth", request_body = Login,
    responses((status = 200, description = "Signed in", body = SessionBody), Problems))]
pub(crate) async fn login(
    State(app): State<App>,
    client: ClientInfo,
    ValidJson(body): ValidJson<Login>,
) -> Result<Json<SessionBody>> {
    let signed_in = sign_in::log_in(&app, &client, body).await?;
    Ok(Json(signed_in.into()))
}

/// Get the next pair of tokens.
///
/// A refresh token is used once. Where the answer was lost, the same one may be used again for a short
/// while, as long as its successor is unused; after that it ends the session (`refresh_token_reused`).
/// Fails also with `refresh_token_invalid` and `session_ended`.
#[utoipa::path(post, path = "/auth/refresh", tag = "auth", request_body = Refresh,
    responses((status = 200, description = "The next pair", body = TokensBody), Problems))]
pub(crate) async fn refresh_tokens(
    State(app): State<App>,
    client: ClientInfo,
    meter: Meter,
    ValidJson(body): ValidJson<Refresh>,
) -> Result<Json<TokensBody>> {
    let pair = refresh::refresh(&app, &client, &meter, &body.refresh_token).await?;
    Ok(Json(pair.into()))
}

/// Ask for a new password.
///
/// Where an account has this email, a way to a new password is sent there, which counts once, for an hour. The answer
/// is the same where none has. Fails with `mail_not_configured`.
#[utoipa::path(post, path = "/auth/forgot-password", tag = "auth", request_body = ForgotPassword,
    responses((status = 204, description = "It is sent, if anybody has this email"), Problems))]
pub(crate) async fn forgot_password(
    State(app): State<App>,
    ValidJson(body): ValidJson<ForgotPassword>,
) -> Result<NoContent> {
    forgotten::forget(&app, body)?;
    Ok(NoContent)
}

/// Choose a new password.
///
/// With the token of an email. All sessions of the account end. Fails with `reset_token_invalid`.
#[utoipa::path(post, path = "/auth/reset-password", tag = "auth", request_body = ResetPassword,
    responses((status = 204, description = "The account has this password now"), Problems))]
pub(crate) async fn reset_password(
    State(app): State<App>,
    ValidJson(body): ValidJson<ResetPassword>,
) -> Result<NoContent> {
    forgotten::replace(&app, body).await?;
    Ok(NoContent)
}

/// Start a session in another organisation of the account.
///
/// The present session goes on. Fails with `no_membership`.
#[utoipa::path(post, path = "/auth/switch", tag = "auth", request_body = Switch, security(("bearer" = [])),
    responses((status = 200, description = "Signed in there", body = SessionBody), Problems))]
pub(crate) async fn switch_organisation(
    State(app): State<App>,
    member: Member,
    ValidJson(body): ValidJson<Switch>,
) -> Result<Json<SessionBody>> {
    let signed_in = sign_in::switch(&app, &member, body.organisation_id).await?;
    Ok(Json(signed_in.into()))
}

/// Sign out.
///
/// The session ends, with its tokens and sockets.
#[utoipa::path(post, path = "/auth/logout", tag = "auth", security(("bearer" = [])),
    responses((status = 204, description = "Signed out"), Problems))]
pub(crate) async fn logout(State(app): State<App>, member: Member) -> Result<NoContent> {
    sessions::log_out(&app, &member).await?;
    Ok(NoContent)
}

/// The caller and their organisation.
#[utoipa::path(get, path = "/auth/me", tag = "auth", security(("bearer" = [])),
    responses((status = 200, description = "Who is asking", body = Me), Problems))]
pub(crate) async fn get_me(State(app): State<App>, member: Member) -> Result<Json<Me>> {
    let (user, organisation) = profile::load(&app, &member).await?;
    Ok(Json(Me { user: user.into(), organisation: organisation.into() }))
}

/// Change one's name or password.
///
/// A name is for this organisation, a password for the account; a new one ends all other sessions. Fails
/// with `credentials_invalid` where `currentPassword` is wrong.
#[utoipa::path(patch, path = "/auth/me", tag = "auth", request_body = UpdateMeBody, security(("bearer" = [])),
    responses((status = 200, description = "As they are now", body = UserBody), Problems))]
pub(crate) async fn update_me(
    State(app): State<App>,
    member: Member,
    ValidJson(body): ValidJson<UpdateMe>,
) -> Result<Json<UserBody>> {
    let user = profile::update(&app, &member, body).await?;
    Ok(Json(user.into()))
}

/// The organisations of the caller's account.
#[utoipa::path(get, path = "/auth/organisations", tag = "auth", params(PageParams), security(("bearer" = [])),
    responses((status = 200, description = "A page of them, with the role in each", body = Page<MembershipBody>),
        Problems))]
pub(crate) async fn list_organisations(
    State(app): State<App>,
    member: Member,
    ValidQuery(query): ValidQuery<PageQuery>,
) -> Result<Json<Page<MembershipBody>>> {
    let page = profile::list_organisations(&app, &member, &query).await?;
    Ok(Json(page.map(|(organisation, role)| MembershipBody { organisation: organisation.into(), role })))
}
