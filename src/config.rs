//! Settings: flags, environment and `.env`, read once at start.
//!
//! Each field documents its variable, unit, default and bounds, and `--help` shows that. Contradictions
//! stop the start by naming the variable.

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::{Args, ValueEnum};

use crate::db::DatabaseUrl;

/// All settings of a hub.
#[derive(Debug, Clone, Args)]
pub struct Config {
    /// Where it listens.
    #[command(flatten)]
    pub server: ServerConfig,
    /// Where it stores.
    #[command(flatten)]
    pub database: DatabaseConfig,
    /// Who may enter, and for how long.
    #[command(flatten)]
    pub auth: AuthConfig,
    /// How sockets are served.
    #[command(flatten)]
    pub hub: HubConfig,
    /// What it tells its operator.
    #[command(flatten)]
    pub telemetry: TelemetryConfig,
}

/// Where the hub listens.
#[derive(Debug, Clone, Args)]
pub struct ServerConfig {
    /// Address to listen on; 0.0.0.0 is every interface
    #[arg(long, env = "HOST", default_value = "127.0.0.1", global = true, help_heading = "Server")]
    pub host: IpAddr,

    /// Port to listen on; 0 takes a free one
    #[arg(long, env = "PORT", default_value_t = 3000, global = true, help_heading = "Server")]
    pub port: u16,

    /// Largest request body, in bytes; a larger one is answered with 413. 0 is no limit
    #[arg(long, env = "MAX_BODY_BYTES", default_value_t = 262_144, global = true, help_heading = "Server")]
    pub max_body_bytes: usize,

    /// Seconds that a stop may take: sockets are closed, requests in flight finish
    #[arg(long, env = "DRAIN_SECONDS", default_value = "8", value_parser = parse_seconds, global = true,
          help_heading = "Server")]
    pub drain_seconds: Duration,
}

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
          help_heading = "Database", value_parser = parse_connections)]
    pub max_connections: usize,

    /// Run pending migrations at start; otherwise /readyz says so until `roomcast migrate` has run
    #[arg(long, env = "RUN_MIGRATIONS", default_value_t = true, action = clap::ArgAction::Set, global = true,
          help_heading = "Database")]
    pub run_migrations: bool,

    /// Redis, which connects several hubs on one PostgreSQL; not supported by this version yet
    #[arg(long, env = "REDIS_URL", global = true, help_heading = "Database", hide_env_values = true)]
    pub redis_url: Option<Secret>,
}

/// Who may enter, and for how long.
#[derive(Debug, Clone, Args)]
pub struct AuthConfig {
    /// Key that signs access tokens, at least 32 bytes; generated and kept in the data folder on SQLite,
    /// required on PostgreSQL
    #[arg(long, env = "JWT_ACCESS_SECRET", global = true, help_heading = "Access", hide_env_values = true)]
    pub jwt_access_secret: Option<Secret>,

    /// Lifetime of an access token, such as 15m
    #[arg(long, env = "JWT_ACCESS_EXPIRES_IN", default_value = "15m", value_parser = parse_lifetime,
          global = true, help_heading = "Access")]
    pub access_lifetime: Duration,

    /// Lifetime of a refresh token, such as 7d
    #[arg(long, env = "JWT_REFRESH_EXPIRES_IN", default_value = "7d", value_parser = parse_lifetime,
          global = true, help_heading = "Access")]
    pub refresh_lifetime: Duration,

    /// How long a rotated refresh token may be used once more, while its successor is unused
    #[arg(long, env = "REFRESH_LEEWAY", default_value = "30s", value_parser = humantime::parse_duration,
          global = true, help_heading = "Access")]
    pub refresh_leeway: Duration,

    /// Who may found organisations
    #[arg(
        long,
        env = "REGISTRATION",
        default_value = "open",
        value_enum,
        global = true,
        help_heading = "Access"
    )]
    pub registration: Registration,
}

/// Who may found organisations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Registration {
    /// Anybody.
    Open,
    /// Nobody through this hub.
    Closed,
}

/// How sockets are served.
#[derive(Debug, Clone, Args)]
pub struct HubConfig {
    /// A socket that is behind and takes less than 16 KiB in this many seconds is closed; 0 is never
    #[arg(long, env = "SLOW_SOCKET_SECONDS", default_value = "30", value_parser = parse_seconds, global = true,
          help_heading = "Sockets")]
    pub slow_socket_seconds: Duration,
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
        help_heading = "Logs"
    )]
    pub log_format: LogFormat,

    /// Which log lines: a level, or directives such as info,roomcast=debug
    #[arg(long, env = "RUST_LOG", default_value = "info", global = true, help_heading = "Logs")]
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

/// A setting that is never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// The secret itself.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl FromStr for Secret {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self(text.to_owned()))
    }
}

fn parse_seconds(text: &str) -> Result<Duration, String> {
    let seconds: u32 = text.parse().map_err(|_| "must be a whole number of seconds".to_owned())?;
    Ok(Duration::from_secs(seconds.into()))
}

/// Tokens count whole seconds, so a shorter life would have ended before it began.
fn parse_lifetime(text: &str) -> Result<Duration, String> {
    let lifetime = humantime::parse_duration(text).map_err(|error| error.to_string())?;
    if (Duration::from_secs(1)..=Duration::from_hours(24 * 365)).contains(&lifetime) {
        Ok(lifetime)
    } else {
        Err("must be from 1s to 365d".to_owned())
    }
}

fn parse_connections(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(connections @ 2..=1000) => Ok(connections),
        _ => Err("must be a whole number from 2 to 1000".to_owned()),
    }
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

    /// Refuses settings that contradict each other, in a sentence that names them.
    pub fn validate(&self) -> anyhow::Result<()> {
        let url = self.database_url()?;
        if self.database.redis_url.is_some() {
            match url {
                DatabaseUrl::Sqlite(_) => anyhow::bail!(
                    "REDIS_URL connects several hubs on one PostgreSQL, but this one stores in SQLite, which only \
                     one process can use: set DATABASE_URL to postgres://…, or unset REDIS_URL"
                ),
                DatabaseUrl::Postgres(_) => anyhow::bail!(
                    "REDIS_URL is set, but this version runs as a single hub and cannot use Redis yet: unset it"
                ),
            }
        }
        if let Some(secret) = &self.auth.jwt_access_secret
            && secret.reveal().len() < MIN_SECRET_BYTES
        {
            anyhow::bail!(
                "JWT_ACCESS_SECRET has fewer than {MIN_SECRET_BYTES} bytes: try `openssl rand -hex 32`"
            );
        }
        if matches!(url, DatabaseUrl::Postgres(_)) && self.auth.jwt_access_secret.is_none() {
            anyhow::bail!(
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
        refused(&["--redis-url", "redis://localhost"], "REDIS_URL");
        refused(&["--database-url", "postgres://h/d"], "JWT_ACCESS_SECRET");
        refused(&["--jwt-access-secret", "short"], "JWT_ACCESS_SECRET");
        refused(&["--database-url", "mysql://h/d"], "postgres://");
        refused(&["--access-lifetime", "0s"], "365d");
        assert_eq!(validate(&["--database-url", "postgres://h/d", "--jwt-access-secret", KEY]), Ok(()));
    }

    #[test]
    fn secrets_are_not_printed() {
        let cli = Cli::try_parse_from(["roomcast", "--jwt-access-secret", KEY]).unwrap();
        assert!(!format!("{:?}", cli.config).contains(KEY));
    }
}
