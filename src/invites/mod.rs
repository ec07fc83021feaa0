//! Invites: how somebody becomes a member.
//!
//! Owns the table `invites`. An invite is single use and expires; its token is stored as a hash alone.
//! An email has at most one pending invite in an organisation. A pending invite takes no seat: the seat
//! is taken when it is accepted.

mod model;
mod queries;
mod routes;
pub(crate) mod service;
mod token;
mod wire;

pub(crate) use routes::routes;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) use token::InviteToken;
pub(crate) use wire::{AcceptInvite, InviteUser};
