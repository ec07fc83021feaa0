//! New epochs for logs: after a restore, which cannot be seen from inside.

use super::queries;
use crate::db::Db;
use crate::error::Result;
use crate::transaction;
use crate::types::{EpochId, OrgId};

/// Gives these logs new epochs, beside hubs that may be running: their sweep sees it, and closes the
/// sockets on those logs. Returns how many there are.
pub async fn renew_epochs(db: &Db, orgs: &[OrgId]) -> Result<usize> {
    let mut renewed = transaction!(db.orgs(orgs.to_vec()), |tx| {
        // In the order of the group-commit writer, and like it past those that somebody holds.
        let heads = queries::LockHeads(orgs).run(tx).await?;
        for head in &heads {
            queries::replace_epoch(tx, head.org_id, head.epoch, EpochId::new()).await?;
        }
        Ok(heads.iter().map(|head| head.org_id).collect::<Vec<_>>())
    })?;
    for org in orgs {
        if !renewed.contains(org) && renew_alone(db, *org).await? {
            renewed.push(*org);
        }
    }
    Ok(renewed.len())
}

/// Waits for whoever holds the log's head. False where there is no such log.
async fn renew_alone(db: &Db, org: OrgId) -> Result<bool> {
    transaction!(db.org(org), |tx| {
        let Some(head) = queries::lock_head(tx, org).await? else { return Ok(false) };
        queries::replace_epoch(tx, org, head.epoch, EpochId::new()).await?;
        Ok(true)
    })
}
