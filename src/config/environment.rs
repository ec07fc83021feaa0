//! Where settings come from, before clap reads them.
//!
//! A variable that is set to nothing counts as unset, in the environment and in `.env`: that is how
//! docker compose passes on what its own environment lacks.

use std::collections::HashMap;
use std::ffi::OsString;

use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, Command};

/// The variables that settings may be in.
#[derive(Debug, Default)]
pub struct Environment {
    /// What `.env` says that counts: the environment says nothing of it.
    from_file: HashMap<String, String>,
}

/// Where the value of a setting comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// A flag of the command line.
    Flag,
    /// The environment.
    Environment,
    /// The file `.env`.
    File,
    /// Nothing says otherwise.
    Default,
    /// There is none.
    Unset,
}

impl Source {
    /// For people.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Flag => "flag",
            Self::Environment => "environment",
            Self::File => ".env",
            Self::Default => "default",
            Self::Unset => "",
        }
    }
}

/// Why `.env` cannot be read. A line of it may hold a secret, so only its number is told.
fn unreadable(error: dotenvy::Error) -> anyhow::Error {
    match error {
        dotenvy::Error::LineParse(rest, _) => {
            let text = std::fs::read_to_string(".env").unwrap_or_default();
            let number =
                text.lines().position(|line| line.contains(rest.trim())).map_or(0, |index| index + 1);
            anyhow::anyhow!(
                "cannot read .env: line {number} is no NAME=value; a value with spaces, quotes, # or $ in it stands in \
                 single quotes"
            )
        }
        error => anyhow::anyhow!("cannot read .env: {error}"),
    }
}

impl Environment {
    /// Reads `.env` in the present folder, and puts into the environment what that lacks. A file that is not
    /// there is no error; one that cannot be read is.
    pub fn load() -> anyhow::Result<Self> {
        let lines = match dotenvy::from_path_iter(".env") {
            Ok(lines) => lines,
            Err(error) if error.not_found() => return Ok(Self::default()),
            Err(error) => return Err(unreadable(error)),
        };
        let mut from_file = HashMap::new();
        for line in lines {
            let (name, value) = line.map_err(unreadable)?;
            // As dotenvy itself: of several lines the first counts.
            if is_empty(&name) && !value.is_empty() {
                from_file.entry(name).or_insert(value);
            }
        }
        dotenvy::from_path(".env").map_err(unreadable)?;
        Ok(Self { from_file })
    }

    /// The command with its settings' variables read as they are meant: one that is empty is unset, and
    /// gives way to `.env`.
    pub fn apply(&self, mut command: Command) -> Command {
        let settings: Vec<(String, String)> = command.get_arguments().filter_map(setting).collect();
        for (id, variable) in settings {
            if std::env::var_os(&variable).is_some_and(|value| value.is_empty()) {
                command = command.mut_arg(&id, |argument| {
                    let argument = argument.env(None::<&'static str>);
                    match self.from_file.get(&variable) {
                        // A secret among them is not to be shown as a default.
                        Some(value) => {
                            // clap keeps text for as long as the program runs; this is once a start.
                            let value: &'static str = value.clone().leak();
                            argument.default_value(value).hide_default_value(true)
                        }
                        None => argument,
                    }
                });
            }
        }
        command
    }

    /// Where the value of the setting `id`, whose variable this is, comes from.
    pub fn source(&self, matches: &ArgMatches, id: &str, variable: &str) -> Source {
        match matches.value_source(id) {
            Some(ValueSource::CommandLine) => Source::Flag,
            Some(_) if self.from_file.contains_key(variable) => Source::File,
            Some(ValueSource::EnvVariable) => Source::Environment,
            Some(_) => Source::Default,
            None => Source::Unset,
        }
    }
}

/// Whether the environment says nothing of this.
fn is_empty(variable: &str) -> bool {
    std::env::var_os(variable).is_none_or(|value: OsString| value.is_empty())
}

/// A setting's id and variable, where the argument is one.
fn setting(argument: &Arg) -> Option<(String, String)> {
    Some((argument.get_id().to_string(), argument.get_env()?.to_str()?.to_owned()))
}
