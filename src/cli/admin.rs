//! `roomcast admin`.

use std::path::PathBuf;

use anyhow::{anyhow, bail};

use super::{AdminCommand, password};
use crate::auth::Hasher;
use crate::config::Config;
use crate::db::Db;
use crate::platform::service::administrators::{self, Change, NewAdministrator};
use crate::platform::{AdministratorRole, AdministratorStatus};
use crate::types::{Clock, Email, NewPassword, PersonName};

/// Does what is asked for and says what came of it.
pub(super) async fn run(config: &Config, command: AdminCommand) -> anyhow::Result<()> {
    match command {
        AdminCommand::Create { email, name, role, password_file } => {
            let email = parse_email("--email", email)?;
            let name = PersonName::try_from(name).map_err(|error| anyhow!("--name {error}"))?;
            let role = AdministratorRole::try_from(role).map_err(|error| anyhow!("--role {error}"))?;
            let db = open(config).await?;
            if administrators::find_by_email(&db, &email).await?.is_some() {
                bail!("an administrator has the email {email} already");
            }
            let password = read_password(password_file).await?;
            let new = NewAdministrator { email, name, role, password };
            let made = administrators::create(&db, &Hasher::start(1)?, new, Clock::default().now()).await?;
            println!("{} may sign in as {}", made.email, made.role.as_str());
        }
        AdminCommand::List => {
            let db = open(config).await?;
            for administrator in administrators::list_all(&db).await? {
                let status = match administrator.status {
                    AdministratorStatus::Active => "active",
                    AdministratorStatus::Disabled => "disabled",
                };
                let (role, email, name) =
                    (administrator.role.as_str(), &administrator.email, &administrator.name);
                println!("{role:<11}  {status:<8}  {email}  {name}");
            }
        }
        AdminCommand::Disable { email } => {
            let email = parse_email("EMAIL", email)?;
            let db = open(config).await?;
            let Some(found) = administrators::find_by_email(&db, &email).await? else {
                bail!("no administrator has the email {email}");
            };
            let change = Change { status: Some(AdministratorStatus::Disabled), ..Change::default() };
            administrators::change(&db, found.id, change, Clock::default().now()).await?;
            eprintln!("{email} is kept out, and has no session any more");
        }
        AdminCommand::ResetPassword { email, password_file } => {
            let email = parse_email("EMAIL", email)?;
            let db = open(config).await?;
            let (password, now) = (read_password(password_file).await?, Clock::default().now());
            let ended =
                administrators::reset_password(&db, &Hasher::start(1)?, &email, password, now).await?;
            if ended.is_none() {
                bail!("no administrator has the email {email}");
            }
            eprintln!("{email} has a new password, and no session any more");
        }
    }
    Ok(())
}

fn parse_email(name: &str, text: String) -> anyhow::Result<Email> {
    Email::try_from(text).map_err(|error| anyhow!("{name} {error}"))
}

async fn open(config: &Config) -> anyhow::Result<Db> {
    let db = Db::open_beside(&config.database_url()?, config.database.max_connections).await?;
    db.require_current().await?;
    Ok(db)
}

async fn read_password(file: Option<PathBuf>) -> anyhow::Result<NewPassword> {
    let text = tokio::task::spawn_blocking(move || password::read(file.as_deref())).await??;
    NewPassword::try_from(text).map_err(|error| anyhow!("the password {error}"))
}
