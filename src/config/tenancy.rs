//! How organisations are kept apart, and what that may take.

use std::time::Duration;

use clap::Args;

use super::parse;
use crate::db::TenantBounds;
use crate::types::Isolation;

/// How organisations are kept apart.
#[derive(Debug, Clone, Args)]
pub struct TenancyConfig {
    /// Where the rows of organisations go that people found themselves: shared tables, a schema of their own
    /// (PostgreSQL), or a database of their own (with SQLite a file); those that exist stay where they are
    #[arg(
        long = "tenant-isolation",
        env = "TENANT_ISOLATION",
        default_value = "shared",
        value_enum,
        global = true,
        help_heading = "Tenants"
    )]
    pub isolation: Isolation,

    /// Databases of single organisations that a node has connections to at a time, from 1
    #[arg(long = "tenant-pools", env = "TENANT_POOLS", default_value_t = 16, global = true,
          help_heading = "Tenants", value_parser = parse::tenant_pools)]
    pub pools: usize,

    /// Most connections to each of them, from 2
    #[arg(long = "tenant-pool-connections", env = "TENANT_POOL_CONNECTIONS", default_value_t = 3, global = true,
          help_heading = "Tenants", value_parser = parse::connections)]
    pub pool_connections: usize,

    /// Seconds after which a database that nobody uses loses its connections
    #[arg(long = "tenant-pool-idle-seconds", env = "TENANT_POOL_IDLE_SECONDS", default_value = "60", global = true,
          help_heading = "Tenants", value_parser = parse::seconds)]
    pub pool_idle: Duration,
}

impl TenancyConfig {
    /// The bounds on what databases of organisations take.
    pub fn bounds(&self, migrate: bool) -> TenantBounds {
        TenantBounds { open: self.pools, connections: self.pool_connections, idle: self.pool_idle, migrate }
    }
}
