//! `roomcast user reset-password`.

use anyhow::bail;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::password;
use crate::auth::{Hasher, recovery};
use crate::config::Config;
use crate::db::Db;
use crate::types::{Clock, Email, NewPassword};

/// Random bytes of a password that is made up: 120 bits, 20 characters.
const GENERATED_BYTES: usize = 15;

/// Where the new password comes from. Never from an argument: those are seen by everybody on the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum From {
    /// A line of standard input, or somebody at a terminal.
    Input,
    /// It is made up.
    Random,
}

/// Gives the account a new password and says what that ended.
pub(super) async fn run(config: &Config, email: String, from: From) -> anyhow::Result<()> {
    let email = Email::try_from(email).map_err(|error| anyhow::anyhow!("EMAIL {error}"))?;
    let db = Db::open_beside(&config.database_url()?, config.database.max_connections).await?;
    db.require_current().await?;
    let text = match from {
        From::Input => tokio::task::spawn_blocking(|| password::read(None)).await??,
        From::Random => generate()?,
    };
    let password = NewPassword::try_from(text.clone());
    let password = password.map_err(|error| anyhow::anyhow!("the password {error}"))?;
    let (clock, hasher) = (Clock::default(), Hasher::start(1)?);
    let Some(reset) = recovery::reset_password(&db, &clock, &hasher, &email, password).await? else {
        bail!("no account has the email {email}");
    };
    if from == From::Random {
        println!("{text}");
    }
    let organisations = if reset.organisations == 1 { "organisation" } else { "organisations" };
    eprintln!(
        "{email} has a new password, and no session any more in {} {organisations}",
        reset.organisations
    );
    for (org, error) in &reset.failed {
        eprintln!("roomcast: the sessions in the organisation {org} could not be ended: {error}");
    }
    if !reset.failed.is_empty() {
        bail!("the password is changed, but not all sessions have ended: run this again");
    }
    Ok(())
}

fn generate() -> anyhow::Result<String> {
    let mut bytes = [0; GENERATED_BYTES];
    getrandom::fill(&mut bytes).map_err(|error| anyhow::anyhow!("no random numbers: {error}"))?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}
