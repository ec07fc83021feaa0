//! Backups of the embedded database: one file with a snapshot of it, the generated signing key and what
//! both were, and the way back.
//!
//! A backup is a tar archive: `manifest.json` first, then the parts that it names, each with its length
//! and SHA-256. Any `tar` reads it. The file may come from anywhere, so the way back takes nothing of it on
//! trust: only the expected names, in order, and not a byte before it was checked.
//!
//! With PostgreSQL its own tools do this, and [`POSTGRES_WAY`] says how.

mod archive;
mod create;
mod restore;

pub use archive::{Archive, Manifest, Part};
pub use create::{Progress, Step, create};
pub use restore::{Present, Restored, restore};

/// The part that is the database.
pub const DATABASE: &str = "roomcast.db";

/// The part that is the generated signing key.
pub const SIGNING_KEY: &str = "signing.key";

/// What operators on PostgreSQL do instead.
pub const POSTGRES_WAY: &str = "this hub stores in PostgreSQL, whose own tools do it: docs/operations.md has the commands \
     of `pg_dump` and `pg_restore`; after a restore run `roomcast epoch --new`";
