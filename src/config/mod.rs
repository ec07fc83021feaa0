//! Settings: flags, environment and `.env`, read once at start.
//!
//! Each field documents its variable, unit, default and bounds, and `--help` shows that. Contradictions
//! stop the start by naming the variable.

mod auth;
mod broken;
mod crash;
mod database;
pub mod environment;
mod jobs;
mod limits;
mod messages;
mod parse;
mod presence;
mod redis;
mod risks;
mod server;
mod tenancy;
mod timeouts;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::bail;
use clap::{Args, ValueEnum};

pub use self::auth::{AuthConfig, Registration};
pub use self::broken::{Broken, Protection};
pub use self::crash::crash_point;
pub use self::database::DatabaseConfig;
pub use self::jobs::JobsConfig;
pub use self::limits::LimitsConfig;
pub use self::messages::{MessagesConfig, Prices, SmsConfig};
pub use self::parse::Secret;
pub use self::presence::PresenceTimes;
pub use self::redis::RedisConfig;
pub use self::server::ServerConfig;
pub use self::tenancy::TenancyConfig;
pub use self::timeouts::Timeouts;
use crate::db::DatabaseUrl;
use crate::hub::bus::RedisUrl;
use crate::types::Isolation;

/// All settings of a hub.
#[derive(Debug, Clone, Args)]
pub struct Config {
    /// Where it listens.
    #[command(flatten)]
    pub server: ServerConfig,
    /// Where it stores.
    #[command(flatten)]
    pub database: DatabaseConfig,
    /// How organisations are kept apart.
    #[command(flatten)]
    pub tenancy: TenancyConfig,
    /// What connects it to other hubs.
    #[command(flatten)]
    pub redis: RedisConfig,
    /// Who may enter, and for how long.
    #[command(flatten)]
    pub auth: AuthConfig,
    /// How much anybody may ask for.
    #[command(flatten)]
    pub limits: LimitsConfig,
    /// How jobs are run.
    #[command(flatten)]
    pub jobs: JobsConfig,
    /// What messages cost, and through what they leave.
    #[command(flatten)]
    pub messages: MessagesConfig,
    /// How sockets are served.
    #[command(flatten)]
    pub hub: HubConfig,
    /// What it tells its operator.
    #[command(flatten)]
    pub telemetry: TelemetryConfig,
}

/// How sockets are served.
#[derive(Debug, Clone, Args)]
pub struct HubConfig {
    /// A socket that is behind and takes less than 16 KiB in this many seconds is closed; 0 is never
    #[arg(long, env = "SLOW_SOCKET_SECONDS", default_value = "30", value_parser = parse::seconds, global = true,
          help_heading = "Sockets")]
    pub slow_socket_seconds: Duration,

    /// How long who is online takes to be known
    #[arg(skip)]
    pub presence: PresenceTimes,

    /// Protections that a test has switched off
    #[cfg(debug_assertions)]
    #[arg(skip = Broken::from_environment())]
    pub broken: Broken,
}

impl HubConfig {
    /// The protections that a test has switched off: none, outside tests.
    pub fn broken(&self) -> Broken {
        #[cfg(debug_assertions)]
        return self.broken;
        #[cfg(not(debug_assertions))]
        Broken::default()
    }
}

/// What the hub tells its operator.
#[derive(Debug, Clone, Args)]
pub struct TelemetryConfig {
    /// Form of log lines
    #[arg(
        long,
        env = "LOG_FORMAT",
        default_value = "text",
        value_enum,
        global = true,
        help_heading = "Logs and metrics"
    )]
    pub log_format: LogFormat,

    /// Folder in which log lines are also written to a file a day, roomcast.YYYY-MM-DD.log; unset, they go to standard
    /// error alone. Each hub has a folder of its own
    #[arg(long, env = "LOG_DIR", global = true, help_heading = "Logs and metrics")]
    pub log_dir: Option<PathBuf>,

    /// Days after which such a file is deleted; 0 keeps them
    #[arg(
        long,
        env = "LOG_RETENTION_DAYS",
        default_value_t = 14,
        global = true,
        help_heading = "Logs and metrics"
    )]
    pub log_retention_days: u32,

    /// Bearer token that /metrics asks for; unset, anybody who reaches the hub may read it
    #[arg(
        long,
        env = "METRICS_TOKEN",
        global = true,
        help_heading = "Logs and metrics",
        hide_env_values = true
    )]
    pub metrics_token: Option<Secret>,

    /// Which log lines: a level, or directives such as info,roomcast=debug
    #[arg(long, env = "RUST_LOG", default_value = "info", global = true, help_heading = "Logs and metrics")]
    pub log: String,
}

/// Form of log lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people; coloured on a terminal.
    Text,
    /// One JSON object a line, for machines.
    Json,
}

impl Config {
    /// The database: the one that is named, or SQLite in the data folder. A URL that cannot be read is not
    /// repeated: it may hold a password.
    pub fn database_url(&self) -> anyhow::Result<DatabaseUrl> {
        match &self.database.database_url {
            Some(url) => url.reveal().parse().map_err(|error| anyhow::anyhow!("DATABASE_URL {error}")),
            None => Ok(DatabaseUrl::Sqlite(self.database.data_dir.join("roomcast.db"))),
        }
    }

