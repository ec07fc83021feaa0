//! Organisations: the directory's entry, the tenant's own settings, and plans.

use std::time::Duration;

use diesel::prelude::*;

use crate::db::schema::{organisations, plans, settings};
use crate::sign_ups::SignUp;
use crate::types::{
    AccountId, Email, Isolation, OrgId, OrganisationName, OrganisationStatus, PersonName, PlanCode, Role,
    Slug, Timestamp, UserId,
};
use crate::users::User;

/// What the directory knows of an organisation. Name, plan and status are copies of its [`Settings`].
#[derive(Debug, Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = organisations)]
pub(crate) struct DirectoryEntry {
    pub(crate) id: OrgId,
    pub(crate) name: OrganisationName,
    pub(crate) slug: Slug,
    pub(crate) plan: PlanCode,
    pub(crate) status: OrganisationStatus,
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
    pub(crate) status: OrganisationStatus,
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
    /// What an organisation that is founded on it may spend at first.
    pub(crate) initial_credits: i64,
}

/// An organisation with how many members it has.
#[derive(Debug, Clone)]
pub(crate) struct Organisation {
    pub(crate) settings: Settings,
    pub(crate) member_count: i64,
}

/// Which organisations are looked for.
#[derive(Debug, Default)]
pub(crate) struct Wanted {
    /// What name or slug match.
    pub(super) pattern: Option<String>,
    /// Or the id, where that is one.
    pub(super) id: Option<OrgId>,
    pub(super) plan: Option<PlanCode>,
    pub(super) status: Option<OrganisationStatus>,
    pub(super) isolation: Option<Isolation>,
}

/// An organisation that is about to be. What it is founded as is its id: of two attempts with one id, the
/// second finds what the first one made.
pub(crate) struct Founding {
    pub(crate) org: OrgId,
    pub(crate) name: OrganisationName,
    pub(crate) terms: Terms,
    pub(crate) first: First,
}

/// On what terms an organisation is founded.
pub(crate) struct Terms {
    /// Its slug; `None` is one of its name.
    pub(crate) slug: Option<Slug>,
    /// Its plan; `None` is the one of new organisations.
    pub(crate) plan: Option<PlanCode>,
    /// Where its rows will be. It stands once it is founded.
    pub(crate) isolation: Isolation,
}

impl Terms {
    /// What all get who ask for nothing, with their rows so far apart.
    pub(crate) const fn new(isolation: Isolation) -> Self {
        Self { slug: None, plan: None, isolation }
    }
}

/// Who is first in a new organisation.
pub(crate) enum First {
    /// Its founder, as its admin.
    Admin(Founder),
    /// Whoever redeems this.
    SignUp(SignUp),
}

/// The account that founds an organisation, and its user there.
pub(crate) struct Founder {
    pub(crate) account: AccountId,
    pub(crate) user: UserId,
    pub(crate) name: PersonName,
    pub(crate) email: Email,
}

impl Founder {
    /// The first admin, as of when it is founded.
    pub(crate) fn to_user(&self, org: OrgId, at: Timestamp) -> User {
        User {
            org_id: org,
            id: self.user,
            account_id: self.account,
            email: self.email.clone(),
            name: self.name.clone(),
            role: Role::Admin,
            created_at: at,
            updated_at: at,
        }
    }
}
