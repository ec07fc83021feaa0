//! `GET /users`.

use crate::harness::TestApp;

#[tokio::test(flavor = "multi_thread")]
async fn lists_the_members_of_the_organisation() {
    let app = TestApp::start().await;
    let acme = app.organisation("Acme").with_member("mia").with_admin("bo").create().await;
    app.organisation("Bolt").create().await;
    let answer = app.as_user(&acme["bo"]).get("/users").await.expect_status(200);
    assert!(answer.json()["nextCursor"].is_null());
    let items = answer.items();
    assert_eq!(items.len(), 3);
    for person in [&acme.admin, &acme["mia"], &acme["bo"]] {
        let mut user = person.session["user"].clone();
        user["online"] = false.into();
        assert!(items.contains(&user), "{}", answer.text);
    }
    for item in items {
        assert_eq!(item.as_object().unwrap().len(), 6, "{item}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn is_for_admins() {
    let app = TestApp::start().await;
    let acme = app.organisation("Acme").with_member("mia").create().await;
    app.as_user(&acme["mia"]).get("/users").await.expect_problem(403, "role_forbidden");
    app.anonymous().get("/users").await.expect_problem(401, "token_invalid");
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_cover_everybody_once() {
    let app = TestApp::start().await;
    let mut acme = app.organisation("Acme").on_plan("PRO");
    for name in ["a", "b", "c", "d"] {
        acme = acme.with_member(name);
    }
    let acme = acme.create().await;
    let caller = app.as_user(&acme.admin);
    let all = caller.get("/users").await.expect_status(200).items();
    for limit in [1, 2, 4, 5, 200] {
        let mut found = Vec::new();
        let mut pages = 0;
        let mut cursor = None;
        loop {
            let cursor_part = cursor.map_or_else(String::new, |cursor: String| format!("&cursor={cursor}"));
            let answer = caller.get(format!("/users?limit={limit}{cursor_part}")).await.expect_status(200);
            let items = answer.items();
            assert!(items.len() <= limit);
            found.extend(items);
            pages += 1;
            cursor = answer.json()["nextCursor"].as_str().map(str::to_owned);
            if cursor.is_none() {
                break;
            }
        }
        assert_eq!(found, all, "limit {limit}");
        assert_eq!(pages, 5_usize.div_ceil(limit), "the last page says that it is the last");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn limits_and_cursors_have_bounds() {
    let app = TestApp::start().await;
    let acme = app.organisation("Acme").create().await;
    let caller = app.as_user(&acme.admin);
    for limit in ["0", "201", "-1", "x", "", "1.5", "99999999999999999999"] {
        caller.get(format!("/users?limit={limit}")).await.expect_invalid(&["limit"]);
    }
    caller.get("/users?limit=200").await.expect_status(200);
    caller.get("/users?cursor=garbage&limit=0&page=2").await.expect_invalid(&["cursor", "limit", "page"]);
    caller.get("/users?limit=1&limit=2").await.expect_invalid(&["limit"]);
}
