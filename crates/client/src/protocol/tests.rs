use super::*;

const ID: Uuid = Uuid::from_u128(0x0198_c0de_0000_7000_8000_0000_0000_0001);

fn decode(text: &str) -> Frame {
    Frame::decode(&text.replace("$ID", &ID.to_string())).unwrap()
}

#[test]
fn a_welcome_is_decoded() {
    let frame = decode(
        r#"{"type":"WELCOME","payload":{"connectionId":"$ID","organisationId":"$ID","userId":"$ID",
            "role":"MEMBER","seq":4,"headSeq":9,"epoch":"$ID","resumed":true,
            "heartbeatSeconds":25,"tokenExpiresAt":"2025-01-01T00:00:00.000Z","later":1}}"#,
    );
    let welcome = Welcome {
        connection_id: ID,
        organisation_id: ID,
        user_id: ID,
        role: "MEMBER".to_owned(),
        seq: 4,
        head_seq: 9,
        epoch: ID,
        resumed: true,
        heartbeat_seconds: 25,
        token_expires_at: "2025-01-01T00:00:00.000Z".to_owned(),
    };
    assert_eq!(frame, Frame::Welcome(welcome));
}

#[test]
fn an_activity_of_any_type_is_decoded_and_its_payload_kept_as_it_came() {
    for kind in ["BROADCAST_MESSAGE", "ONE_OF_NEXT_YEAR", "PONG"] {
        let text = r#"{"type":"$KIND","seq":3,"id":"$ID","actor":{"id":"$ID","name":"Ana"},
            "target":null,"payload":{"b": 1.50,"a":[]},"createdAt":"2025-01-01T00:00:00.000Z"}"#;
        let Frame::Activity(activity) = decode(&text.replace("$KIND", kind)) else {
            panic!("{kind} is no activity");
        };
        assert_eq!(activity.kind, kind);
        assert_eq!((activity.seq, activity.id), (3, ID));
        assert_eq!(activity.actor, Some(Named { id: ID, name: "Ana".to_owned() }));
        assert_eq!(activity.target, None);
        assert_eq!(activity.payload.get(), r#"{"b": 1.50,"a":[]}"#);
        assert_eq!(activity.created_at, "2025-01-01T00:00:00.000Z");
    }
}

#[test]
fn a_payload_decodes_into_the_callers_type() {
    #[derive(Deserialize)]
    struct Broadcast<'a> {
        message: &'a str,
    }
    let frame = decode(
        r#"{"type":"BROADCAST_MESSAGE","seq":1,"id":"$ID","payload":{"message":"hi"},"createdAt":""}"#,
    );
    let Frame::Activity(activity) = frame else { panic!("{frame:?}") };
    assert_eq!(activity.payload_as::<Broadcast<'_>>().unwrap().message, "hi");
}

#[test]
fn activities_are_equal_by_the_bytes_of_their_payload() {
    let text = r#"{"type":"X","seq":1,"id":"$ID","payload":{"a":1},"createdAt":""}"#;
    assert_eq!(decode(text), decode(text));
    assert_ne!(decode(text), decode(&text.replace(r#""a":1"#, r#""a": 1"#)));
}

#[test]
fn the_other_frames_are_decoded() {
    let token_expires_at = "2025-01-01T00:00:00.000Z".to_owned();
    let table = [
        (r#"{"type":"PONG","payload":{"seq":12}}"#, Frame::Pong(Pong { seq: 12 })),
        (
            r#"{"type":"AUTH_OK","payload":{"tokenExpiresAt":"2025-01-01T00:00:00.000Z","role":"ADMIN"}}"#,
            Frame::AuthOk(AuthOk { token_expires_at, role: "ADMIN".to_owned() }),
        ),
        (
            r#"{"type":"ERROR","payload":{"code":"bad_frame","detail":"Not JSON."}}"#,
            Frame::Error(ErrorNotice { code: "bad_frame".to_owned(), detail: "Not JSON.".to_owned() }),
        ),
        (r#"{"type":"GOAWAY","payload":{"closesInMs":1500}}"#, Frame::GoAway(GoAway { closes_in_ms: 1500 })),
        (r#"{"type":"USER_ONLINE","payload":{"userId":"$ID"}}"#, Frame::UserOnline(Presence { user_id: ID })),
        (
            r#"{"payload":{"userId":"$ID"},"type":"USER_OFFLINE"}"#,
            Frame::UserOffline(Presence { user_id: ID }),
        ),
    ];
    for (text, frame) in table {
        assert_eq!(decode(text), frame, "{text}");
    }
}

#[test]
fn every_gap_reason_is_decoded() {
    let table = [
        ("expired", GapReason::Expired),
        ("epoch_changed", GapReason::EpochChanged),
        ("ahead_of_log", GapReason::AheadOfLog),
        ("moved", GapReason::Other("moved".to_owned())),
    ];
    for (name, reason) in table {
        let text = r#"{"type":"RESUME_GAP","payload":{"reason":"$R","nextSeq":8}}"#;
        let gap = Frame::ResumeGap(ResumeGap { reason, next_seq: 8 });
        assert_eq!(decode(&text.replace("$R", name)), gap);
    }
}

#[test]
fn an_unknown_frame_is_no_error() {
    for text in [r#"{"type":"SOUND"}"#, r#"{"type":"SOUND","payload":[1],"id":7}"#] {
        assert_eq!(decode(text), Frame::Unknown { kind: "SOUND".to_owned() });
    }
}

#[test]
fn what_breaks_a_promise_is_an_error() {
    let broken = [
        "",
        "not json",
        "[]",
        r#"{"payload":{}}"#,
        r#"{"type":7}"#,
        r#"{"type":"PONG"}"#,
        r#"{"type":"PONG","payload":{"seq":"1"}}"#,
        r#"{"type":"USER_JOINED","seq":1}"#,
        r#"{"type":"USER_JOINED","seq":"1","payload":{}}"#,
    ];
    for text in broken {
        assert!(Frame::decode(text).is_err(), "{text}");
    }
}

#[test]
fn an_incomplete_activity_says_what_it_lacks() {
    let error = Frame::decode(r#"{"type":"USER_JOINED","seq":1}"#).unwrap_err();
    assert!(error.to_string().contains("missing field `id`"), "{error}");
}

#[test]
fn client_frames_are_encoded() {
    assert_eq!(ClientFrame::Ping.encode(), r#"{"type":"PING"}"#);
    let auth: serde_json::Value = serde_json::from_str(&ClientFrame::Auth("a\"b".into()).encode()).unwrap();
    assert_eq!(auth, serde_json::json!({"type": "AUTH", "payload": {"token": "a\"b"}}));
}
