//! `roomcast epoch --new`, beside a hub that runs.

use roomcast_client::{CloseCode, Frame, GapReason};

use super::{environment, fail, succeed};
use crate::harness::{Child, PASSWORD, TestDatabase, options};

#[tokio::test(flavor = "multi_thread")]
async fn a_running_hub_sends_its_sockets_back_to_load_the_feed_anew() {
    let database = TestDatabase::create().await;
    let url = database.url_text();
    let mut hub = Child::start(&[], &environment(&url));
    let client = hub.listening().await;
    let ana = client.register("Acme", "Ana", "ana@example.com", PASSWORD).await;
    let gil = client.register("Globex", "Gil", "gil@example.com", PASSWORD).await;
    let mut sockets = vec![client.connect(&ana).await, client.connect(&gil).await];
    let output = succeed(&["epoch", "--new"], &environment(&url)).await;
    assert!(output.contains("2 activity logs"), "{output}");
    for socket in &mut sockets {
        socket.expect_close(CloseCode::RESTART).await;
    }
    let before = sockets[0].welcome();
    let mut socket = client.connect_with(options(&ana).after(before.seq).epoch(before.epoch)).await;
    assert_ne!(socket.welcome().epoch, before.epoch);
    let (Frame::ResumeGap(gap), _) = socket.next().await else { panic!("a RESUME_GAP was expected") };
    assert_eq!(gap.reason, GapReason::EpochChanged);
    let sent = client.broadcast(&ana, "it goes on").await;
    assert_eq!(socket.expect_activity("BROADCAST_MESSAGE").await.text, sent.text);
    hub.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn it_has_to_be_said() {
    let database = TestDatabase::create().await;
    let url = database.url_text();
    fail(&["epoch"], &environment(&url), &["--new"]).await;
}
