//! What the routes of the platform take and answer.

use serde::Serialize;
use utoipa::ToSchema;

use super::model::{Administrator, AdministratorRole, AdministratorStatus, AuditEntry, SignedIn};
use super::service::administrators::{Change, NewAdministrator};
use crate::auth::{OpaqueToken, TokenHash};
use crate::http::page::{DEFAULT_LIMIT, MAX_LIMIT};
use crate::http::{Fields, FromFields};
use crate::organisations::{DirectoryEntry, Organisation, Terms};
use crate::sign_ups::{SignUp, SignUpToken};
use crate::types::{
    AdministratorId, AuditId, Email, InvalidText, Isolation, NewPassword, OrgId, OrganisationName,
    OrganisationStatus, Password, PersonName, PlanCode, Slug, SuspensionReason, Timestamp,
};

/// Who of the platform signs in.
#[derive(Debug, ToSchema)]
pub(crate) struct PlatformLogin {
    pub(crate) email: Email,
    #[schema(value_type = String, format = Password, max_length = 128)]
    pub(crate) password: Password,
}

impl FromFields for PlatformLogin {
    fn from_fields(fields: &mut Fields) -> Option<Self> {
        let email = fields.required("email");
        let password = fields.required("password");
        Some(Self { email: email?, password: password? })
    }
}

/// An administrator.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Administrator)]
pub(crate) struct AdministratorBody {
    id: AdministratorId,
    email: Email,
    name: PersonName,
    role: AdministratorRole,
    status: AdministratorStatus,
    created_at: Timestamp,
    updated_at: Timestamp,
}

impl From<Administrator> for AdministratorBody {
    fn from(administrator: Administrator) -> Self {
        let Administrator { id, email, name, role, status, created_at, updated_at, .. } = administrator;
        Self { id, email, name, role, status, created_at, updated_at }
    }
}

/// An administrator's session: its tokens, and whose it is.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PlatformSession {
    /// A JWT for `Authorization: Bearer`, for the platform's audience alone.
    access_token: String,
    /// Gets the next pair, once.
    #[schema(value_type = String)]
    refresh_token: OpaqueToken,
    /// How long the access token lives, in seconds.
    #[schema(example = 900)]
    expires_in: u64,
    /// Always `Bearer`.
    #[schema(example = "Bearer")]
    token_type: &'static str,
    administrator: AdministratorBody,
}

impl From<SignedIn> for PlatformSession {
    fn from(signed_in: SignedIn) -> Self {
        let SignedIn { administrator, access_token, refresh_token, expires_in } = signed_in;
        Self {
            access_token,
            refresh_token,
            expires_in,
            token_type: "Bearer",
            administrator: administrator.into(),
        }
    }
}

/// An administrator to be made.
#[derive(ToSchema)]
pub(crate) struct CreateAdministrator {
    pub(crate) email: Email,
    pub(crate) name: PersonName,
    pub(crate) role: AdministratorRole,
    #[schema(value_type = String, format = Password, min_length = 8, max_length = 128)]
    pub(crate) password: NewPassword,
}

impl FromFields for CreateAdministrator {
    fn from_fields(fields: &mut Fields) -> Option<Self> {
        let email = fields.required("email");
        let name = fields.required("name");
        let role = fields.required("role");
        let password = fields.required("password");
        Some(Self { email: email?, name: name?, role: role?, password: password? })
    }
}

impl From<CreateAdministrator> for NewAdministrator {
    fn from(body: CreateAdministrator) -> Self {
        let CreateAdministrator { email, name, role, password } = body;
        Self { email, name, role, password }
    }
}

/// What to change of an administrator: the role, or whether they may sign in.
#[derive(Debug, ToSchema)]
pub(crate) struct UpdateAdministrator {
    pub(crate) role: Option<AdministratorRole>,
    #[schema(value_type = Option<AdministratorStatus>)]
    pub(crate) status: Option<StatusField>,
}

