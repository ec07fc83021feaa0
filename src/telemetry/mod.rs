//! What the hub tells its operator: log lines and metrics.

mod files;
pub mod logs;
pub mod metric;

pub use files::LogFiles;
