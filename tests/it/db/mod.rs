//! The databases: that both are the same, and what a start refuses.

mod arrows;
mod hang_up;
mod postgres;
mod schema;
mod start;
