//! The command line.

mod admin;
mod backup;
mod config_check;
mod credits;
mod epoch;
mod healthcheck;
mod load;
mod migrate;
mod openapi;
mod password;
mod reset_password;
mod restore;
mod seed;
mod serve;
mod totals;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use clap::{ArgMatches, CommandFactory as _, FromArgMatches as _, Parser, Subcommand};

use crate::backup::Present;
use crate::config::Config;
use crate::config::environment::{Environment, Source};
use crate::credits::EntryKind;
use crate::telemetry::logs::{self, Logger};

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
    Serve {
        /// Stop when standard input ends, as it does when whoever holds its other end is killed
        #[arg(long, hide = true)]
        until_stdin_ends: bool,
    },
    /// Bring the database and the stores of all organisations up to date, then end
    ///
    /// The directory and the shared tables come first, then the stores of organisations that have their own, some at a
    /// time. A store that fails is told, holds up no other, and is refused to its own callers until it is mended. Hubs
    /// may be running on PostgreSQL; no two processes are at one store at a time. It ends with 1 where a store failed.
    Migrate(migrate::MigrateArgs),
    /// Fill an empty hub with two organisations to play with, then end
    Seed,
    /// Print the OpenAPI document
    Openapi,
    /// Ask the hub with these settings whether it is up; ends with 1 if it is not
    Healthcheck,
    /// Save the embedded database and the generated signing key to one file, while the hub runs
    ///
    /// FILE is a tar archive of a snapshot of the database, the signing key where the hub made one, and a
    /// manifest with the SHA-256 of each. It holds everything that the hub knows: it is readable by its owner
    /// alone, keep it so. An existing FILE is never overwritten. Until it is done, its folder needs room for
    /// the database twice.
    ///
    /// With PostgreSQL use `pg_dump --format=custom` instead.
    Backup {
        /// Where to save it
        file: PathBuf,
    },
    /// Bring back what `roomcast backup` saved, while no hub runs
    ///
    /// Everything in FILE is checked before anything changes, and a restore that is interrupted has either
    /// not happened or is finished by the next start. Every activity log gets a new epoch, so that clients
    /// which know positions from after the backup are told to load the feed anew. Sessions live on, with
    /// the signing key from the backup or the same `JWT_ACCESS_SECRET`.
    ///
    /// With PostgreSQL its own tools do it (docs/operations.md), then `roomcast epoch --new`.
    Restore {
        /// The backup
        file: PathBuf,
        /// Move a database that is there aside, to a name that is printed, instead of refusing
        #[arg(long)]
        replace: bool,
    },
    /// Give every activity log a new epoch, after a restore with the database's own tools
    ///
    /// A restored database cannot tell that it was restored: without this, a client that comes back with a
    /// position from after the backup would go on in a log that has something else there. Hubs may be
    /// running: within a second they close the sockets that they have (1012), whose clients then come back
    /// and are told that the epoch has changed. `roomcast restore` does it by itself.
    Epoch {
        /// Do it
        #[arg(long, required = true)]
        new: bool,
    },
    /// Drive a hub as many clients would, check all that it sends, and say what that cost
    ///
    /// `roomcast load room --spawn --sockets 10000` starts a hub of its own. It ends with 1 where anything was
    /// lost, doubled, out of order or of a foreign organisation, and where --expect was not reached. On a hub
    /// that runs, it writes into the logs of the organisations that it is given, or makes its own.
    Load(Box<load::LoadArgs>),
    /// Look after the platform's administrators
    #[command(subcommand)]
    Admin(AdminCommand),
    /// Look after accounts
    #[command(subcommand)]
    User(UserCommand),
    /// Look at the settings
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Look after organisations' credits
    #[command(subcommand)]
    Credits(CreditsCommand),
    /// Look after messages
    #[command(subcommand)]
    Messages(MessagesCommand),
}

#[derive(Debug, Subcommand)]
enum CreditsCommand {
    /// Add credits to what an organisation has
    ///
    /// Hubs may be running. The organisation's admins are told, with the reason.
    TopUp(credits::Arguments),
    /// Correct what an organisation has, up or down
    ///
    /// Never below zero. Hubs may be running. The organisation's admins are told, with the reason.
    Adjust(credits::Arguments),
}

#[derive(Debug, Subcommand)]
enum MessagesCommand {
    /// Count all messages by channel and status, and compare with the totals that are kept
    ///
    /// Hubs may be running, and sending. Fails where a total differs.
    Totals {
        /// Set right what differs
        #[arg(long)]
        repair: bool,
    },
}

