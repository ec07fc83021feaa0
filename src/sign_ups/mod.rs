//! Sign-ups: how the first admin of an organisation that the platform founded gets in.
//!
//! Owns the table `sign_ups` of a tenant's store. A sign-up is single use and expires; its token is stored as a
//! hash alone. An organisation has at most one that is open, and none is opened or used once it has a member.

mod model;
mod queries;
mod routes;
pub(crate) mod service;
mod token;
mod wire;

pub(crate) use model::SignUp;
pub(crate) use routes::routes;
pub(crate) use token::{SignUpKey, SignUpToken};
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) use wire::RedeemSignUp;
