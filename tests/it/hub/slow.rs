//! A peer that never reads costs only itself.

use std::time::Duration;

use reqwest::Method;
use roomcast::types::Audience;

use super::{message_to, texts};
use crate::harness::proxy::{Mode, Proxy};
use crate::harness::raw::RawSocket;
use crate::harness::{Client, Person, TestApp, eventually};

/// Four bytes a character: 16 KiB a message.
fn large(number: usize) -> String {
    format!("{number:04}{}", "🐎".repeat(4092))
}

/// So many large messages; a thousand are more than the kernel's buffers hold for a peer that does not read.
pub(super) async fn flood(app: &TestApp, person: &Person, count: usize) -> i64 {
    let message = |number| message_to(Audience::Everyone, large(number));
    app.append_many(person, count, message).await.get()
}

async fn metric(app: &TestApp, line: &str) -> f64 {
    let metrics = app.anonymous().at(Method::GET, "/metrics").await.expect_status(200);
    let found = metrics.text.lines().find_map(|found| found.strip_prefix(line));
    found.map_or(0.0, |value| value.trim().parse().unwrap())
}

const CLOSED: &str = r#"roomcast_sockets_closed_total{code="4408"}"#;

#[tokio::test(flavor = "multi_thread")]
async fn is_closed_while_the_others_get_everything_in_time() {
    let app = TestApp::with(|config| config.hub.slow_socket_seconds = Duration::from_secs(1)).await;
    let acme = app.organisation("Acme").with_member("mia").create().await;
    let start = app.head(&acme.admin).await;
    let query = format!("?token={}", acme["mia"].access_token);
    let (mut slow, _) = RawSocket::upgrade(&app.base, &query, "", Some(4096)).await;
    let mut quick = app.connect(&acme.admin).await;
    let closed_before = metric(&app, CLOSED).await;

    let flooding = flood(&app, &acme.admin, 1000);
    let reading = async {
        for expected in 1..=1000 {
            assert_eq!(quick.next_activity().await.activity.seq, start + expected);
        }
    };
    let (head, ()) = tokio::join!(flooding, reading);
    assert_eq!(head, start + 1000);
    let cached = metric(&app, "roomcast_cached_bytes").await;
    // A room holds some 1 MiB, or one block of 256 entries where that alone is more.
    assert!(cached < 12.0 * 1024.0 * 1024.0, "what is cached is bounded: {cached}");

    // The count is the process's, in which other tests close slow peers, too; the sockets are this server's.
    eventually("the close of the slow one", async || (app.app.sockets.len() == 1).then_some(())).await;
    assert!(metric(&app, CLOSED).await > closed_before);
    // What the kernel took before is still there to be read; then it ends, and nothing more comes.
    let code = slow.close_code().await;
    assert!(code.is_none() || code == Some(4408), "{code:?}");

    // Nothing is lost to it: it goes on where it stopped, and reads this time.
    let mut again = app.resume(&acme["mia"], start).await;
    let delivered = again.up_to(head).await;
    assert_eq!(texts(&delivered), app.feed_after(&acme["mia"], start).await.texts());
}

#[tokio::test(flavor = "multi_thread")]
async fn who_reads_slowly_but_reads_is_kept() {
    let app = TestApp::with(|config| config.hub.slow_socket_seconds = Duration::from_secs(1)).await;
    let acme = app.organisation("Acme").with_member("mia").create().await;
    let query = format!("?token={}", acme["mia"].access_token);
    let (mut slow, _) = RawSocket::upgrade(&app.base, &query, "", Some(64 * 1024)).await;
    slow.next_text().await;
    let flooding = flood(&app, &acme.admin, 1000);
    let reading = async {
        let mut last = 0;
        for number in 0..1000 {
            let text = slow.next_text().await;
            let item = crate::harness::Item::parse(&text);
            assert!(item.seq() > last);
            last = item.seq();
            // Some 160 KiB in ten milliseconds: far behind, and far above 16 KiB a second.
            if number % 10 == 0 {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        }
        last
    };
    let (head, last) = tokio::join!(flooding, reading);
    assert_eq!(head, last);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_reads_again_gets_the_rest_though_nothing_new_comes() {
    let app = TestApp::start().await;
    let acme = app.organisation("Acme").with_member("mia").create().await;
    let query = format!("?token={}", acme["mia"].access_token);
    let (mut slow, _) = RawSocket::upgrade(&app.base, &query, "", Some(4096)).await;
    slow.next_text().await;
    // Its walkers have come and gone, and the kernel takes no more for it.
    let head = flood(&app, &acme.admin, 1000).await;
    let mut last = 0;
    while last < head {
        let item = crate::harness::Item::parse(&slow.next_text().await);
        assert!(item.seq() > last);
        last = item.seq();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_does_not_wait_for_it() {
    let app = TestApp::start().await;
    let acme = app.organisation("Acme").create().await;
    let query = format!("?token={}", acme.admin.access_token);
    let (_slow, _) = RawSocket::upgrade(&app.base, &query, "", Some(4096)).await;
    flood(&app, &acme.admin, 1000).await;
    // Fails unless the stop ends within its bound and leaves no task.
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_removed_while_not_reading_is_closed_like_any_other() {
    let app = TestApp::start().await;
    let acme = app.organisation("Acme").with_member("mia").create().await;
    let query = format!("?token={}", acme["mia"].access_token);
    let (_slow, _) = RawSocket::upgrade(&app.base, &query, "", Some(4096)).await;
    flood(&app, &acme.admin, 1000).await;
    assert_eq!(app.app.hub.sockets(), 1);
    // Long before SLOW_SOCKET_SECONDS, which is 30.
    app.remove(&acme.admin, &acme["mia"]).await;
    eventually("the end of the removed one", async || (app.app.hub.sockets() == 0).then_some(())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_vanishes_without_a_word_is_dropped_after_two_heartbeats() {
    let app = TestApp::with(|config| {
        config.server.timeouts.socket_heartbeat = Duration::from_millis(300);
    })
    .await;
    let acme = app.organisation("Acme").with_member("mia").create().await;
    let proxy = Proxy::to(app.base.strip_prefix("http://").unwrap());
    let gone = Client::of(format!("http://{}", proxy.addr())).connect(&acme["mia"]).await;
    let mut there = app.connect(&acme.admin).await;
    let head = app.head(&acme.admin).await;
    proxy.set(Mode::Blackhole);
    // Whoever answers stays, though nothing is said to it but pings.
    let left =
        eventually("the end of the one that is gone", async || (app.app.hub.sockets() == 1).then_some(()));
    let answering = async {
        while app.app.hub.sockets() > 1 {
            there.ping().await;
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::join!(left, answering);
    assert_eq!(there.ping().await.1, head);
    // It is as one that was cut off for the rest of the test.
    drop((gone, proxy));
}
