//! Where the hub stores, and for how long.

use std::path::PathBuf;

use clap::Args;

use super::parse::{self, Secret};

/// Where the hub stores.
#[derive(Debug, Clone, Args)]
pub struct DatabaseConfig {
    /// Folder of the embedded database and of generated keys
    #[arg(
        long,
        env = "ROOMCAST_DATA_DIR",
        default_value = "./data",
        global = true,
        help_heading = "Database"
    )]
    pub data_dir: PathBuf,

    /// postgres://… or sqlite:PATH; unset is SQLite in the data folder
    #[arg(long, env = "DATABASE_URL", global = true, help_heading = "Database", hide_env_values = true)]
    pub database_url: Option<Secret>,

    /// Most connections to PostgreSQL, from 2
    #[arg(long, env = "DATABASE_MAX_CONNECTIONS", default_value_t = 16, global = true,
          help_heading = "Database", value_parser = parse::connections)]
    pub max_connections: usize,

    /// Run pending migrations at start; otherwise /readyz says so until `roomcast migrate` has run
    #[arg(long, env = "RUN_MIGRATIONS", default_value_t = true, action = clap::ArgAction::Set, global = true,
          help_heading = "Database")]
    pub run_migrations: bool,

    /// Days after which activities are deleted; 0 keeps them
    #[arg(
        long,
        env = "ACTIVITY_RETENTION_DAYS",
        default_value_t = 0,
        global = true,
        help_heading = "Database"
    )]
    pub activity_retention_days: u32,

    /// Days after which entries of the platform's audit are deleted, from 30; 0 keeps them
    #[arg(long, env = "AUDIT_RETENTION_DAYS", default_value_t = 365, global = true,
          help_heading = "Database", value_parser = parse::audit_days)]
    pub audit_retention_days: u32,
}
