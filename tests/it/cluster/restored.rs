//! A backup is put back under running nodes and clients.

use roomcast_client::{CloseCode, Frame, GapReason};

use super::{Bus, pair};
use crate::harness::environment::postgres;
use crate::harness::{TestApp, options};
use crate::hub::texts;
use crate::operator::{environment, succeed};

/// Puts an organisation's log back to where it was at `seq`, as a restore of its rows does.
async fn put_back(node: &TestApp, org: &str, seq: i64) {
    let client = postgres(&node.database_url()).await;
    let sql = format!(
        "BEGIN;
         SELECT 1 FROM shared.activity_heads WHERE org_id = '{org}' FOR UPDATE;
         DELETE FROM shared.activity_recipients WHERE org_id = '{org}' AND seq > {seq};
         DELETE FROM shared.activities WHERE org_id = '{org}' AND seq > {seq};
         UPDATE shared.activity_heads h SET last_seq = {seq}, last_id = a.id, last_at = a.created_at
           FROM shared.activities a WHERE h.org_id = '{org}' AND a.org_id = h.org_id AND a.seq = {seq};
         COMMIT"
    );
    client.batch_execute(&sql).await.unwrap();
}

async fn clients_start_anew(bus: Bus, with_new_epoch: bool) {
    let Some([first, second]) = pair(bus).await else { return };
    let acme = first.organisation("Acme").with_member("mia").create().await;
    let (mut here, mut there) = (first.connect(&acme["mia"]).await, second.connect(&acme["mia"]).await);
    let kept = first.broadcast(&acme.admin, "it is in the backup").await.seq();
    for number in 0..5 {
        first.broadcast(&acme.admin, &format!("it will be lost: {number}")).await;
    }
    let lost = first.head(&acme.admin).await;
    assert_eq!(here.up_to(lost).await.len(), 6);
    assert_eq!(there.up_to(lost).await.len(), 6);

    put_back(&first, &acme.id, kept).await;
    if with_new_epoch {
        succeed(&["epoch", "--new"], &environment(&first.database_url())).await;
    }
    for socket in [&mut here, &mut there] {
        let delivered = socket.expect_close(CloseCode::RESTART).await;
        assert!(delivered.is_empty(), "{delivered:?}");
    }
    let mut sockets = Vec::new();
    for (node, before) in [(&first, here.welcome()), (&second, there.welcome())] {
        let options = options(&acme["mia"]).after(lost).epoch(before.epoch);
        let mut socket = node.connect_with(options).await;
        assert_ne!(socket.welcome().epoch, before.epoch);
        assert!(!socket.welcome().resumed);
        let (Frame::ResumeGap(gap), _) = socket.next().await else { panic!("a RESUME_GAP was expected") };
        assert_eq!((gap.reason, gap.next_seq), (GapReason::EpochChanged, kept + 1));
        sockets.push(socket);
    }
    let sent = second.broadcast(&acme.admin, "it goes on").await;
    assert_eq!(sent.seq(), kept + 1);
    for socket in &mut sockets {
        assert_eq!(texts(&socket.up_to(sent.seq()).await), [sent.text.as_str()]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_start_anew_after_a_restore_with_a_new_epoch() {
    Box::pin(clients_start_anew(Bus::Carries, true)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_start_anew_after_a_restore_that_nobody_told_of() {
    Box::pin(clients_start_anew(Bus::Carries, false)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_start_anew_after_a_restore_without_redis() {
    Box::pin(clients_start_anew(Bus::IsGone, false)).await;
}
