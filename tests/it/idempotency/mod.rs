//! `Idempotency-Key`: a request that is sent again is answered again, and nothing is done twice.

mod access;
mod expiry;
pub(crate) mod faults;
mod founding;
mod headers;
mod races;
mod refusals;
mod replay;
mod sealed;

use roomcast::db::Engine;
use serde_json::{Value, json};

use crate::activity::execute_on_either;
use crate::harness::{Answer, Call, Person, TestApp};

/// A POST that creates something, with two bodies, and how much of it there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Route {
    Broadcast,
    Invite,
    Organisation,
}

impl Route {
    const ALL: [Self; 3] = [Self::Broadcast, Self::Invite, Self::Organisation];

    fn path(self) -> &'static str {
        match self {
            Self::Broadcast => "/organisations/broadcast",
            Self::Invite => "/users/invite",
            Self::Organisation => "/organisations",
        }
    }

    fn body(self) -> Value {
        match self {
            Self::Broadcast => json!({ "message": "Lunch", "data": { "x": 1.50 } }),
            Self::Invite => json!({ "email": "guest@example.com" }),
            Self::Organisation => json!({ "name": "Globex" }),
        }
    }

    fn other_body(self) -> Value {
        match self {
            Self::Broadcast => json!({ "message": "Dinner" }),
            Self::Invite => json!({ "email": "other@example.com" }),
            Self::Organisation => json!({ "name": "Initech" }),
        }
    }

    fn call(self, app: &TestApp, person: &Person, key: &str) -> Call {
        self.call_with(app, person, key, &self.body())
    }

    fn call_with(self, app: &TestApp, person: &Person, key: &str, body: &Value) -> Call {
        app.as_user(person).post(self.path()).json(body).header("Idempotency-Key", key)
    }

    /// How many were made, as its maker can see.
    async fn count(self, app: &TestApp, person: &Person) -> usize {
        match self {
            Self::Broadcast => app.feed(person).await.of_type("BROADCAST_MESSAGE").len(),
            Self::Invite => app.feed(person).await.of_type("USER_INVITED").len(),
            Self::Organisation => {
                let call = app.as_user(person).get("/auth/organisations?limit=200");
                call.await.expect_status(200).items().len() - 1
            }
        }
    }
}

/// Fails unless the answer is this one again.
#[track_caller]
fn expect_replay(answer: &Answer, first: &Answer) {
    assert_eq!((answer.status, &answer.text), (first.status, &first.text));
    assert_eq!(answer.header("content-type"), first.header("content-type"));
    assert_eq!(answer.header("cache-control"), first.header("cache-control"));
    assert_eq!(answer.header("idempotency-replayed"), Some("true"));
    assert_ne!(answer.header("x-request-id"), first.header("x-request-id"));
}

/// Fails unless the answer says of itself that it is the first.
#[track_caller]
fn expect_first(answer: &Answer) {
    assert_eq!(answer.status, 201, "{}", answer.text);
    assert_eq!(answer.header("idempotency-replayed"), None);
}

/// Runs SQL in a tenant's store. Ids are written by [`id`].
async fn sql(app: &TestApp, statement: &str) {
    execute_on_either(&app.app.db, &app.database_url(), statement, statement).await;
}

/// An id as SQL writes it.
fn id(app: &TestApp, id: uuid::Uuid) -> String {
    match app.app.db.engine() {
        Engine::Sqlite => format!("x'{}'", id.simple()),
        Engine::Postgres => format!("'{id}'"),
    }
}