impl FromFields for UpdateAdministrator {
    fn from_fields(fields: &mut Fields) -> Option<Self> {
        if !["role", "status"].iter().any(|name| fields.is_given(name)) {
            fields.reject("body", "must have a role or a status");
        }
        let role = fields.optional("role");
        let status = fields.optional("status");
        Some(Self { role, status })
    }
}

impl From<UpdateAdministrator> for Change {
    fn from(body: UpdateAdministrator) -> Self {
        Self { role: body.role, status: body.status.map(|status| status.0) }
    }
}

/// An administrator's status as it is asked for.
#[derive(Debug)]
pub(crate) struct StatusField(AdministratorStatus);

impl TryFrom<String> for StatusField {
    type Error = InvalidText;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        match text.as_str() {
            "active" => Ok(Self(AdministratorStatus::Active)),
            "disabled" => Ok(Self(AdministratorStatus::Disabled)),
            _ => Err(InvalidText::new("must be active or disabled")),
        }
    }
}

/// How far apart its rows are, as it is asked for.
#[derive(Debug)]
pub(crate) struct IsolationField(pub(crate) Isolation);

impl TryFrom<String> for IsolationField {
    type Error = InvalidText;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        match text.as_str() {
            "shared" => Ok(Self(Isolation::Shared)),
            "schema" => Ok(Self(Isolation::Schema)),
            "database" => Ok(Self(Isolation::Database)),
            _ => Err(InvalidText::new("must be shared, schema or database")),
        }
    }
}

/// An organisation to found.
#[derive(Debug, ToSchema)]
pub(crate) struct FoundOrganisation {
    pub(crate) name: OrganisationName,
    /// Its name in addresses; one of its name where it is left out.
    pub(crate) slug: Option<Slug>,
    /// `FREE` where it is left out.
    pub(crate) plan: Option<PlanCode>,
    /// That of `TENANT_ISOLATION` where it is left out; `schema` is for PostgreSQL.
    #[schema(value_type = Option<Isolation>)]
    pub(crate) isolation: Option<IsolationField>,
}

impl FromFields for FoundOrganisation {
    fn from_fields(fields: &mut Fields) -> Option<Self> {
        let name = fields.required("name");
        let slug = fields.optional("slug");
        let plan = fields.optional("plan");
        let isolation = fields.optional("isolation");
        Some(Self { name: name?, slug, plan, isolation })
    }
}

impl FoundOrganisation {
    /// Its name, and on what terms it is founded: so far apart where it does not say.
    pub(super) fn into_terms(self, else_isolation: Isolation) -> (OrganisationName, Terms) {
        let isolation = self.isolation.map_or(else_isolation, |field| field.0);
        (self.name, Terms { slug: self.slug, plan: self.plan, isolation })
    }
}

/// An organisation as the platform sees it.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PlatformOrganisation {
    id: OrgId,
    name: OrganisationName,
    slug: Slug,
    #[schema(example = "FREE")]
    plan: PlanCode,
    status: OrganisationStatus,
    isolation: Isolation,
    /// How many members the plan allows; null is no limit, or where this is an entry of a list.
    #[schema(required, example = 3)]
    member_limit: Option<i64>,
    /// How many members it has; null where this is an entry of a list.
    #[schema(required, example = 1)]
    member_count: Option<i64>,
    created_at: Timestamp,
    updated_at: Timestamp,
}

impl From<DirectoryEntry> for PlatformOrganisation {
    fn from(entry: DirectoryEntry) -> Self {
        let DirectoryEntry { id, name, slug, plan, status, isolation, created_at, updated_at } = entry;
        Self {
            id,
            name,
            slug,
            plan,
            status,
            isolation,
            member_limit: None,
            member_count: None,
            created_at,
            updated_at,
        }
    }
}

impl PlatformOrganisation {
    /// As its own store has it, which is true where the directory may lag.
    pub(super) fn of(organisation: Organisation, isolation: Isolation) -> Self {
        let Organisation { settings, member_count } = organisation;
        Self {
            id: settings.org_id,
            name: settings.name,
            slug: settings.slug,
            plan: settings.plan,
            status: settings.status,
            isolation,
            member_limit: settings.seats,
            member_count: Some(member_count),
            created_at: settings.created_at,
            updated_at: settings.updated_at,
        }
    }
}

