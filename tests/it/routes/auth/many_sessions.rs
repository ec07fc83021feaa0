//! A new password of somebody with more sessions than one transaction ends.

use serde_json::{Value, json};

use crate::harness::{PASSWORD, Person, TestApp};
use crate::operator::upkeep::insert_sessions;

const MANY: usize = 450;

/// The activities of this type, oldest first.
async fn list(app: &TestApp, person: &Person, kind: &str) -> Vec<Value> {
    let (mut found, mut after) = (Vec::new(), "0".to_owned());
    loop {
        let path = format!("/activities?after={after}&type={kind}&limit=200");
        let page = app.as_user(person).get(path).await.expect_json(200);
        found.extend(page["items"].as_array().unwrap().iter().cloned());
        match page["nextCursor"].as_str() {
            Some(next) => next.clone_into(&mut after),
            None => return found,
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn all_end_here_and_elsewhere_and_each_is_recorded_once() {
    let app = TestApp::start().await;
    let ana = app.register("Acme", "Ana", "ana@example.com", PASSWORD).await;
    let elsewhere = app.register("Globex", "Ana", "ana@example.com", PASSWORD).await;
    for person in [&ana, &elsewhere] {
        insert_sessions(&app, person, MANY).await.unwrap();
    }
    let body = json!({ "password": "another password", "currentPassword": PASSWORD });
    app.as_user(&ana).patch("/auth/me").json(&body).await.expect_status(200);

    let ended = list(&app, &ana, "SESSION_ENDED").await;
    let mut sessions: Vec<&str> =
        ended.iter().map(|entry| entry["payload"]["sessionId"].as_str().unwrap()).collect();
    sessions.sort_unstable();
    sessions.dedup();
    assert_eq!((ended.len(), sessions.len()), (MANY, MANY));
    assert_eq!(list(&app, &ana, "PASSWORD_CHANGED").await.len(), 1);
    app.as_user(&elsewhere).get("/auth/me").await.expect_problem(401, "session_ended");
    let body =
        json!({ "email": "ana@example.com", "password": "another password", "organisation": "globex" });
    let back = app.anonymous().post("/auth/login").json(&body).await.expect_json(200);
    let back = Person { access_token: back["accessToken"].as_str().unwrap().to_owned(), ..elsewhere };
    assert_eq!(list(&app, &back, "SESSION_ENDED").await.len(), MANY + 1);
}
