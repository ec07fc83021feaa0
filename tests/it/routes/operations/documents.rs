//! `/openapi.json` and `/docs`.

use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::{Map, Value};

use crate::harness::TestApp;

/// What anybody may call, on purpose.
const PUBLIC: [&str; 9] = [
    "/auth/register",
    "/auth/login",
    "/auth/refresh",
    "/users/accept-invite",
    "/auth/sign-up",
    "/auth/forgot-password",
    "/auth/reset-password",
    "/platform/auth/login",
    "/platform/auth/refresh",
];

const METHODS: [&str; 5] = ["get", "post", "patch", "put", "delete"];

async fn document(app: &TestApp) -> Value {
    app.anonymous().at(Method::GET, "/openapi.json").await.expect_json(200)
}

fn operations(document: &Value) -> Vec<(String, String, &Map<String, Value>)> {
    let mut found = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            if METHODS.contains(&method.as_str()) {
                found.push((path.clone(), method.clone(), operation.as_object().unwrap()));
            }
        }
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn the_openapi_document_is_what_it_was() {
    let app = TestApp::start().await;
    let document = document(&app).await;
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1."));
    assert_eq!(document["info"]["version"], env!("CARGO_PKG_VERSION"));
    // What was just checked changes with each release and says nothing of the interface.
    insta::assert_json_snapshot!("openapi", document, { ".info.version" => "[version]" });
}

#[tokio::test(flavor = "multi_thread")]
async fn every_operation_is_named_secured_and_says_how_it_fails() {
    let app = TestApp::start().await;
    let document = document(&app).await;
    let mut names = BTreeSet::new();
    let is_token = |scheme: &Value| ["bearer", "administrator"].iter().any(|name| scheme.get(name).is_some());
    for (path, method, operation) in operations(&document) {
        let what = format!("{method} {path}");
        let name = operation
            .get("operationId")
            .and_then(Value::as_str)
            .unwrap_or_else(|| panic!("{what} has no name"));
        assert!(names.insert(name.to_owned()), "{what}: {name} names two");
        let secured = operation
            .get("security")
            .and_then(Value::as_array)
            .is_some_and(|list| !list.is_empty() && list.iter().all(is_token));
        assert_ne!(secured, PUBLIC.contains(&path.as_str()), "{what}: {:?}", operation.get("security"));
        let responses = operation["responses"].as_object().unwrap();
        assert!(responses.keys().any(|status| status.starts_with('2')), "{what}");
        let failures: Vec<_> = responses.iter().filter(|(status, _)| !status.starts_with('2')).collect();
        assert!(failures.iter().any(|(status, _)| status.starts_with('4')), "{what} has no 4xx");
        assert!(failures.iter().any(|(status, _)| status.starts_with('5')), "{what} has no 5xx");
        for (status, response) in failures {
            let schema =
                response.pointer("/content/application~1problem+json/schema/$ref").and_then(Value::as_str);
            assert_eq!(schema, Some("#/components/schemas/Problem"), "{what} {status}: {response}");
        }
        assert!(operation.contains_key("summary"), "{what} has no summary");
        assert!(
            operation.get("tags").is_some_and(|tags| !tags.as_array().unwrap().is_empty()),
            "{what} has no tag"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_document_has_every_call_of_the_contract() {
    let app = TestApp::start().await;
    let document = document(&app).await;
    let found: BTreeSet<(String, String)> =
        operations(&document).into_iter().map(|(path, method, _)| (method, path)).collect();
    let expected = [
        "post /auth/register",
        "post /auth/login",
        "post /auth/refresh",
        "post /auth/switch",
        "post /auth/logout",
        "get /auth/me",
        "patch /auth/me",
        "get /auth/organisations",
        "get /organisations",
        "post /organisations",
        "patch /organisations",
        "patch /organisations/subscription",
        "post /organisations/broadcast",
        "get /users",
        "post /users/invite",
        "get /users/invites",
        "delete /users/invites/{id}",
        "post /users/accept-invite",
        "patch /users/{id}",
        "delete /users/{id}",
        "get /activities",
        "get /stream",
    ];
    for call in expected {
        let (method, path) = call.split_once(' ').unwrap();
        assert!(found.contains(&(method.to_owned(), path.to_owned())), "{call} is missing in {found:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_secured_operation_refuses_who_is_not_signed_in() {
    let app = TestApp::start().await;
    let document = document(&app).await;
    for (path, method, _) in operations(&document) {
        if PUBLIC.contains(&path.as_str()) {
            continue;
        }
        let path = path.replace("{id}", &uuid::Uuid::now_v7().to_string());
        let method: Method = method.to_uppercase().parse().unwrap();
        app.anonymous().api(method.clone(), &path).await.expect_problem(401, "token_invalid");
        app.with_token("garbage").api(method, &path).await.expect_problem(401, "token_invalid");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_reference_in_the_document_leads_somewhere() {
    fn references(value: &Value, found: &mut Vec<String>) {
        match value {
            Value::Object(object) => {
                found.extend(object.get("$ref").and_then(Value::as_str).map(str::to_owned));
                object.values().for_each(|value| references(value, found));
            }
            Value::Array(items) => items.iter().for_each(|value| references(value, found)),
            _ => {}
        }
    }
    let app = TestApp::start().await;
    let document = document(&app).await;
    let mut found = Vec::new();
    references(&document, &mut found);
    assert!(!found.is_empty());
    for reference in found {
        let pointer = reference.strip_prefix('#').unwrap();
        assert!(document.pointer(pointer).is_some(), "{reference} leads nowhere");
    }
}

fn is_asset(path: &str) -> bool {
    [".css", ".js"].iter().any(|extension| path.ends_with(extension))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_interactive_documents_work_offline() {
    let app = TestApp::start().await;
    let page = app.anonymous().at(Method::GET, "/docs/").await.expect_status(200);
    assert!(page.header("content-type").unwrap().starts_with("text/html"));
    let assets: Vec<&str> = page.text.split(['"', '\'']).filter(|text| is_asset(text)).collect();
    assert!(!assets.is_empty(), "{}", page.text);
    for asset in assets {
        assert!(!asset.contains("//"), "{asset} is somewhere else");
        let path = format!("/docs/{}", asset.trim_start_matches("./"));
        app.anonymous().at(Method::GET, path).await.expect_status(200);
    }
}
