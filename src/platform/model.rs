//! Administrators, their sessions, and the audit.

use diesel::deserialize::FromSqlRow;
use diesel::expression::AsExpression;
use diesel::prelude::*;
use diesel::sql_types::Text;
use serde::{Deserialize, Serialize};

use crate::auth::{OpaqueToken, Refreshable};
use crate::db::schema::{administrator_sessions, administrators, platform_audit};
use crate::types::sql::text_column;
use crate::types::{
    Actor, AdministratorId, AuditId, Email, InvalidText, OrgId, PersonName, SessionId, Timestamp,
};

/// What an administrator may do; [`policy`](super::policy) has the table.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, FromSqlRow, AsExpression, utoipa::ToSchema,
)]
#[diesel(sql_type = Text)]
#[serde(rename_all = "snake_case")]
pub(crate) enum AdministratorRole {
    /// Everything.
    SuperAdmin,
    /// Looks, and changes nothing.
    Support,
    /// Plans and credits.
    Billing,
}

impl AdministratorRole {
    /// The role as it is written on the wire and in the database.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::SuperAdmin => "super_admin",
            Self::Support => "support",
            Self::Billing => "billing",
        }
    }
}

impl TryFrom<String> for AdministratorRole {
    type Error = InvalidText;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        match text.as_str() {
            "super_admin" => Ok(Self::SuperAdmin),
            "support" => Ok(Self::Support),
            "billing" => Ok(Self::Billing),
            _ => Err(InvalidText::new("must be super_admin, support or billing")),
        }
    }
}

text_column!(AdministratorRole);

/// Whether an administrator may sign in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, FromSqlRow, AsExpression, utoipa::ToSchema)]
#[diesel(sql_type = Text)]
#[serde(rename_all = "lowercase")]
pub(crate) enum AdministratorStatus {
    /// They may.
    Active,
    /// They may not, and have no session.
    Disabled,
}

impl AdministratorStatus {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "ACTIVE",
            Self::Disabled => "DISABLED",
        }
    }
}

impl TryFrom<String> for AdministratorStatus {
    type Error = InvalidText;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        match text.as_str() {
            "ACTIVE" => Ok(Self::Active),
            "DISABLED" => Ok(Self::Disabled),
            _ => Err(InvalidText::new("must be ACTIVE or DISABLED")),
        }
    }
}

text_column!(AdministratorStatus);

/// Somebody who runs the platform.
#[derive(Debug, Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = administrators)]
pub(crate) struct Administrator {
    pub(crate) id: AdministratorId,
    pub(crate) email: Email,
    pub(crate) name: PersonName,
    pub(crate) role: AdministratorRole,
    pub(crate) status: AdministratorStatus,
    pub(crate) password_hash: String,
    /// How many passwords they have had.
    pub(crate) password_version: i64,
    pub(crate) created_at: Timestamp,
    pub(crate) updated_at: Timestamp,
}

impl Administrator {
    /// As who does something in an organisation's log, where nobody is to take them for a member.
    pub(crate) fn to_actor(&self) -> Actor {
        Actor { id: self.id.as_uuid().into(), name: format!("{} (platform)", self.name) }
    }
}

/// A sign-in of an administrator.
#[derive(Debug, Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = administrator_sessions)]
pub(crate) struct AdministratorSession {
    pub(crate) id: SessionId,
    pub(crate) administrator_id: AdministratorId,
    pub(crate) password_version: i64,
    pub(crate) refresh_hash: Vec<u8>,
    pub(crate) refresh_generation: i64,
    pub(crate) previous_hash: Option<Vec<u8>>,
    pub(crate) rotated_at: Timestamp,
    pub(crate) created_at: Timestamp,
    pub(crate) expires_at: Timestamp,
    pub(crate) ended_at: Option<Timestamp>,
    pub(crate) ip: Option<String>,
    pub(crate) user_agent: Option<String>,
}

impl AdministratorSession {
    /// What a presented refresh token is judged by.
    pub(super) fn refreshable(&self) -> Refreshable<'_> {
        Refreshable {
            refresh_hash: &self.refresh_hash,
            refresh_generation: self.refresh_generation,
            previous_hash: self.previous_hash.as_deref(),
            rotated_at: self.rotated_at,
            expires_at: self.expires_at,
            ended_at: self.ended_at,
        }
    }
}

/// What a turn of the refresh token changes in a session.
#[derive(AsChangeset)]
#[diesel(table_name = administrator_sessions)]
#[diesel(treat_none_as_null = true)]
pub(crate) struct Rotation {
    pub(crate) refresh_hash: Vec<u8>,
    pub(crate) refresh_generation: i64,
    pub(crate) previous_hash: Option<Vec<u8>>,
    pub(crate) rotated_at: Timestamp,
    pub(crate) expires_at: Timestamp,
}

/// An administrator with a new pair of tokens.
pub(crate) struct SignedIn {
    pub(crate) administrator: Administrator,
    pub(crate) access_token: String,
    pub(crate) refresh_token: OpaqueToken,
    /// How long the access token lives, in seconds.
    pub(crate) expires_in: u64,
}

/// An entry of the audit: a call, as it began or as it ended.
#[derive(Debug, Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = platform_audit)]
pub(crate) struct AuditEntry {
    pub(crate) id: AuditId,
    pub(crate) created_at: Timestamp,
    /// Who; `None` where nobody of the platform is known to have done it.
    pub(crate) administrator_id: Option<AdministratorId>,
    pub(crate) administrator_email: Option<Email>,
    pub(crate) role: Option<AdministratorRole>,
    /// What: the method and the route, or `tenant_mismatch`.
    pub(crate) action: String,
    pub(crate) org_id: Option<OrgId>,
    pub(crate) method: String,
    pub(crate) path: String,
    /// What it was answered; `None` where it has only begun.
    pub(crate) status: Option<i64>,
    /// The code of a refusal.
    pub(crate) code: Option<String>,
    pub(crate) ip: Option<String>,
    pub(crate) user_agent: Option<String>,
    pub(crate) request_id: String,
}