/// The way in for an organisation's first admin, which is told this once.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SignUpCreated {
    /// To be handed to the first admin, for `POST /auth/sign-up`.
    #[schema(value_type = String)]
    sign_up_token: OpaqueToken,
    sign_up_expires_at: Timestamp,
}

impl SignUpCreated {
    pub(super) fn new(sign_up: &SignUp, token: &SignUpToken) -> Self {
        debug_assert!(TokenHash::matches(&token.hash(), &sign_up.token_hash));
        Self { sign_up_token: token.to_opaque(), sign_up_expires_at: sign_up.expires_at }
    }
}

/// An organisation that was founded, and the way in for its first admin.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct OrganisationFounded {
    #[serde(flatten)]
    pub(super) organisation: PlatformOrganisation,
    #[serde(flatten)]
    pub(super) sign_up: SignUpCreated,
}

/// What to change of an organisation.
#[derive(Debug, ToSchema)]
pub(crate) struct ChangeOrganisation {
    pub(crate) name: Option<OrganisationName>,
    pub(crate) plan: Option<PlanCode>,
}

impl FromFields for ChangeOrganisation {
    fn from_fields(fields: &mut Fields) -> Option<Self> {
        if !["name", "plan"].iter().any(|name| fields.is_given(name)) {
            fields.reject("body", "must have a name or a plan");
        }
        let name = fields.optional("name");
        let plan = fields.optional("plan");
        Some(Self { name, plan })
    }
}

/// Nothing: an empty object.
#[derive(Debug, ToSchema)]
pub(crate) struct NoFields {}

impl FromFields for NoFields {
    fn from_fields(_fields: &mut Fields) -> Option<Self> {
        Some(Self {})
    }
}

/// Why an organisation is suspended.
#[derive(Debug, ToSchema)]
pub(crate) struct SuspendOrganisation {
    /// What its admins will read in the log.
    pub(crate) reason: SuspensionReason,
}

impl FromFields for SuspendOrganisation {
    fn from_fields(fields: &mut Fields) -> Option<Self> {
        let reason = fields.required("reason");
        Some(Self { reason: reason? })
    }
}

/// Which organisations to list.
#[derive(Debug)]
pub(crate) struct OrganisationsQuery {
    pub(crate) search: Option<Search>,
    pub(crate) plan: Option<PlanCode>,
    pub(crate) status: Option<OrganisationStatus>,
    pub(crate) isolation: Option<Isolation>,
    pub(crate) after: Option<OrgId>,
    pub(crate) limit: i64,
}

/// What is looked for: a part of a name or a slug, or an id. 1 to 100 characters.
#[derive(Debug)]
pub(crate) struct Search(String);

impl Search {
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Search {
    type Error = InvalidText;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        // The same characters as a name has.
        OrganisationName::try_from(text).map(|name| Self(name.into()))
    }
}

struct OrganisationStatusField(OrganisationStatus);

impl TryFrom<String> for OrganisationStatusField {
    type Error = InvalidText;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        match text.as_str() {
            "active" => Ok(Self(OrganisationStatus::Active)),
            "suspended" => Ok(Self(OrganisationStatus::Suspended)),
            _ => Err(InvalidText::new("must be active or suspended")),
        }
    }
}

impl FromFields for OrganisationsQuery {
    fn from_fields(fields: &mut Fields) -> Option<Self> {
        let search = fields.optional("search");
        let plan = fields.optional("plan");
        let status: Option<OrganisationStatusField> = fields.optional("status");
        let isolation: Option<IsolationField> = fields.optional("isolation");
        let after = fields.optional_id("cursor");
        let limit = fields.optional_integer("limit", 1, MAX_LIMIT).unwrap_or(DEFAULT_LIMIT);
        let (status, isolation) = (status.map(|field| field.0), isolation.map(|field| field.0));
        Some(Self { search, plan, status, isolation, after, limit })
    }
}

