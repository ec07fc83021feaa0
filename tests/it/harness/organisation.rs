//! People and organisations, made through the public API.

use std::collections::BTreeMap;
use std::ops::Index;
use std::sync::atomic::{AtomicU32, Ordering};

use roomcast::types::{OrgId, UserId};
use serde_json::{Value, json};

use super::client::Client;

/// The password of everybody whose password does not matter.
pub(crate) const PASSWORD: &str = "a password for tests";

/// Somebody who is signed in to an organisation.
#[derive(Debug, Clone)]
pub(crate) struct Person {
    /// The user's id: their membership.
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) email: String,
    pub(crate) password: String,
    pub(crate) access_token: String,
    pub(crate) refresh_token: String,
    pub(crate) organisation_id: String,
    /// The session as it was answered.
    pub(crate) session: Value,
}

impl Person {
    /// Whoever was answered this session.
    #[track_caller]
    pub(crate) fn of(session: Value, password: &str) -> Self {
        let text = |pointer: &str| {
            let found = session.pointer(pointer).and_then(Value::as_str);
            found.unwrap_or_else(|| panic!("no {pointer} in {session}")).to_owned()
        };
        assert_eq!(session["tokenType"], "Bearer", "{session}");
        assert!(session["expiresIn"].is_u64(), "{session}");
        Self {
            id: text("/user/id"),
            name: text("/user/name"),
            email: text("/user/email"),
            password: password.to_owned(),
            access_token: text("/accessToken"),
            refresh_token: text("/refreshToken"),
            organisation_id: text("/organisation/id"),
            session,
        }
    }

    pub(crate) fn user_id(&self) -> UserId {
        self.id.parse().unwrap()
    }

    pub(crate) fn org_id(&self) -> OrgId {
        self.organisation_id.parse().unwrap()
    }

    /// What the access token says.
    pub(crate) fn claims(&self) -> Value {
        use base64::Engine as _;
        let claims = self.access_token.split('.').nth(1).unwrap();
        let claims = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(claims).unwrap();
        serde_json::from_slice(&claims).unwrap()
    }

    /// The id of the session.
    pub(crate) fn session_id(&self) -> String {
        self.claims()["sid"].as_str().unwrap().to_owned()
    }
}

/// An organisation and everybody in it.
pub(crate) struct Organisation {
    pub(crate) id: String,
    /// The organisation as it was answered at its founding.
    pub(crate) json: Value,
    /// Who founded it.
    pub(crate) admin: Person,
    people: BTreeMap<String, Person>,
}

impl Index<&str> for Organisation {
    type Output = Person;

    fn index(&self, name: &str) -> &Person {
        self.people.get(name).unwrap_or_else(|| panic!("there is no {name} in the organisation"))
    }
}

/// What an organisation shall be.
pub(crate) struct OrganisationBuilder<'a> {
    app: &'a Client,
    name: String,
    people: Vec<(String, &'static str)>,
    plan: Option<String>,
}

impl<'a> OrganisationBuilder<'a> {
    pub(super) fn new(app: &'a Client, name: &str) -> Self {
        Self { app, name: name.to_owned(), people: Vec::new(), plan: None }
    }

    pub(crate) fn with_member(mut self, name: &str) -> Self {
        self.people.push((name.to_owned(), "MEMBER"));
        self
    }

    pub(crate) fn with_admin(mut self, name: &str) -> Self {
        self.people.push((name.to_owned(), "ADMIN"));
        self
    }

    pub(crate) fn on_plan(mut self, plan: &str) -> Self {
        self.plan = Some(plan.to_owned());
        self
    }

    pub(crate) async fn create(self) -> Organisation {
        let Self { app, name, people: wanted, plan } = self;
        let admin = app.register(&name, "Ada", &fresh_email("ada"), PASSWORD).await;
        if let Some(plan) = plan {
            app.change_plan(&admin, &plan).await;
        }
        let mut people = BTreeMap::new();
        for (name, role) in wanted {
            let person = app.add(&admin, &name, role).await;
            people.insert(name, person);
        }
        Organisation {
            id: admin.organisation_id.clone(),
            json: admin.session["organisation"].clone(),
            admin,
            people,
        }
    }
}

/// An address that nobody has yet.
pub(crate) fn fresh_email(name: &str) -> String {
    static NUMBER: AtomicU32 = AtomicU32::new(1);
    format!("{name}.{}@example.com", NUMBER.fetch_add(1, Ordering::Relaxed))
}

impl Client {
    /// Founds an organisation.
    pub(crate) async fn register(
        &self,
        organisation: &str,
        name: &str,
        email: &str,
        password: &str,
    ) -> Person {
        let body =
            json!({ "organisationName": organisation, "name": name, "email": email, "password": password });
        let session = self.anonymous().post("/auth/register").json(&body).await.expect_json(201);
        Person::of(session, password)
    }

    /// Starts another session of the same person, in the same organisation.
    pub(crate) async fn sign_in(&self, person: &Person) -> Person {
        let body = json!({ "email": person.email, "password": person.password, "organisation": person.organisation_id });
        let session = self.anonymous().post("/auth/login").json(&body).await.expect_json(200);
        Person::of(session, &person.password)
    }

    /// Invites somebody new; returns the answer.
    pub(crate) async fn invite(&self, admin: &Person, email: &str, role: &str) -> Value {
        let body = json!({ "email": email, "role": role });
        self.as_user(admin).post("/users/invite").json(&body).await.expect_json(201)
    }

    /// Accepts an invite.
    pub(crate) async fn accept(&self, invite: &Value, name: &str, password: &str) -> Person {
        let body = json!({ "token": invite["inviteToken"], "name": name, "password": password });
        let session = self.anonymous().post("/users/accept-invite").json(&body).await.expect_json(201);
        Person::of(session, password)
    }

    /// Invites somebody new, who accepts.
    pub(crate) async fn add(&self, admin: &Person, name: &str, role: &str) -> Person {
        let invite = self.invite(admin, &fresh_email(name), role).await;
        self.accept(&invite, name, PASSWORD).await
    }

    /// Changes the plan.
    pub(crate) async fn change_plan(&self, admin: &Person, plan: &str) -> Value {
        let call = self.as_user(admin).patch("/organisations/subscription");
        call.json(&json!({ "plan": plan })).await.expect_json(200)
    }

    /// Broadcasts a message; returns the activity as it was answered.
    pub(crate) async fn broadcast(&self, admin: &Person, message: &str) -> super::feed::Item {
        let call = self.as_user(admin).post("/organisations/broadcast");
        let answer = call.json(&json!({ "message": message })).await.expect_status(201);
        super::feed::Item::parse(&answer.text)
    }

    /// The same, for many at once.
    pub(crate) async fn broadcast_text(&self, admin: &Person, message: String) -> super::feed::Item {
        self.broadcast(admin, &message).await
    }

    /// Gives a user another role.
    pub(crate) async fn change_role(&self, admin: &Person, user: &Person, role: &str) -> Value {
        let call = self.as_user(admin).patch(format!("/users/{}", user.id));
        call.json(&json!({ "role": role })).await.expect_json(200)
    }

    /// Removes a user.
    pub(crate) async fn remove(&self, admin: &Person, user: &Person) {
        self.as_user(admin).delete(format!("/users/{}", user.id)).await.expect_status(204);
    }
}
