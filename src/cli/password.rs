//! Where a command takes a password from. Never from an argument: those are seen by everybody on the machine.

use std::fs::File;
use std::io::{BufRead, BufReader, IsTerminal as _};
use std::path::Path;

use anyhow::{Context as _, bail};

/// More than the longest password has, in bytes.
const MAX_BYTES: u64 = 4096;

/// The first line of a file, or of standard input; on a terminal it is asked for twice, and not shown.
pub(super) fn read(file: Option<&Path>) -> anyhow::Result<String> {
    if let Some(path) = file {
        let opened = File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
        return first_line(BufReader::new(opened)).with_context(|| format!("cannot read {}", path.display()));
    }
    let stdin = std::io::stdin();
    if stdin.is_terminal() {
        let first = rpassword::prompt_password("New password: ").context("cannot ask for the password")?;
        let again = rpassword::prompt_password("Once more: ").context("cannot ask for the password")?;
        if first != again {
            bail!("the two are not the same; nothing was changed");
        }
        return Ok(first);
    }
    first_line(stdin.lock()).context("cannot read the password from standard input")
}

fn first_line(source: impl BufRead) -> anyhow::Result<String> {
    let mut line = String::new();
    source.take(MAX_BYTES).read_line(&mut line)?;
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}
