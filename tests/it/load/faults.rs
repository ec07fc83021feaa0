//! What breaks a promise fails the run, and is named.

use super::proxy::{Break, Proxy};
use super::{Ran, load};
use crate::harness::TestApp;

async fn through(how: Break) -> Ran {
    let app = TestApp::start().await;
    let acme = app.organisation("Acme").create().await;
    let proxy = Proxy::before(&app.base, how).await;
    let arguments = [
        "room",
        "--url",
        &proxy.url,
        "--email",
        &acme.admin.email,
        "--sockets",
        "4",
        "--rate",
        "20",
        "--duration",
        "1s",
        "--patience",
        "2s",
    ];
    load(&arguments, &[("ROOMCAST_LOAD_PASSWORD", &acme.admin.password)]).await
}

fn counts(ran: &Ran) -> [u64; 4] {
    ["lost", "doubled", "outOfOrder", "foreign"].map(|name| ran.count(&format!("/verdict/{name}")))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_that_breaks_nothing_changes_nothing() {
    assert_eq!(through(Break::Nothing).await.expect_passed().count("/verdict/received"), 80);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_lost_is_seen() {
    let ran = through(Break::Drop).await.expect_failed(&["failed: 4 lost", "never came"]);
    assert_eq!(counts(&ran), [4, 0, 0, 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_doubled_is_seen() {
    let ran = through(Break::Double).await.expect_failed(&["failed: 4 doubled", "came twice"]);
    assert_eq!(counts(&ran), [0, 4, 0, 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_out_of_order_is_seen_and_not_lost() {
    let ran = through(Break::Swap).await.expect_failed(&["failed: 4 out of order", "came after position"]);
    assert_eq!(counts(&ran), [0, 0, 4, 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_foreign_is_seen() {
    let ran = through(Break::Foreign).await.expect_failed(&["failed: 4 of a foreign organisation"]);
    assert_eq!(counts(&ran), [0, 0, 0, 4]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_never_comes_at_the_end_is_lost() {
    let ran = through(Break::Stop).await.expect_failed(&["lost", "never came"]);
    assert_eq!(counts(&ran), [4 * 18, 0, 0, 0]);
}
