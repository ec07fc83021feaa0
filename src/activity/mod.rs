//! The log: every state change is an activity, committed with it, and the log is what members then see
//! live, replay and read.
//!
//! Owns the tables `activity_heads`, `activities` and `activity_recipients`. `seq` is dense in an
//! organisation and equals commit order, because it is taken from the head row, which the transaction
//! locks. What is appended reaches the hub through the transaction's committed sink; nothing here knows
//! the hub.

mod append;
mod epoch;
mod feed;
mod model;
pub(crate) mod queries;
mod replay;
pub mod retention;
mod routes;
mod writer;

pub use append::{Origin, append, append_all, create_log, is_suspended, lock_newest, set_suspended};
pub use epoch::renew_epochs;
pub use feed::{ActivityType, FeedQuery, From as FeedFrom, Reader, read_page};
pub use model::{Activity, Head, MessageEvent, MessageFacts, SessionEnd, SessionStart};
pub use replay::{load_head, load_heads, read_range};
pub(crate) use routes::{ActivityBody, routes};
pub use writer::{Appended, Writer};
