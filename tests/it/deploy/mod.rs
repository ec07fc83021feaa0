//! The files with which a hub is deployed: image, compose, systemd, proxies.

mod compose;
mod environment_file;
mod image;
mod nginx;
mod proxied;
mod systemd;
mod tunnel;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use clap::CommandFactory as _;
use roomcast::cli::Cli;

use crate::harness::environment::not_run;

fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

fn read(name: &str) -> String {
    std::fs::read_to_string(path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// The variables of all settings of the hub.
fn settings() -> Vec<String> {
    let command = Cli::command();
    let settings = command.get_arguments().filter_map(|argument| argument.get_env()?.to_str());
    settings.map(str::to_owned).collect()
}

/// The names of the hub's commands.
fn commands() -> Vec<String> {
    Cli::command().get_subcommands().map(|command| command.get_name().to_owned()).collect()
}

/// Whether a program is there to test with; where it is not, that is said.
#[track_caller]
fn is_installed(program: &str) -> bool {
    let found = Command::new("sh").args(["-c", &format!("command -v {program}")]).output().unwrap();
    if !found.status.success() {
        not_run(&format!("{program} is not installed"));
    }
    found.status.success()
}

/// What a command wrote to either stream, for messages.
fn text(output: &Output) -> String {
    let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    format!("{stdout}{stderr}")
}