    /// The Redis that connects it to other hubs, if any. A URL that cannot be read is not repeated: it may
    /// hold a password.
    pub fn redis_url(&self) -> anyhow::Result<Option<RedisUrl>> {
        let url = self.redis.url.as_ref().map(Secret::reveal);
        url.map(|url| url.parse().map_err(|error| anyhow::anyhow!("REDIS_URL {error}"))).transpose()
    }

    /// What connects this hub to others, as /readyz names it.
    pub fn bus_kind(&self) -> &'static str {
        if self.redis.url.is_some() { "redis" } else { "in-process" }
    }

    /// Refuses settings that contradict each other, in a sentence that names them.
    pub fn validate(&self) -> anyhow::Result<()> {
        let url = self.database_url()?;
        if self.redis_url()?.is_some() && matches!(url, DatabaseUrl::Sqlite(_)) {
            bail!(
                "REDIS_URL connects several hubs on one PostgreSQL, but this one stores in SQLite, which only one \
                 process can use: set DATABASE_URL to postgres://…, or unset REDIS_URL"
            );
        }
        if self.tenancy.isolation == Isolation::Schema && matches!(url, DatabaseUrl::Sqlite(_)) {
            bail!(
                "TENANT_ISOLATION=schema needs PostgreSQL, and this hub stores in SQLite: set DATABASE_URL to \
                 postgres://…, or take `database`, which is a file for each organisation"
            );
        }
        let keys = [
            ("JWT_ACCESS_SECRET", &self.auth.jwt_access_secret),
            ("JWT_ACCESS_SECRET_PREVIOUS", &self.auth.jwt_access_secret_previous),
        ];
        for (name, key) in keys {
            if key.as_ref().is_some_and(|key| key.reveal().len() < MIN_SECRET_BYTES) {
                bail!("{name} has fewer than {MIN_SECRET_BYTES} bytes: try `openssl rand -hex 32`");
            }
        }
        match (&self.server.tls_cert, &self.server.tls_key) {
            (Some(_), None) => bail!("TLS_CERT is set without TLS_KEY, the file of its private key"),
            (None, Some(_)) => bail!("TLS_KEY is set without TLS_CERT, the file of the certificates"),
            (Some(_), Some(_)) | (None, None) => {}
        }
        if matches!(url, DatabaseUrl::Postgres(_)) && self.auth.jwt_access_secret.is_none() {
            bail!(
                "JWT_ACCESS_SECRET is required with PostgreSQL, so that every hub on it signs with one key: try \
                 `openssl rand -hex 32`"
            );
        }
        Ok(())
    }
}

/// The shortest key that HMAC-SHA-256 should have (RFC 7518, section 3.2).
const MIN_SECRET_BYTES: usize = 32;

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        config: Config,
    }

    fn validate(arguments: &[&str]) -> Result<(), String> {
        let arguments = std::iter::once("roomcast").chain(arguments.iter().copied());
        let cli = Cli::try_parse_from(arguments).map_err(|error| error.to_string())?;
        cli.config.validate().map_err(|error| error.to_string())
    }

    const KEY: &str = "0123456789abcdef0123456789abcdef";

    #[test]
    fn the_embedded_default_needs_nothing() {
        assert_eq!(validate(&[]), Ok(()));
    }

    #[test]
    fn contradictions_name_the_setting() {
        let refused = |arguments: &[&str], named: &str| {
            let message = validate(arguments).expect_err("must be refused");
            assert!(message.contains(named), "{message}");
        };
        refused(&["--redis-url", "redis://localhost"], "SQLite");
        refused(&["--redis-url", "http://localhost"], "REDIS_URL");
        refused(&["--redis-prefix", "a{b}"], "braces");
        refused(&["--redis-prefix", ""], "1 to 64");
        refused(&["--database-url", "postgres://h/d"], "JWT_ACCESS_SECRET");
        refused(&["--jwt-access-secret", "short"], "JWT_ACCESS_SECRET");
        refused(&["--database-url", "mysql://h/d"], "postgres://");
        refused(&["--tenant-isolation", "schema"], "TENANT_ISOLATION");
        refused(&["--access-lifetime", "0s"], "365d");
        refused(&["--jwt-access-secret-previous", "short"], "JWT_ACCESS_SECRET_PREVIOUS");
        refused(&["--tls-cert", "hub.crt"], "TLS_KEY");
        refused(&["--tls-key", "hub.key"], "TLS_CERT");
        assert_eq!(validate(&["--database-url", "postgres://h/d", "--jwt-access-secret", KEY]), Ok(()));
    }

    #[test]
    fn secrets_are_not_printed() {
        let cli = Cli::try_parse_from(["roomcast", "--jwt-access-secret", KEY]).unwrap();
        assert!(!format!("{:?}", cli.config).contains(KEY));
    }
}
