//! Administrators of the platform, made by the program as an operator would.

use roomcast::types::OrgId;
use serde_json::{Value, json};

use super::caller::Caller;
use super::client::Client;
use super::organisation::{PASSWORD, Person, fresh_email};
use super::{Child, TestApp};

/// An administrator who is signed in.
#[derive(Debug, Clone)]
pub(crate) struct Operator {
    pub(crate) id: String,
    pub(crate) email: String,
    pub(crate) access_token: String,
    pub(crate) refresh_token: String,
}

impl Operator {
    /// Whoever was answered this session.
    #[track_caller]
    pub(crate) fn of(session: &Value) -> Self {
        let text = |pointer: &str| {
            let found = session.pointer(pointer).and_then(Value::as_str);
            found.unwrap_or_else(|| panic!("no {pointer} in {session}")).to_owned()
        };
        Self {
            id: text("/administrator/id"),
            email: text("/administrator/email"),
            access_token: text("/accessToken"),
            refresh_token: text("/refreshToken"),
        }
    }
}

/// Makes an administrator with the password of the tests, by the command.
pub(crate) async fn create_administrator(database_url: &str, role: &str) -> String {
    let email = fresh_email(role);
    let arguments = ["admin", "create", "--email", &email, "--name", "Pat", "--role", role];
    let environment = [("DATABASE_URL", database_url), ("JWT_ACCESS_SECRET", super::app::SIGNING_KEY)];
    let child = Child::start_with(&arguments, &environment, &format!("{PASSWORD}\n"), None);
    let (status, output) = child.ended_at_last().await;
    assert!(status.success(), "{output}");
    email
}

impl TestApp {
    /// An administrator with this role, who is signed in.
    pub(crate) async fn operator(&self, role: &str) -> Operator {
        let email = create_administrator(&self.database_url(), role).await;
        self.sign_in_operator(&email).await
    }
}

impl Client {
    /// Signs an administrator in.
    pub(crate) async fn sign_in_operator(&self, email: &str) -> Operator {
        let body = json!({ "email": email, "password": PASSWORD });
        let call = self.anonymous().post("/platform/auth/login");
        Operator::of(&call.json(&body).await.expect_json(200))
    }

    /// An administrator who calls.
    pub(crate) fn as_operator(&self, operator: &Operator) -> Caller {
        self.with_token(&operator.access_token)
    }

    /// Founds an organisation as the platform does; the answer.
    pub(crate) async fn found(&self, operator: &Operator, name: &str) -> Value {
        let call = self.as_operator(operator).post("/platform/organisations");
        call.json(&json!({ "name": name })).await.expect_json(201)
    }

    /// Redeems a sign-up.
    pub(crate) async fn sign_up(&self, founded: &Value, name: &str, email: &str) -> Person {
        let body = json!({
            "token": founded["signUpToken"], "name": name, "email": email, "password": PASSWORD,
        });
        let session = self.anonymous().post("/auth/sign-up").json(&body).await.expect_json(201);
        Person::of(session, PASSWORD)
    }

    /// Suspends an organisation.
    pub(crate) async fn suspend(&self, operator: &Operator, org: &str) {
        let call = self.as_operator(operator).post(format!("/platform/organisations/{org}/suspend"));
        let answer = call.json(&json!({ "reason": "Unpaid since March" })).await.expect_json(200);
        assert_eq!(answer["status"], "suspended", "{answer}");
    }

    /// Opens it again.
    pub(crate) async fn reopen(&self, operator: &Operator, org: &str) {
        let call = self.as_operator(operator).post(format!("/platform/organisations/{org}/resume"));
        assert_eq!(call.await.expect_json(200)["status"], "active");
    }
}

/// The id of an organisation that was answered.
pub(crate) fn org_of(founded: &Value) -> OrgId {
    founded["id"].as_str().unwrap().parse().unwrap()
}
