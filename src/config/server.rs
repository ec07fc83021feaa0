//! Where the hub listens, and how it is reached.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use axum::http::HeaderValue;
use clap::Args;
use ipnet::IpNet;

use super::{Timeouts, parse};

/// Where the hub listens.
#[derive(Debug, Clone, Args)]
pub struct ServerConfig {
    /// Address to listen on; 0.0.0.0 is every interface
    #[arg(long, env = "HOST", default_value = "127.0.0.1", global = true, help_heading = "Server")]
    pub host: IpAddr,

    /// Port to listen on; 0 takes a free one
    #[arg(long, env = "PORT", default_value_t = 3000, global = true, help_heading = "Server")]
    pub port: u16,

    /// Seconds over which a stop sends the sockets away, each at its own time; 0 closes them at once. A stop
    /// may take 10 seconds more, for requests in flight
    #[arg(long, env = "DRAIN_SECONDS", default_value = "8", value_parser = parse::seconds, global = true,
          help_heading = "Server")]
    pub drain_seconds: Duration,

    /// File of the certificate chain (PEM) with which the hub speaks TLS itself: https and wss. Read again
    /// when it changes
    #[arg(long, env = "TLS_CERT", global = true, help_heading = "Server")]
    pub tls_cert: Option<PathBuf>,

    /// File of the private key (PEM) of `TLS_CERT`
    #[arg(long, env = "TLS_KEY", global = true, help_heading = "Server")]
    pub tls_key: Option<PathBuf>,

    /// Origins whose pages may call the API from a browser, comma-separated, such as
    /// `https://app.example.com`; `*` is any. Unset: pages of the hub itself only
    #[arg(long, env = "CORS_ORIGINS", value_delimiter = ',', value_parser = parse::origin, global = true,
          help_heading = "Server")]
    pub cors_origins: Vec<HeaderValue>,

    /// Addresses and networks of proxies, comma-separated, whose X-Forwarded-For is believed
    #[arg(long, env = "TRUSTED_PROXIES", value_delimiter = ',', value_parser = parse::network, global = true,
          help_heading = "Server")]
    pub trusted_proxies: Vec<IpNet>,

    /// Connections at once, of which more are refused; `roomcast serve` sets it by the bound on open files.
    /// `None` is no bound
    #[arg(skip)]
    pub max_connections: Option<usize>,

    /// How long peers may take
    #[arg(skip)]
    pub timeouts: Timeouts,
}
