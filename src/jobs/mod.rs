//! Work done later: rows written in the transaction of their cause, done after it by whichever node comes first.
//!
//! Owns the tables `jobs` of a tenant's store and `job_queues` of the directory. A job is claimed for the time of
//! a lease, so that the death of a node delays it and loses nothing; what it does must therefore be idempotent.
//! What a job does is its [`Kind`]'s business, which lives in its feature.
//!
//! Nobody looks for jobs where there are none: `service::announce` names the organisation in the directory
//! *before* the transaction that writes its job. The entry goes once the organisation has had no job for a while.
//! A node is woken by what it wrote itself and by what others say over the bus; the directory is what remains
//! when both fail.

mod kind;
mod model;
mod queries;
mod routes;
mod runner;
pub(crate) mod service;

pub use kind::{Kind, KindLimits, WhileSuspended, Work};
pub use model::{Job, NewJob};
pub(crate) use routes::routes;
pub use runner::Runner;
pub(crate) use runner::start;
