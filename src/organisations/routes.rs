//! The organisation of the caller: what it is, its name, its plan.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::model::Organisation;
use super::service;
use crate::app::App;
use crate::error::{Problems, Result};
use crate::http::{Admin, Created, Fields, FromFields, Member, ValidJson};
use crate::read;
use crate::types::{OrgId, OrganisationName, PlanCode, Slug, Timestamp};

/// The routes of this feature.
pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(get_organisation, create_organisation, update_organisation))
        .routes(routes!(update_subscription))
}

/// An organisation.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Organisation)]
pub(crate) struct OrganisationBody {
    id: OrgId,
    name: OrganisationName,
    /// Its name in addresses, which no other organisation has. It does not change with the name.
    slug: Slug,
    /// `FREE`, `PRO`, `ENTERPRISE`, or another that a later version knows.
    #[schema(example = "FREE")]
    plan: PlanCode,
    /// How many members the plan allows; null is no limit.
    #[schema(required, example = 3)]
    member_limit: Option<i64>,
    /// How many members it has.
    #[schema(example = 1)]
    member_count: i64,
    created_at: Timestamp,
    updated_at: Timestamp,
}

impl From<Organisation> for OrganisationBody {
    fn from(organisation: Organisation) -> Self {
        let Organisation { settings, member_count } = organisation;
        Self {
            id: settings.org_id,
            name: settings.name,
            slug: settings.slug,
            plan: settings.plan,
            member_limit: settings.seats,
            member_count,
            created_at: settings.created_at,
            updated_at: settings.updated_at,
        }
    }
}

/// The name of an organisation.
#[derive(Debug, ToSchema)]
#[schema(as = OrganisationFields)]
pub(crate) struct OrganisationFields {
    name: OrganisationName,
}

impl FromFields for OrganisationFields {
    fn from_fields(fields: &mut Fields) -> Option<Self> {
        let name = fields.required("name");
        Some(Self { name: name? })
    }
}

/// The plan to change to.
#[derive(Debug, ToSchema)]
pub(crate) struct UpdateSubscription {
    plan: PlanCode,
}

impl FromFields for UpdateSubscription {
    fn from_fields(fields: &mut Fields) -> Option<Self> {
        let plan = fields.required("plan");
        Some(Self { plan: plan? })
    }
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
    security(("bearer" = [])),
    responses((status = 201, description = "It exists", body = OrganisationBody), Problems))]
pub(crate) async fn create_organisation(
    State(app): State<App>,
    member: Member,
    ValidJson(body): ValidJson<OrganisationFields>,
) -> Result<Created<OrganisationBody>> {
    let organisation = service::create(&app, &member, body.name).await?;
    Ok(Created(organisation.into()))
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
