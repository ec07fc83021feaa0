//! Starts after what should not have happened: leftovers of a dead process, and folders that cannot be used.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use super::disk::{SmallDisk, size};
use super::site::{Site, database_file};
use crate::harness::environment::{not_run, on_postgres};
use crate::harness::{Child, PASSWORD, Person};

const KEY: &str = "signing.key";

/// Does to a folder what a machine may do to it.
type Spoil = fn(&Path);

async fn expect_refused(data: &Path, words: &[&str]) {
    let environment = [("ROOMCAST_DATA_DIR", data.to_str().unwrap()), ("PORT", "0")];
    let (status, output) = Child::start(&[], &environment).ended().await;
    assert!(!status.success(), "{output}");
    for word in words {
        assert!(output.contains(word), "{word:?} in:\n{output}");
    }
    assert!(!output.contains("panicked") && !output.contains("listening on"), "{output}");
}

/// A folder whose process was killed, who is signed in to it, and what they see in it.
async fn dead_folder(data: &Path) -> (Person, Vec<String>) {
    let mut site = Site::in_folder(data);
    let client = site.start().await;
    let ana = client.register("Acme", "Ana", "ana@example.com", PASSWORD).await;
    for number in 0..20 {
        client.broadcast(&ana, &number.to_string()).await;
    }
    let feed = client.feed(&ana).await.0.into_iter().map(|item| item.text).collect();
    site.kill().await;
    (ana, feed)
}

async fn expect_feed(data: &Path, person: &Person, feed: &[String]) {
    let mut site = Site::in_folder(data);
    let client = site.start().await;
    assert_eq!(client.feed(person).await.texts(), feed, "{}", data.display());
    client.broadcast(person, "it goes on").await;
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_dead_process_leaves_is_taken_up() {
    if on_postgres() {
        return not_run("it is about SQLite");
    }
    let folder = tempfile::tempdir().unwrap();
    let dead = folder.path().join("dead");
    let (ana, feed) = dead_folder(&dead).await;
    assert!(size(&dead.join("roomcast.db-wal")) > 0 && dead.join("roomcast.db-shm").exists());
    assert!(dead.join("roomcast.db.lock").exists());
    // Each spoils a copy in a way in which a machine may leave it.
    let ways: [(&str, Spoil); 5] = [
        ("as it was", |_| ()),
        ("an index of nothing", |data| fs::write(data.join("roomcast.db-shm"), vec![7; 32_768]).unwrap()),
        ("no index", |data| fs::remove_file(data.join("roomcast.db-shm")).unwrap()),
        ("half an entry at the end of the log", |data| {
            let wal = data.join("roomcast.db-wal");
            let mut bytes = fs::read(&wal).unwrap();
            let torn: Vec<u8> = bytes.iter().rev().take(2_000).copied().collect();
            bytes.extend(torn);
            fs::write(wal, bytes).unwrap();
        }),
        ("half of a new key, a full lock file", |data| {
            fs::write(data.join("signing.key.partial"), "half").unwrap();
            fs::write(data.join("roomcast.db.lock"), "4711").unwrap();
        }),
    ];
    for (number, (what, spoil)) in ways.into_iter().enumerate() {
        let copy = folder.path().join(number.to_string());
        fs::create_dir(&copy).unwrap();
        for file in fs::read_dir(&dead).unwrap() {
            let file = file.unwrap();
            fs::copy(file.path(), copy.join(file.file_name())).unwrap();
        }
        spoil(&copy);
        println!("{what}");
        expect_feed(&copy, &ana, &feed).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_made_whole_or_not_at_all() {
    if on_postgres() {
        return not_run("with PostgreSQL the key is configured");
    }
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    fs::create_dir(&data).unwrap();
    // Of a start that was cut short; readable by all, as a key must not be.
    fs::write(data.join("signing.key.partial"), [1; 40]).unwrap();
    fs::set_permissions(data.join("signing.key.partial"), fs::Permissions::from_mode(0o644)).unwrap();
    let mut site = Site::in_folder(&data);
    site.start().await;
    site.stop().await;
    let key = fs::metadata(data.join(KEY)).unwrap();
    assert_eq!(key.len(), 32);
    assert_eq!(key.permissions().mode() & 0o777, 0o600);
    assert!(!data.join("signing.key.partial").exists());

    // Half a key is never taken for one, nor replaced unasked: who signed in with it would be signed out.
    for half in [&[][..], &[7; 31]] {
        fs::write(data.join(KEY), half).unwrap();
        expect_refused(&data, &[KEY, "32 bytes", "delete it"]).await;
        assert_eq!(fs::read(data.join(KEY)).unwrap(), half);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_is_full_at_the_first_start_is_named() {
    if on_postgres() {
        return not_run("it is about SQLite");
    }
    let Some(disk) = SmallDisk::mount(&std::env::temp_dir(), 4) else {
        return not_run("it may not mount a small disk");
    };
    let data = disk.path().join("data");
    // Nothing at all, a database that cannot be filled, and one without a key.
    for leave in [0, 60_000, 200_000] {
        disk.fill(leave);
        let environment = [("ROOMCAST_DATA_DIR", data.to_str().unwrap()), ("PORT", "0")];
        let mut child = Child::start(&[], &environment);
        if child.listens().await {
            continue;
        }
        let (status, output) = child.ended().await;
        assert!(!status.success(), "{output}");
        let says = ["No space left on device", "disk is full", "disk I/O error"];
        assert!(says.iter().any(|words| output.contains(words)), "with {leave} bytes:\n{output}");
        assert!(!output.contains("panicked"), "{output}");
    }
    disk.free();
    let mut site = Site::in_folder(&data);
    let client = site.start().await;
    client.register("Acme", "Ana", "ana@example.com", PASSWORD).await;
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_that_cannot_be_written_to_is_named() {
    if on_postgres() {
        return not_run("it is about SQLite");
    }
    // Nobody makes folders there, the administrator included.
    expect_refused(Path::new("/proc/roomcast"), &["cannot create the folder /proc/roomcast"]).await;
    // A file in the place of the folder, and a folder in the place of the file.
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    expect_refused(&file, &[file.to_str().unwrap()]).await;
    let data = folder.path().join("data");
    fs::create_dir_all(database_file(&data)).unwrap();
    expect_refused(&data, &["roomcast.db"]).await;

    let Some(disk) = SmallDisk::mount(&std::env::temp_dir(), 4) else {
        return not_run("it may not mount a small disk");
    };
    let data = disk.path().join("data");
    let mut site = Site::in_folder(&data);
    site.start().await;
    site.stop().await;
    disk.make_read_only();
    expect_refused(&data, &[data.to_str().unwrap(), "Read-only file system"]).await;
}
