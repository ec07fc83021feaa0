//! A node that cannot compare itself with the log refuses, though the bus goes on.

use super::{Bus, expect_up, pair};
use crate::harness::at_last;
use crate::harness::proxy::{Mode, Proxy};

#[tokio::test(flavor = "multi_thread")]
async fn a_node_whose_database_hangs_refuses_and_holds_its_frames_back() {
    let Some([first, _]) = pair(Bus::Carries).await else { return };
    let url = url::Url::parse(&first.database_url()).unwrap();
    let proxy = Proxy::to(&format!("{}:{}", url.host_str().unwrap(), url.port().unwrap()));
    let mut through = url.clone();
    through.set_host(Some("127.0.0.1")).unwrap();
    through.set_port(Some(proxy.addr().port())).unwrap();
    let second = first
        .another_node_with(|config| config.database.database_url = Some(through.as_str().parse().unwrap()))
        .await;
    expect_up(&second).await;
    let acme = first.organisation("Acme").with_member("mia").create().await;
    let mut there = second.connect(&acme["mia"]).await;
    proxy.set(Mode::Blackhole);
    // Before that, who may enter is known, and what they ask for is not to be had.
    at_last("a view that is too old", async || {
        let answer = second.as_user(&acme["mia"]).get("/auth/me").await;
        (answer.expect_status(503).json()["code"] == "access_unknown").then_some(())
    })
    .await;
    // The bus tells of it, and it is held back all the same.
    let sent = first.broadcast(&acme.admin, "Mia may have been removed").await;
    let (delivered, position) = there.ping().await;
    assert!(delivered.is_empty() && position < sent.seq(), "{delivered:?} {position}");
    proxy.set(Mode::Pass);
    there.expect_only(sent.seq(), &["BROADCAST_MESSAGE"]).await;
    second.as_user(&acme["mia"]).get("/auth/me").await.expect_status(200);
}
