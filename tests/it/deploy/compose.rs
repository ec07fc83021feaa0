//! `docker-compose.yml`.

use std::collections::BTreeSet;
use std::time::Duration;

use clap::CommandFactory as _;
use serde_json::Value;

use super::{FINISH, commands, environment_file, read, settings};

/// Settings that compose does not hand on, each for a reason.
const NOT_PASSED: [(&str, &str); 2] =
    [("TLS_CERT", "the proxy in front ends TLS"), ("TLS_KEY", "the proxy in front ends TLS")];

fn compose() -> Value {
    serde_saphyr::from_str(&read("docker-compose.yml")).unwrap()
}

fn services() -> Vec<(String, Value)> {
    let compose = compose();
    let services = compose["services"].as_object().unwrap();
    services.iter().map(|(name, service)| (name.clone(), service.clone())).collect()
}

fn names(value: &Value) -> BTreeSet<String> {
    value.as_object().unwrap().keys().cloned().collect()
}

#[test]
fn it_hands_on_every_setting_and_nothing_else() {
    let passed = names(&compose()["services"]["hub"]["environment"]);
    let left_out: BTreeSet<String> = NOT_PASSED.iter().map(|(name, _)| (*name).to_owned()).collect();
    let settings: BTreeSet<String> = settings().into_iter().collect();
    assert_eq!(&passed | &left_out, settings);
    assert!(passed.is_disjoint(&left_out));
}

#[test]
fn variables_of_the_other_images_are_theirs() {
    for (name, service) in services().into_iter().filter(|(name, _)| name != "hub") {
        let prefix = format!("{}_", name.to_uppercase());
        for variable in service["environment"].as_object().into_iter().flat_map(|map| map.keys()) {
            assert!(variable.starts_with(&prefix), "{name}: {variable}");
        }
    }
}

/// A variable without a default is a secret, which `make env` writes.
#[test]
fn every_variable_that_it_asks_for_is_in_the_file_of_make_env_or_has_a_default() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join(".env");
    assert!(environment_file::write(&file).status.success());
    let written: BTreeSet<String> =
        environment_file::variables(&file).into_iter().map(|(name, _)| name).collect();
    let text: String =
        read("docker-compose.yml").lines().filter(|line| !line.trim().starts_with('#')).collect();
    let mut required = BTreeSet::new();
    for asked in text.split("${").skip(1) {
        let asked = asked.split('}').next().unwrap();
        if let Some((name, _)) = asked.split_once(":?") {
            required.insert(name.to_owned());
            assert!(written.contains(name), "make env does not write {name}");
        } else {
            assert!(asked.contains(":-"), "{asked} has neither a default nor a reason to stop");
        }
    }
    for secret in ["JWT_ACCESS_SECRET", "POSTGRES_PASSWORD"] {
        assert!(required.contains(secret), "{secret} has to be there");
    }
    // What else is written is handed on where it is set.
    let passed = names(&compose()["services"]["hub"]["environment"]);
    assert!(written.iter().all(|name| passed.contains(name) || required.contains(name)), "{written:?}");
}

#[test]
fn every_service_is_asked_for_its_health_and_confined() {
    for (name, service) in services() {
        let check = &service["healthcheck"];
        assert_eq!(check["test"][0], "CMD", "{name}");
        for field in ["interval", "timeout", "retries"] {
            assert!(!check[field].is_null(), "{name} {field}");
        }
        assert_eq!(service["read_only"], true, "{name}");
        assert_eq!(service["cap_drop"][0], "ALL", "{name}");
        assert_eq!(service["security_opt"][0], "no-new-privileges:true", "{name}");
        assert!(service["tmpfs"].is_array(), "{name}");
        let (_, tag) = service["image"].as_str().unwrap().split_once(':').unwrap();
        assert!(tag.split('.').count() >= 2 && tag != "latest", "{name}: {tag}");
    }
    let compose = compose();
    let hub = &compose["services"]["hub"];
    assert_eq!(hub["image"], format!("roomcast:{}", env!("CARGO_PKG_VERSION")));
    assert_eq!(hub["healthcheck"]["test"][1], "roomcast");
    assert!(commands().iter().any(|command| hub["healthcheck"]["test"][2] == command.as_str()));
    assert_eq!(hub["environment"]["HOST"], "0.0.0.0");
    assert_eq!(hub["depends_on"]["postgres"]["condition"], "service_healthy");
    // Volumes that are used exist, and none of them is a folder of the host.
    for service in compose["services"].as_object().unwrap().values() {
        for mount in service["volumes"].as_array().into_iter().flatten() {
            let volume = mount.as_str().unwrap().split(':').next().unwrap();
            assert!(names(&compose["volumes"]).contains(volume), "{volume}");
        }
    }
}

/// What the image is built with is handed on by name alone, so that it is not there where nobody says it.
#[test]
fn it_hands_on_every_argument_of_the_build() {
    let arguments = names(&compose()["services"]["hub"]["build"]["args"]);
    let dockerfile = read("Dockerfile");
    let declared = dockerfile.lines().filter_map(|line| line.strip_prefix("ARG "));
    assert_eq!(arguments, declared.map(ToOwned::to_owned).collect());
    for value in compose()["services"]["hub"]["build"]["args"].as_object().unwrap().values() {
        assert!(value.is_null(), "{value}");
    }
    assert!(read("docs/operations.md").contains("export ROOMCAST_COMMIT="));
}

#[test]
fn it_waits_longer_than_a_drain_before_it_kills() {
    let command = roomcast::cli::Cli::command();
    let drain = command.get_arguments().find(|argument| argument.get_id() == "drain_seconds").unwrap();
    let drain = drain.get_default_values()[0].to_str().unwrap().parse().unwrap();
    let compose = compose();
    let hub = &compose["services"]["hub"];
    assert_eq!(hub["environment"]["DRAIN_SECONDS"], format!("${{DRAIN_SECONDS:-{drain}}}"));
    let grace = humantime::parse_duration(hub["stop_grace_period"].as_str().unwrap()).unwrap();
    assert!(grace > Duration::from_secs(drain) + FINISH, "{grace:?}");
}

/// A hub alone needs no Redis, and one of several starts without: nothing may depend on it, nor start it unasked.
#[test]
fn redis_is_there_only_where_it_is_asked_for() {
    let compose = compose();
    assert_eq!(compose["services"]["redis"]["profiles"][0], "cluster");
    assert!(compose["services"]["hub"]["depends_on"]["redis"].is_null());
    assert_eq!(compose["services"]["hub"]["environment"]["REDIS_URL"], "${REDIS_URL:-}");
}
