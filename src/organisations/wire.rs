//! What the routes of organisations take and answer.

use serde::Serialize;
use utoipa::ToSchema;

use super::model::Organisation;
use crate::http::{Fields, FromFields};
use crate::types::{OrgId, OrganisationName, PlanCode, Slug, Timestamp};

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
    pub(crate) name: OrganisationName,
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
    pub(crate) plan: PlanCode,
}

impl FromFields for UpdateSubscription {
    fn from_fields(fields: &mut Fields) -> Option<Self> {
        let plan = fields.required("plan");
        Some(Self { plan: plan? })
    }
}
