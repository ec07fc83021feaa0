//! The program dies at each step between the directory and a store. Afterwards nobody is locked out, nobody has access
//! that they should not have, and the janitor leaves nothing that stands for nothing.

use roomcast::types::Isolation;
use roomcast::upkeep;
use serde_json::{Value, json};

use super::{is_founded, list_directory, list_stores, modes};
use crate::harness::app::SIGNING_KEY;
use crate::harness::environment::on_postgres;
use crate::harness::{Child, Client, Ground, PASSWORD, Person};

/// Where it dies, and what for.
const STEPS: [(&str, What); 13] = [
    ("account-made", What::Register),
    ("founding-entered", What::Register),
    ("store-created", What::Register),
    ("store-made", What::Register),
    ("store-noted", What::Register),
    ("founded", What::Register),
    ("account-made", What::AcceptInvite),
    ("membership-entered", What::AcceptInvite),
    ("joined", What::AcceptInvite),
    ("session-begun", What::Switch),
    ("session-begun", What::Login),
    ("settings-changed", What::Rename),
    ("settings-changed", What::Plan),
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum What {
    Register,
    AcceptInvite,
    Switch,
    Login,
    Rename,
    Plan,
}

/// The program on this ground, which dies where it is told to.
async fn launch(ground: &Ground, crash_at: Option<&str>) -> (Child, Client) {
    let url = ground.database.url_text();
    let data = ground.config.database.data_dir.to_str().unwrap();
    let mut environment = vec![
        ("DATABASE_URL", url.as_str()),
        ("JWT_ACCESS_SECRET", SIGNING_KEY),
        ("ROOMCAST_DATA_DIR", data),
        ("PORT", "0"),
        ("DRAIN_SECONDS", "0"),
        ("RATE_LIMIT_PER_MINUTE", "0"),
        ("AUTH_RATE_LIMIT_PER_MINUTE", "0"),
        ("TENANT_ISOLATION", ground.config.tenancy.isolation.name()),
    ];
    environment.extend(crash_at.map(|step| ("ROOMCAST_CRASH_AT", step)));
    let mut child = Child::start(&[], &environment);
    let client = child.listening().await;
    (child, client)
}

fn registration(organisation: &str, email: &str) -> Value {
    json!({ "organisationName": organisation, "name": "Bea", "email": email, "password": PASSWORD })
}

struct Scene {
    ana: Person,
    /// Ana in another organisation.
    elsewhere: Person,
    invite: Value,
}

async fn set(client: &Client) -> Scene {
    let ana = client.register("Acme", "Ana", "ana@example.com", PASSWORD).await;
    let elsewhere = client.register("Elsewhere", "Ana", "ana@example.com", PASSWORD).await;
    let invite = client.as_user(&ana).post("/users/invite").json(&json!({ "email": "cy@example.com" })).await;
    Scene { ana, elsewhere, invite: invite.expect_json(201) }
}

impl Scene {
    fn accept(&self) -> Value {
        json!({ "token": self.invite["inviteToken"], "name": "Cy", "password": PASSWORD })
    }

    /// Does it, where the program dies of it.
    async fn die(&self, client: &Client, what: What) {
        let nobody = client.anonymous();
        let call = match what {
            What::Register => nobody.post("/auth/register").json(&registration("Bolt", "bea@example.com")),
            What::AcceptInvite => nobody.post("/users/accept-invite").json(&self.accept()),
            What::Switch => client
                .as_user(&self.ana)
                .post("/auth/switch")
                .json(&json!({ "organisationId": self.elsewhere.organisation_id })),
            What::Login => {
                nobody.post("/auth/login").json(&json!({ "email": "ana@example.com", "password": PASSWORD }))
            }
            What::Rename => {
                client.as_user(&self.ana).patch("/organisations").json(&json!({ "name": "Acme & Sons" }))
            }
            What::Plan => {
                client.as_user(&self.ana).patch("/organisations/subscription").json(&json!({ "plan": "PRO" }))
            }
        };
        assert!(call.into_sent().await.is_none(), "it was answered");
    }

    /// Does it again, as people do who had no answer.
    async fn repeat(&self, client: &Client, what: What) {
        let nobody = client.anonymous();
        match what {
            What::Register => {
                let again = nobody.post("/auth/register").json(&registration("Bolt", "bea@example.com"));
                again.await.expect_status(201);
            }
            What::AcceptInvite => {
                let answer = nobody.post("/users/accept-invite").json(&self.accept()).await;
                assert!([201, 409].contains(&answer.status), "{}", answer.text);
                let login = json!({ "email": "cy@example.com", "password": PASSWORD });
                nobody.post("/auth/login").json(&login).await.expect_status(200);
            }
            What::Switch | What::Login => {
                let login = json!({ "email": "ana@example.com", "password": PASSWORD });
                nobody.post("/auth/login").json(&login).await.expect_status(200);
            }
            What::Rename | What::Plan => {
                let own = client.as_user(&self.ana).get("/organisations").await.expect_json(200);
                let (name, plan) = (own["name"].as_str().unwrap(), own["plan"].as_str().unwrap());
                let happened = if what == What::Rename { name == "Acme & Sons" } else { plan == "PRO" };
                assert!(happened, "the tenant's transaction had committed: {own}");
            }
        }
    }
}

async fn die_at(isolation: Isolation, step: &str, what: What) {
    let mut ground = Ground::create().await;
    ground.config.tenancy.isolation = isolation;
    let (child, client) = launch(&ground, None).await;
    let scene = set(&client).await;
    child.stop().await;

    let (child, client) = launch(&ground, Some(step)).await;
    scene.die(&client, what).await;
    let (status, output) = child.ended_at_last().await;
    assert!(!status.success(), "{output}");

    let app = ground.start().await;
    scene.repeat(&app, what).await;
    app.advance(std::time::Duration::from_mins(11));
    upkeep::compare_directory(&app.app).await.unwrap();
    let directory = list_directory(&app.app.db).await.unwrap();
    let mut apart = 0;
    for (org, isolation, location) in &directory {
        assert!(is_founded(&app.app.db, *org).await.unwrap(), "{step} of {what:?}: {org} stands for nothing");
        assert_eq!(location.is_some(), isolation.is_apart());
        apart += usize::from(isolation.is_apart());
    }
    let orgs: Vec<_> = directory.iter().map(|(org, ..)| *org).collect();
    if isolation.is_apart() {
        let stores = list_stores(&app.ground().database.url(), isolation, &orgs).await;
        assert_eq!(stores.len(), apart, "{step} of {what:?}: {stores:?}");
    }
    // Copies in the directory are those of the truth, and everybody is let in where they belong.
    let token = app.as_user(&scene.ana).get("/auth/organisations").await;
    assert!([200, 401].contains(&token.status), "{}", token.text);
    let login = json!({ "email": "ana@example.com", "password": PASSWORD });
    app.anonymous().post("/auth/login").json(&login).await.expect_status(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_death_at_any_step_between_directory_and_store_is_made_good() {
    for (step, what) in STEPS {
        for isolation in modes() {
            // There is a moment between making a database and filling it.
            if step == "store-created" && !(on_postgres() && isolation == Isolation::Database) {
                continue;
            }
            die_at(isolation, step, what).await;
        }
    }
}
