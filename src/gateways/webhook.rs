//! Messages to URLs.

use std::sync::OnceLock;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use serde_json::json;

use super::{Delivery, Gateway, Outgoing, answered, failed};
use crate::http::outbound::{Outbound, Reach, Refused};

/// Posts a message to the URL that it is for.
pub(super) struct Webhook {
    reach: Reach,
    authorities: Option<Vec<u8>>,
    /// Made when it is first asked for: it reads all that the system trusts.
    client: OnceLock<Option<Outbound>>,
}

impl Webhook {
    pub(super) fn new(reach: Reach, authorities: Option<&[u8]>) -> Self {
        Self { reach, authorities: authorities.map(<[u8]>::to_vec), client: OnceLock::new() }
    }

    fn client(&self) -> Option<&Outbound> {
        let make = || match Outbound::new(self.reach.clone(), self.authorities.as_deref()) {
            Ok(client) => Some(client),
            Err(error) => {
                tracing::error!(error = format!("{error:#}"), "webhooks cannot be sent");
                None
            }
        };
        self.client.get_or_init(make).as_ref()
    }

    async fn post(&self, message: &Outgoing) -> Delivery {
        let Some(client) = self.client() else {
            return Delivery::Unavailable("the hub cannot send webhooks".to_owned());
        };
        let Ok(request) = client.post(&message.to) else {
            return Delivery::Rejected(Refused.to_string());
        };
        let body = json!({ "id": message.id, "body": message.body });
        let request = request.header("idempotency-key", message.id.to_string()).json(&body);
        match request.send().await {
            Ok(response) => answered(response.status()),
            Err(error) if Refused::is_cause_of(&error) => Delivery::Rejected(Refused.to_string()),
            Err(error) => failed(&error),
        }
    }
}

impl Gateway for Webhook {
    fn name(&self) -> &'static str {
        "webhook"
    }

    fn send<'a>(&'a self, message: &'a Outgoing) -> BoxFuture<'a, Delivery> {
        self.post(message).boxed()
    }
}
