//! One request that is done once: from its key to the answer that is kept.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use parking_lot::Mutex;

use super::answer::Answer;
use super::claim::{Claim, Judged, RequestHash, in_progress, key_reused};
use super::extract::KeyedRequest;
use super::model::{Encoding, KeyRow, Scope};
use super::queries;
use super::seal::SealKeys;
use crate::app::App;
use crate::db::{self, Db, Tx};
use crate::error::{LogFailure as _, Result};
use crate::http::Member;
use crate::types::{AdministratorId, ReservedId};
use crate::{read, transaction};

/// What this node needs for keys: those that seal answers, and which requests are running.
#[derive(Debug, Clone)]
pub struct Idempotency {
    seals: SealKeys,
    running: Arc<Mutex<HashMap<Scope, RequestHash>>>,
}

impl Idempotency {
    /// Nothing runs yet.
    pub fn new(seals: SealKeys) -> Self {
        Self { seals, running: Arc::default() }
    }

    /// Notes that a request runs. Fails with `idempotency_in_progress`, or with `idempotency_key_reused`
    /// where the one that runs has another body.
    fn enter(&self, claim: &Claim) -> Result<Running> {
        match self.running.lock().entry(claim.scope().clone()) {
            Entry::Occupied(entry) if entry.get() == claim.request_hash() => Err(in_progress()),
            Entry::Occupied(_) => Err(key_reused()),
            Entry::Vacant(entry) => {
                entry.insert(*claim.request_hash());
                Ok(Running { of: Arc::clone(&self.running), scope: claim.scope().clone() })
            }
        }
    }
}

/// A request that runs on this node, until this is dropped, however it ends.
struct Running {
    of: Arc<Mutex<HashMap<Scope, RequestHash>>>,
    scope: Scope,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.of.lock().remove(&self.scope);
    }
}

/// A request that may carry a key, from when it is let in until it is answered. Without a key everything
/// here does nothing, which is also what the default is.
#[derive(Default)]
pub struct Once(Option<Attempt>);

struct Attempt {
    claim: Claim,
    db: Db,
    _running: Running,
}

/// What is to be done in the transaction of the effect.
pub enum Claimed<'a> {
    /// The effect: nobody has done it.
    Fresh(Fresh<'a>),
    /// Nothing: it was done, and this was answered.
    Again(Answer),
}

/// Leave to do it, which is used up by keeping the answer.
pub struct Fresh<'a> {
    claim: Option<&'a Claim>,
    reserved: Option<ReservedId>,
}

impl Once {
    /// Lets a member's request in. Fails with `idempotency_in_progress` or `idempotency_key_reused` where
    /// another with its key is running on this node.
    pub fn begin(app: &App, member: &Member, request: Option<KeyedRequest>) -> Result<Self> {
        let Some(KeyedRequest { method, path, key, hash }) = request else {
            return Ok(Self(None));
        };
        let scope = Scope { org: member.org, user: member.user, method, path, key };
        Self::enter(app, scope, hash)
    }

    /// Lets a platform administrator's request in, in the same way. What it does is done in the directory, or
    /// follows from what is reserved there.
    pub(crate) fn begin_as_administrator(
        app: &App,
        administrator: AdministratorId,
        request: Option<KeyedRequest>,
    ) -> Result<Self> {
        let Some(KeyedRequest { method, path, key, hash }) = request else {
            return Ok(Self(None));
        };
        let scope = Scope::of_administrator(administrator, method, path, key);
        Self::enter(app, scope, hash)
    }

    fn enter(app: &App, scope: Scope, hash: RequestHash) -> Result<Self> {
        let claim = Claim::hashed(scope, hash, app.clock.now(), app.idempotency.seals.clone());
        let running = app.idempotency.enter(&claim)?;
        Ok(Self(Some(Attempt { claim, db: app.db.clone(), _running: running })))
    }

