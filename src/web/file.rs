//! A file of the page: its forms (as it is, compressed), and the answer to somebody who asks for it.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::http::header::{
    ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, ETAG, IF_NONE_MATCH, VARY,
};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use sha2::{Digest as _, Sha256};

use super::{Files, HASHED, PAGE};

/// How a file may be encoded, best first, and how its name then ends.
const ENCODINGS: [(&str, &str); 2] = [("br", ".br"), ("gzip", ".gz")];

/// Nobody needs to ask again.
const FOR_EVER: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");

/// May be kept, and is asked for again each time.
const ASK_AGAIN: HeaderValue = HeaderValue::from_static("no-cache");

/// A file that the page consists of.
pub(super) struct File {
    content_type: HeaderValue,
    cache: HeaderValue,
    /// Whether it is the page itself, whose headers say what it may do.
    is_page: bool,
    /// Best first; the last is the file as it is.
    forms: Vec<Form>,
}

/// One encoding of a file.
struct Form {
    /// None as it is.
    encoding: Option<&'static str>,
    etag: HeaderValue,
    bytes: Bytes,
}

/// Puts the forms of each file together, by its path.
pub(super) fn gather(files: impl Iterator<Item = (String, Bytes)>) -> Files {
    let files: BTreeMap<String, Bytes> = files.collect();
    let is_form = |path: &str| {
        ENCODINGS.iter().any(|(_, ending)| path.strip_suffix(ending).is_some_and(|of| files.contains_key(of)))
    };
    // What begins with a dot is the folder's own.
    let own = |path: &&String| !is_form(path) && !path.starts_with('.');
    let file = |path: &String| (path.clone(), Arc::new(File::new(path, &files)));
    files.keys().filter(own).map(file).collect()
}

impl File {
    fn new(path: &str, files: &BTreeMap<String, Bytes>) -> Self {
        let compressed = ENCODINGS.iter().filter_map(|(encoding, ending)| {
            Some(Form::new(Some(encoding), files.get(&format!("{path}{ending}"))?))
        });
        let forms = compressed.chain(files.get(path).map(|bytes| Form::new(None, bytes))).collect();
        Self {
            content_type: content_type(path),
            cache: if path.starts_with(HASHED) { FOR_EVER } else { ASK_AGAIN },
            is_page: path == PAGE,
            forms,
        }
    }

    /// The best form that the caller takes; 304 where they have it.
    pub(super) fn answer(&self, headers: &HeaderMap) -> Response {
        let accepted = headers.get_all(ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
        let accepted: Vec<&str> = accepted.flat_map(|value| value.split(',')).collect();
        let fits = |form: &&Form| form.encoding.is_none_or(|encoding| accepts(&accepted, encoding));
        let Some(form) = self.forms.iter().find(fits) else {
            return StatusCode::NOT_FOUND.into_response();
        };
        let known = headers.get_all(IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
        let mut response = if known.flat_map(|value| value.split(',')).any(|tag| form.is(tag)) {
            StatusCode::NOT_MODIFIED.into_response()
        } else {
            let mut response = form.bytes.clone().into_response();
            response.headers_mut().insert(CONTENT_TYPE, self.content_type.clone());
            if let Some(encoding) = form.encoding {
                response.headers_mut().insert(CONTENT_ENCODING, HeaderValue::from_static(encoding));
            }
            response
        };
        let told = response.headers_mut();
        told.insert(CACHE_CONTROL, self.cache.clone());
        told.insert(ETAG, form.etag.clone());
        told.insert(VARY, HeaderValue::from_static("accept-encoding"));
        if self.is_page {
            told.extend(super::page_headers());
        }
        response
    }
}

impl Form {
    fn new(encoding: Option<&'static str>, bytes: &Bytes) -> Self {
        // A tag stands for the very bytes, so each form has its own.
        let tag = format!("\"{}\"", URL_SAFE_NO_PAD.encode(Sha256::digest(bytes)));
        let etag = HeaderValue::try_from(tag).expect("base64 in quotes is a header's value");
        Self { encoding, etag, bytes: bytes.clone() }
    }

    /// Whether a tag of `If-None-Match` is this form's. A proxy may have weakened it.
    fn is(&self, tag: &str) -> bool {
        let tag = tag.trim();
        tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == self.etag
    }
}

/// Whether one who sent this list of `Accept-Encoding` takes this encoding (RFC 9110, section 12.5.3).
fn accepts(accepted: &[&str], encoding: &str) -> bool {
    let weight = |name: &str| {
        accepted.iter().find_map(|item| {
            let (item, parameter) = item.split_once(';').unwrap_or((item, ""));
            let is_named = item.trim().eq_ignore_ascii_case(name);
            let weight = parameter.trim().strip_prefix("q=").and_then(|weight| weight.parse::<f32>().ok());
            is_named.then_some(weight.unwrap_or(1.0))
        })
    };
    weight(encoding).or_else(|| weight("*")).is_some_and(|weight| weight > 0.0)
}

/// By the ending of the name. `nosniff` is on, so a browser believes it.
fn content_type(path: &str) -> HeaderValue {
    let ending = path.rsplit_once('.').map_or("", |(_, ending)| ending);
    HeaderValue::from_static(match ending {
        "html" => "text/html; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "woff2" => "font/woff2",
        "webmanifest" => "application/manifest+json",
        "json" => "application/json",
        "txt" => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    })
}
