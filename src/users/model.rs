//! The row of a user.

use diesel::prelude::*;

use crate::db::schema::users;
use crate::types::{AccountId, Actor, Email, OrgId, PersonName, Role, Timestamp, UserId};

/// An account's membership in one organisation.
#[derive(Debug, Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = users)]
pub(crate) struct User {
    pub(crate) org_id: OrgId,
    pub(crate) id: UserId,
    pub(crate) account_id: AccountId,
    pub(crate) email: Email,
    pub(crate) name: PersonName,
    pub(crate) role: Role,
    pub(crate) created_at: Timestamp,
    pub(crate) updated_at: Timestamp,
}

impl User {
    /// The user as one who does something.
    pub(crate) fn to_actor(&self) -> Actor {
        Actor { id: self.id, name: self.name.to_string() }
    }
}
