//! What the routes of invites take and answer.

use serde::Serialize;
use utoipa::ToSchema;

use super::model::Invite;
use super::token::InviteToken;
use crate::auth::OpaqueToken;
use crate::http::{Fields, FromFields};
use crate::types::{Email, InviteId, NewPassword, PersonName, Role, Timestamp, UserId};

/// Whom to invite.
#[derive(Debug, ToSchema)]
pub(crate) struct InviteUser {
    pub(crate) email: Email,
    /// `MEMBER` unless given.
    pub(crate) role: Option<Role>,
    /// What the inviter calls them.
    pub(crate) name: Option<PersonName>,
}

impl FromFields for InviteUser {
    fn from_fields(fields: &mut Fields) -> Option<Self> {
        let email = fields.required("email");
        let role = fields.optional("role");
        let name = fields.optional("name");
        Some(Self { email: email?, role, name })
    }
}

/// An accepted invite, from the person it was for.
#[derive(Debug, ToSchema)]
pub(crate) struct AcceptInvite {
    #[schema(value_type = String)]
    pub(crate) token: OpaqueToken,
    pub(crate) name: PersonName,
    /// The account's own where the email has one, else a new one.
    #[schema(value_type = String, format = Password, min_length = 8, max_length = 128)]
    pub(crate) password: NewPassword,
}

impl FromFields for AcceptInvite {
    fn from_fields(fields: &mut Fields) -> Option<Self> {
        let token = fields.required("token");
        let name = fields.required("name");
        let password = fields.required("password");
        Some(Self { token: token?, name: name?, password: password? })
    }
}

/// An invite with its token, which is told this once.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct InviteCreated {
    id: InviteId,
    email: Email,
    role: Role,
    /// To be handed to the invited person, for `POST /users/accept-invite`.
    #[schema(value_type = String)]
    invite_token: OpaqueToken,
    expires_at: Timestamp,
}

impl InviteCreated {
    pub(super) fn new(invite: Invite, token: &InviteToken) -> Self {
        Self {
            id: invite.id,
            email: invite.email,
            role: invite.role,
            invite_token: token.to_opaque(),
            expires_at: invite.expires_at,
        }
    }
}

/// An invite that waits to be accepted.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Invite)]
pub(crate) struct InviteBody {
    id: InviteId,
    email: Email,
    #[schema(required)]
    name: Option<PersonName>,
    role: Role,
    /// The user who invited them.
    invited_by: UserId,
    created_at: Timestamp,
    expires_at: Timestamp,
}

impl From<Invite> for InviteBody {
    fn from(invite: Invite) -> Self {
        Self {
            id: invite.id,
            email: invite.email,
            name: invite.name,
            role: invite.role,
            invited_by: invite.invited_by,
            created_at: invite.created_at,
            expires_at: invite.expires_at,
        }
    }
}
