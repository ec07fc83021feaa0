//! Messages through a provider that takes them over HTTP.

use anyhow::Context as _;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};

use super::template::{Escape, Template};
use super::{Delivery, Gateway, Outgoing, answered, failed};
use crate::config::SmsConfig;

/// Asks a provider, in the words of a template.
pub(super) struct Http {
    client: reqwest::Client,
    url: Template,
    body: Template,
    headers: HeaderMap,
    idempotency: HeaderName,
}

impl Http {
    /// Fails where the settings cannot be read.
    pub(super) fn new(client: reqwest::Client, url: &str, config: &SmsConfig) -> anyhow::Result<Self> {
        let escape = if config.content_type.contains("json") { Escape::Json } else { Escape::Percent };
        let mut headers = HeaderMap::new();
        let content_type = HeaderValue::from_str(&config.content_type).context("SMS_GATEWAY_CONTENT_TYPE")?;
        headers.insert(CONTENT_TYPE, content_type);
        if let Some(given) = &config.headers {
            // What is in a header may be a secret, and is not repeated.
            let expected = "SMS_GATEWAY_HEADERS must be such as `Authorization: Bearer x`, parted by `;`";
            for line in given.reveal().split(';').map(str::trim).filter(|line| !line.is_empty()) {
                let (name, value) = line.split_once(':').context(expected)?;
                let mut value = HeaderValue::from_str(value.trim()).ok().context(expected)?;
                value.set_sensitive(true);
                headers.insert(HeaderName::try_from(name.trim()).ok().context(expected)?, value);
            }
        }
        Ok(Self {
            client,
            url: Template::parse(url, Escape::Percent).context("SMS_GATEWAY_URL")?,
            body: Template::parse(&config.body, escape).context("SMS_GATEWAY_BODY")?,
            headers,
            idempotency: HeaderName::try_from(config.idempotency_header.as_str())
                .context("SMS_GATEWAY_IDEMPOTENCY_HEADER")?,
        })
    }

    async fn post(&self, message: &Outgoing) -> Delivery {
        let request = self
            .client
            .post(self.url.fill(message))
            .headers(self.headers.clone())
            .header(&self.idempotency, message.id.to_string())
            .body(self.body.fill(message));
        match request.send().await {
            Ok(response) => answered(response.status()),
            Err(error) => failed(&error),
        }
    }
}

impl Gateway for Http {
    fn name(&self) -> &'static str {
        "http"
    }

    fn send<'a>(&'a self, message: &'a Outgoing) -> BoxFuture<'a, Delivery> {
        self.post(message).boxed()
    }
}
