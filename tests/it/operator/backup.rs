//! `roomcast backup`, while the hub runs and writes, and what comes back of it.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::atomic::{AtomicBool, Ordering};

use roomcast_client::{Frame, GapReason};
use serde_json::json;

use super::{environment, fail, folder_environment, succeed};
use crate::harness::environment::{not_run, on_postgres};
use crate::harness::{Child, PASSWORD, TestDatabase, options};

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_under_load_is_one_moment_of_the_log_and_sessions_live_on() {
    if on_postgres() {
        return not_run("it is about SQLite");
    }
    let (data, other, out) =
        (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let file = out.path().join("hub.tar");
    let file = file.to_str().unwrap();
    let mut hub = Child::start(&[], &folder_environment(data.path()));
    let client = hub.listening().await;
    let acme = client.organisation("Acme").with_member("mia").create().await;
    let globex = client.register("Globex", "Gil", "gil@example.com", PASSWORD).await;
    for number in 0..50 {
        client.broadcast(&acme.admin, &format!("before {number}")).await;
    }
    let before = client.head(&acme.admin).await;
    let epoch = client.connect(&acme.admin).await.welcome().epoch;

    let done = AtomicBool::new(false);
    let write = async |person| {
        let mut number = 0;
        while !done.load(Ordering::Relaxed) {
            client.broadcast(person, &format!("during {number}")).await;
            number += 1;
        }
    };
    let back_up = async {
        let output = succeed(&["backup", file], &folder_environment(data.path())).await;
        done.store(true, Ordering::Relaxed);
        output
    };
    let (output, ()) = tokio::join!(back_up, async {
        tokio::join!(write(&acme.admin), write(&globex), write(&acme.admin));
    });
    assert!(output.contains("roomcast.db and signing.key"), "{output}");
    assert_eq!(fs::metadata(file).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(fs::read_dir(out.path()).unwrap().count(), 1, "nothing unfinished is left");
    client.broadcast(&acme.admin, "after").await;
    let original = client.feed(&acme.admin).await;
    let original_globex = client.feed(&globex).await;
    hub.stop().await;

    let output = succeed(&["restore", file], &folder_environment(other.path())).await;
    assert!(output.contains("2 activity logs have a new epoch"), "{output}");
    let mut hub = Child::start(&[], &folder_environment(other.path()));
    let client = hub.listening().await;
    // The access token from before is good: it was signed with the same key.
    for (person, original) in [(&acme.admin, &original), (&globex, &original_globex)] {
        let restored = client.feed(person).await;
        assert!(restored.0.len() < original.0.len());
        assert_eq!(restored.texts(), original.texts()[..restored.0.len()]);
        let dense: Vec<i64> = (1..).take(restored.0.len()).collect();
        assert_eq!(restored.seqs(), dense);
    }
    assert!(client.head(&acme.admin).await >= before);
    let body = json!({ "refreshToken": acme["mia"].refresh_token });
    client.anonymous().post("/auth/refresh").json(&body).await.expect_json(200);

    // Who knew the log from before is told to load it anew.
    let head = client.head(&acme.admin).await;
    let mut socket = client.connect_with(options(&acme.admin).after(before).epoch(epoch)).await;
    assert_ne!(socket.welcome().epoch, epoch);
    match socket.next().await {
        (Frame::ResumeGap(gap), _) => {
            assert_eq!((gap.reason, gap.next_seq), (GapReason::EpochChanged, head + 1));
        }
        (_, text) => panic!("a RESUME_GAP was expected, not {text}"),
    }
    let sent = client.broadcast(&acme.admin, "it goes on").await;
    assert_eq!(socket.expect_activity("BROADCAST_MESSAGE").await.text, sent.text);
    hub.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_exists_is_not_overwritten() {
    if on_postgres() {
        return not_run("it is about SQLite");
    }
    let data = tempfile::tempdir().unwrap();
    succeed(&["migrate"], &folder_environment(data.path())).await;
    let file = data.path().join("taken");
    fs::write(&file, "something of worth").unwrap();
    let name = file.to_str().unwrap();
    fail(&["backup", name], &folder_environment(data.path()), &["taken", "overwrites nothing"]).await;
    assert_eq!(fs::read_to_string(&file).unwrap(), "something of worth");
    let link = data.path().join("link");
    std::os::unix::fs::symlink("nowhere", &link).unwrap();
    fail(&["backup", link.to_str().unwrap()], &folder_environment(data.path()), &["overwrites nothing"])
        .await;
    let unreachable = data.path().join("no/such/folder/file");
    fail(&["backup", unreachable.to_str().unwrap()], &folder_environment(data.path()), &["cannot write"])
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn where_there_is_no_database_none_is_made() {
    let data = tempfile::tempdir().unwrap();
    let file = data.path().join("hub.tar");
    let folder = data.path().join("none");
    let name = file.to_str().unwrap();
    fail(&["backup", name], &folder_environment(&folder), &["there is no database", "ROOMCAST_DATA_DIR"])
        .await;
    assert!(!folder.exists() && !file.exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn on_postgres_its_own_tools_are_named() {
    if !on_postgres() {
        return not_run("it is about PostgreSQL");
    }
    let database = TestDatabase::create().await;
    let url = database.url_text();
    let words = ["pg_dump", "pg_restore", "roomcast epoch --new"];
    for command in ["backup", "restore"] {
        fail(&[command, "hub.tar"], &environment(&url), &words).await;
    }
}
