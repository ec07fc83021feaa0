//! What the README and `.env.example` say is held to the code.

mod operations;
mod security;

use std::fs;
use std::path::Path;

use clap::CommandFactory as _;
use roomcast::cli::Cli;

fn read(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).unwrap()
}

#[test]
fn every_setting_is_in_the_readme_and_in_the_example() {
    let (readme, example) = (read("README.md"), read(".env.example"));
    let command = Cli::command();
    let settings: Vec<&str> =
        command.get_arguments().filter_map(|argument| argument.get_env()?.to_str()).collect();
    assert!(settings.len() > 10, "{settings:?}");
    for setting in settings {
        assert!(readme.contains(&format!("`{setting}`")), "README.md does not tell of {setting}");
        assert!(example.contains(&format!("{setting}=")), ".env.example does not tell of {setting}");
    }
}

/// npm compares what it downloads with this, and takes what has none.
#[test]
fn every_package_of_npm_has_its_hash() {
    for folder in ["", "sdk/typescript/test/runtimes/", "benches/peers/"] {
        let lock: serde_json::Value =
            serde_json::from_str(&read(&format!("{folder}package-lock.json"))).unwrap();
        let packages = lock["packages"].as_object().unwrap();
        let mut installed = packages.iter().filter(|(path, package)| {
            path.contains("node_modules/") && package["link"] != serde_json::Value::Bool(true)
        });
        assert!(installed.clone().count() > 2, "{folder}");
        let bare = installed.find(|(_, package)| {
            !package["integrity"].as_str().is_some_and(|hash| hash.starts_with("sha512-"))
        });
        assert_eq!(bare.map(|(path, _)| path), None, "in {folder}package-lock.json");
    }
}

#[test]
fn every_route_is_in_the_readme() {
    let readme = read("README.md");
    let document = serde_json::to_value(roomcast::router::document()).unwrap();
    let paths = document["paths"].as_object().unwrap();
    assert!(paths.len() > 10);
    for (path, operations) in paths {
        for method in operations.as_object().unwrap().keys() {
            let route = format!("{} {path}", method.to_uppercase());
            assert!(readme.contains(&route), "README.md does not tell of {route}");
        }
    }
}
