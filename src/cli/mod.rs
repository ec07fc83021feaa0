//! The command line.

mod healthcheck;
mod migrate;
mod openapi;
mod seed;
mod serve;

use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
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
    /// Ask the hub with these settings whether it is up; ends with 1 if it is not
    Healthcheck,
}

/// The whole program: reads the settings, runs the command, and says on standard error why it failed. Here
/// and not in `main.rs`, where the compiler would make its code a second time.
pub fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("roomcast: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> anyhow::Result<()> {
    // A file that is not there is no error; one that cannot be read is.
    if let Err(error) = dotenvy::from_path(".env")
        && !error.not_found()
    {
        anyhow::bail!("cannot read .env: {error}");
    }
    let cli = Cli::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.context("cannot start the runtime")?;
    let outcome = runtime.block_on(cli.run());
    runtime.shutdown_timeout(EXIT_TIMEOUT);
    outcome
}

/// How long a call that blocks, as of SQLite, may hold up the end: what had to be finished was waited for.
const EXIT_TIMEOUT: Duration = Duration::from_secs(1);

impl Cli {
    /// Runs the command.
    async fn run(self) -> anyhow::Result<()> {
        crate::telemetry::logs::init(&self.config.telemetry)?;
        match self.command.unwrap_or(Command::Serve) {
            Command::Serve => serve::run(self.config).await,
            Command::Migrate => migrate::run(&self.config).await,
            Command::Seed => seed::run(self.config).await,
            Command::Openapi => openapi::run(),
            Command::Healthcheck => healthcheck::run(&self.config.server).await,
        }
    }
}