#[derive(Debug, Subcommand)]
enum AdminCommand {
    /// Make an administrator
    ///
    /// The password is asked for on a terminal, read from a line of standard input, or from a file; never from
    /// an argument, which everybody on the machine can see. Hubs may be running.
    Create {
        /// The address to sign in with
        #[arg(long)]
        email: String,
        /// What they are called
        #[arg(long)]
        name: String,
        /// `super_admin` may do everything, `support` looks, `billing` changes plans and credits
        #[arg(long, value_parser = ["super_admin", "support", "billing"])]
        role: String,
        /// A file whose first line is the password
        #[arg(long)]
        password_file: Option<PathBuf>,
    },
    /// List the administrators
    List,
    /// Keep an administrator out, and end their sessions at once
    Disable {
        /// The address they sign in with
        email: String,
    },
    /// Give an administrator a new password, and end their sessions at once
    ///
    /// It is read as by `admin create`.
    ResetPassword {
        /// The address they sign in with
        email: String,
        /// A file whose first line is the password
        #[arg(long)]
        password_file: Option<PathBuf>,
    },
}

#[derive(Debug, Subcommand)]
enum UserCommand {
    /// Give an account a new password and end all of its sessions
    ///
    /// For somebody who has lost theirs. The password is read from a line of standard input, or asked for on
    /// a terminal. Hubs may be running, and know within a second. The log of each of the account's
    /// organisations records it, as done by nobody.
    ResetPassword {
        /// The account's email
        email: String,
        /// Make up a password, and print it
        #[arg(long)]
        generate: bool,
    },
}

#[derive(Debug, Subcommand)]
enum ConfigCommand {
    /// Show every setting and where it comes from, then what is wrong and what is risky
    ///
    /// Secrets are masked. It fails where a start would be refused; risks alone do not make it fail.
    Check {
        /// Also reach the database, and fail where that cannot be
        #[arg(long)]
        database: bool,
    },
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
    let environment = Environment::load()?;
    let mut command = environment.apply(Cli::command());
    let matches = command.get_matches_mut();
    let cli = Cli::from_arg_matches(&matches).unwrap_or_else(|error| error.format(&mut command).exit());
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.context("cannot start the runtime")?;
    let outcome = runtime.block_on(cli.run(&environment, &matches));
    runtime.shutdown_timeout(EXIT_TIMEOUT);
    outcome
}

/// How long a call that blocks, as of SQLite, may hold up the end: what had to be finished was waited for.
const EXIT_TIMEOUT: Duration = Duration::from_secs(1);

impl Cli {
    /// Runs the command.
    async fn run(self, environment: &Environment, matches: &ArgMatches) -> anyhow::Result<()> {
        let command = self.command.unwrap_or(Command::Serve { until_stdin_ends: false });
        let is_hub = matches!(command, Command::Serve { .. });
        let logger = if is_hub { Logger::Hub } else { Logger::Command };
        let files = logs::init(&self.config.telemetry, logger)?.map(Arc::new);
        match command {
            Command::Serve { until_stdin_ends } => serve::run(self.config, until_stdin_ends, files).await,
            Command::Migrate(arguments) => migrate::run(&self.config, arguments).await,
            Command::Seed => seed::run(self.config).await,
            Command::Openapi => openapi::run(),
            Command::Backup { file } => backup::run(self.config, file).await,
            Command::Restore { file, replace } => {
                let present = if replace { Present::MoveAside } else { Present::Keep };
                restore::run(&self.config, &file, present).await
            }
            Command::Epoch { new: _ } => epoch::run(&self.config).await,
            Command::Load(arguments) => {
                let source = environment.source(matches, "database_url", "DATABASE_URL");
                let url = self.config.database.database_url.filter(|_| source == Source::Flag);
                load::run(*arguments, url.map(|url| url.reveal().to_owned())).await
            }
            Command::Admin(command) => admin::run(&self.config, command).await,
            Command::User(UserCommand::ResetPassword { email, generate }) => {
                let password =
                    if generate { reset_password::From::Random } else { reset_password::From::Input };
                reset_password::run(&self.config, email, password).await
            }
            Command::Config(ConfigCommand::Check { database }) => {
                config_check::run(&self.config, environment, matches, database).await
            }
            Command::Credits(CreditsCommand::TopUp(arguments)) => {
                credits::run(&self.config, EntryKind::TopUp, arguments).await
            }
            Command::Credits(CreditsCommand::Adjust(arguments)) => {
                credits::run(&self.config, EntryKind::Adjustment, arguments).await
            }
            Command::Messages(MessagesCommand::Totals { repair }) => totals::run(&self.config, repair).await,
            Command::Healthcheck => healthcheck::run(&self.config.server).await,
        }
    }
}
