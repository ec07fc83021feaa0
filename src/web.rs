//! The web demo: the page at `/`, its files, and which paths are its own.
//!
//! `npm run build` leaves the page in `web-demo/dist`, each file beside its compressed forms, and a release
//! carries all of it (a build for development reads the folder at its start). Without Node.js there is no
//! page, and `/` says how to build it.
//!
//! A path of the page that is no file is answered with the page itself, which then shows what belongs there.
//! Those paths are named one by one: whatever else is not there stays a 404.

mod file;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use axum::Router;
use axum::extract::Path;
use axum::http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use bytes::Bytes;
use rust_embed::Embed;

use self::file::File;
use crate::error::{Code, Error};

/// What is shown in the page, one path each. `web-demo/src/paths.ts` has the same list.
const VIEWS: [&str; 9] = [
    "/sign-up",
    "/sign-in",
    "/invite",
    "/live",
    "/feed",
    "/members",
    "/organisation",
    "/broadcast",
    "/messages",
];

/// The page itself, among its files.
const PAGE: &str = "index.html";

/// Files whose names hold a hash of what is in them: they never change.
const HASHED: &str = "assets/";

/// The page runs and loads its own files alone, has no script or style inside, and calls this hub alone. Its
/// pictures may stand in its styles.
const PAGE_POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; \
     connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
);

/// It asks for no device and no place.
const PERMISSIONS: HeaderValue = HeaderValue::from_static("camera=(), geolocation=(), microphone=()");

const PERMISSIONS_POLICY: HeaderName = HeaderName::from_static("permissions-policy");

/// No page of elsewhere keeps a hold of its window.
const OPENER: HeaderValue = HeaderValue::from_static("same-origin");

const OPENER_POLICY: HeaderName = HeaderName::from_static("cross-origin-opener-policy");

/// What `npm run build` made, where it has run.
#[derive(Embed)]
#[folder = "web-demo/dist"]
#[allow_missing = true]
struct Dist;

/// Where there is no page: how to get it.
const UNBUILT: &str = include_str!("web/unbuilt.html");

/// Its files. They are the program's, so every hub in this process has the same.
static FILES: LazyLock<Files> = LazyLock::new(|| {
    file::gather(Dist::iter().filter_map(|path| {
        let bytes = match Dist::get(&path)?.data {
            Cow::Borrowed(bytes) => Bytes::from_static(bytes),
            Cow::Owned(bytes) => bytes.into(),
        };
        Some((path.into_owned(), bytes))
    }))
});

/// By their paths in the folder.
type Files = BTreeMap<String, Arc<File>>;

/// The page and all it loads.
pub fn routes<S: Clone + Send + Sync + 'static>() -> Router<S> {
    serve(FILES.clone())
}

/// Serves these files.
fn serve<S: Clone + Send + Sync + 'static>(mut files: Files) -> Router<S> {
    let Some(page) = files.remove(PAGE) else {
        return Router::new().route("/", get(async || html(UNBUILT)));
    };
    let mut router = at(Router::new(), "/", &page);
    for view in VIEWS {
        router = at(router, view, &page);
    }
    let (hashed, plain): (Files, Files) = files.into_iter().partition(|(path, _)| path.starts_with(HASHED));
    for (path, file) in &plain {
        router = at(router, &format!("/{path}"), file);
    }
    let hashed = Arc::new(hashed);
    let asset = async move |Path(name): Path<String>, headers: HeaderMap| match hashed
        .get(&format!("{HASHED}{name}"))
    {
        Some(file) => file.answer(&headers),
        None => Error::refused(Code::NotFound, "There is no such path.").into_response(),
    };
    router.route("/assets/{file}", get(asset))
}

fn at<S: Clone + Send + Sync + 'static>(router: Router<S>, path: &str, file: &Arc<File>) -> Router<S> {
    let file = Arc::clone(file);
    router.route(path, get(async move |headers: HeaderMap| file.answer(&headers)))
}

/// A page of ours that needs nothing else.
fn html(text: &'static str) -> Response {
    let headers = [(CONTENT_TYPE, "text/html; charset=utf-8")];
    (headers, text).into_response()
}

/// What browsers are told of the page.
fn page_headers() -> [(HeaderName, HeaderValue); 3] {
    [(CONTENT_SECURITY_POLICY, PAGE_POLICY), (PERMISSIONS_POLICY, PERMISSIONS), (OPENER_POLICY, OPENER)]
}

#[cfg(test)]
mod tests;
