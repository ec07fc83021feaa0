//! The command line.

mod migrate;
mod openapi;
mod seed;
mod serve;

use clap::{Parser, Subcommand};

use crate::config::Config;

/// Roomcast: a self-hosted, multi-tenant, real-time notification hub.
///
/// Without a command it serves. Settings are flags, environment variables, or lines of a file `.env` in
/// the folder it is started in; a flag wins over the environment, that over the file.
#[derive(Debug, Parser)]
#[command(name = "roomcast", version, max_term_width = 100)]
pub struct Cli {
    #[command(subcommand)]
    command: Option<Command>,

    #[command(flatten)]
    config: Config,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Start the hub (the default)
    Serve,
    /// Bring the database up to date, then end
    Migrate,
    /// Fill an empty hub with two organisations to play with, then end
    Seed,
    /// Print the OpenAPI document
    Openapi,
}

impl Cli {
    /// Runs the command. The exit status is 0 where this returns `Ok`.
    pub async fn run(self) -> anyhow::Result<()> {
        crate::telemetry::logs::init(&self.config.telemetry)?;
        match self.command.unwrap_or(Command::Serve) {
            Command::Serve => serve::run(self.config).await,
            Command::Migrate => migrate::run(&self.config).await,
            Command::Seed => seed::run(self.config).await,
            Command::Openapi => openapi::run(),
        }
    }
}
