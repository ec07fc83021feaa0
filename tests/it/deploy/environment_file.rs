//! `make env`.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Output};

use super::{path, text};
use crate::harness::Child;
use crate::harness::environment::{not_run, on_postgres};

/// Writes such a file.
pub(super) fn write(file: &Path) -> Output {
    Command::new(path("scripts/env")).arg(file).output().unwrap()
}

/// Its lines.
pub(super) fn variables(file: &Path) -> Vec<(String, String)> {
    let text = std::fs::read_to_string(file).unwrap();
    let lines = text.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.split_once('='));
    lines.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

#[test]
fn it_holds_fresh_secrets_for_its_owner_alone_and_is_never_written_over() {
    let folder = tempfile::tempdir().unwrap();
    let (file, other) = (folder.path().join(".env"), folder.path().join("other"));
    let written = write(&file);
    assert!(written.status.success(), "{}", text(&written));
    let mode = file.metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let secrets = variables(&file);
    assert!(!secrets.is_empty());
    for (name, value) in &secrets {
        assert!(text(&written).contains(name.as_str()), "it tells of {name}");
        assert!(!text(&written).contains(value.as_str()), "it shows {name}");
        assert_eq!(value.len(), 64, "{name}");
    }
    assert!(write(&other).status.success());
    assert!(secrets.iter().zip(variables(&other)).all(|(one, another)| one.1 != another.1));

    let before = std::fs::read_to_string(&file).unwrap();
    let again = write(&file);
    assert!(!again.status.success() && text(&again).contains("exists"), "{}", text(&again));
    assert_eq!(std::fs::read_to_string(&file).unwrap(), before);
}

/// `make run` after `make env`: still on SQLite, and nobody needs to know what the file holds.
#[tokio::test(flavor = "multi_thread")]
async fn a_hub_without_a_database_url_starts_with_it() {
    if on_postgres() {
        return not_run("it is about SQLite");
    }
    let folder = tempfile::tempdir().unwrap();
    let (file, data) = (folder.path().join(".env"), folder.path().join("data"));
    assert!(write(&file).status.success());
    let variables = variables(&file);
    let mut environment: Vec<(&str, &str)> =
        variables.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    environment.extend([("PORT", "0"), ("ROOMCAST_DATA_DIR", data.to_str().unwrap())]);
    let mut child = Child::start(&[], &environment);
    let client = child.listening().await;
    client.anonymous().at(reqwest::Method::GET, "/readyz").await.expect_status(200);
    child.stop().await;
    assert!(data.join("roomcast.db").exists() && !data.join("signing.key").exists());
}
