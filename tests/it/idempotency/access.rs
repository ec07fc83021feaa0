//! Who may do something is decided on each request, before its key is looked at.

use super::{Route, expect_first, expect_replay};
use crate::harness::TestApp;

#[tokio::test(flavor = "multi_thread")]
async fn a_demoted_admin_gets_no_answer_of_before() {
    let app = TestApp::start().await;
    let acme = app.organisation("Acme").with_admin("bo").create().await;
    let bo = &acme["bo"];
    let mut firsts = Vec::new();
    for route in [Route::Broadcast, Route::Invite] {
        let first = route.call(&app, bo, "one").await;
        expect_first(&first);
        firsts.push((route, first));
    }
    app.change_role(&acme.admin, bo, "MEMBER").await;
    for (route, _) in &firsts {
        route.call(&app, bo, "one").await.expect_problem(403, "role_forbidden");
        route.call(&app, bo, "two").await.expect_problem(403, "role_forbidden");
    }
    // That was about bo, not about the request: nothing of it is kept.
    app.change_role(&acme.admin, bo, "ADMIN").await;
    for (route, first) in &firsts {
        expect_replay(&route.call(&app, bo, "one").await, first);
        expect_first(&route.call(&app, bo, "two").await);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_removed_user_gets_no_answer_of_before() {
    let app = TestApp::start().await;
    let acme = app.organisation("Acme").with_admin("bo").create().await;
    for route in Route::ALL {
        expect_first(&route.call(&app, &acme["bo"], "one").await);
    }
    app.remove(&acme.admin, &acme["bo"]).await;
    for route in Route::ALL {
        route.call(&app, &acme["bo"], "one").await.expect_problem(401, "session_ended");
    }
}
