//! Who somebody is: accounts, sign-in, sessions and tokens.
//!
//! Owns the tables `accounts` and `memberships` of the directory and `sessions` of a tenant's store. A
//! membership is the directory's note of where an account has a user; the tenant's store is the truth,
//! so a membership without a user behind it counts as none.

pub mod hasher;
pub mod keys;
mod model;
mod opaque;
mod policy;
mod queries;
mod refresh_token;
mod reset_token;
mod routes;
mod service;
pub mod token;
mod wire;

pub use hasher::Hasher;
pub(crate) use model::{Account, Membership, Opening, SignedIn};
pub(crate) use opaque::{OpaqueToken, TokenHash, random};
pub(crate) use policy::{Refreshable, Verdict, judge};
pub(crate) use refresh_token::RefreshToken;
pub(crate) use routes::{no_store, routes};
pub(crate) use service::{
    accounts, credentials_invalid, memberships, recovery, session_ended, sessions, sign_in,
};
pub use token::{Claims, InvalidToken, Tokens};
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) use wire::{Login, OrganisationKey, Switch, UpdateMe};
pub(crate) use wire::{Refresh, Register, SessionBody};
