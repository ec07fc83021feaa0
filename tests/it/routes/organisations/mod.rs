//! `/organisations` and what is under it.

mod broadcast;
mod create;
mod get;
mod rename;
mod subscription;
