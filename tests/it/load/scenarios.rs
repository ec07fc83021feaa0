//! Each scenario, small, against a hub that is started for it.

use super::spawned;
use crate::harness::environment::on_postgres;

#[tokio::test(flavor = "multi_thread")]
async fn idle_holds_every_socket_and_tells_what_it_costs() {
    let ran = spawned(&["idle", "--sockets", "40", "--rooms", "4", "--duration", "1s"]).await.expect_passed();
    assert!((ran.figure("sockets") - 40.0).abs() < 0.5);
    assert_eq!(ran.count("/latencies/open/count"), 40);
    assert!(ran.figure("kib/socket") >= 0.0 && ran.figure("cpu/10000-sockets") >= 0.0);
    let (server, engine) = (&ran.report["server"], if on_postgres() { "PostgreSQL" } else { "SQLite" });
    assert_eq!((server["isSpawned"].as_bool(), server["database"].as_str()), (Some(true), Some(engine)));
    assert_eq!(
        (server["limits"].as_str(), server["build"]["version"].as_str()),
        (Some("all off"), Some("0.1.0"))
    );
    assert!(server["durability"].as_str().unwrap().contains("synchronous"), "{server}");
}

#[tokio::test(flavor = "multi_thread")]
async fn room_delivers_each_message_to_each_socket() {
    let ran = spawned(&["room", "--sockets", "30", "--rate", "50", "--duration", "1s"]).await.expect_passed();
    let published = ran.count("/latencies/publish/count");
    assert_eq!(published, 50, "an open loop sends what is due");
    assert_eq!(ran.count("/verdict/received"), published * 30);
    assert_eq!(ran.count("/latencies/delivery/count"), published * 30);
    assert!(ran.figure("p50") <= ran.figure("p99") && ran.figure("p99") <= ran.figure("max"));
    assert!(ran.output.contains("all off") && ran.output.contains("payload 200 bytes"), "{}", ran.output);
}

#[tokio::test(flavor = "multi_thread")]
async fn rooms_are_kept_apart() {
    let arguments =
        ["rooms", "--rooms", "7", "--sockets", "21", "--closed", "--callers", "5", "--duration", "1s"];
    let ran = spawned(&arguments).await.expect_passed();
    assert_eq!(ran.count("/verdict/received"), ran.count("/latencies/publish/count") * 3);
    assert!(ran.count("/verdict/received") > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn storm_brings_all_back_with_what_they_missed() {
    let ran = spawned(&["storm", "--rooms", "2", "--sockets", "20", "--missed", "30"]).await.expect_passed();
    assert_eq!(ran.count("/verdict/received"), 20 * 30);
    assert_eq!(ran.count("/latencies/return/count"), 20);
    assert!(ran.figure("return") >= ran.figure("p99"));
    assert!(ran.figure("reads") <= 20.0, "{}", ran.figure("reads"));
}

#[tokio::test(flavor = "multi_thread")]
async fn publish_counts_what_is_acknowledged() {
    let ran = spawned(&["publish", "--callers", "8", "--duration", "1s"]).await.expect_passed();
    assert!(ran.figure("published/s") > 0.0);
    assert!(ran.figure("failed") < 0.5);
    assert_eq!(ran.report["run"]["arrivals"], "closed");
}

#[tokio::test(flavor = "multi_thread")]
async fn feed_reads_whole_pages() {
    let arguments = ["feed", "--history", "120", "--callers", "4", "--duration", "1s"];
    let ran = spawned(&arguments).await.expect_passed();
    assert!(ran.figure("read/s") > 0.0);
    assert!(ran.count("/latencies/feed/count") > 0);
    assert!(ran.report["latencies"]["publish"].is_null(), "the history is not timed");
}

#[tokio::test(flavor = "multi_thread")]
async fn mixed_loses_nothing_while_sockets_come_and_go() {
    let arguments =
        ["mixed", "--rooms", "4", "--sockets", "24", "--rate", "60", "--churn", "0.5", "--duration", "2s"];
    let ran = spawned(&arguments).await.expect_passed();
    assert_eq!(ran.count("/verdict/received"), ran.count("/latencies/publish/count") * 6);
    assert!(ran.count("/latencies/open/count") > 24, "some came back");
    assert!(ran.count("/latencies/feed/count") > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_piped_is_the_report_alone() {
    let ran = spawned(&["room", "--sockets", "5", "--rate", "20", "--duration", "1s"]).await.expect_passed();
    assert!(ran.output.starts_with("room: 5 sockets in 1 room, 20 requests a second"), "{}", ran.output);
    assert!(
        ran.output.ends_with("passed: nothing lost, doubled, out of order or foreign\n"),
        "{}",
        ran.output
    );
    assert!(!ran.output.contains(['\r', '\u{1b}']), "{:?}", ran.output);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_needs_nothing_else() {
    let ran = spawned(&["room", "--sockets", "5", "--rate", "20", "--duration", "1s"]).await.expect_passed();
    let page = &ran.page;
    let url = ran.report["server"]["url"].as_str().unwrap();
    assert!(page.starts_with("<!doctype html>") && page.contains("Passed") && page.contains(url));
    for plot in ["Distribution of latency", "Throughput", "Memory of the server"] {
        assert!(page.contains(plot), "no {plot}");
    }
    assert!(page.matches("<svg").count() >= 4 && page.contains("prefers-color-scheme: dark"));
    for other in ["<script", "src=", "href=", "@import", "url(", "NaN"] {
        assert!(!page.contains(other), "{other}");
    }
    assert_eq!(page.matches("://").count(), page.matches(url).count(), "it asks no host");
    assert!(ran.report["timeline"].as_array().unwrap().len() > 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn expectations_decide() {
    let arguments = ["room", "--sockets", "5", "--rate", "20", "--duration", "1s", "--expect"];
    let with = |expected: &'static str| [&arguments[..], &[expected]].concat();
    spawned(&with("p99<60s,lost=0,delivered>=1")).await.expect_passed();
    let missed = spawned(&with("lost=0,p50<1us,read/s>1")).await;
    let missed =
        missed.expect_failed(&["expected p50<0.001ms, found", "expected read/s>1, of which nothing"]);
    let fared: Vec<bool> =
        (0..3).map(|index| missed.report["expectations"][index]["held"].as_bool().unwrap()).collect();
    assert_eq!(fared, [true, false, false]);
}
