//! The platform's administrators, what they do to organisations, and the record of it.
//!
//! Owns the tables `administrators`, `administrator_sessions` and `platform_audit` of the
//! directory. Administrators are no members: they have accounts, sessions and tokens of their own, and neither
//! kind of token is taken in the other's place. [`policy`] says who may do what. Whatever an administrator asks
//! for is in the audit, which is only added to: what changes something before it begins, too.

mod acting;
mod audit;
mod extract;
mod model;
mod policy;
mod queries;
mod routes;
pub(crate) mod service;
mod token;
mod wire;

pub(crate) use acting::act;
pub(crate) use audit::{Asked, Note, is_audited};
pub(crate) use model::{AdministratorRole, AdministratorStatus};
pub(crate) use routes::routes;
pub(crate) use token::{PlatformClaims, PlatformTokens};
