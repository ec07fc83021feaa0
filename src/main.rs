//! The `roomcast` program: reads the settings and calls the library.

use std::process::ExitCode;

use clap::Parser as _;
use roomcast::cli::Cli;

#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("roomcast: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> anyhow::Result<()> {
    // A file that is not there is no error; one that cannot be read is.
    if let Err(error) = dotenvy::from_path(".env")
        && !error.not_found()
    {
        anyhow::bail!("cannot read .env: {error}");
    }
    Cli::parse().run().await
}
