//! `roomcast restore`.

use std::path::Path;

use crate::backup::{self, Present, SIGNING_KEY};
use crate::config::Config;
use crate::types::Clock;

/// Restores a backup and says what that means.
pub(super) async fn run(config: &Config, file: &Path, present: Present) -> anyhow::Result<()> {
    config.validate()?;
    let restored = backup::restore(config, file, present, Clock::default().now()).await?;
    let manifest = &restored.manifest;
    println!("restored {} of {}, made by Roomcast {}", file.display(), manifest.created_at, manifest.version);
    println!("{} activity logs have a new epoch: clients load the feed anew", restored.logs);
    for path in &restored.aside {
        println!("what was there before is {}", path.display());
    }
    let secret = config.auth.jwt_access_secret.is_some();
    match (manifest.part(SIGNING_KEY).is_some(), secret) {
        (true, false) => {}
        (true, true) => println!(
            "the backup has a signing key of its own, but JWT_ACCESS_SECRET is set and wins: unless it is the \
             same, everybody has to sign in again"
        ),
        (false, true) => println!("sessions live on if JWT_ACCESS_SECRET is the one that the hub had then"),
        (false, false) => println!(
            "the backup has no signing key: start the hub with the JWT_ACCESS_SECRET that it had then, or \
             everybody has to sign in again"
        ),
    }
    Ok(())
}
