//! `GET /activities`: order, pages, and who sees what.

use serde_json::Value;

use crate::harness::feed::parse_page;
use crate::harness::{Item, TestApp};

#[tokio::test(flavor = "multi_thread")]
async fn is_newest_first_and_oldest_first_with_after() {
    let app = TestApp::start().await;
    let acme = app.organisation("Acme").create().await;
    for number in 0..5 {
        app.broadcast(&acme.admin, &number.to_string()).await;
    }
    let head = app.head(&acme.admin).await;
    let seqs = async |query: &str| {
        let answer = app.as_user(&acme.admin).get(format!("/activities{query}")).await.expect_status(200);
        let (items, cursor) = parse_page(&answer.text);
        (items.iter().map(Item::seq).collect::<Vec<_>>(), cursor)
    };
    let down: Vec<i64> = (1..=head).rev().collect();
    let up: Vec<i64> = (1..=head).collect();
    assert_eq!(seqs("").await, (down.clone(), None));
    assert_eq!(seqs("?after=0").await, (up.clone(), None));
    assert_eq!(seqs("?before=4").await, (vec![3, 2, 1], None));
    assert_eq!(seqs("?after=3").await, (up[3..].to_vec(), None));
    assert_eq!(seqs(&format!("?after={head}")).await, (vec![], None));
    assert_eq!(seqs("?before=1").await, (vec![], None));
    assert_eq!(seqs("?before=0").await, (vec![], None));
    assert_eq!(seqs("?before=9223372036854775807").await, (down, None));
    assert_eq!(seqs("?after=9223372036854775807").await, (vec![], None));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cursor_is_the_next_before_or_after() {
    let app = TestApp::start().await;
    let acme = app.organisation("Acme").create().await;
    for number in 0..7 {
        app.broadcast(&acme.admin, &number.to_string()).await;
    }
    let head = app.head(&acme.admin).await;
    for parameter in ["before", "after"] {
        let first = if parameter == "before" { i64::MAX } else { 0 };
        let mut next = Some(first.to_string());
        let mut seqs = Vec::new();
        while let Some(cursor) = next {
            let path = format!("/activities?{parameter}={cursor}&limit=3");
            let answer = app.as_user(&acme.admin).get(path).await.expect_status(200);
            let (items, cursor) = parse_page(&answer.text);
            seqs.extend(items.iter().map(Item::seq));
            if let Some(cursor) = &cursor {
                assert_eq!(cursor.parse::<i64>().unwrap(), items[items.len() - 1].seq());
            }
            next = cursor;
        }
        if parameter == "before" {
            seqs.reverse();
        }
        assert_eq!(seqs, (1..=head).collect::<Vec<_>>(), "{parameter}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn takes_its_cursor_as_every_list_does() {
    let app = TestApp::start().await;
    let acme = app.organisation("Acme").create().await;
    for number in 0..3 {
        app.broadcast(&acme.admin, &number.to_string()).await;
    }
    let caller = app.as_user(&acme.admin);
    let first = caller.get("/activities?limit=4").await.expect_status(200);
    let cursor = first.json()["nextCursor"].as_str().unwrap().to_owned();
    let by_cursor = caller.get(format!("/activities?limit=4&cursor={cursor}")).await.expect_status(200);
    let by_before = caller.get(format!("/activities?limit=4&before={cursor}")).await.expect_status(200);
    assert_eq!(by_cursor.text, by_before.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn shows_each_member_what_is_for_them() {
    let app = TestApp::start().await;
    let acme = app.organisation("Acme").with_member("mia").with_member("max").create().await;
    app.sign_in(&acme["mia"]).await;
    app.broadcast(&acme.admin, "for all").await;
    let (all, mias) = (app.feed(&acme.admin).await, app.feed(&acme["mia"]).await);
    let head = app.head(&acme.admin).await;
    assert_eq!(all.seqs(), (1..=head).collect::<Vec<_>>());
    let visible: Vec<&str> = all
        .0
        .iter()
        .filter(|item| match item.kind() {
            "USER_INVITED" | "INVITE_REVOKED" => false,
            "SESSION_STARTED" | "SESSION_ENDED" | "PASSWORD_CHANGED" => {
                item.payload()["userId"] == acme["mia"].id.as_str()
            }
            _ => true,
        })
        .map(|item| item.text.as_str())
        .collect();
    assert_eq!(mias.texts(), visible, "the same bytes, with holes");
    // A page of a member is as full as one of an admin.
    let page = app.as_user(&acme["mia"]).get("/activities?limit=3").await.expect_status(200);
    assert_eq!(page.items().len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_demoted_admin_saw_is_out_of_sight_at_once() {
    let app = TestApp::start().await;
    let acme = app.organisation("Acme").with_admin("bo").create().await;
    let invite = app.invite(&acme.admin, "max@example.com", "MEMBER").await;
    assert!(app.feed(&acme["bo"]).await.texts().concat().contains(invite["id"].as_str().unwrap()));
    app.change_role(&acme.admin, &acme["bo"], "MEMBER").await;
    app.feed(&acme["bo"]).await.expect_none("USER_INVITED");
    app.change_role(&acme.admin, &acme["bo"], "ADMIN").await;
    assert!(!app.feed(&acme["bo"]).await.of_type("USER_INVITED").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn shows_nothing_of_another_organisation() {
    let app = TestApp::start().await;
    let acme = app.organisation("Acme").create().await;
    let bolt = app.organisation("Bolt").create().await;
    app.broadcast(&bolt.admin, "for Bolt").await;
    let path = format!("/activities?actorId={}", bolt.admin.id);
    let answer = app.as_user(&acme.admin).get(path).await.expect_status(200);
    assert_eq!(answer.items(), [Value::Null; 0]);
    assert_eq!(app.feed(&acme.admin).await.0.len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn needs_a_session() {
    let app = TestApp::start().await;
    app.anonymous().get("/activities").await.expect_problem(401, "token_invalid");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_default_page_has_50_and_the_largest_200() {
    let app = TestApp::start().await;
    let acme = app.organisation("Acme").create().await;
    let sends = (0..210).map(|number| app.broadcast_text(&acme.admin, number.to_string()));
    futures_util::future::join_all(sends).await;
    let caller = app.as_user(&acme.admin);
    assert_eq!(caller.get("/activities").await.expect_status(200).items().len(), 50);
    assert_eq!(caller.get("/activities?limit=200").await.expect_status(200).items().len(), 200);
    caller.get("/activities?limit=201").await.expect_invalid(&["limit"]);
}
