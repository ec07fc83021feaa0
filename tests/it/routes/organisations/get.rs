//! `GET /organisations`.

use crate::harness::TestApp;

#[tokio::test(flavor = "multi_thread")]
async fn is_the_callers_own_whatever_their_role() {
    let app = TestApp::start().await;
    let acme = app.organisation("Acme").with_member("mia").create().await;
    let bolt = app.organisation("Bolt").create().await;
    for person in [&acme.admin, &acme["mia"]] {
        let organisation = app.as_user(person).get("/organisations").await.expect_json(200);
        assert_eq!(organisation["id"], acme.id);
        assert_eq!(organisation["name"], "Acme");
        assert_eq!(organisation["slug"], acme.json["slug"]);
        assert_eq!(organisation["plan"], "FREE");
        assert_eq!(organisation["memberLimit"], 3);
        assert_eq!(organisation["memberCount"], 2);
        assert_eq!(organisation["createdAt"], acme.json["createdAt"]);
        assert_eq!(organisation.as_object().unwrap().len(), 8, "{organisation}");
    }
    let other = app.as_user(&bolt.admin).get("/organisations").await.expect_json(200);
    assert_eq!(other["id"], bolt.id);
    assert_eq!(other["memberCount"], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn needs_a_session() {
    let app = TestApp::start().await;
    app.anonymous().get("/organisations").await.expect_problem(401, "token_invalid");
}
