//! `deploy/roomcast.service`.

use std::process::Command;
use std::time::Duration;

use clap::CommandFactory as _;

use super::{FINISH, is_installed, read, settings, text};
use crate::harness::Child;
use crate::harness::environment::{not_run, on_postgres};

const UNIT: &str = "deploy/roomcast.service";

/// The values of a directive, in order.
fn values(name: &str) -> Vec<String> {
    let unit = read(UNIT);
    let lines = unit.lines().filter_map(|line| line.strip_prefix(&format!("{name}=")));
    lines.map(str::to_owned).collect()
}

fn value(name: &str) -> String {
    values(name).pop().unwrap_or_else(|| panic!("{UNIT} has no {name}"))
}

/// systemd's own opinion: no directive is misspelt, and little is left that the hub could do to its machine.
#[test]
fn systemd_understands_it_and_finds_it_confined() {
    if !is_installed("systemd-analyze") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("roomcast.service");
    let unit = read(UNIT).replace("/usr/local/bin/roomcast", env!("CARGO_BIN_EXE_roomcast"));
    std::fs::write(&file, unit).unwrap();
    let verified = Command::new("systemd-analyze").arg("verify").arg(&file).output().unwrap();
    assert!(verified.status.success() && text(&verified).is_empty(), "{}", text(&verified));
    // 0 is nothing, 100 is anything; a unit without a sandbox has 96.
    let options = ["security", "--no-pager", "--offline=yes", "--threshold=15"];
    let judged = Command::new("systemd-analyze").args(options).arg(&file).output().unwrap();
    assert!(judged.status.success(), "{}", text(&judged));
}

#[test]
fn it_waits_longer_than_a_drain_and_restarts_what_fails() {
    let command = roomcast::cli::Cli::command();
    let drain = command.get_arguments().find(|argument| argument.get_id() == "drain_seconds").unwrap();
    let drain = drain.get_default_values()[0].to_str().unwrap().parse().unwrap();
    let wait = humantime::parse_duration(&value("TimeoutStopSec")).unwrap();
    assert!(wait > Duration::from_secs(drain) + FINISH, "{wait:?}");
    assert_eq!(value("Restart"), "on-failure");
    assert_eq!(value("EnvironmentFile"), "-/etc/roomcast/roomcast.env");
    for pair in values("Environment") {
        let (name, _) = pair.split_once('=').unwrap();
        let of_the_c_library = name.starts_with("MALLOC_");
        assert!(of_the_c_library || settings().iter().any(|setting| setting == name), "{name} is no setting");
    }
    let state = format!("ROOMCAST_DATA_DIR=/var/lib/{}", value("StateDirectory"));
    assert!(values("Environment").contains(&state), "{state}");
    assert_eq!(format!("/var/lib/{}", value("StateDirectory")), value("WorkingDirectory"));
}

/// What the sandbox takes for granted: that the hub writes nowhere but in its state folder, with no
/// capability and no way to gain any.
#[tokio::test(flavor = "multi_thread")]
async fn the_hub_runs_with_nothing_writable_but_its_state_folder() {
    if on_postgres() {
        return not_run("it is about files");
    }
    let unshared = Command::new("unshare").args(["--mount", "true"]).output();
    if !unshared.is_ok_and(|output| output.status.success()) {
        return not_run("only root may take the right to write from a process");
    }
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().to_str().unwrap();
    let confine = r#"
        mount --bind "$0" "$0" && mount -o remount,bind,ro / || exit
        cd "$0" || exit
        exec setpriv --bounding-set=-all --no-new-privs "$@"
    "#;
    let wrapper = ["unshare", "--mount", "--propagation", "private", "sh", "-c", confine, state];
    let path = ("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
    let environment = [path, ("ROOMCAST_DATA_DIR", state), ("PORT", "0")];
    let mut child = Child::under(&wrapper, &[], &environment);
    let client = child.listening().await;
    let ana = client.register("Acme", "Ana", "ana@example.com", crate::harness::PASSWORD).await;
    let mut socket = client.connect(&ana).await;
    client.broadcast(&ana, "from a small room").await;
    socket.expect_activity("BROADCAST_MESSAGE").await;
    child.stop().await;
    // And the wrapper is one: elsewhere nothing can be written.
    let elsewhere = tempfile::tempdir().unwrap();
    let refused = [path, ("ROOMCAST_DATA_DIR", elsewhere.path().to_str().unwrap()), ("PORT", "0")];
    let (status, output) = Child::under(&wrapper, &[], &refused).ended().await;
    assert!(!status.success(), "{output}");
}
