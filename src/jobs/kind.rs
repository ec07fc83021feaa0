//! What the runner has to know of a kind of jobs.

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use tokio::time::Instant;

use super::model::Job;
use super::service;
use crate::app::App;
use crate::db::Tx;
use crate::error::Result;
use crate::types::Timestamp;

/// What is left to do of claimed jobs once their claim is committed, to be over by that moment: from then on
/// somebody else may have them. Where it fails, each is tried again later.
pub type Work = Box<dyn FnOnce(App, Instant) -> BoxFuture<'static, Result<()>> + Send>;

/// How many jobs of a kind a node runs.
#[derive(Debug, Clone, Copy)]
pub struct KindLimits {
    /// Claimed in one go.
    pub batch: usize,
    /// Of one organisation at a time.
    pub per_org: usize,
    /// Of all at a time. No kind takes the room of another, however long what it waits for takes.
    pub at_once: usize,
    /// Of one organisation a second; `None` is no limit.
    pub per_second: Option<u32>,
}

/// Whether jobs are done for an organisation that is suspended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WhileSuspended {
    /// They are: they end what has begun.
    Done,
    /// They wait until it is open again.
    Deferred,
}

/// A kind of jobs.
pub trait Kind: Send + Sync + 'static {
    /// Its name in the table, which never changes.
    fn name(&self) -> &'static str;

    /// How many of them run.
    fn limits(&self) -> KindLimits;

    /// Whether they are done for an organisation that is suspended.
    fn while_suspended(&self) -> WhileSuspended;

    /// Begins these jobs of one organisation, in the transaction that claims them, and says what is then to be
    /// done. That ends each job in a transaction of its own: with `complete` or
    /// `retry`. It may come again at any time.
    fn begin<'a>(
        &'a self,
        app: &'a App,
        tx: &'a mut Tx,
        jobs: Vec<Job>,
        now: Timestamp,
    ) -> BoxFuture<'a, Result<Work>>;

    /// Ends these jobs of one organisation, whose last attempt failed or never came to an end: they are held, and
    /// nobody begins them again. Unless the kind knows better they are dead, which an admin sees. Among the last
    /// statements of its transaction.
    fn give_up<'a>(
        &'a self,
        _app: &'a App,
        tx: &'a mut Tx,
        jobs: Vec<Job>,
        why: &'a str,
        now: Timestamp,
    ) -> BoxFuture<'a, Result<()>> {
        async move {
            for job in &jobs {
                service::bury(tx, job, why, now).await?;
            }
            Ok(())
        }
        .boxed()
    }
}
