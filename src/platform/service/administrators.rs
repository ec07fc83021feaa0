//! Who runs the platform. What a command does beside hubs that run, routes do too: all of it is in the directory.

use crate::auth::Hasher;
use crate::db::{Db, Tx};
use crate::error::{Code, Error, Result};
use crate::platform::model::{Administrator, AdministratorRole, AdministratorStatus};
use crate::platform::queries::{administrators as queries, sessions};
use crate::types::{AdministratorId, Email, NewPassword, PersonName, Timestamp};
use crate::{read, transaction};

/// Administrators are few: as many as one page of a list.
const LISTED_BY_COMMAND: i64 = 1000;

/// An administrator who is to be.
pub(crate) struct NewAdministrator {
    pub(crate) email: Email,
    pub(crate) name: PersonName,
    pub(crate) role: AdministratorRole,
    pub(crate) password: NewPassword,
}

/// Makes an administrator. Fails with `email_taken`.
pub(crate) async fn create(
    db: &Db,
    hasher: &Hasher,
    new: NewAdministrator,
    now: Timestamp,
) -> Result<Administrator> {
    let administrator = prepare(hasher, new, now).await?;
    transaction!(db.central(), |tx| insert(tx, &administrator).await)?;
    Ok(administrator)
}

/// One that is not stored yet: hashing is nothing for a transaction.
pub(crate) async fn prepare(hasher: &Hasher, new: NewAdministrator, now: Timestamp) -> Result<Administrator> {
    let NewAdministrator { email, name, role, password } = new;
    Ok(Administrator {
        id: AdministratorId::new(),
        email,
        name,
        role,
        status: AdministratorStatus::Active,
        password_hash: hasher.hash(password.as_password().clone()).await?,
        password_version: 1,
        created_at: now,
        updated_at: now,
    })
}

/// Stores it. Fails with `email_taken`.
pub(crate) async fn insert(tx: &mut Tx, administrator: &Administrator) -> Result<()> {
    if queries::insert(tx, administrator).await? {
        return Ok(());
    }
    Err(Error::refused(Code::EmailTaken, "An administrator has this email."))
}

/// Administrators ordered by id.
pub(crate) async fn list(db: &Db, after: AdministratorId, limit: i64) -> Result<Vec<Administrator>> {
    read!(db.central(), |conn| Ok(queries::list(conn, after, limit).await?))
}

/// All of them, for a command.
pub(crate) async fn list_all(db: &Db) -> Result<Vec<Administrator>> {
    list(db, AdministratorId::NIL, LISTED_BY_COMMAND).await
}

/// The administrator with this email.
pub(crate) async fn find_by_email(db: &Db, email: &Email) -> Result<Option<Administrator>> {
    read!(db.central(), |conn| Ok(queries::find_by_email(conn, email).await?))
}

/// What is to be another with an administrator.
#[derive(Debug, Default)]
pub(crate) struct Change {
    pub(crate) role: Option<AdministratorRole>,
    pub(crate) status: Option<AdministratorStatus>,
}

/// Gives an administrator another role or status; who is disabled has no session any more. Fails with
/// `last_super_admin`.
pub(crate) async fn change(
    db: &Db,
    id: AdministratorId,
    change: Change,
    now: Timestamp,
) -> Result<Administrator> {
    transaction!(db.central(), |tx| {
        let supers = queries::lock_super(tx).await?;
        let administrator = queries::lock(tx, id).await?;
        let present = administrator.ok_or_else(|| Error::not_found("administrator"))?;
        let role = change.role.unwrap_or(present.role);
        let status = change.status.unwrap_or(present.status);
        let stays = role == AdministratorRole::SuperAdmin && status == AdministratorStatus::Active;
        if !stays && supers == [id] {
            return Err(Error::refused(
                Code::LastSuperAdmin,
                "This is the only super administrator: make another one first.",
            ));
        }
        if (role, status) == (present.role, present.status) {
            return Ok(present);
        }
        if status == AdministratorStatus::Disabled {
            sessions::end_all(tx, id, now).await?;
        }
        Ok(queries::update(tx, id, role, status, now).await?)
    })
}

/// Gives the administrator with this email another password, and ends their sessions; how many. `None` where
/// there is no such administrator.
pub(crate) async fn reset_password(
    db: &Db,
    hasher: &Hasher,
    email: &Email,
    password: NewPassword,
    now: Timestamp,
) -> Result<Option<usize>> {
    let Some(administrator) = find_by_email(db, email).await? else {
        return Ok(None);
    };
    let hash = hasher.hash(password.as_password().clone()).await?;
    transaction!(db.central(), |tx| {
        queries::update_password(tx, administrator.id, hash, now).await?;
        Ok(Some(sessions::end_all(tx, administrator.id, now).await?))
    })
}
