//! Organisations, as the platform sees and founds them.

use axum::Json;
use axum::extract::State;

use crate::app::App;
use crate::error::{Problems, Result};
use crate::http::{Page, PathId, ValidJson, ValidQuery};
use crate::idempotency::{Answer, IdempotencyParams, IdempotentJson, Once};
use crate::organisations::operator as organisations;
use crate::platform::extract::Operator;
use crate::platform::policy::Permission;
use crate::platform::service::organisations as service;
use crate::platform::wire::{
    ChangeOrganisation, FoundOrganisation, NoFields, OrganisationFounded, OrganisationsParams,
    OrganisationsQuery, PlatformOrganisation, SignUpCreated, SuspendOrganisation,
};
use crate::types::OrgId;

/// The organisations.
///
/// As the directory has them: a name, plan or status that has just changed may take a moment. For every
/// administrator.
#[utoipa::path(get, path = "/platform/organisations", tag = "platform", params(OrganisationsParams),
    security(("administrator" = [])),
    responses((status = 200, description = "A page of them", body = Page<PlatformOrganisation>), Problems))]
pub(crate) async fn list_platform_organisations(
    State(app): State<App>,
    operator: Operator,
    ValidQuery(query): ValidQuery<OrganisationsQuery>,
) -> Result<Json<Page<PlatformOrganisation>>> {
    operator.require(Permission::ReadOrganisations)?;
    let page = service::list(&app, query).await?;
    Ok(Json(page.map(PlatformOrganisation::from)))
}

/// Found an organisation.
///
/// Also where registration is closed. It has no member yet: `signUpToken` makes whoever redeems it at
/// `POST /auth/sign-up` its first admin, once, within a week. For `super_admin`. Fails with `slug_taken`.
#[utoipa::path(post, path = "/platform/organisations", tag = "platform", request_body = FoundOrganisation,
    params(IdempotencyParams), security(("administrator" = [])),
    responses((status = 201, description = "It exists", body = OrganisationFounded), Problems))]
pub(crate) async fn found_organisation(
    State(app): State<App>,
    operator: Operator,
    IdempotentJson(key, body): IdempotentJson<FoundOrganisation>,
) -> Result<Answer> {
    operator.require(Permission::ManageOrganisations)?;
    let once = Once::begin_as_administrator(&app, operator.id, key)?;
    let outcome = service::found(&app, &operator, body, &once).await;
    once.finish(outcome).await
}

/// Found an organisation, by its short path.
///
/// The same as `POST /platform/organisations`.
#[utoipa::path(post, path = "/orgs", tag = "platform", request_body = FoundOrganisation,
    params(IdempotencyParams), security(("administrator" = [])),
    responses((status = 201, description = "It exists", body = OrganisationFounded), Problems))]
pub(crate) async fn create_org(
    state: State<App>,
    operator: Operator,
    body: IdempotentJson<FoundOrganisation>,
) -> Result<Answer> {
    found_organisation(state, operator, body).await
}

/// An organisation, as its own store has it.
///
/// For every administrator.
#[utoipa::path(get, path = "/platform/organisations/{id}", tag = "platform",
    params(("id" = OrgId, Path, description = "The organisation")), security(("administrator" = [])),
    responses((status = 200, description = "The organisation", body = PlatformOrganisation), Problems))]
pub(crate) async fn get_platform_organisation(
    State(app): State<App>,
    operator: Operator,
    PathId(org): PathId<OrgId>,
) -> Result<Json<PlatformOrganisation>> {
    operator.require_for(Permission::ReadOrganisations, org)?;
    let (organisation, isolation) = service::load(&app, org).await?;
    Ok(Json(PlatformOrganisation::of(organisation, isolation)))
}

