//! `X-Org-Id` and `X-Tenant`: which organisation a request is about, for whoever may choose.
//!
//! A member's token says it already: then they may only say the same, and anything else is refused in the same
//! way, whether it is another's, unknown or no name at all.

use axum::http::{Extensions, HeaderMap, HeaderName};

use crate::app::App;
use crate::error::{Code, Error, Result};
use crate::organisations;
use crate::platform::Note;
use crate::types::{OrgId, Slug};

/// The organisation by its id.
pub(super) const BY_ID: HeaderName = HeaderName::from_static("x-org-id");

/// The organisation by its slug.
pub(super) const BY_SLUG: HeaderName = HeaderName::from_static("x-tenant");

/// What a request names.
#[derive(Debug, Default)]
pub(crate) struct Selector {
    id: Option<OrgId>,
    slug: Option<Slug>,
}

impl Selector {
    /// Whether a request names an organisation at all.
    pub(crate) fn is_in(headers: &HeaderMap) -> bool {
        headers.contains_key(BY_ID) || headers.contains_key(BY_SLUG)
    }

    /// What is named, if anything; `Err` where it is no name, or two.
    fn of(headers: &HeaderMap) -> std::result::Result<Option<Self>, ()> {
        if !Self::is_in(headers) {
            return Ok(None);
        }
        let id = single(headers, BY_ID)?.map(|text| text.parse().map_err(|_| ())).transpose()?;
        let slug = single(headers, BY_SLUG)?;
        let slug = slug.map(|text| Slug::try_from(text.to_owned()).map_err(|_| ())).transpose()?;
        Ok(Some(Self { id, slug }))
    }

    /// The organisation that is named, if it exists and is the same by all that names it.
    async fn resolve(self, app: &App) -> Result<Option<OrgId>> {
        let Self { id, slug } = self;
        let entry = match (id, &slug) {
            (Some(id), _) => organisations::service::find_entry(app, id).await?,
            (None, Some(slug)) => organisations::service::find_entry_by_slug(app, slug).await?,
            (None, None) => None,
        };
        Ok(entry.filter(|entry| slug.is_none_or(|slug| slug == entry.slug)).map(|entry| entry.id))
    }
}

/// The one value of a header, as text.
fn single(headers: &HeaderMap, name: HeaderName) -> std::result::Result<Option<&str>, ()> {
    let mut values = headers.get_all(name).iter();
    let value = values.next().map(|value| value.to_str().map_err(|_| ())).transpose()?;
    if values.next().is_some() { Err(()) } else { Ok(value) }
}

/// Refuses with `tenant_mismatch` where a request names another organisation than its credential is for.
pub(crate) async fn require_own(
    app: &App,
    headers: &HeaderMap,
    extensions: &Extensions,
    own: OrgId,
) -> Result<()> {
    let is_own = match Selector::of(headers) {
        Ok(None) => return Ok(()),
        // The directory need not be asked for what the token says.
        Ok(Some(Selector { id: Some(id), slug: None })) => id == own,
        Ok(Some(Selector { id: Some(id), .. })) if id != own => false,
        Ok(Some(selector)) => selector.resolve(app).await? == Some(own),
        Err(()) => false,
    };
    if is_own {
        return Ok(());
    }
    if let Some(note) = extensions.get::<Note>() {
        note.mismatch(own);
    }
    Err(Error::refused(
        Code::TenantMismatch,
        "X-Org-Id or X-Tenant names another organisation than the token is for: leave it out, or switch.",
    ))
}

/// The organisation that a platform administrator's request is about. Fails with `not_found` where there is none
/// such, and with `token_invalid` where none is named.
pub(crate) async fn load_named(app: &App, headers: &HeaderMap) -> Result<OrgId> {
    match Selector::of(headers) {
        Ok(Some(selector)) => selector.resolve(app).await?.ok_or_else(|| Error::not_found("organisation")),
        Ok(None) => Err(Error::refused(
            Code::TokenInvalid,
            "This is an administrator's token: say with X-Org-Id or X-Tenant for which organisation you act.",
        )),
        Err(()) => Err(Error::not_found("organisation")),
    }
}