    /// Looks the key up in the transaction of the effect. To be asked after the lock under which the effect
    /// is decided, so that of two nodes the second waits and then finds what the first one kept. Fails with
    /// `idempotency_key_reused` or `idempotency_answer_lost`.
    pub async fn claim(&self, tx: &mut Tx) -> Result<Claimed<'_>> {
        let Some(Attempt { claim, .. }) = &self.0 else {
            return Ok(Claimed::Fresh(Fresh { claim: None, reserved: None }));
        };
        Ok(match look_up(tx, claim).await? {
            Judged::Fresh(reserved) => Claimed::Fresh(Fresh { claim: Some(claim), reserved }),
            Judged::Again(answer) => Claimed::Again(answer),
        })
    }

    /// The answer, where this was done before: asked ahead of what is done in another store, and no promise.
    pub async fn answered(&self) -> Result<Option<Answer>> {
        let Some(attempt) = &self.0 else { return Ok(None) };
        let claim = &attempt.claim;
        let row = read!(attempt.store(), |conn| Ok(queries::find(conn, claim.scope()).await?))?;
        Ok(match claim.judge(row.as_ref())? {
            Judged::Again(answer) => Some(answer),
            Judged::Fresh(_) => None,
        })
    }

    /// The claim, for the log's writer, which looks it up and keeps the answer.
    pub fn to_claim(&self) -> Option<Claim> {
        self.0.as_ref().map(|attempt| attempt.claim.clone())
    }

    /// Keeps the answer to what was done elsewhere under a reserved id, in a transaction of its own. Where
    /// another node was quicker, its answer is the answer.
    pub async fn complete(&self, id: ReservedId, answer: Answer) -> Result<Answer> {
        self.complete_as(id, answer, Encoding::Plain).await
    }

    /// The same for an answer that holds a secret: it is stored encrypted.
    pub async fn complete_sealed(&self, id: ReservedId, answer: Answer) -> Result<Answer> {
        self.complete_as(id, answer, Encoding::Sealed).await
    }

    async fn complete_as(&self, id: ReservedId, answer: Answer, encoding: Encoding) -> Result<Answer> {
        let Some(attempt) = &self.0 else {
            return Ok(answer);
        };
        let claim = &attempt.claim;
        let mut row = claim.answered(&answer, encoding)?;
        row.reserved_id = Some(id);
        transaction!(attempt.store(), |tx| {
            if queries::put(tx, &row).await? {
                return Ok(answer);
            }
            match look_up(tx, claim).await? {
                Judged::Again(first) => Ok(first),
                Judged::Fresh(_) => Err(in_progress()),
            }
        })
    }

    /// Ends the request: keeps a refusal that is a decision. The transaction that decided it is gone, so this
    /// is one of its own, and whatever stands there by then is the answer.
    pub async fn finish(self, outcome: Result<Answer>) -> Result<Answer> {
        let (Some(attempt), Err(error)) = (&self.0, &outcome) else {
            return outcome;
        };
        let Some(refusal) = Answer::refusal(error)? else {
            return outcome;
        };
        match attempt.keep_refusal(&refusal).await {
            Ok(Some(first)) => Ok(first),
            Ok(None) => outcome,
            Err(error) => {
                // Nothing has happened, so it may be asked again.
                Err::<(), _>(error).log_failure("keep the refusal of a request with an idempotency key");
                outcome
            }
        }
    }
}

impl Attempt {
    /// Where its key stands.
    fn store(&self) -> db::Scope {
        let scope = self.claim.scope();
        if scope.is_of_administrator() { self.db.central() } else { self.db.org(scope.org) }
    }

    /// Keeps a refusal, or returns the answer that was there before it. Where an id is reserved, the effect
    /// may be under way on another node: nothing is kept then.
    async fn keep_refusal(&self, refusal: &Answer) -> Result<Option<Answer>> {
        let claim = &self.claim;
        let row = claim.answered(refusal, Encoding::Plain)?;
        transaction!(self.store(), |tx| {
            if queries::put(tx, &row).await? {
                return Ok(None);
            }
            match look_up(tx, claim).await? {
                Judged::Again(first) => Ok(Some(first)),
                Judged::Fresh(_) => Ok(None),
            }
        })
    }
}

impl Fresh<'_> {
    /// The id that an attempt has reserved which never ended.
    pub fn reserved(&self) -> Option<ReservedId> {
        self.reserved
    }

    /// Keeps the answer, in the transaction of the effect. Fails with `idempotency_in_progress` where another
    /// node has just kept one; what this transaction did is then rolled back.
    pub async fn keep(self, tx: &mut Tx, answer: Answer) -> Result<Answer> {
        self.write(tx, answer, Encoding::Plain).await
    }

    /// The same for an answer that holds a secret: it is stored encrypted.
    pub async fn keep_sealed(self, tx: &mut Tx, answer: Answer) -> Result<Answer> {
        self.write(tx, answer, Encoding::Sealed).await
    }

    async fn write(self, tx: &mut Tx, answer: Answer, encoding: Encoding) -> Result<Answer> {
        if let Some(claim) = self.claim {
            put(tx, &claim.answered(&answer, encoding)?).await?;
        }
        Ok(answer)
    }

    /// Reserves an id for what will be made in another store. [`Once::complete`] follows when it is.
    pub async fn reserve(self, tx: &mut Tx, id: ReservedId) -> Result<()> {
        if let Some(claim) = self.claim {
            put(tx, &claim.reserving(Some(id))).await?;
        }
        Ok(())
    }
}

async fn look_up(tx: &mut Tx, claim: &Claim) -> Result<Judged> {
    claim.judge(queries::find(tx, claim.scope()).await?.as_ref())
}

async fn put(tx: &mut Tx, row: &KeyRow) -> Result<()> {
    if queries::put(tx, row).await? { Ok(()) } else { Err(in_progress()) }
}