/// Which organisations to list, for the OpenAPI document.
#[derive(utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "describes `OrganisationsQuery` in the OpenAPI document; it is never made")]
pub(crate) struct OrganisationsParams {
    /// A part of the name or the slug, in any case, or the whole id.
    search: Option<OrganisationName>,
    /// On this plan.
    plan: Option<PlanCode>,
    /// With this status.
    status: Option<OrganisationStatus>,
    /// This far apart from others.
    isolation: Option<Isolation>,
    /// The `nextCursor` of the page before.
    #[param(value_type = Option<String>, format = Uuid)]
    cursor: Option<OrgId>,
    /// Most items on the page.
    #[param(minimum = 1, maximum = 200, default = 50)]
    limit: Option<i64>,
}

/// Which entries of the audit to list, the newest first.
#[derive(Debug)]
pub(crate) struct AuditQuery {
    pub(crate) organisation: Option<OrgId>,
    pub(crate) administrator: Option<AdministratorId>,
    pub(crate) before: Option<AuditId>,
    pub(crate) limit: i64,
}

impl FromFields for AuditQuery {
    fn from_fields(fields: &mut Fields) -> Option<Self> {
        let organisation = fields.optional_id("organisationId");
        let administrator = fields.optional_id("administratorId");
        let before = fields.optional_id("cursor");
        let limit = fields.optional_integer("limit", 1, MAX_LIMIT).unwrap_or(DEFAULT_LIMIT);
        Some(Self { organisation, administrator, before, limit })
    }
}

/// Which entries of the audit to list, for the OpenAPI document.
#[derive(utoipa::IntoParams)]
#[into_params(parameter_in = Query, rename_all = "camelCase")]
#[expect(dead_code, reason = "describes `AuditQuery` in the OpenAPI document; it is never made")]
pub(crate) struct AuditParams {
    /// About this organisation.
    #[param(value_type = Option<String>, format = Uuid)]
    organisation_id: Option<OrgId>,
    /// Of this administrator.
    #[param(value_type = Option<String>, format = Uuid)]
    administrator_id: Option<AdministratorId>,
    /// The `nextCursor` of the page before.
    #[param(value_type = Option<String>, format = Uuid)]
    cursor: Option<AuditId>,
    /// Most items on the page.
    #[param(minimum = 1, maximum = 200, default = 50)]
    limit: Option<i64>,
}

/// An entry of the audit.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = AuditEntry)]
pub(crate) struct AuditEntryBody {
    id: AuditId,
    created_at: Timestamp,
    /// Who it was, or who was meant by a sign-in that failed; null where that is nobody of the platform.
    #[schema(required)]
    administrator_id: Option<AdministratorId>,
    /// Their email; of a sign-in that failed, whatever email was tried.
    #[schema(required)]
    administrator_email: Option<Email>,
    /// The role then.
    #[schema(required)]
    role: Option<AdministratorRole>,
    /// The method and the route, or `tenant_mismatch`.
    #[schema(example = "POST /platform/organisations/{id}/suspend")]
    action: String,
    /// Which organisation it was about, if one.
    #[schema(required)]
    organisation_id: Option<OrgId>,
    method: String,
    path: String,
    /// What it was answered; null in the entry that it began, which what may change something has.
    #[schema(required, example = 200)]
    status: Option<i64>,
    /// The code of a refusal.
    #[schema(required)]
    code: Option<String>,
    #[schema(required)]
    ip: Option<String>,
    #[schema(required)]
    user_agent: Option<String>,
    request_id: String,
}

impl From<AuditEntry> for AuditEntryBody {
    fn from(entry: AuditEntry) -> Self {
        Self {
            id: entry.id,
            created_at: entry.created_at,
            administrator_id: entry.administrator_id,
            administrator_email: entry.administrator_email,
            role: entry.role,
            action: entry.action,
            organisation_id: entry.org_id,
            method: entry.method,
            path: entry.path,
            status: entry.status,
            code: entry.code,
            ip: entry.ip,
            user_agent: entry.user_agent,
            request_id: entry.request_id,
        }
    }
}
