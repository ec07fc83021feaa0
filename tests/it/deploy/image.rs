//! The Dockerfile, as far as it can be tried without Docker.

use std::process::Command;

use super::{commands, path, read, text};
use crate::harness::environment::not_run;

/// The instructions, each on one line.
fn instructions() -> Vec<String> {
    let file = read("Dockerfile").replace("\\\n", " ");
    let lines = file.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
}

fn instruction(name: &str) -> String {
    let last = instructions().into_iter().rev().find(|line| line.starts_with(&format!("{name} ")));
    last.unwrap_or_else(|| panic!("the Dockerfile has no {name}"))
}

/// The steps up to the build, and then the image's program as a container has it.
#[test]
fn its_program_starts_without_root_and_with_nothing_writable_but_the_volume() {
    let program = env!("CARGO_BIN_EXE_roomcast");
    let mut command = Command::new(path("scripts/image/try"));
    command.args(["--program", program]).env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
    let tried = command.output().unwrap();
    if tried.status.code() == Some(77) {
        return not_run("only root may give a program a root of its own");
    }
    assert!(tried.status.success(), "{}", text(&tried));
}

#[test]
fn it_runs_as_nobody_in_particular_and_says_how_to_ask_and_to_stop_it() {
    let user = instruction("USER");
    let id = user.trim_start_matches("USER ").split(':').next().unwrap();
    assert!(id.parse::<u32>().unwrap() >= 1000, "{user}: a number that is not root's");
    assert!(
        instructions()
            .iter()
            .any(|line| line.contains(&format!("--chown={id}:")) && line.ends_with(" /data"))
    );
    assert_eq!(instruction("VOLUME"), "VOLUME /data");
    assert_eq!(instruction("STOPSIGNAL"), "STOPSIGNAL SIGTERM");
    assert_eq!(instruction("EXPOSE"), "EXPOSE 3000");
    for setting in ["HOST=0.0.0.0", "PORT=3000", "ROOMCAST_DATA_DIR=/data"] {
        let set = instructions()
            .iter()
            .any(|line| line.starts_with("ENV ") && line.split(' ').any(|pair| pair == setting));
        assert!(set, "{setting}");
    }
    let check = instruction("HEALTHCHECK");
    assert!(check.ends_with(r#"CMD ["roomcast", "healthcheck"]"#), "{check}");
    assert!(commands().contains(&"healthcheck".to_owned()));
}

/// The manifest of a new crate has to be copied, or the image cannot be built.
#[test]
fn it_copies_the_manifest_of_every_crate() {
    let copies: Vec<String> = instructions().into_iter().filter(|line| line.starts_with("COPY ")).collect();
    for folder in std::fs::read_dir(path("crates")).unwrap() {
        let name = folder.unwrap().file_name().into_string().unwrap();
        let copy = format!("COPY crates/{name}/Cargo.toml crates/{name}/");
        assert!(copies.contains(&copy), "the Dockerfile has no {copy:?}");
    }
}

/// What would be taken along by mistake: keys, databases, what was built.
#[test]
fn its_context_holds_nothing_but_what_is_copied() {
    let kept: Vec<String> =
        read(".dockerignore").lines().filter_map(|line| line.strip_prefix('!').map(str::to_owned)).collect();
    let copied: String = instructions().into_iter().filter(|line| line.starts_with("COPY ")).collect();
    for pattern in &kept {
        assert!(copied.contains(pattern.as_str()), "{pattern} is sent and not copied");
    }
    for secret in [".env", "data", "target", ".git"] {
        assert!(!kept.iter().any(|pattern| pattern == secret), "{secret} is sent");
    }
}

#[test]
fn it_is_built_with_a_rust_that_the_code_allows_and_from_images_that_are_pinned() {
    let froms: Vec<String> = instructions().into_iter().filter(|line| line.starts_with("FROM ")).collect();
    let version = |text: &str| -> Vec<u32> { text.split('.').map(|part| part.parse().unwrap()).collect() };
    let builder = froms.iter().position(|from| from.starts_with("FROM rust:")).unwrap();
    let rust = froms[builder].strip_prefix("FROM rust:").unwrap().split('-').next().unwrap();
    assert!(version(rust) >= version(env!("CARGO_PKG_RUST_VERSION")), "{rust}");
    for from in &froms {
        let tag = from.split(' ').nth(1).unwrap().split_once(':').unwrap().1;
        assert!(tag.starts_with(|first: char| first.is_ascii_digit()) && tag.contains('.'), "{from}");
    }
    // A program is started by the C library that it was linked with, or a later one.
    assert!(froms[builder].contains("bookworm") && froms.last().unwrap().contains("debian:12"), "{froms:?}");
}
