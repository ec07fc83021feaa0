//! Rebuilds when a migration or a file of the page is added (the macros that embed them do not see new ones), and
//! tells the program which commit it is.

use std::process::Command;

fn main() {
    println!("cargo:rerun-if-changed=migrations");
    // The folder is always there: git has a file in it. One that is not would be a change each time.
    println!("cargo:rerun-if-changed=web-demo/dist");
    println!("cargo:rerun-if-env-changed=ROOMCAST_COMMIT");
    // Set from outside, it is that: an image is built without the history. A build for development would
    // be repeated after every commit, for nothing.
    let is_release = std::env::var_os("PROFILE").is_some_and(|profile| profile == "release");
    if std::env::var_os("ROOMCAST_COMMIT").is_none() && is_release {
        if std::path::Path::new(".git/logs/HEAD").exists() {
            println!("cargo:rerun-if-changed=.git/logs/HEAD");
        }
        let asked = Command::new("git").args(["rev-parse", "--short=12", "HEAD"]).output();
        if let Ok(answer) = asked
            && answer.status.success()
        {
            println!("cargo:rustc-env=ROOMCAST_COMMIT={}", String::from_utf8_lossy(&answer.stdout).trim());
        }
    }
}
