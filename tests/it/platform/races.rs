//! What comes at the same time.

use futures_util::future::join_all;
use serde_json::json;

use crate::harness::{PASSWORD, TestApp};

#[tokio::test(flavor = "multi_thread")]
async fn of_many_who_redeem_one_token_one_gets_in() {
    let app = TestApp::start().await;
    let pat = app.operator("super_admin").await;
    let founded = app.found(&pat, "Acme").await;
    let redeem = async |number: usize| {
        let email = format!("ana.{number}@example.com");
        let body = json!({
            "token": founded["signUpToken"], "name": "Ana", "email": email, "password": PASSWORD,
        });
        app.anonymous().post("/auth/sign-up").json(&body).await
    };
    let answers = join_all((0..4).map(redeem)).await;
    let mut statuses: Vec<u16> = answers.iter().map(|answer| answer.status).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 409, 409, 409]);
    let admin = answers.iter().find(|answer| answer.status == 201).unwrap().json();
    let admin = crate::harness::Person::of(admin, PASSWORD);
    assert_eq!(app.as_user(&admin).get("/users").await.expect_status(200).items().len(), 1);
    // Who did not has no account, or one that is nowhere.
    for number in 0..4 {
        let email = format!("ana.{number}@example.com");
        if email != admin.email {
            let body = json!({ "email": email, "password": PASSWORD });
            app.anonymous().post("/auth/login").json(&body).await.expect_problem(401, "credentials_invalid");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_signs_in_while_it_is_suspended_is_out_all_the_same() {
    let app = TestApp::start().await;
    let pat = app.operator("super_admin").await;
    let acme = app.organisation("Acme").create().await;
    for _ in 0..5 {
        let body = json!({ "email": acme.admin.email, "password": PASSWORD });
        let sign_in = async || app.anonymous().post("/auth/login").json(&body).await;
        let (answers, ()) = tokio::join!(join_all((0..3).map(|_| sign_in())), app.suspend(&pat, &acme.id));
        for answer in answers {
            if answer.status == 403 {
                answer.expect_problem(403, "organisation_suspended");
                continue;
            }
            // It began before: the log says so, and nobody gets further.
            let session = answer.expect_json(200);
            let call = app.with_token(session["accessToken"].as_str().unwrap()).get("/auth/me");
            call.await.expect_problem(403, "organisation_suspended");
        }
        app.reopen(&pat, &acme.id).await;
        let feed = app.feed(&acme.admin).await;
        let kinds = feed.kinds();
        let suspended = kinds.iter().rposition(|kind| *kind == "ORGANISATION_SUSPENDED").unwrap();
        assert_eq!(kinds[suspended + 1..], ["ORGANISATION_RESUMED"], "nothing is taken behind a suspension");
    }
}
