//! The rules of the platform, one file for each noun.

pub(crate) mod administrators;
pub(crate) mod audit;
pub(crate) mod credits;
pub(crate) mod organisations;
pub(crate) mod sessions;
