//! A new password for who has forgotten theirs, by way of their email.

use std::time::Duration;

use super::{accounts, recovery};
use crate::app::App;
use crate::auth::reset_token::ResetToken;
use crate::auth::wire::{ForgotPassword, ResetPassword};
use crate::error::{Code, Error, LogFailure as _, Result};
use crate::mail::{self, Letter};
use crate::types::Email;

/// How long the way to a new password is open: as long as an email may take, and no longer than a screen is left alone.
const LIFETIME: Duration = Duration::from_hours(1);

/// Has a way to a new password sent to this email, where an account has it. Nobody is told whether one has: the answer
/// is the same, and is given before that is looked for. Fails with `mail_not_configured`.
pub(crate) fn forget(app: &App, body: ForgotPassword) -> Result<()> {
    if !app.mail.is_on() {
        return Err(Error::refused(
            Code::MailNotConfigured,
            "This hub sends no emails: ask whoever runs it for a new password.",
        ));
    }
    // As for sign-ins, so that nobody's mailbox is filled from many addresses.
    app.limits.count_reset(&body.email)?;
    let hub = app.clone();
    app.tasks.spawn(async move {
        write(&hub, &body.email).await.log_failure("send an email for a forgotten password");
    });
    Ok(())
}

async fn write(app: &App, email: &Email) -> Result<()> {
    let Some(account) = accounts::find_by_email(app, email).await? else { return Ok(()) };
    let expires_at = app.clock.now().plus(LIFETIME);
    let token = ResetToken { account: account.id, version: account.password_version, expires_at };
    let token = token.to_opaque(&app.reset_key);
    let body = format!(
        "A new password for {email}\n\nSomebody, you we hope, has forgotten the password of this account. To choose \
         another one, use this token:\n\n{}\n\nIt counts once, for an hour. If it was not you, do nothing: nothing has \
         changed.\n",
        token.reveal()
    );
    mail::service::send(app, Letter { to: account.email.to_string(), body }).await;
    Ok(())
}

/// Gives the account that a token is for another password, and ends its sessions. Fails with `reset_token_invalid`
/// where the token is not ours, has expired, or the account has had another password since.
pub(crate) async fn replace(app: &App, body: ResetPassword) -> Result<()> {
    let invalid = || {
        Error::refused(
            Code::ResetTokenInvalid,
            "This way to a new password is not valid, was used or has expired. Ask for another one.",
        )
    };
    let token = ResetToken::parse(&app.reset_key, &body.token).ok_or_else(invalid)?;
    if token.expires_at <= app.clock.now() {
        return Err(invalid());
    }
    let reset = recovery::replace_password(app, token.account, token.version, body.password).await?;
    let reset = reset.ok_or_else(invalid)?;
    for (org, error) in reset.failed {
        tracing::warn!(
            organisation.id = %org,
            error = %error,
            "sessions could not be ended after a new password; they end when they are next refreshed"
        );
    }
    Ok(())
}