/// Change an organisation's name or plan.
///
/// For `super_admin`, and `billing` where it is the plan alone. Fails with `plan_unchanged`, or with
/// `member_limit_reached` where it has more members than the plan allows; then the name stays, too.
#[utoipa::path(patch, path = "/platform/organisations/{id}", tag = "platform",
    request_body = ChangeOrganisation,
    params(("id" = OrgId, Path, description = "The organisation")), security(("administrator" = [])),
    responses((status = 200, description = "As it is now", body = PlatformOrganisation), Problems))]
pub(crate) async fn change_organisation(
    State(app): State<App>,
    operator: Operator,
    PathId(org): PathId<OrgId>,
    ValidJson(body): ValidJson<ChangeOrganisation>,
) -> Result<Json<PlatformOrganisation>> {
    let permission = match body.name {
        Some(_) => Permission::ManageOrganisations,
        None => Permission::ChangePlan,
    };
    operator.require_for(permission, org)?;
    let origin = operator.origin(org, app.clock.now());
    let ChangeOrganisation { name, plan } = body;
    let changed = service::with_existing(&app, origin, async |origin| {
        organisations::change(&app, origin, name, plan).await
    });
    Ok(Json(changed.await?))
}

/// Suspend an organisation.
///
/// Sign-in and requests of its members are refused with `organisation_suspended`, and their sockets close with
/// 4404, on every node within a second. For `super_admin`.
#[utoipa::path(post, path = "/platform/organisations/{id}/suspend", tag = "platform",
    request_body = SuspendOrganisation,
    params(("id" = OrgId, Path, description = "The organisation")), security(("administrator" = [])),
    responses((status = 200, description = "It is suspended", body = PlatformOrganisation), Problems))]
pub(crate) async fn suspend_organisation(
    State(app): State<App>,
    operator: Operator,
    PathId(org): PathId<OrgId>,
    ValidJson(body): ValidJson<SuspendOrganisation>,
) -> Result<Json<PlatformOrganisation>> {
    operator.require_for(Permission::ManageOrganisations, org)?;
    let origin = operator.origin(org, app.clock.now());
    let suspended = service::with_existing(&app, origin, async |origin| {
        organisations::suspend(&app, origin, body.reason).await
    });
    Ok(Json(suspended.await?))
}

/// Open an organisation again that was suspended.
///
/// Everybody may go on in the sessions that they had. For `super_admin`.
#[utoipa::path(post, path = "/platform/organisations/{id}/resume", tag = "platform",
    params(("id" = OrgId, Path, description = "The organisation")), security(("administrator" = [])),
    responses((status = 200, description = "It is open", body = PlatformOrganisation), Problems))]
pub(crate) async fn resume_organisation(
    State(app): State<App>,
    operator: Operator,
    PathId(org): PathId<OrgId>,
) -> Result<Json<PlatformOrganisation>> {
    operator.require_for(Permission::ManageOrganisations, org)?;
    let origin = operator.origin(org, app.clock.now());
    let resumed =
        service::with_existing(&app, origin, async |origin| organisations::resume(&app, origin).await);
    Ok(Json(resumed.await?))
}

/// Give out another sign-up token.
///
/// In the place of the one before, as long as the organisation has no member. For `super_admin`. Fails with
/// `already_signed_up`.
#[utoipa::path(post, path = "/platform/organisations/{id}/sign-up", tag = "platform", request_body = NoFields,
    params(("id" = OrgId, Path, description = "The organisation"), IdempotencyParams),
    security(("administrator" = [])),
    responses((status = 201, description = "The token", body = SignUpCreated), Problems))]
pub(crate) async fn reissue_sign_up(
    State(app): State<App>,
    operator: Operator,
    PathId(org): PathId<OrgId>,
    IdempotentJson(key, _body): IdempotentJson<NoFields>,
) -> Result<Answer> {
    operator.require_for(Permission::ManageOrganisations, org)?;
    let once = Once::begin_as_administrator(&app, operator.id, key)?;
    let outcome = service::reissue(&app, &operator, org, &once).await;
    once.finish(outcome).await
}
