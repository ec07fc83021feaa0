//! `/organisations` and what is under it.

mod broadcast;
mod create;
mod get;
pub(crate) mod presence;
mod rename;
mod subscription;
