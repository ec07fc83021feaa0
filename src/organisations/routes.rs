//! The organisation of the caller: what it is, its name, its plan.

use axum::Json;
use axum::extract::State;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::service;
use super::wire::{OrganisationBody, OrganisationFields, UpdateSubscription};
use crate::app::App;
use crate::error::{Problems, Result};
use crate::http::{Admin, Member, ValidJson};
use crate::idempotency::{Answer, IdempotencyParams, IdempotentJson, Once};
use crate::read;

/// The routes of this feature.
pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(get_organisation, create_organisation, update_organisation))
        .routes(routes!(update_subscription))
}

/// The caller's organisation.
#[utoipa::path(get, path = "/organisations", tag = "organisations", security(("bearer" = [])),
    responses((status = 200, description = "The organisation", body = OrganisationBody), Problems))]
pub(crate) async fn get_organisation(
    State(app): State<App>,
    member: Member,
) -> Result<Json<OrganisationBody>> {
    let organisation = read!(app.db.org(member.org), |conn| service::load(conn, member.org).await)?;
    Ok(Json(organisation.into()))
}

/// Found another organisation.
///
/// The caller becomes its admin; `POST /auth/switch` starts a session there. Fails with
/// `registration_closed` where only platform administrators make organisations.
#[utoipa::path(post, path = "/organisations", tag = "organisations", request_body = OrganisationFields,
    params(IdempotencyParams), security(("bearer" = [])),
    responses((status = 201, description = "It exists", body = OrganisationBody), Problems))]
pub(crate) async fn create_organisation(
    State(app): State<App>,
    member: Member,
    IdempotentJson(key, body): IdempotentJson<OrganisationFields>,
) -> Result<Answer> {
    let once = Once::begin(&app, &member, key)?;
    let outcome = service::create(&app, &member, body.name, &once).await;
    once.finish(outcome).await
}

/// Rename the organisation.
///
/// Its slug stays. For admins.
#[utoipa::path(patch, path = "/organisations", tag = "organisations", request_body = OrganisationFields,
    security(("bearer" = [])),
    responses((status = 200, description = "As it is now", body = OrganisationBody), Problems))]
pub(crate) async fn update_organisation(
    State(app): State<App>,
    admin: Admin,
    ValidJson(body): ValidJson<OrganisationFields>,
) -> Result<Json<OrganisationBody>> {
    let organisation = service::rename(&app, &admin, body.name).await?;
    Ok(Json(organisation.into()))
}

/// Change the plan.
///
/// For admins. Fails with `plan_unchanged`, or with `member_limit_reached` where the organisation has
/// more members than the plan allows.
#[utoipa::path(patch, path = "/organisations/subscription", tag = "organisations",
    request_body = UpdateSubscription, security(("bearer" = [])),
    responses((status = 200, description = "As it is now", body = OrganisationBody), Problems))]
pub(crate) async fn update_subscription(
    State(app): State<App>,
    admin: Admin,
    ValidJson(body): ValidJson<UpdateSubscription>,
) -> Result<Json<OrganisationBody>> {
    let organisation = service::change_plan(&app, &admin, body.plan).await?;
    Ok(Json(organisation.into()))
}
