//! Many sockets in one room.

use futures_util::future::join_all;
use roomcast_client::Verifier;

use super::texts;
use crate::harness::TestApp;

const SOCKETS: usize = 200;

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_sockets_all_get_everything() {
    let app = TestApp::start().await;
    let acme = app
        .organisation("Acme")
        .on_plan("PRO")
        .with_member("a")
        .with_member("b")
        .with_member("c")
        .create()
        .await;
    // No more than a user may have.
    let people = [&acme.admin, &acme["a"], &acme["b"], &acme["c"]];
    let opened = (0..SOCKETS).map(|number| app.connect(people[number % people.len()]));
    let mut sockets = join_all(opened).await;
    let start = app.head(&acme.admin).await;
    let sends = (0..50).map(|number| app.broadcast_text(&acme.admin, number.to_string()));
    join_all(sends).await;
    let head = app.head(&acme.admin).await;
    let feed = app.feed_after(&acme.admin, start).await;
    assert_eq!(feed.0.len(), 50);
    let delivered = join_all(sockets.iter_mut().map(|socket| socket.up_to(head))).await;
    for (socket, delivered) in sockets.iter().zip(&delivered) {
        assert_eq!(texts(delivered), feed.texts());
        let mut verifier = Verifier::new(acme.id.parse().unwrap());
        for frame in &socket.frames {
            verifier.observe(frame);
        }
        assert_eq!(verifier.violations(), []);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crowd_that_comes_back_at_once_gets_all_that_it_missed() {
    let app = TestApp::start().await;
    let acme = app.organisation("Acme").with_member("mia").create().await;
    let start = app.head(&acme.admin).await;
    let sends = (0..100).map(|number| app.broadcast_text(&acme.admin, number.to_string()));
    join_all(sends).await;
    let head = app.head(&acme.admin).await;
    let people = [&acme.admin, &acme["mia"]];
    let opened = (0..80).map(|number| app.resume(people[number % 2], start));
    let mut sockets = join_all(opened).await;
    let feed = app.feed_after(&acme.admin, start).await;
    for delivered in join_all(sockets.iter_mut().map(|socket| socket.up_to(head))).await {
        assert_eq!(texts(&delivered), feed.texts());
    }
}
