//! The keys of one transaction of the log's writer.

use std::collections::HashMap;

use anyhow::anyhow;

use super::answer::Answer;
use super::claim::{Claim, Judged};
use super::model::{Encoding, KeyRow, Scope};
use super::queries;
use crate::db::Tx;
use crate::error::Result;

/// What is known of the keys in a batch, read once and written once. Equal keys are told in the order in
/// which they come: the first one's answer is the others'.
#[derive(Default)]
pub(crate) struct Batch {
    rows: HashMap<Scope, KeyRow>,
    fresh: Vec<Scope>,
}

impl Batch {
    /// Reads what is known of these claims' keys. Without any it costs nothing. The caller holds the locks of
    /// the logs that they are about, so nobody else is at it.
    pub(crate) async fn load(tx: &mut Tx, claims: impl Iterator<Item = &Claim>) -> Result<Self> {
        let scopes: Vec<&Scope> = claims.map(Claim::scope).collect();
        if scopes.is_empty() {
            return Ok(Self::default());
        }
        let rows = queries::list(tx, &scopes).await?;
        Ok(Self { rows: rows.into_iter().map(|row| (row.scope(), row)).collect(), fresh: Vec::new() })
    }

    /// Decides about a claim by what was read, and by those before it in the batch.
    pub(crate) fn judge(&self, claim: &Claim) -> Result<Judged> {
        claim.judge(self.rows.get(claim.scope()))
    }

    /// Keeps the answer of a claim that was found fresh.
    pub(crate) fn keep(&mut self, claim: &Claim, answer: &Answer) -> Result<()> {
        let row = claim.answered(answer, Encoding::Plain)?;
        self.rows.insert(claim.scope().clone(), row);
        self.fresh.push(claim.scope().clone());
        Ok(())
    }

    /// Whether nothing was kept.
    pub(crate) fn is_unchanged(&self) -> bool {
        self.fresh.is_empty()
    }

    /// Writes what was kept. Fails where a key was taken in between, so that all is looked at anew.
    pub(crate) async fn write(mut self, tx: &mut Tx) -> Result<()> {
        let rows: Vec<KeyRow> = self.fresh.iter().filter_map(|scope| self.rows.remove(scope)).collect();
        if rows.is_empty() {
            return Ok(());
        }
        let count = rows.len();
        if queries::put_all(tx, rows).await? != count {
            return Err(anyhow!("an idempotency key was taken while a batch with it was appended").into());
        }
        Ok(())
    }
}
