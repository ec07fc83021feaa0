//! Organisations: their directory entries, settings and plans.
//!
//! Owns the tables `organisations` and `plans` of the directory and `settings` of a tenant's store. The
//! settings are the truth and the directory's name, plan and status copies of them: the directory's
//! entry is made first, the tenant's transaction decides, and the [`janitor`] removes entries that
//! nothing stands behind.

pub(crate) mod janitor;
mod model;
pub(crate) mod operator;
mod queries;
mod routes;
pub(crate) mod service;
mod wire;

pub(crate) use model::{DirectoryEntry, First, Founder, Founding, Organisation, Settings, Terms, Wanted};
pub(crate) use routes::routes;
pub(crate) use wire::OrganisationBody;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) use wire::{OrganisationFields, UpdateSubscription};
