//! `roomcast restore`: what it refuses, what it keeps, and that it happens as a whole.

use std::fs;
use std::path::{Path, PathBuf};

use diesel::prelude::*;
use tempfile::TempDir;

use super::{UNLIMITED, fail, folder_environment, succeed};
use crate::harness::environment::{not_run, on_postgres};
use crate::harness::{Child, PASSWORD};

/// A backup of a hub that has an organisation of this name, and its data folder.
async fn backup_of(name: &str) -> (TempDir, PathBuf) {
    let data = tempfile::tempdir().unwrap();
    let mut hub = Child::start(&[], &folder_environment(data.path()));
    let client = hub.listening().await;
    client.register(name, "Ana", "ana@example.com", PASSWORD).await;
    hub.stop().await;
    let file = data.path().join("backup.tar");
    succeed(&["backup", file.to_str().unwrap()], &folder_environment(data.path())).await;
    (data, file)
}

/// The names of the organisations in a database.
fn organisations(path: &Path) -> Vec<String> {
    let mut conn = SqliteConnection::establish(path.to_str().unwrap()).unwrap();
    roomcast::db::schema::organisations::table
        .select(roomcast::db::schema::organisations::name)
        .load(&mut conn)
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_is_there_stays_unless_it_is_to_be_replaced() {
    if on_postgres() {
        return not_run("it is about SQLite");
    }
    let (_acme, acme_file) = backup_of("Acme").await;
    let (globex, _) = backup_of("Globex").await;
    let (file, data) = (acme_file.to_str().unwrap(), globex.path());
    let database = data.join("roomcast.db");
    let old_key = fs::read(data.join("signing.key")).unwrap();
    fail(&["restore", file], &folder_environment(data), &["there is a database", "--replace"]).await;
    assert_eq!(organisations(&database), ["Globex"]);

    let mut hub = Child::start(&[], &folder_environment(data));
    hub.listening().await;
    let in_use = ["another process uses this database"];
    fail(&["restore", file, "--replace"], &folder_environment(data), &in_use).await;
    hub.stop().await;
    assert_eq!(organisations(&database), ["Globex"]);

    let output = succeed(&["restore", file, "--replace"], &folder_environment(data)).await;
    assert_eq!(organisations(&database), ["Acme"]);
    let aside: Vec<&str> =
        output.lines().filter_map(|line| line.strip_prefix("what was there before is ")).collect();
    assert_eq!(aside.len(), 2, "{output}");
    assert_eq!(fs::read(aside[0]).unwrap(), old_key);
    assert_eq!(organisations(Path::new(aside[1])), ["Globex"]);
    let mut hub = Child::start(&[], &folder_environment(data));
    let client = hub.listening().await;
    let body = serde_json::json!({ "email": "ana@example.com", "password": PASSWORD });
    let session = client.anonymous().post("/auth/login").json(&body).await.expect_json(200);
    assert_eq!(session["organisation"]["name"], "Acme");
    hub.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_whole_backup_changes_nothing() {
    if on_postgres() {
        return not_run("it is about SQLite");
    }
    let (acme, file) = backup_of("Acme").await;
    let good = fs::read(&file).unwrap();
    let bad = acme.path().join("bad.tar");
    let target = tempfile::tempdir().unwrap();
    let expect_refused = async |bytes: &[u8], words: &[&str]| {
        fs::write(&bad, bytes).unwrap();
        let data = target.path().join("data");
        fail(&["restore", bad.to_str().unwrap()], &folder_environment(&data), words).await;
        let mut left: Vec<String> = fs::read_dir(&data)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        left.sort();
        assert_eq!(left, ["roomcast.db.guests", "roomcast.db.lock"], "only empty locks are left");
    };
    expect_refused(b"", &["empty"]).await;
    expect_refused(b"no archive at all", &["bad.tar"]).await;
    expect_refused(&good[..good.len() / 2], &["bad.tar"]).await;
    let text = |from: &str, to: &str| {
        // The manifest is the second block, and its length stays.
        let mut bytes = good.clone();
        let place = bytes.windows(from.len()).position(|window| window == from.as_bytes()).unwrap();
        bytes[place..place + from.len()].copy_from_slice(to.as_bytes());
        bytes
    };
    expect_refused(&text("\"format\": 1", "\"format\": 7"), &["another version of Roomcast"]).await;
    expect_refused(&text("20261120", "29991231"), &["newer version of Roomcast", "29991231"]).await;
    let mut flipped = good.clone();
    let middle = flipped.len() / 2;
    flipped[middle] ^= 1;
    expect_refused(&flipped, &["checksum", "damaged"]).await;
    fail(&["restore", "/no/such/file"], &folder_environment(target.path()), &["/no/such/file"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restore_that_is_killed_has_happened_or_not() {
    if on_postgres() {
        return not_run("it is about SQLite");
    }
    let (acme, acme_file) = backup_of("Acme").await;
    let (globex, _) = backup_of("Globex").await;
    let (mut kept, mut replaced) = (0, 0);
    // Each round lets it go a little further, until it ends by itself.
    for round in 0.. {
        let target = tempfile::tempdir().unwrap();
        for name in ["roomcast.db", "signing.key"] {
            fs::copy(globex.path().join(name), target.path().join(name)).unwrap();
        }
        let mut killed = std::process::Command::new(env!("CARGO_BIN_EXE_roomcast"))
            .args(["restore", "--replace", acme_file.to_str().unwrap()])
            .env_clear()
            .env("ROOMCAST_DATA_DIR", target.path())
            .envs(UNLIMITED)
            .stdout(std::process::Stdio::null())
            .spawn()
            .unwrap();
        tokio::time::sleep(std::time::Duration::from_millis(round * 4)).await;
        killed.kill().unwrap();
        let status = killed.wait().unwrap();
        // As a start would.
        succeed(&["migrate"], &folder_environment(target.path())).await;
        let key = fs::read(target.path().join("signing.key")).unwrap();
        let key_of = |folder: &Path| fs::read(folder.join("signing.key")).unwrap();
        match organisations(&target.path().join("roomcast.db")).as_slice() {
            [name] if name == "Globex" => {
                assert_eq!(key, key_of(globex.path()));
                kept += 1;
            }
            [name] if name == "Acme" => {
                assert_eq!(key, key_of(acme.path()));
                replaced += 1;
            }
            other => panic!("neither before nor after: {other:?}"),
        }
        if let Some(code) = status.code() {
            assert_eq!(code, 0);
            break;
        }
    }
    assert!(kept > 0 && replaced > 0, "{kept} {replaced}");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_fails_at_its_last_step_leaves_nothing_behind() {
    if on_postgres() {
        return not_run("it is about SQLite");
    }
    let (_acme, file) = backup_of("Acme").await;
    let (globex, _) = backup_of("Globex").await;
    // Where it would write down what is to be moved.
    fs::create_dir(globex.path().join("roomcast.db.restore.partial")).unwrap();
    let arguments = ["restore", file.to_str().unwrap(), "--replace"];
    fail(&arguments, &folder_environment(globex.path()), &["cannot write", "roomcast.db.restore"]).await;
    assert_eq!(organisations(&globex.path().join("roomcast.db")), ["Globex"]);
    let names = fs::read_dir(globex.path()).unwrap().map(|entry| entry.unwrap().file_name());
    let left: Vec<_> = names.filter(|name| name.to_string_lossy().contains("restoring")).collect();
    assert!(left.is_empty(), "{left:?}");
}
