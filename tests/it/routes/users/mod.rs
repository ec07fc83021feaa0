//! `/users` and what is under it.

mod accept_invite;
mod accept_invite_refused;
mod change_role;
mod invite;
mod invites;
mod list;
mod remove;
