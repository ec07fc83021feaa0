//! What connects the hubs of a cluster.

use clap::Args;

use super::parse::{self, Secret};

/// What connects the hubs of a cluster.
#[derive(Debug, Clone, Args)]
pub struct RedisConfig {
    /// Redis, which connects several hubs on one PostgreSQL: redis://, rediss:// (TLS), redis-sentinel://,
    /// redis-cluster://; unset, this is the only hub
    #[arg(
        id = "redis_url",
        long = "redis-url",
        env = "REDIS_URL",
        global = true,
        help_heading = "Cluster",
        hide_env_values = true
    )]
    pub url: Option<Secret>,

    /// What every key and channel in Redis begins with: 1 to 64 visible ASCII characters, no braces
    #[arg(id = "redis_prefix", long = "redis-prefix", env = "REDIS_PREFIX", default_value = "roomcast", global = true,
          help_heading = "Cluster", value_parser = parse::key_prefix)]
    pub prefix: String,
}
