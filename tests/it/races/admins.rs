//! Somebody is always left who may administer.

use serde_json::json;

use super::{at_once, count};
use crate::harness::{Organisation, TestApp};

async fn admins(app: &TestApp, acme: &Organisation) -> Vec<String> {
    // Whoever of the two is still an admin may ask.
    for person in [&acme.admin, &acme["bo"]] {
        let answer = app.as_user(person).get("/users").await;
        if answer.status == 200 {
            let users = answer.items();
            let admins = users.iter().filter(|user| user["role"] == "ADMIN");
            return admins.map(|user| user["id"].as_str().unwrap().to_owned()).collect();
        }
    }
    panic!("nobody is left who may administer");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_admins_who_demote_each_other_leave_one() {
    let app = TestApp::start().await;
    for _ in 0..5 {
        let acme = app.organisation("Acme").with_admin("bo").create().await;
        let body = json!({ "role": "MEMBER" });
        let (ada, bo) = (&acme.admin, &acme["bo"]);
        let calls = vec![
            app.as_user(ada).patch(format!("/users/{}", bo.id)).json(&body),
            app.as_user(bo).patch(format!("/users/{}", ada.id)).json(&body),
        ];
        let answers = at_once(calls).await;
        assert_eq!(count(&answers, 200), 1, "{answers:?}");
        assert!(answers.iter().all(|answer| [200, 403, 409].contains(&answer.status)), "{answers:?}");
        assert_eq!(admins(&app, &acme).await.len(), 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_admins_who_remove_each_other_leave_one() {
    let app = TestApp::start().await;
    for _ in 0..5 {
        let acme = app.organisation("Acme").with_admin("bo").create().await;
        let (ada, bo) = (&acme.admin, &acme["bo"]);
        let calls = vec![
            app.as_user(ada).delete(format!("/users/{}", bo.id)),
            app.as_user(bo).delete(format!("/users/{}", ada.id)),
        ];
        let answers = at_once(calls).await;
        assert_eq!(count(&answers, 204), 1, "{answers:?}");
        assert!(answers.iter().all(|answer| [204, 401, 403, 409].contains(&answer.status)), "{answers:?}");
        assert_eq!(admins(&app, &acme).await.len(), 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_admins_who_step_down_at_once_leave_one() {
    let app = TestApp::start().await;
    for round in 0..6 {
        let acme = app.organisation("Acme").with_admin("bo").create().await;
        let step_down = |person: &crate::harness::Person| {
            let caller = app.as_user(person);
            if round % 2 == 0 {
                caller.delete(format!("/users/{}", person.id))
            } else {
                caller.patch(format!("/users/{}", person.id)).json(&json!({ "role": "MEMBER" }))
            }
        };
        let answers = at_once(vec![step_down(&acme.admin), step_down(&acme["bo"])]).await;
        let refused: Vec<_> = answers.iter().filter(|answer| answer.status >= 400).collect();
        assert_eq!(refused.len(), 1, "{answers:?}");
        refused[0].clone().expect_problem(409, "last_admin");
        assert_eq!(admins(&app, &acme).await.len(), 1);
    }
}
