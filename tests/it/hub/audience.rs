//! Activities for named users reach exactly them, admins not included.

use std::sync::Arc;

use roomcast::types::{Audience, UserId};

use super::{message_to, texts};
use crate::harness::{Person, TestApp};

fn to(people: &[&Person]) -> Audience {
    Audience::Users(people.iter().map(|person| person.user_id()).collect::<Arc<[UserId]>>())
}

#[tokio::test(flavor = "multi_thread")]
async fn named_users_live_on_a_resume_and_in_the_feed() {
    let app = TestApp::start().await;
    let acme = app.organisation("Acme").with_member("mia").with_member("max").create().await;
    let (ada, mia, max) = (&acme.admin, &acme["mia"], &acme["max"]);
    let start = app.head(ada).await;
    let mut live = [app.connect(ada).await, app.connect(mia).await, app.connect(max).await];
    let for_mia = app.append(ada, message_to(to(&[mia]), "for Mia")).await;
    let for_both = app.append(ada, message_to(to(&[mia, max]), "for both")).await;
    let for_nobody = app.append(ada, message_to(to(&[]), "for nobody")).await;
    let for_admins = app.append(ada, message_to(Audience::Admins, "for admins")).await;
    let for_max = app.append(ada, message_to(Audience::AdminsAnd(max.user_id()), "for admins and Max")).await;
    let marker = app.broadcast(ada, "for all").await;
    let seqs = |entries: &[&Arc<roomcast::types::LogEntry>]| -> Vec<i64> {
        entries.iter().map(|entry| entry.seq.get()).chain([marker.seq()]).collect()
    };
    let expected = [
        (ada, seqs(&[&for_admins, &for_max])),
        (mia, seqs(&[&for_mia, &for_both])),
        (max, seqs(&[&for_both, &for_max])),
    ];
    for ((person, expected), live) in expected.iter().zip(&mut live) {
        let delivered = live.up_to(marker.seq()).await;
        let found: Vec<i64> = delivered.iter().map(|one| one.activity.seq).collect();
        assert_eq!(&found, expected, "{} live", person.name);
        let resumed = app.resume(person, start).await.up_to(marker.seq()).await;
        assert_eq!(texts(&resumed), texts(&delivered), "{} on a resume", person.name);
        let feed = app.feed_after(person, start).await;
        assert_eq!(feed.texts(), texts(&delivered), "{} in the feed", person.name);
        assert!(!feed.seqs().contains(&for_nobody.seq.get()));
    }
    // The bytes are those of the entry that was committed.
    assert_eq!(app.feed_after(mia, start).await.texts()[0].as_bytes(), &for_mia.json[..]);
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_of_the_feed_count_what_the_reader_sees() {
    let app = TestApp::start().await;
    let acme = app.organisation("Acme").with_member("mia").create().await;
    let (ada, mia) = (&acme.admin, &acme["mia"]);
    let start = app.head(ada).await;
    for number in 0..30 {
        let audience = if number % 10 == 0 { to(&[mia]) } else { Audience::Admins };
        app.append(ada, message_to(audience, number.to_string())).await;
    }
    let page = app.as_user(mia).get(format!("/activities?after={start}&limit=2")).await.expect_status(200);
    let messages: Vec<_> = page.items().iter().map(|item| item["payload"]["message"].clone()).collect();
    assert_eq!(messages, ["0", "10"]);
    let cursor = page.json()["nextCursor"].as_str().unwrap().to_owned();
    let page = app.as_user(mia).get(format!("/activities?after={cursor}&limit=2")).await.expect_status(200);
    assert_eq!(page.items().len(), 1);
    assert!(page.json()["nextCursor"].is_null());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_who_is_named_twice_gets_it_once() {
    let app = TestApp::start().await;
    let acme = app.organisation("Acme").with_member("mia").create().await;
    let mia = &acme["mia"];
    let start = app.head(&acme.admin).await;
    let mut live = app.connect(mia).await;
    let entry = app.append(&acme.admin, message_to(to(&[mia, mia]), "twice")).await;
    assert_eq!(live.up_to(entry.seq.get()).await.len(), 1);
    assert_eq!(app.feed_after(mia, start).await.0.len(), 1);
}

/// A page is merged from a walk for each audience: small pages, in both directions, are the one long page.
#[tokio::test(flavor = "multi_thread")]
async fn small_pages_of_the_feed_are_the_whole_of_it() {
    let app = TestApp::start().await;
    let acme = app.organisation("Acme").with_member("mia").with_member("max").create().await;
    let (ada, mia, max) = (&acme.admin, &acme["mia"], &acme["max"]);
    for number in 0..24 {
        let audience = match number % 6 {
            0 => to(&[mia]),
            1 => to(&[ada, max]),
            2 => Audience::Admins,
            3 => Audience::AdminsAnd(mia.user_id()),
            4 => Audience::AdminsAnd(max.user_id()),
            _ => Audience::Everyone,
        };
        app.append(ada, message_to(audience, number.to_string())).await;
    }
    for person in [ada, mia, max] {
        for filter in ["", "&type=BROADCAST_MESSAGE"] {
            let seqs = async |query: &str| -> Vec<i64> {
                let page = app.as_user(person).get(format!("/activities?{query}{filter}")).await;
                page.expect_status(200).items().iter().map(|item| item["seq"].as_i64().unwrap()).collect()
            };
            let whole = seqs("limit=200").await;
            assert!(whole.len() >= 12 && whole.is_sorted_by(|one, next| one > next), "{whole:?}");
            let (mut down, mut up) = (Vec::new(), Vec::new());
            loop {
                let before = down.last().map(|seq| format!("&before={seq}")).unwrap_or_default();
                let after = up.last().copied().unwrap_or_default();
                let pages =
                    (seqs(&format!("limit=3{before}")).await, seqs(&format!("limit=3&after={after}")).await);
                if pages.0.is_empty() {
                    break;
                }
                down.extend(pages.0);
                up.extend(pages.1);
            }
            up.reverse();
            assert_eq!((&down, &up), (&whole, &whole), "{} {filter}", person.name);
        }
    }
}
