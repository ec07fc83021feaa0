//! Who calls the API, and what comes back.

use std::pin::Pin;
use std::time::Duration;

use reqwest::{Method, RequestBuilder, header};
use serde_json::Value;

/// Somebody who calls the API, signed in or not.
#[derive(Clone)]
pub(crate) struct Caller {
    http: reqwest::Client,
    base: String,
    token: Option<String>,
}

impl Caller {
    pub(super) fn new(http: reqwest::Client, base: String, token: Option<String>) -> Self {
        Self { http, base, token }
    }

    pub(crate) fn get(&self, path: impl AsRef<str>) -> Call {
        self.api(Method::GET, path)
    }

    pub(crate) fn post(&self, path: impl AsRef<str>) -> Call {
        self.api(Method::POST, path)
    }

    pub(crate) fn patch(&self, path: impl AsRef<str>) -> Call {
        self.api(Method::PATCH, path)
    }

    pub(crate) fn delete(&self, path: impl AsRef<str>) -> Call {
        self.api(Method::DELETE, path)
    }

    /// A call of the API.
    pub(crate) fn api(&self, method: Method, path: impl AsRef<str>) -> Call {
        self.at(method, format!("/api/v1{}", path.as_ref()))
    }

    /// A call of any path of the server.
    pub(crate) fn at(&self, method: Method, path: impl AsRef<str>) -> Call {
        let what = format!("{method} {}", path.as_ref());
        let mut request = self.http.request(method, format!("{}{}", self.base, path.as_ref()));
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        Call { what, request }
    }
}

/// A request that is sent when it is awaited.
pub(crate) struct Call {
    what: String,
    request: RequestBuilder,
}

impl Call {
    /// With a JSON body.
    pub(crate) fn json(mut self, body: &Value) -> Self {
        self.request = self.request.json(body);
        self
    }

    /// With any body.
    pub(crate) fn body(mut self, content_type: Option<&str>, body: impl Into<reqwest::Body>) -> Self {
        if let Some(content_type) = content_type {
            self.request = self.request.header(header::CONTENT_TYPE, content_type);
        }
        self.request = self.request.body(body);
        self
    }

    /// Sends it where the server may be gone: `None` if nobody answered.
    pub(crate) async fn into_sent(self) -> Option<Answer> {
        let response = self.request.send().await.ok()?;
        Answer::of(self.what, response).await.ok()
    }

    /// Sends it and leaves the body, which may take so long: `None` if nobody answered.
    pub(super) async fn into_response(self, timeout: Duration) -> Option<reqwest::Response> {
        self.request.timeout(timeout).send().await.ok()
    }

    /// With a header whose value is any bytes.
    pub(crate) fn header_bytes(mut self, name: &str, value: &[u8]) -> Self {
        // In the place of one that it has.
        let value = header::HeaderValue::from_bytes(value).unwrap();
        let headers = [(name.parse().unwrap(), value)];
        self.request = self.request.headers(headers.into_iter().collect());
        self
    }

    /// With a header.
    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.request = self.request.header(name, value);
        self
    }
}

impl IntoFuture for Call {
    type Output = Answer;
    type IntoFuture = Pin<Box<dyn Future<Output = Answer> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        let Self { what, request } = self;
        Box::pin(async move {
            let response = request.send().await;
            let response = response.unwrap_or_else(|error| panic!("{what}: {error:?}"));
            let answer = Answer::of(what.clone(), response).await;
            let answer = answer.unwrap_or_else(|error| panic!("{what}: {error:?}"));
            assert!(answer.header("x-request-id").is_some(), "no x-request-id: {answer:?}");
            answer
        })
    }
}

/// What the server answered.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    what: String,
    /// The status.
    pub(crate) status: u16,
    headers: header::HeaderMap,
    /// The body as it came.
    pub(crate) text: String,
}

impl Answer {
    async fn of(what: String, response: reqwest::Response) -> reqwest::Result<Self> {
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let text = response.text().await?;
        Ok(Self { what, status, headers, text })
    }

    /// A header, if it is there.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        Some(self.headers.get(name)?.to_str().expect("headers are ASCII"))
    }

    /// Fails unless the status is this.
    #[track_caller]
    pub(crate) fn expect_status(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}: {}", self.what, self.text);
        self
    }

    /// The body, where the status is this.
    #[track_caller]
    pub(crate) fn expect_json(self, status: u16) -> Value {
        let answer = self.expect_status(status);
        assert_eq!(answer.header("content-type"), Some("application/json"), "{}", answer.what);
        answer.json()
    }

    /// Fails unless this is a problem with this status and code, as every problem looks.
    #[track_caller]
    pub(crate) fn expect_problem(self, status: u16, code: &str) -> Value {
        assert_eq!(self.status, status, "{}: {}", self.what, self.text);
        assert_eq!(
            self.header("content-type"),
            Some("application/problem+json"),
            "{}: {}",
            self.what,
            self.text
        );
        let problem = self.json();
        assert_eq!(problem["code"], code, "{}: {}", self.what, self.text);
        assert_eq!(problem["status"], status, "{}: {}", self.what, self.text);
        assert_eq!(
            problem["requestId"].as_str(),
            self.header("x-request-id"),
            "{}: {}",
            self.what,
            self.text
        );
        for field in ["type", "title", "detail"] {
            let text = problem[field].as_str().unwrap_or_default();
            assert!(!text.is_empty(), "{}: no {field} in {}", self.what, self.text);
        }
        problem
    }

    /// Fails unless exactly these fields are refused.
    #[track_caller]
    pub(crate) fn expect_invalid(self, fields: &[&str]) -> Value {
        let what = self.what.clone();
        let problem = self.expect_problem(422, "validation_failed");
        let errors = problem["errors"].as_array().unwrap_or_else(|| panic!("{what}: no errors in {problem}"));
        let mut named: Vec<&str> = errors.iter().map(|error| error["field"].as_str().unwrap()).collect();
        assert!(
            errors.iter().all(|error| error["message"].as_str().is_some_and(|text| !text.is_empty())),
            "{problem}"
        );
        let mut expected = fields.to_vec();
        named.sort_unstable();
        expected.sort_unstable();
        assert_eq!(named, expected, "{what}: {problem}");
        problem
    }

    /// The body as JSON.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text)
            .unwrap_or_else(|error| panic!("{}: {error}: {}", self.what, self.text))
    }

    /// The items of a list.
    #[track_caller]
    pub(crate) fn items(&self) -> Vec<Value> {
        let body = self.json();
        let list = body.as_object().unwrap_or_else(|| panic!("{}: no list: {body}", self.what));
        assert!(list.contains_key("nextCursor"), "{}: no nextCursor: {body}", self.what);
        list["items"].as_array().unwrap_or_else(|| panic!("{}: no items: {body}", self.what)).clone()
    }
}
