//! Every parameter of a handshake and every frame, with what is another organisation's in it.

use roomcast_client::{ClientFrame, ConnectOptions, Frame, Received};
use serde_json::json;
use uuid::Uuid;

use super::foreign::{Stage, forged, mixed_claims};
use crate::harness::{LONG, Organisation, StreamOptions, TestSocket, options};

/// What a socket may say. A frame that is added does not compile until it is tried below.
fn frames(token: &str) -> Vec<String> {
    let text = |frame: ClientFrame| {
        match &frame {
            ClientFrame::Ping | ClientFrame::Auth(_) => {}
            other => panic!("{other:?} is not tried"),
        }
        frame.encode()
    };
    vec![text(ClientFrame::Ping), text(ClientFrame::Auth(token.into()))]
}

/// What came, without what differs between two of the same.
fn outline(frame: &Frame) -> String {
    match frame {
        Frame::Welcome(welcome) => format!("WELCOME resumed={}", welcome.resumed),
        Frame::ResumeGap(gap) => format!("RESUME_GAP {:?}", gap.reason),
        Frame::Error(notice) => format!("ERROR {} {}", notice.code, notice.detail),
        Frame::Pong(_) => "PONG".to_owned(),
        Frame::Activity(activity) => activity.kind.clone(),
        Frame::AuthOk(ok) => format!("AUTH_OK {}", ok.role),
        Frame::UserOnline(_) => "USER_ONLINE".to_owned(),
        other => format!("{other:?}"),
    }
}

/// All that comes up to the next PONG.
async fn up_to_pong(socket: &mut TestSocket) -> Vec<String> {
    socket.send(&ClientFrame::Ping).await;
    let mut found = Vec::new();
    loop {
        match socket.receive().await {
            Received::Frame { frame, text } => {
                assert!(!text.contains("Zanzibar"), "{text}");
                found.push(outline(&frame));
                if matches!(frame, Frame::Pong(_)) {
                    return found;
                }
            }
            Received::Closed { code, reason } => {
                found.push(format!("closed {code} {reason}"));
                return found;
            }
        }
    }
}

/// Both get the next message of their own organisation, and nothing of theirs that is said before.
async fn expect_own(stage: &Stage, of: &Organisation, socket: &mut TestSocket) {
    stage.app.broadcast(&stage.theirs.admin, "Zanzibar, once more").await;
    let sent = stage.app.broadcast(&of.admin, "our own").await;
    let delivered = socket.up_to(sent.seq()).await;
    assert_eq!(delivered.last().unwrap().text, sent.text);
    assert!(delivered.iter().all(|one| !one.text.contains("Zanzibar")), "{delivered:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_position_in_another_log_is_none_in_ours() {
    type Change = fn(ConnectOptions, i64, Uuid) -> ConnectOptions;

    let stage = Stage::set().await;
    let (head, epoch, never) = (stage.names.head, stage.names.epoch, Uuid::now_v7());
    let handshakes: [Change; 4] = [
        |options, head, _| options.after(head),
        |options, _, epoch| options.epoch(epoch),
        |options, head, epoch| options.after(head).epoch(epoch),
        |options, _, epoch| options.after(0).epoch(epoch),
    ];
    for (number, handshake) in handshakes.iter().enumerate() {
        for who in ["mia", "bo"] {
            let mut found = Vec::new();
            for (of, epoch) in [(&stage.ours, epoch), (&stage.twin, never)] {
                let mut socket = stage.app.open(handshake(options(&of[who]), head, epoch)).await;
                found.push(up_to_pong(&mut socket).await);
                expect_own(&stage, of, &mut socket).await;
            }
            assert_eq!(found[0], found[1], "{who}: handshake {number}");
        }
    }
    for id in stage.names.ids() {
        // A stream goes on where `Last-Event-ID` says, which is a number.
        for name in ["after", "epoch", "presence"] {
            let mut found = Vec::new();
            for (of, id) in [(&stage.ours, id), (&stage.twin, Uuid::now_v7())] {
                let options = StreamOptions::new(&of["mia"].access_token).parameter(name, id);
                let answer = stage.app.ask_stream(&options).into_response(LONG).await.unwrap();
                found.push(answer.status());
            }
            assert_eq!(found[0], found[1], "{name}={id}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_frame_puts_another_organisation_on_an_open_socket() {
    let stage = Stage::set().await;
    let mut tokens: Vec<(String, String)> = mixed_claims(&stage.names)
        .iter()
        .map(|(theirs, nobodys)| (forged(&stage.ours["mia"], theirs), forged(&stage.twin["mia"], nobodys)))
        .collect();
    let (nobody, nowhere) = (Uuid::now_v7(), Uuid::now_v7());
    for theirs in [&stage.theirs.admin, &stage.theirs["mia"]] {
        let invented = forged(theirs, &json!({ "sub": nobody, "org": nowhere, "sid": nobody }));
        tokens.push((theirs.access_token.clone(), invented));
    }
    for id in stage.names.ids() {
        tokens.push((id.to_string(), Uuid::now_v7().to_string()));
    }
    for (theirs, nobodys) in tokens {
        for place in 0..frames("").len() {
            let mut found = Vec::new();
            for (of, token) in [(&stage.ours, &theirs), (&stage.twin, &nobodys)] {
                let mut socket = stage.app.connect(&of["mia"]).await;
                socket.send_text(&frames(token)[place]).await;
                found.push(up_to_pong(&mut socket).await);
                expect_own(&stage, of, &mut socket).await;
            }
            assert_eq!(found[0], found[1], "{theirs}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handshake_with_a_token_of_two_organisations_is_refused() {
    let stage = Stage::set().await;
    for (theirs, nobodys) in mixed_claims(&stage.names) {
        // One whose session alone is theirs is our own user's.
        if theirs.as_object().unwrap().keys().all(|claim| claim == "sid") {
            continue;
        }
        let mut found = Vec::new();
        for (of, changes) in [(&stage.ours, &theirs), (&stage.twin, &nobodys)] {
            let token = forged(&of["mia"], changes);
            let mut socket = stage.app.open(ConnectOptions::new(token.as_str())).await;
            let Received::Closed { code, reason } = socket.receive().await else {
                panic!("{changes}: it was let in")
            };
            let answer = stage.app.ask_stream(&StreamOptions::new(&token)).await;
            found.push(format!("{code} {reason} {} {}", answer.status, answer.json()["code"]));
        }
        assert_eq!(found[0], found[1], "{theirs}");
    }
    stage.expect_unchanged("handshakes").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_online_elsewhere_is_not_told() {
    let stage = Stage::set().await;
    let mut watcher = stage.app.connect_with(options(&stage.ours.admin).with_presence()).await;
    let theirs = stage.app.connect_with(options(&stage.theirs["mia"]).with_presence()).await;
    let ours = stage.app.connect(&stage.ours["mia"]).await;
    let online = loop {
        if let (Frame::UserOnline(online), _) = watcher.next().await
            && online.user_id.to_string() != stage.ours.admin.id
        {
            break online;
        }
    };
    assert_eq!(online.user_id.to_string(), stage.ours["mia"].id);
    let present =
        stage.app.as_user(&stage.ours.admin).get("/organisations/presence").await.expect_status(200);
    stage.expect_silent("presence", "", &present.text);
    theirs.close().await;
    ours.close().await;
}
