//! The record of what the platform's administrators ask for.
//!
//! Every request carries a [`Note`], which costs nothing unless an administrator is identified in it. What may
//! change something is entered before it begins, without an outcome, and fails where that cannot be stored; every
//! request is entered as it ended. What was only read is not told where that cannot be stored.
//!
//! What is nobody's of the platform is entered up to a bound, so that nobody else fills the directory: failed
//! sign-ins, for emails that are an administrator's and for all others alike, and names of foreign organisations.

use std::sync::Arc;

use axum::extract::{MatchedPath, Request};
use axum::http::request::Parts;
use axum::http::{Method, StatusCode};
use axum::response::Response;
use parking_lot::Mutex;

use super::model::{Administrator, AdministratorRole, AuditEntry};
use super::queries;
use crate::app::App;
use crate::error::{Answered, Error, LogFailure as _, Result};
use crate::http::meter::GenuineAdministrator;
use crate::http::tenant::Selector;
use crate::http::{ClientInfo, request_id};
use crate::limits::{Limits, Outsider};
use crate::transaction;
use crate::types::{AdministratorId, AuditId, Email, OrgId};

/// What is noted of one request, for its entries. Clones are of the same one.
#[derive(Debug, Clone, Default)]
pub(crate) struct Note(Arc<Mutex<Noted>>);

#[derive(Debug, Default)]
struct Noted {
    who: Who,
    org: Option<OrgId>,
    /// The organisation that the credential is for, where another was named.
    mismatch: Option<OrgId>,
}

/// Who asks.
#[derive(Debug, Default)]
enum Who {
    /// Nobody of the platform.
    #[default]
    Nobody,
    /// Somebody who says that they are the administrator with this email, and the one who is meant, if any.
    Claimed(Email, Option<(AdministratorId, AdministratorRole)>),
    /// An administrator.
    Known(AdministratorId, Email, AdministratorRole),
}

/// Which request it is.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) method: Method,
    /// The route, as the document has it.
    pub(crate) route: String,
    pub(crate) path: String,
    pub(crate) client: ClientInfo,
}

impl Asked {
    /// What a request with these parts is.
    pub(crate) fn of(parts: &Parts) -> Self {
        let route = parts.extensions.get::<MatchedPath>().map_or("unmatched", MatchedPath::as_str);
        Self {
            method: parts.method.clone(),
            route: below_the_prefix(route).to_owned(),
            path: below_the_prefix(parts.uri.path()).to_owned(),
            client: ClientInfo::of(parts),
        }
    }
}

/// A path of the API without the prefix under which that is mounted.
pub(crate) fn below_the_prefix(path: &str) -> &str {
    let below = path.strip_prefix("/api/v1").or_else(|| path.strip_prefix("/api"));
    below.filter(|below| below.starts_with('/')).unwrap_or(path)
}

/// Whether a request may come into the audit.
pub(crate) fn is_audited(request: &Request) -> bool {
    let path = below_the_prefix(request.uri().path());
    request.extensions().get::<GenuineAdministrator>().is_some()
        || Selector::is_in(request.headers())
        || path.starts_with("/platform/")
        || path == "/orgs"
}

impl Note {
    /// An administrator asks.
    pub(crate) fn identify(&self, administrator: &Administrator) {
        let Administrator { id, email, role, .. } = administrator;
        self.0.lock().who = Who::Known(*id, email.clone(), *role);
    }

    /// Somebody says that they are the administrator with this email, who may not exist.
    pub(crate) fn claim(&self, email: &Email, administrator: Option<&Administrator>) {
        let meant = administrator.map(|administrator| (administrator.id, administrator.role));
        self.0.lock().who = Who::Claimed(email.clone(), meant);
    }

    /// It is about this organisation.
    pub(crate) fn about(&self, org: OrgId) {
        self.0.lock().org = Some(org);
    }

    /// Somebody named another organisation than this one, which their credential is for.
    pub(crate) fn mismatch(&self, own: OrgId) {
        let mut noted = self.0.lock();
        noted.mismatch = Some(own);
        noted.org = noted.org.or(Some(own));
    }

    /// Whether the request is to be entered.
    fn is_entered(&self, limits: &Limits) -> bool {
        let noted = self.0.lock();
        match (&noted.who, noted.mismatch) {
            (Who::Known(..), _) => true,
            (Who::Claimed(email, _), _) => limits.enters(Outsider::Tried(email)),
            (Who::Nobody, Some(own)) => limits.enters(Outsider::Mismatched(own)),
            (Who::Nobody, None) => false,
        }
    }

    /// Enters that the request begins, where it may change something.
    pub(crate) async fn begin(&self, app: &App, asked: &Asked) -> Result<()> {
        if matches!(asked.method, Method::GET | Method::HEAD) {
            return Ok(());
        }
        enter(app, self.entry(app, asked, None, None)).await
    }

    /// Enters how the request ended, and returns what is answered.
    pub(crate) async fn end(&self, app: &App, asked: &Asked, response: Response) -> Response {
        if !self.is_entered(&app.limits) {
            return response;
        }
        let code = response.extensions().get::<Answered>().map(|answered| answered.0.as_str().to_owned());
        let entry = self.entry(app, asked, Some(response.status()), code);
        match enter(app, entry).await {
            Ok(()) => response,
            // It has happened, and its beginning is entered.
            Err(error) if !matches!(asked.method, Method::GET | Method::HEAD) => {
                Err::<(), _>(error).log_failure("enter in the audit how an administrator's call ended");
                response
            }
            Err(error) => axum::response::IntoResponse::into_response(error),
        }
    }

    fn entry(
        &self,
        app: &App,
        asked: &Asked,
        status: Option<StatusCode>,
        code: Option<String>,
    ) -> AuditEntry {
        let noted = self.0.lock();
        let (id, email, role) = match &noted.who {
            Who::Nobody => (None, None, None),
            Who::Claimed(email, meant) => {
                (meant.map(|(id, _)| id), Some(email.clone()), meant.map(|(_, role)| role))
            }
            Who::Known(id, email, role) => (Some(*id), Some(email.clone()), Some(*role)),
        };
        let call = format!("{} {}", asked.method, asked.route);
        AuditEntry {
            id: AuditId::new(),
            created_at: app.clock.now(),
            administrator_id: id,
            administrator_email: email,
            role,
            action: if noted.mismatch.is_some() { "tenant_mismatch".to_owned() } else { call },
            org_id: noted.org,
            method: asked.method.to_string(),
            path: asked.path.clone(),
            status: status.map(|status| status.as_u16().into()),
            code,
            ip: asked.client.ip.clone(),
            user_agent: asked.client.user_agent.clone(),
            request_id: request_id::current().unwrap_or_default(),
        }
    }
}

async fn enter(app: &App, entry: AuditEntry) -> Result<(), Error> {
    transaction!(app.db.central(), |tx| Ok(queries::audit::insert(tx, &entry).await?))
}
