//! Open sockets of a user and of an organisation.

use futures_util::future::join_all;
use roomcast_client::{CloseCode, Received};

use super::{limited, refusals};
use crate::harness::{Person, TestApp, TestSocket, eventually, options};

/// Opens a socket; `None` where it was closed because there are too many.
async fn enter(app: &TestApp, person: &Person) -> Option<TestSocket> {
    let mut socket = Box::pin(app.open(options(person))).await;
    match socket.receive().await {
        Received::Frame { .. } => Some(socket),
        Received::Closed { code, reason } => {
            assert_eq!(code, CloseCode::TOO_MANY, "{reason}");
            None
        }
    }
}

/// So many at once; those that were let in.
async fn race(app: &TestApp, people: &[&Person]) -> Vec<TestSocket> {
    join_all(people.iter().map(|person| enter(app, person))).await.into_iter().flatten().collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn of_twenty_that_race_as_many_enter_as_a_user_may_have() {
    let app = limited(|limits| limits.max_sockets_per_user = 5).await;
    let acme = app.organisation("Acme").with_member("mia").create().await;
    let before = refusals(&app, "user_sockets").await;
    let mut open = race(&app, &[&acme["mia"]; 20]).await;
    assert_eq!(open.len(), 5);
    assert_eq!(app.app.hub.sockets(), 5);
    assert!(refusals(&app, "user_sockets").await >= before + 15.0);
    // Others are not concerned, and who is in stays.
    let mut admin = app.connect(&acme.admin).await;
    let sent = app.broadcast(&acme.admin, "hello").await;
    for socket in open.iter_mut().chain([&mut admin]) {
        assert_eq!(socket.expect_activity("BROADCAST_MESSAGE").await.text, sent.text);
    }

    // A place that is given up is free.
    open.pop().unwrap().close().await;
    let next = eventually("a free place", async || enter(&app, &acme["mia"]).await).await;
    assert!(enter(&app, &acme["mia"]).await.is_none());
    drop((open, next));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_organisations_sockets_are_all_its_users() {
    let app = limited(|limits| limits.max_sockets_per_organisation = 4).await;
    let acme = app.organisation("Acme").with_member("mia").create().await;
    let bolt = app.organisation("Bolt").create().await;
    let before = refusals(&app, "organisation_sockets").await;
    let people: Vec<&Person> = [&acme.admin, &acme["mia"]].into_iter().cycle().take(20).collect();
    let open = race(&app, &people).await;
    assert_eq!(open.len(), 4);
    assert!(refusals(&app, "organisation_sockets").await >= before + 16.0);
    assert!(enter(&app, &bolt.admin).await.is_some());
    drop(open);
}
