//! The tables of accounts, memberships and sessions. Nothing but diesel.

pub(super) mod accounts;
pub(super) mod memberships;
pub(super) mod sessions;
