//! `/activities`.

mod filter;
mod list;
