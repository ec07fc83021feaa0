//! Two nodes on one database, without a bus between them: the sweep alone carries over.

use roomcast_client::CloseCode;

use super::delivery::expect_both_to_deliver;
use crate::harness::environment::{not_run, on_postgres};
use crate::harness::{TestApp, eventually};
use crate::hub::texts;
use crate::platform::suspension::on_two_nodes;

/// Two nodes, where the database takes two.
async fn pair() -> Option<(TestApp, TestApp)> {
    if !on_postgres() {
        not_run("a SQLite folder takes one node");
        return None;
    }
    let first = TestApp::start().await;
    let second = first.another_node().await;
    Some((first, second))
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_sent_on_one_arrives_on_the_other() {
    let Some((first, second)) = pair().await else { return };
    expect_both_to_deliver(&first, &second).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn access_that_ends_on_one_ends_on_the_other() {
    let Some((first, second)) = pair().await else { return };
    let acme = first.organisation("Acme").with_member("mia").with_admin("bo").create().await;
    let mut there = second.connect(&acme["mia"]).await;
    second.as_user(&acme["bo"]).get("/users").await.expect_status(200);
    first.remove(&acme.admin, &acme["mia"]).await;
    first.change_role(&acme.admin, &acme["bo"], "MEMBER").await;
    there.expect_close(CloseCode::REMOVED).await;
    let ended = eventually("the end of access on the other node", async || {
        let answer = second.as_user(&acme["mia"]).get("/auth/me").await;
        (answer.status != 200).then_some(answer)
    });
    ended.await.expect_problem(401, "session_ended");
    let demoted = eventually("the demotion on the other node", async || {
        let answer = second.as_user(&acme["bo"]).get("/users").await;
        (answer.status != 200).then_some(answer)
    });
    demoted.await.expect_problem(403, "role_forbidden");
    on_two_nodes(&first, &second).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_goes_from_one_to_the_other_without_a_gap() {
    let Some((first, second)) = pair().await else { return };
    let acme = first.organisation("Acme").with_member("mia").create().await;
    let mut socket = first.connect(&acme["mia"]).await;
    let one = first.broadcast(&acme.admin, "one").await;
    assert_eq!(texts(&socket.up_to(one.seq()).await), [one.text.as_str()]);
    socket.close().await;
    let two = first.broadcast(&acme.admin, "two").await;
    let mut socket = second.resume(&acme["mia"], one.seq()).await;
    assert_eq!(texts(&socket.up_to(two.seq()).await), [two.text.as_str()]);
}
