//! `GET /auth/organisations`.

use crate::harness::{PASSWORD, TestApp};

#[tokio::test(flavor = "multi_thread")]
async fn lists_where_the_account_is_a_member_and_as_what() {
    let app = TestApp::start().await;
    let acme = app.organisation("Acme").with_member("mia").create().await;
    let own = app.register("Own", "Mia", &acme["mia"].email, PASSWORD).await;
    app.register("Bolt", "Bo", "bo@example.com", PASSWORD).await;
    for person in [&own, &acme["mia"]] {
        let answer = app.as_user(person).get("/auth/organisations").await.expect_status(200);
        assert!(answer.json()["nextCursor"].is_null());
        let mut found: Vec<(String, String)> = answer
            .items()
            .iter()
            .map(|item| {
                assert_eq!(item.as_object().unwrap().len(), 2, "{item}");
                let text = |pointer: &str| item.pointer(pointer).unwrap().as_str().unwrap().to_owned();
                (text("/organisation/name"), text("/role"))
            })
            .collect();
        found.sort();
        let expected =
            [("Acme", "MEMBER"), ("Own", "ADMIN")].map(|(name, role)| (name.to_owned(), role.to_owned()));
        assert_eq!(found, expected);
    }
    let item = app.as_user(&own).get("/auth/organisations").await.items();
    let acme_item = item.iter().find(|item| item["organisation"]["id"] == acme.id.as_str()).unwrap();
    let current = app.as_user(&acme.admin).get("/organisations").await.expect_json(200);
    assert_eq!(acme_item["organisation"], current, "the same organisation as everywhere");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_organisation_that_one_was_removed_from_is_gone() {
    let app = TestApp::start().await;
    let acme = app.organisation("Acme").with_member("mia").create().await;
    let own = app.register("Own", "Mia", &acme["mia"].email, PASSWORD).await;
    app.remove(&acme.admin, &acme["mia"]).await;
    let items = app.as_user(&own).get("/auth/organisations").await.expect_status(200).items();
    assert_eq!(items.len(), 1);
    assert_eq!(items[0]["organisation"]["id"], own.organisation_id);
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_cover_each_once() {
    let app = TestApp::start().await;
    let ana = app.register("First", "Ana", "ana@example.com", PASSWORD).await;
    for number in 0..4 {
        let body = serde_json::json!({ "name": format!("Org {number}") });
        app.as_user(&ana).post("/organisations").json(&body).await.expect_status(201);
    }
    let caller = app.as_user(&ana);
    let all = caller.get("/auth/organisations").await.expect_status(200).items();
    assert_eq!(all.len(), 5);
    let first = caller.get("/auth/organisations?limit=3").await.expect_status(200);
    let cursor = first.json()["nextCursor"].as_str().unwrap().to_owned();
    let second = caller.get(format!("/auth/organisations?limit=3&cursor={cursor}")).await.expect_status(200);
    assert!(second.json()["nextCursor"].is_null());
    assert_eq!([first.items(), second.items()].concat(), all);
    caller.get("/auth/organisations?limit=201").await.expect_invalid(&["limit"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn needs_a_session() {
    let app = TestApp::start().await;
    app.anonymous().get("/auth/organisations").await.expect_problem(401, "token_invalid");
}
