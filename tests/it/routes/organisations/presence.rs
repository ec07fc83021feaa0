//! `GET /organisations/presence`, and `online` in `GET /users`.

use std::time::Duration;

use chrono::DateTime;
use serde_json::Value;

use crate::harness::{Client, Organisation, PASSWORD, Person, TestApp, eventually};

/// Who is online, as somebody is told.
pub(crate) async fn online(client: &Client, person: &Person) -> Vec<Value> {
    let answer = client.as_user(person).get("/organisations/presence").await.expect_json(200);
    answer["items"].as_array().unwrap().clone()
}

/// What is said of somebody, once `is_right`.
pub(crate) async fn eventually_online(
    client: &Client,
    asks: &Person,
    of: &Person,
    is_right: impl Fn(Option<&Value>) -> bool,
) {
    eventually("what is said of who is online", async || {
        let items = online(client, asks).await;
        is_right(items.iter().find(|item| item["userId"] == of.id)).then_some(())
    })
    .await;
}

fn quick_server() -> impl Future<Output = TestApp> {
    TestApp::with(|config| config.hub.presence.debounce = Duration::from_millis(300))
}

async fn acme(app: &TestApp) -> Organisation {
    app.organisation("Acme").with_member("mia").create().await
}

#[tokio::test(flavor = "multi_thread")]
async fn says_who_is_online_since_when_and_with_how_many_sockets() {
    let app = TestApp::start().await;
    let acme = acme(&app).await;
    let mia = &acme["mia"];
    let nobody = app.as_user(mia).get("/organisations/presence").await.expect_json(200);
    assert_eq!(nobody, serde_json::json!({ "items": [], "complete": true }));
    let before = app.clock().now().as_millis();
    let _first = app.connect(mia).await;
    let came = app.clock().now().as_millis();
    app.advance(Duration::from_mins(1));
    let (_second, _stream) = (app.connect(mia).await, app.stream(mia).await);
    let _other = app.connect(&acme.admin).await;
    let answer = app.as_user(&acme.admin).get("/organisations/presence").await.expect_json(200);
    assert_eq!(answer["complete"], true);
    let items = answer["items"].as_array().unwrap();
    // In the order in which they came.
    assert_eq!(items.iter().map(|item| &item["userId"]).collect::<Vec<_>>(), [&*mia.id, &*acme.admin.id]);
    let [of_mia, of_admin] = items.as_slice() else { panic!("{items:?}") };
    assert_eq!((&of_mia["name"], &of_mia["sockets"]), (&mia.name.clone().into(), &3.into()));
    assert_eq!(of_admin["sockets"], 1);
    assert_eq!(of_mia.as_object().unwrap().len(), 4, "{of_mia}");
    let since = DateTime::parse_from_rfc3339(of_mia["since"].as_str().unwrap()).unwrap().timestamp_millis();
    assert!((before..=came).contains(&since), "{since}");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_comes_back_in_time_has_not_been_away() {
    let app = TestApp::start().await;
    let acme = acme(&app).await;
    let mia = &acme["mia"];
    let socket = app.connect(mia).await;
    let since = online(&app, mia).await[0]["since"].clone();
    app.advance(Duration::from_mins(1));
    socket.close().await;
    eventually_online(&app, mia, mia, |item| item.unwrap()["sockets"] == 0).await;
    let _socket = app.connect(mia).await;
    let items = online(&app, mia).await;
    assert_eq!((&items[0]["since"], &items[0]["sockets"]), (&since, &1.into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_stays_away_is_gone() {
    let app = quick_server().await;
    let acme = acme(&app).await;
    let mia = &acme["mia"];
    let socket = app.connect(mia).await;
    let first = online(&app, mia).await[0]["since"].clone();
    socket.close().await;
    eventually_online(&app, mia, mia, |item| item.is_none()).await;
    app.advance(Duration::from_mins(1));
    let _socket = app.connect(mia).await;
    assert_ne!(online(&app, mia).await[0]["since"], first);
}

#[tokio::test(flavor = "multi_thread")]
async fn organisations_see_their_own() {
    let app = TestApp::start().await;
    let acme = acme(&app).await;
    let bolt = app.organisation("Bolt").create().await;
    let _socket = app.connect(&acme["mia"]).await;
    assert_eq!(online(&app, &bolt.admin).await, Vec::<Value>::new());
    assert_eq!(online(&app, &acme.admin).await.len(), 1);
    app.anonymous().get("/organisations/presence").await.expect_problem(401, "token_invalid");
}

#[tokio::test(flavor = "multi_thread")]
async fn follows_names_and_removals_at_once() {
    let app = TestApp::start().await;
    let acme = acme(&app).await;
    let mia = &acme["mia"];
    let mut socket = app.connect(mia).await;
    let renamed = serde_json::json!({ "name": "Mia Two" });
    app.as_user(mia).patch("/auth/me").json(&renamed).await.expect_status(200);
    assert_eq!(online(&app, &acme.admin).await[0]["name"], "Mia Two");
    app.remove(&acme.admin, mia).await;
    assert_eq!(online(&app, &acme.admin).await, Vec::<Value>::new());
    socket.expect_removed().await;
    app.as_user(mia).get("/organisations/presence").await.expect_problem(401, "session_ended");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_list_of_members_says_who_is_online() {
    let app = TestApp::start().await;
    let ana = app.register("Acme", "Ana", "ana@example.com", PASSWORD).await;
    let mia = app.add(&ana, "mia", "MEMBER").await;
    let _socket = app.connect(&mia).await;
    let items = app.as_user(&ana).get("/users").await.expect_status(200).items();
    let online: Vec<(&str, bool)> =
        items.iter().map(|item| (item["id"].as_str().unwrap(), item["online"].as_bool().unwrap())).collect();
    assert!(online.contains(&(&mia.id, true)) && online.contains(&(&ana.id, false)), "{online:?}");
}
