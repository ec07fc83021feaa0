//! Organisations: the directory's entry, the tenant's own settings, and plans.

use std::time::Duration;

use diesel::deserialize::FromSqlRow;
use diesel::expression::AsExpression;
use diesel::prelude::*;
use diesel::sql_types::Text;

use crate::db::schema::{organisations, plans, settings};
use crate::types::sql::text_column;
use crate::types::{
    AccountId, Email, InvalidText, Isolation, OrgId, OrganisationName, PersonName, PlanCode, Role, Slug,
    Timestamp, UserId,
};
use crate::users::User;

/// Whether an organisation may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, FromSqlRow, AsExpression)]
#[diesel(sql_type = Text)]
pub(crate) enum Status {
    /// It may.
    Active,
    /// A platform administrator has closed it.
    Suspended,
}

impl Status {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "ACTIVE",
            Self::Suspended => "SUSPENDED",
        }
    }
}

impl TryFrom<String> for Status {
    type Error = InvalidText;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        match text.as_str() {
            "ACTIVE" => Ok(Self::Active),
            "SUSPENDED" => Ok(Self::Suspended),
            _ => Err(InvalidText::new("must be ACTIVE or SUSPENDED")),
        }
    }
}

text_column!(Status);

/// What the directory knows of an organisation. Name, plan and status are copies of its [`Settings`].
#[derive(Debug, Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = organisations)]
pub(crate) struct DirectoryEntry {
    pub(crate) id: OrgId,
    pub(crate) name: OrganisationName,
    pub(crate) slug: Slug,
    pub(crate) plan: PlanCode,
    pub(crate) status: Status,
    pub(crate) isolation: Isolation,
    pub(crate) created_at: Timestamp,
    pub(crate) updated_at: Timestamp,
}

/// An organisation with a store of its own, as far as that store is concerned.
#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = organisations)]
pub(crate) struct Apart {
    pub(crate) id: OrgId,
    pub(crate) slug: Slug,
    pub(crate) isolation: Isolation,
}

/// What an organisation says of itself, in its own store.
#[derive(Debug, Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = settings)]
pub(crate) struct Settings {
    pub(crate) org_id: OrgId,
    pub(crate) name: OrganisationName,
    pub(crate) slug: Slug,
    pub(crate) plan: PlanCode,
    /// The plan's seats when it was chosen; `None` is no limit.
    pub(crate) seats: Option<i64>,
    pub(crate) status: Status,
    pub(crate) created_at: Timestamp,
    pub(crate) updated_at: Timestamp,
}

impl Settings {
    /// When a change made `now` is said to happen: later than any before it, so that the directory's
    /// copies can tell the newer of two by this alone.
    pub(super) fn next_update(&self, now: Timestamp) -> Timestamp {
        now.max(self.updated_at.plus(Duration::from_millis(1)))
    }
}

/// What an organisation may buy.
#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = plans)]
pub(crate) struct Plan {
    pub(crate) code: PlanCode,
    /// How many members it allows; `None` is no limit.
    pub(crate) seats: Option<i64>,
    /// A plan of a higher rank is an upgrade.
    pub(crate) rank: i64,
}

/// An organisation with how many members it has.
#[derive(Debug, Clone)]
pub(crate) struct Organisation {
    pub(crate) settings: Settings,
    pub(crate) member_count: i64,
}

/// An organisation that is about to be, and its first admin. What it is founded as is its id: of two
/// attempts with one id, the second finds what the first one made.
pub(crate) struct Founding {
    pub(crate) org: OrgId,
    pub(crate) name: OrganisationName,
    pub(crate) account: AccountId,
    pub(crate) user: UserId,
    pub(crate) user_name: PersonName,
    pub(crate) email: Email,
    /// Where its rows will be. It stands once it is founded.
    pub(crate) isolation: Isolation,
}

impl Founding {
    /// The first admin, as of when it is founded.
    pub(crate) fn founder(&self, at: Timestamp) -> User {
        User {
            org_id: self.org,
            id: self.user,
            account_id: self.account,
            email: self.email.clone(),
            name: self.user_name.clone(),
            role: Role::Admin,
            created_at: at,
            updated_at: at,
        }
    }
}
