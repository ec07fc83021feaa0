//! An organisation's limit, which its plan sets.

use diesel_async::SimpleAsyncConnection as _;
use roomcast::db::Conn;
use roomcast::error::Result;
use roomcast::with_conn;
use serde_json::json;

use super::{MINUTE, expect_limited, limited, refusals, standing};
use crate::harness::{Organisation, Person, TestApp};

/// Changes the row of a plan, as an operator may.
async fn set_plan(app: &TestApp, plan: &str, requests_per_minute: &str) {
    let sql = format!("UPDATE plans SET requests_per_minute = {requests_per_minute} WHERE code = '{plan}'");
    let mut tx = app.app.db.central().begin_write().await.unwrap();
    let conn: &mut Conn = &mut tx;
    with_conn!(conn, |c| c.batch_execute(&sql).await).unwrap();
    let outcome: Result<()> = tx.finish(Ok(())).await;
    outcome.unwrap();
}

async fn with_two(app: &TestApp) -> Organisation {
    app.organisation("Acme").with_member("mia").create().await
}

async fn get(app: &TestApp, person: &Person) -> crate::harness::Answer {
    app.as_user(person).get("/organisations").await
}

#[tokio::test(flavor = "multi_thread")]
async fn is_shared_by_its_users_and_by_nobody_else() {
    let app = limited(|limits| limits.rate_limit_per_minute = 100).await;
    set_plan(&app, "FREE", "4").await;
    let (acme, bolt) = (with_two(&app).await, with_two(&app).await);
    app.advance(MINUTE);
    let before = refusals(&app, "organisation").await;
    assert_eq!(standing(&get(&app, &acme.admin).await.expect_status(200)).0, 4, "it binds tightest");
    get(&app, &acme.admin).await.expect_status(200);
    get(&app, &acme["mia"]).await.expect_status(200);
    get(&app, &acme["mia"]).await.expect_status(200);
    let retry_after = expect_limited(get(&app, &acme.admin).await, 4);
    expect_limited(get(&app, &acme["mia"]).await, 4);
    assert!(refusals(&app, "organisation").await >= before + 2.0);
    get(&app, &bolt.admin).await.expect_status(200);
    app.advance(retry_after);
    get(&app, &acme["mia"]).await.expect_status(200);
    expect_limited(get(&app, &acme.admin).await, 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn follows_the_plan_and_what_its_row_says() {
    let app = limited(|limits| limits.rate_limit_per_minute = 100).await;
    set_plan(&app, "FREE", "6").await;
    let acme = with_two(&app).await;
    app.advance(MINUTE);
    assert_eq!(standing(&get(&app, &acme.admin).await).0, 6);
    let change = app.as_user(&acme.admin).patch("/organisations/subscription");
    change.json(&json!({ "plan": "ENTERPRISE" })).await.expect_status(200);
    // That plan has none, so the user's binds.
    assert_eq!(standing(&get(&app, &acme.admin).await).0, 100);
    let change = app.as_user(&acme.admin).patch("/organisations/subscription");
    change.json(&json!({ "plan": "PRO" })).await.expect_status(200);
    assert_eq!(standing(&get(&app, &acme["mia"]).await).0, 100, "1000 are more than its own 100");

    set_plan(&app, "PRO", "5").await;
    app.advance(MINUTE);
    assert_eq!(standing(&get(&app, &acme["mia"]).await), (5, 4, 12));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_joins_later_knows_the_plan() {
    let app = limited(|limits| limits.rate_limit_per_minute = 100).await;
    set_plan(&app, "PRO", "5").await;
    let acme = app.organisation("Acme").on_plan("PRO").create().await;
    let ground = app.stop().await;
    let app = ground.start().await;
    assert_eq!(standing(&get(&app, &acme.admin).await.expect_status(200)), (5, 4, 12));
}

#[tokio::test(flavor = "multi_thread")]
async fn no_limit_of_requests_is_none_of_the_organisation_either() {
    let app = limited(|limits| limits.rate_limit_per_minute = 0).await;
    set_plan(&app, "FREE", "1").await;
    let acme = with_two(&app).await;
    for _ in 0..3 {
        let answer = get(&app, &acme.admin).await.expect_status(200);
        assert_eq!(answer.header("ratelimit-limit"), None);
    }
}
