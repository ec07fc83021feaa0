//! Where a request comes from, and whose word is taken for that.

use diesel::{ExpressionMethods as _, QueryDsl as _};
use diesel_async::RunQueryDsl as _;
use roomcast::db::schema::activities;
use roomcast::error::Result;
use roomcast::{read, with_conn};
use serde_json::json;

use super::{expect_limited, from, limited};
use crate::harness::{PASSWORD, Person, TestApp};

/// The addresses that the organisation's log holds.
async fn logged(app: &TestApp, person: &Person) -> Result<Vec<Option<String>>> {
    read!(app.app.db.org(person.org_id()), |conn| {
        let found = activities::table.filter(activities::org_id.eq(person.org_id()));
        let found = found.select(activities::ip).distinct();
        Ok(with_conn!(conn, |c| found.load(c).await)?)
    })
}

async fn register(app: &TestApp, forwarded_for: &str) -> Person {
    let body = json!({ "organisationName": "Acme", "name": "Ana", "email": "ana@example.com", "password": PASSWORD });
    let call = from(forwarded_for, app.anonymous().post("/auth/register").json(&body));
    Person::of(call.await.expect_json(201), PASSWORD)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_peer_says_that_is_no_proxy_is_not_believed() {
    let app = TestApp::with(|config| {
        config.server.trusted_proxies = vec!["10.0.0.0/8".parse().unwrap()];
        config.limits.rate_limit_per_minute = 3;
    })
    .await;
    let ana = register(&app, "203.0.113.9").await;
    assert_eq!(logged(&app, &ana).await.unwrap(), [Some("127.0.0.1".to_owned())]);
    // Another address each time is the same one.
    for number in 1..3 {
        from(&format!("203.0.113.{number}"), app.anonymous().get("/users")).await.expect_status(401);
    }
    expect_limited(from("203.0.113.3", app.anonymous().get("/users")).await, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_proxy_says_counts_and_what_its_client_says_does_not() {
    let app = limited(|limits| limits.rate_limit_per_minute = 2).await;
    let ana = register(&app, "198.51.100.1, 203.0.113.9:4711").await;
    assert_eq!(logged(&app, &ana).await.unwrap(), [Some("203.0.113.9".to_owned())]);
    let get = |spoofed: &str| from(&format!("{spoofed}, 203.0.113.9"), app.anonymous().get("/users"));
    get("198.51.100.2").await.expect_status(401);
    expect_limited(get("198.51.100.3").await, 2);
    let in_two_headers = from("198.51.100.4", app.anonymous().get("/users"));
    expect_limited(from("203.0.113.9", in_two_headers).await, 2);
    from("198.51.100.3", app.anonymous().get("/users")).await.expect_status(401);
}
