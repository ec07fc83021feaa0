//! What an operator does: commands beside a hub that runs, and what it deletes by itself.

mod backup;
mod config_check;
mod epoch;
mod logs;
mod reset_password;
mod restore;
mod retention;
pub(crate) mod upkeep;

use std::process::ExitStatus;

use roomcast::types::Isolation;

use crate::harness::Child;
use crate::harness::app::SIGNING_KEY;

/// Runs a command to its end; its status and all that it wrote.
async fn run(arguments: &[&str], environment: &[(&str, &str)]) -> (ExitStatus, String) {
    run_with(arguments, environment, "").await
}

/// The same, with this on its standard input.
async fn run_with(arguments: &[&str], environment: &[(&str, &str)], input: &str) -> (ExitStatus, String) {
    let (status, output) = Child::start_with(arguments, environment, input, None).ended().await;
    assert!(!output.contains("panicked"), "{output}");
    (status, output)
}

/// Runs a command, which must succeed; all that it wrote.
#[track_caller]
pub(crate) fn succeed(arguments: &[&str], environment: &[(&str, &str)]) -> impl Future<Output = String> {
    let place = std::panic::Location::caller();
    async move {
        let (status, output) = run(arguments, environment).await;
        assert!(status.success(), "{output} ({place})");
        output
    }
}

/// Runs a command, which must fail and say these words.
#[track_caller]
fn fail(arguments: &[&str], environment: &[(&str, &str)], words: &[&str]) -> impl Future<Output = ()> {
    let place = std::panic::Location::caller();
    async move {
        let (status, output) = run(arguments, environment).await;
        assert!(!status.success(), "{output} ({place})");
        for word in words {
            assert!(output.contains(word), "{word:?} in:\n{output} ({place})");
        }
    }
}

/// What a hub on this database needs, without the limits that tests in bursts run into.
pub(crate) fn environment(url: &str) -> Vec<(&str, &str)> {
    let mut environment = vec![("DATABASE_URL", url), ("JWT_ACCESS_SECRET", SIGNING_KEY)];
    environment.extend(UNLIMITED);
    environment
}

/// A free port, and no limits.
const UNLIMITED: [(&str, &str); 6] = [
    ("PORT", "0"),
    ("RATE_LIMIT_PER_MINUTE", "0"),
    ("AUTH_RATE_LIMIT_PER_MINUTE", "0"),
    ("HANDSHAKES_PER_MINUTE", "0"),
    ("FRAMES_PER_MINUTE", "0"),
    ("MAX_SOCKETS_PER_USER", "0"),
];

/// What a hub in this folder needs, whose organisations share their tables: a backup is of one file. It makes its own
/// signing key.
fn folder_environment(folder: &std::path::Path) -> Vec<(&str, &str)> {
    let mut environment =
        vec![("ROOMCAST_DATA_DIR", folder.to_str().unwrap()), ("TENANT_ISOLATION", Isolation::Shared.name())];
    environment.extend(UNLIMITED);
    environment
}
