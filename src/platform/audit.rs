//! The record of what the platform's administrators ask for.
//!
//! Every request carries a [`Note`], which costs nothing unless an administrator is identified in it. What may
//! change something is entered before it begins, without an outcome, and fails where that cannot be stored; every
//! request is entered as it ended. What was only read is not told where that cannot be stored.

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
use crate::transaction;
use crate::types::{AdministratorId, AuditId, Email, OrgId};

/// What is noted of one request, for its entries. Clones are of the same one.
#[derive(Debug, Clone, Default)]
pub(crate) struct Note(Arc<Mutex<Noted>>);

#[derive(Debug, Default)]
struct Noted {
    administrator: Option<(AdministratorId, Email, AdministratorRole)>,
    org: Option<OrgId>,
    mismatch: bool,
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
        self.0.lock().administrator = Some((*id, email.clone(), *role));
    }

    /// It is about this organisation.
    pub(crate) fn about(&self, org: OrgId) {
        self.0.lock().org = Some(org);
    }

    /// Somebody named another organisation than their credential is for: that is entered whoever it was.
    pub(crate) fn mismatch(&self, own: Option<OrgId>) {
        let mut noted = self.0.lock();
        noted.mismatch = true;
        noted.org = noted.org.or(own);
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
        let is_noted = {
            let noted = self.0.lock();
            noted.administrator.is_some() || noted.mismatch
        };
        if !is_noted {
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
        let (id, email, role) = match &noted.administrator {
            Some((id, email, role)) => (Some(*id), Some(email.clone()), Some(*role)),
            None => (None, None, None),
        };
        let call = format!("{} {}", asked.method, asked.route);
        AuditEntry {
            id: AuditId::new(),
            created_at: app.clock.now(),
            administrator_id: id,
            administrator_email: email,
            role,
            action: if noted.mismatch { "tenant_mismatch".to_owned() } else { call },
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
