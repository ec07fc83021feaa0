//! Founding organisations, and their way in.

use crate::activity::Origin;
use crate::app::App;
use crate::db::Tx;
use crate::error::{Error, Result};
use crate::http::Page;
use crate::idempotency::{Answer, Claimed, Once};
use crate::organisations::{self, DirectoryEntry, First, Founding, Organisation, Wanted, operator};
use crate::platform::extract::Operator;
use crate::platform::wire::{
    FoundOrganisation, OrganisationFounded, OrganisationsQuery, PlatformOrganisation, SignUpCreated,
};
use crate::sign_ups::{self, SignUp};
use crate::transaction;
use crate::types::{Isolation, OrgId, ReservedId};

/// Founds an organisation without a member, and answers with it and the token for its first admin.
///
/// As where a member founds one, a key first reserves the organisation's id: an attempt that died in between is
/// taken up by the next with the same key, which finds it founded. The sign-up has that id, too, so both come to
/// one token.
pub(crate) async fn found(app: &App, by: &Operator, body: FoundOrganisation, once: &Once) -> Result<Answer> {
    let (name, terms) = body.into_terms(app.config.tenancy.isolation);
    if !app.db.offers(terms.isolation) {
        return Err(Error::invalid("isolation", "must be shared or database: SQLite has no schemas"));
    }
    let isolation = terms.isolation;
    let id = match transaction!(app.db.central(), |tx| reserve(tx, once).await)? {
        Reserved::Id(id) => id,
        Reserved::Answered(answer) => return Ok(answer),
    };
    let org = OrgId::from(id.as_uuid());
    by.note_about(org);
    let now = app.clock.now();
    let (sign_up, token) = SignUp::prepare(&app.sign_up_key, (org, id.as_uuid().into()), by.id, now);
    let created = SignUpCreated::new(&sign_up, &token);
    let founding = Founding { org, name, terms, first: First::SignUp(sign_up) };
    let organisation = organisations::service::found(app, &by.origin(org, now), &founding, None).await?;
    let organisation = PlatformOrganisation::of(organisation, isolation);
    let answer = Answer::created(&OrganisationFounded { organisation, sign_up: created })?;
    once.complete_sealed(id, answer).await
}

enum Reserved {
    /// As which it is made.
    Id(ReservedId),
    /// It was.
    Answered(Answer),
}

async fn reserve(tx: &mut Tx, once: &Once) -> Result<Reserved> {
    let fresh = match once.claim(tx).await? {
        Claimed::Fresh(fresh) => fresh,
        Claimed::Again(answer) => return Ok(Reserved::Answered(answer)),
    };
    if let Some(id) = fresh.reserved() {
        return Ok(Reserved::Id(id));
    }
    let id = ReservedId::new();
    fresh.reserve(tx, id).await?;
    Ok(Reserved::Id(id))
}

/// Gives out another token for the first admin, in the place of the one before. Fails with `already_signed_up`.
///
/// A key first reserves the sign-up's id, so that all attempts with it open one sign-up with one token.
pub(crate) async fn reissue(app: &App, by: &Operator, org: OrgId, once: &Once) -> Result<Answer> {
    load_entry(app, org).await?;
    let id = match transaction!(app.db.central(), |tx| reserve(tx, once).await)? {
        Reserved::Id(id) => id,
        Reserved::Answered(answer) => return Ok(answer),
    };
    let ids = (org, id.as_uuid().into());
    let (sign_up, token) = SignUp::prepare(&app.sign_up_key, ids, by.id, app.clock.now());
    transaction!(app.db.org(org), |tx| {
        organisations::service::lock_settings(tx, org).await?;
        sign_ups::service::open(tx, &sign_up).await
    })?;
    once.complete_sealed(id, Answer::created(&SignUpCreated::new(&sign_up, &token))?).await
}

/// A page of organisations as the directory has them.
pub(crate) async fn list(app: &App, query: OrganisationsQuery) -> Result<Page<DirectoryEntry>> {
    let OrganisationsQuery { search, plan, status, isolation, after, limit } = query;
    let text = search.as_ref().map(crate::platform::wire::Search::as_str);
    let wanted = Wanted::new(text, plan, status, isolation);
    let entries = operator::search(app, &wanted, after.unwrap_or(OrgId::NIL), limit + 1).await?;
    Ok(Page::new(entries, limit, |entry| entry.id.to_string()))
}

/// An organisation as its own store has it.
pub(crate) async fn load(app: &App, org: OrgId) -> Result<(Organisation, Isolation)> {
    let entry = load_entry(app, org).await?;
    let found = organisations::service::find(app, org).await?;
    Ok((found.ok_or_else(|| Error::not_found("organisation"))?, entry.isolation))
}

async fn load_entry(app: &App, org: OrgId) -> Result<DirectoryEntry> {
    let entry = organisations::service::find_entry(app, org).await?;
    entry.ok_or_else(|| Error::not_found("organisation"))
}

/// Does something to an organisation that exists, and tells how it then is.
pub(crate) async fn with_existing(
    app: &App,
    origin: Origin,
    work: impl AsyncFnOnce(&Origin) -> Result<Organisation>,
) -> Result<PlatformOrganisation> {
    let isolation = load_entry(app, origin.org).await?.isolation;
    Ok(PlatformOrganisation::of(work(&origin).await?, isolation))
}
