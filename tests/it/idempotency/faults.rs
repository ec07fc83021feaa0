//! What the hub could not do is not kept: the same request may be sent again.

use super::{Route, expect_first, expect_replay};
use crate::activity::execute_on_either;
use crate::harness::TestApp;

/// The table whose rows are refused, so that a route fails in the midst of its transaction.
fn table(route: Route) -> &'static str {
    match route {
        Route::Broadcast => "activities",
        Route::Invite => "invites",
        Route::Organisation => "users",
    }
}

/// Has every new row of a table refused.
pub(crate) async fn refuse_rows(app: &TestApp, table: &str) {
    execute_on_either(
        &app.app.db,
        &app.database_url(),
        &format!("CREATE TRIGGER refuse BEFORE INSERT ON {table} BEGIN SELECT RAISE(ABORT, 'no'); END"),
        &format!(
            "CREATE OR REPLACE FUNCTION shared.refuse() RETURNS trigger LANGUAGE plpgsql
                AS $$ BEGIN RAISE check_violation USING MESSAGE = 'no'; END $$;
             CREATE TRIGGER refuse BEFORE INSERT ON {table} FOR EACH ROW EXECUTE FUNCTION shared.refuse()"
        ),
    )
    .await;
}

pub(crate) async fn allow_rows(app: &TestApp, table: &str) {
    let on_postgres = format!("DROP TRIGGER refuse ON {table}");
    execute_on_either(&app.app.db, &app.database_url(), "DROP TRIGGER refuse", &on_postgres).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fault_is_not_kept() {
    let app = TestApp::start_shared().await;
    let acme = app.organisation("Acme").create().await;
    for route in Route::ALL {
        refuse_rows(&app, table(route)).await;
        for _ in 0..2 {
            let failed = route.call(&app, &acme.admin, "one").await;
            assert_eq!(failed.header("idempotency-replayed"), None);
            failed.expect_problem(500, "internal");
        }
        allow_rows(&app, table(route)).await;
        let first = route.call(&app, &acme.admin, "one").await;
        expect_first(&first);
        expect_replay(&route.call(&app, &acme.admin, "one").await, &first);
        assert_eq!(route.count(&app, &acme.admin).await, 1, "{route:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_effect_whose_key_cannot_be_written_does_not_happen() {
    let app = TestApp::start_shared().await;
    let acme = app.organisation("Acme").create().await;
    refuse_rows(&app, "idempotency_keys").await;
    for route in Route::ALL {
        route.call(&app, &acme.admin, "one").await.expect_problem(500, "internal");
        assert_eq!(route.count(&app, &acme.admin).await, 0, "{route:?}");
    }
    // Without a key nothing is written there.
    app.broadcast(&acme.admin, "Lunch").await;
    allow_rows(&app, "idempotency_keys").await;
    expect_first(&Route::Broadcast.call(&app, &acme.admin, "one").await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_that_cannot_be_kept_is_told_all_the_same() {
    let app = TestApp::start_shared().await;
    let acme = app.organisation("Acme").with_member("mia").create().await;
    refuse_rows(&app, "idempotency_keys").await;
    let body = serde_json::json!({ "email": acme["mia"].email });
    let refused = Route::Invite.call_with(&app, &acme.admin, "one", &body).await;
    refused.expect_problem(409, "already_member");
    allow_rows(&app, "idempotency_keys").await;
}
