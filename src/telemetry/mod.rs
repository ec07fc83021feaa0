//! What the hub tells its operator: log lines and metrics.

pub mod logs;
pub mod metric;
