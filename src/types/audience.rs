//! Roles, and who an activity is addressed to.

use std::sync::Arc;

use diesel::deserialize::FromSqlRow;
use diesel::expression::AsExpression;
use diesel::sql_types::Text;
use serde::{Deserialize, Serialize};

use super::sql::text_column;
use super::{InvalidText, UserId};

/// What a user may do in an organisation.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    Serialize,
    Deserialize,
    FromSqlRow,
    AsExpression,
    utoipa::ToSchema,
)]
#[diesel(sql_type = Text)]
#[serde(rename_all = "UPPERCASE")]
pub enum Role {
    /// May administer the organisation, and sees what is addressed to admins.
    Admin,
    /// Sees what is addressed to everyone or to them.
    Member,
}

impl Role {
    /// The role as it is written on the wire and in the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Admin => "ADMIN",
            Self::Member => "MEMBER",
        }
    }
}

impl TryFrom<String> for Role {
    type Error = InvalidText;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        match text.as_str() {
            "ADMIN" => Ok(Self::Admin),
            "MEMBER" => Ok(Self::Member),
            _ => Err(InvalidText::new("must be ADMIN or MEMBER")),
        }
    }
}

text_column!(Role);

/// Who may see an activity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Audience {
    /// Every member of the organisation.
    Everyone,
    /// Its admins.
    Admins,
    /// Its admins, and one user whom it concerns.
    AdminsAnd(UserId),
    /// The named users and nobody else, admins included.
    Users(Arc<[UserId]>),
}

impl Audience {
    /// Whether `user`, who has `role` at that point of the log, may see it.
    pub fn includes(&self, user: UserId, role: Role) -> bool {
        match self {
            Self::Everyone => true,
            Self::Admins => role == Role::Admin,
            Self::AdminsAnd(named) => role == Role::Admin || *named == user,
            Self::Users(named) => named.contains(&user),
        }
    }
}
