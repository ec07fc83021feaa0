//! Who may enter, and for how long.

use std::time::Duration;

use clap::{Args, ValueEnum};

use super::parse::{self, Secret};

/// Who may enter, and for how long.
#[derive(Debug, Clone, Args)]
pub struct AuthConfig {
    /// Key that signs access tokens, at least 32 bytes; generated and kept in the data folder on SQLite,
    /// required on PostgreSQL
    #[arg(long, env = "JWT_ACCESS_SECRET", global = true, help_heading = "Access", hide_env_values = true)]
    pub jwt_access_secret: Option<Secret>,

    /// The key that `JWT_ACCESS_SECRET` has replaced: what it signed is still accepted, so that keys rotate
    #[arg(
        long,
        env = "JWT_ACCESS_SECRET_PREVIOUS",
        global = true,
        help_heading = "Access",
        hide_env_values = true
    )]
    pub jwt_access_secret_previous: Option<Secret>,

    /// Lifetime of an access token, such as 15m
    #[arg(long, env = "JWT_ACCESS_EXPIRES_IN", default_value = "15m", value_parser = parse::lifetime,
          global = true, help_heading = "Access")]
    pub access_lifetime: Duration,

    /// Lifetime of a refresh token, such as 7d
    #[arg(long, env = "JWT_REFRESH_EXPIRES_IN", default_value = "7d", value_parser = parse::lifetime,
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
    /// The platform's administrators alone.
    Closed,
}
