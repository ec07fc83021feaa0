//! How much anybody may ask for.

use clap::Args;

use super::parse;

/// Bounds on requests and sockets. 0 is no limit. They count on each node by itself.
#[derive(Debug, Clone, Args)]
pub struct LimitsConfig {
    /// Requests a minute of one caller: the user where signed in, else the address. 0 is no limit, and turns
    /// the organisation's off, too
    #[arg(
        long,
        env = "RATE_LIMIT_PER_MINUTE",
        default_value_t = 100,
        global = true,
        help_heading = "Limits"
    )]
    pub rate_limit_per_minute: u32,

    /// Attempts a minute of one address to register, sign in or accept an invite. 0 is no limit, and turns
    /// off the delay after wrong passwords
    #[arg(
        long,
        env = "AUTH_RATE_LIMIT_PER_MINUTE",
        default_value_t = 10,
        global = true,
        help_heading = "Limits"
    )]
    pub auth_rate_limit_per_minute: u32,

    /// Open sockets of one user. 0 is no limit
    #[arg(long, env = "MAX_SOCKETS_PER_USER", default_value_t = 50, global = true, help_heading = "Limits")]
    pub max_sockets_per_user: u32,

    /// Open sockets of one organisation. 0 is no limit
    #[arg(
        long,
        env = "MAX_SOCKETS_PER_ORGANISATION",
        default_value_t = 0,
        global = true,
        help_heading = "Limits"
    )]
    pub max_sockets_per_organisation: u32,

    /// Open connections of one address, sockets among them. 0 is no limit; where no proxy stands in front, one
    /// address can then take all that there are. Trusted proxies are never counted
    #[arg(
        long,
        env = "MAX_CONNECTIONS_PER_ADDRESS",
        default_value_t = 0,
        global = true,
        help_heading = "Limits"
    )]
    pub max_connections_per_address: u32,

    /// WebSocket handshakes a minute of one address. 0 is no limit
    #[arg(
        long,
        env = "HANDSHAKES_PER_MINUTE",
        default_value_t = 600,
        global = true,
        help_heading = "Limits"
    )]
    pub handshakes_per_minute: u32,

    /// Frames a minute that one socket may send. 0 is no limit
    #[arg(long, env = "FRAMES_PER_MINUTE", default_value_t = 120, global = true, help_heading = "Limits")]
    pub frames_per_minute: u32,

    /// Largest request body, in bytes; a larger one is answered with 413. 0 is no limit
    #[arg(long, env = "MAX_BODY_BYTES", default_value_t = 262_144, global = true, help_heading = "Limits")]
    pub max_body_bytes: usize,

    /// Levels of arrays and objects in each other that a JSON body may have, from 1 to 127
    #[arg(long, env = "MAX_JSON_DEPTH", default_value_t = 64, value_parser = parse::depth, global = true,
          help_heading = "Limits")]
    pub max_json_depth: usize,

    /// Activities that may wait to be stored, from 2048; one organisation may hold an eighth of them. Beyond,
    /// the answer is 503
    #[arg(long, env = "APPEND_QUEUE", default_value_t = 8192, value_parser = parse::append_queue, global = true,
          help_heading = "Limits")]
    pub append_queue: usize,

    /// Passwords that may wait to be hashed, some 30 ms each, from 1; beyond, the answer is 503
    #[arg(long, env = "PASSWORD_QUEUE", default_value_t = 256, value_parser = parse::password_queue,
          global = true, help_heading = "Limits")]
    pub password_queue: usize,
}
