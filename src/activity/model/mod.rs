//! What can happen, who may see it, and how it is written.

mod access;
mod happening;
mod row;

pub(crate) use access::{RoleChange, USER_ROLE_CHANGED};
pub use happening::{Activity, MessageEvent, MessageFacts, SessionEnd, SessionStart};
pub use row::Head;
pub(crate) use row::{
    AUDIENCE_ADMINS, AUDIENCE_ADMINS_AND, AUDIENCE_EVERYONE, AUDIENCE_USERS, ActivityRow, Draft,
};
