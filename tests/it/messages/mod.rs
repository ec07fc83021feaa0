//! Messages on channels, from the request to the ledger.

mod batch;
mod cancel;
mod crash;
mod credits;
mod email;
mod faults;
mod jobs;
mod list;
mod mail;
mod operator;
mod receiver;
mod send;
mod sms;
mod webhook;

use serde_json::{Value, json};

use crate::harness::{Client, Person, TestApp, eventually};

/// A hub whose simulated gateway is quick.
pub(crate) async fn start() -> TestApp {
    start_with(|_| {}).await
}

/// The same with other settings.
pub(crate) async fn start_with(change: impl FnOnce(&mut roomcast::config::Config)) -> TestApp {
    TestApp::with(|config| {
        config.messages.simulated_latency = std::time::Duration::ZERO;
        change(config);
    })
    .await
}

/// A hub that may reach this machine.
pub(crate) async fn start_near(change: impl FnOnce(&mut roomcast::config::Config)) -> TestApp {
    start_with(|config| {
        config.messages.outbound_allow = vec!["127.0.0.0/8".parse().unwrap()];
        change(config);
    })
    .await
}

/// A message to a URL.
pub(crate) fn hook(url: &str) -> Value {
    json!({ "to": url, "channel": "webhook", "body": "Hello World" })
}

/// A text to somebody.
pub(crate) fn text(body: &str) -> Value {
    json!({ "to": "+1234567890", "channel": "sms", "body": body })
}

impl Client {
    /// Sends a message, as it was answered.
    pub(crate) async fn send_message(&self, person: &Person, message: &Value) -> Value {
        self.as_user(person).post("/messages").json(message).await.expect_json(201)
    }

    /// A message and its attempts.
    pub(crate) async fn message(&self, person: &Person, id: &Value) -> Value {
        self.as_user(person).get(format!("/messages/{}", id.as_str().unwrap())).await.expect_json(200)
    }

    /// A message, once it stands there.
    pub(crate) async fn message_once(&self, person: &Person, id: &Value, status: &str) -> Value {
        eventually(status, async || {
            let message = self.message(person, id).await;
            (message["status"] == status).then_some(message)
        })
        .await
    }

    /// What may be spent, and what is put aside.
    pub(crate) async fn credits(&self, person: &Person) -> (i64, i64) {
        let credits = self.as_user(person).get("/credits").await.expect_json(200);
        (credits["balance"].as_i64().unwrap(), credits["reserved"].as_i64().unwrap())
    }

    /// The same, once nothing is put aside any more.
    pub(crate) async fn credits_settled(&self, person: &Person) -> i64 {
        eventually("nothing is reserved", async || {
            let (balance, reserved) = self.credits(person).await;
            (reserved == 0).then_some(balance)
        })
        .await
    }

    /// Returns once nothing is left to be done in the background for messages.
    pub(crate) async fn jobs_done(&self, admin: &Person) {
        self.credits_settled(admin).await;
        for state in ["READY", "RUNNING"] {
            eventually("no job is left", async || {
                let jobs = self.as_user(admin).get(format!("/jobs?state={state}")).await.expect_json(200);
                jobs["items"].as_array().unwrap().is_empty().then_some(())
            })
            .await;
        }
    }

    /// The whole ledger, the oldest entries first.
    pub(crate) async fn ledger(&self, admin: &Person) -> Vec<Value> {
        let (mut entries, mut cursor) = (Vec::new(), String::new());
        loop {
            let path = format!("/credits/entries?limit=200{cursor}");
            let page = self.as_user(admin).get(path).await.expect_json(200);
            entries.extend(page["items"].as_array().unwrap().iter().cloned());
            let Some(next) = page["nextCursor"].as_str() else { break };
            cursor = format!("&cursor={next}");
        }
        entries.reverse();
        entries
    }

    /// The ledger, which must be sound: dense, its balance the sum of its amounts and never below zero.
    pub(crate) async fn sound_ledger(&self, admin: &Person) -> Vec<Value> {
        let ledger = self.ledger(admin).await;
        let mut sum = 0;
        for (entry, seq) in ledger.iter().zip(1..) {
            sum += entry["amount"].as_i64().unwrap();
            assert_eq!((entry["seq"].as_i64(), entry["balance"].as_i64()), (Some(seq), Some(sum)), "{entry}");
            assert!(sum >= 0, "{entry}");
        }
        let (balance, _) = self.credits(admin).await;
        assert!(ledger.len() > 1 || balance == sum, "the balance is the sum of the entries");
        ledger
    }
}
