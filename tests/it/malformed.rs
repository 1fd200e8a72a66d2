//! Socket.IO packets that cannot be read: each is refused alone, by its ack or as the event `error`, in the order in which it
//! came; the connection and its other packets go on.

mod polling;
mod websocket;

use serde_json::Value;

/// Packets after `42` and an ack id, with the field that the refusal names.
const MALFORMED: [(&str, &str); 22] = [
    ("", "payload"),
    ("{}", "payload"),
    ("[]", "payload"),
    ("null", "payload"),
    ("[", "payload"),
    ("[\"task:create\",{]", "payload"),
    ("[\"task:create\",{\"title\":NaN}]", "payload"),
    ("[\"task:create\",{\"title\":Infinity}]", "payload"),
    ("[\"task:create\",{\"title\":undefined}]", "payload"),
    ("[\"task:create\",{\"title\":01}]", "payload"),
    ("[\"task:create\",{\"title\":.5}]", "payload"),
    ("[\"task:create\",{'title':1}]", "payload"),
    ("[\"task:create\",{\"title\":\"a\tb\"}]", "payload"),
    ("[\"task:create\",{\"title\":\"\\q\"}]", "payload"),
    ("[\"task:create\",{\"title\":\"\\u12\"}]", "payload"),
    ("[\"task:create\",{},]", "payload"),
    (
        "[\"task:create\",{\"projectId\":\"p\",\"title\":\"a\"}]]",
        "payload",
    ),
    (
        "[\"task:create\",{\"projectId\":\"p\",\"title\":\"a\"}] x",
        "payload",
    ),
    ("[null,{}]", "event"),
    ("[{\"a\":1}]", "event"),
    ("[\"\\ud800\",{}]", "event"),
    ("[\"boardcast:malformed\",\"a\",\"b\",\"c\",1]", "event"),
];

/// A packet that is taken, and acked.
const CREATE: &str = r#"["task:create",{"projectId":"p","title":"a"}]"#;

/// Packets that ask for nothing, or for nothing that there is, and that the libraries end a session for: of Engine.IO, of another
/// namespace, answers, and attachments that nobody has announced.
const MEANINGLESS: [&str; 13] = [
    "5",
    "6",
    "2probe",
    "3probe",
    "0{}",
    "bAQID",
    "42/nowhere,1[\"a\"]",
    "42/nowhere,1[",
    "451-/nowhere,[\"a\"]",
    "41/nowhere,",
    "43[]",
    "461-1[{}]",
    "430[]",
];
/// Messages that are no packet of Socket.IO's.
const NO_PACKETS: [&str; 4] = ["4", "47", "4x", "44{}"];
/// A packet whose attachments never come.
const UNATTACHED: &str =
    r#"["task:create",{"projectId":"p","file":{"_placeholder":true,"num":0}}]"#;

/// A number that is too large for an ack id.
const TOO_LARGE: &str = "9223372036854775808";

/// Asserts that an answer refuses a packet, and what it blames.
fn assert_refused(answer: &Value, field: &str, packet: &str) {
    assert_eq!(answer["ok"], false, "{packet}: {answer}");
    assert_eq!(answer["code"], "validation_failed", "{packet}: {answer}");
    assert_eq!(answer["field"], field, "{packet}: {answer}");
    assert!(
        answer["error"]
            .as_str()
            .is_some_and(|error| error.starts_with(field)),
        "{packet}: {answer}"
    );
}

/// Asserts what there was to be said of what `strange` has made of those packets.
fn assert_survived(answers: &[(Option<u64>, Value)]) {
    let (refused, rest) = answers.split_at(NO_PACKETS.len());
    for ((ack, answer), packet) in refused.iter().zip(NO_PACKETS) {
        assert_eq!(ack, &None, "{packet}: {answer}");
        assert_refused(answer, "packet", packet);
    }
    let [(attached, refusal), (last, done)] = rest else {
        panic!("{rest:?}");
    };
    assert_eq!((attached, last), (&Some(1), &Some(2)));
    assert_refused(refusal, "file", UNATTACHED);
    assert_eq!(done["ok"], true, "{done}");
}

/// All those packets, and at the end two that are answered.
fn strange() -> Vec<String> {
    let packets = MEANINGLESS.into_iter().chain(NO_PACKETS).map(str::to_owned);
    let last = [format!("4517-1{UNATTACHED}"), format!("422{CREATE}")];
    packets.chain(last).collect()
}

/// The acks and events in packets as they came, in their order: the ack id, and what was said.
fn answers<'a>(packets: impl IntoIterator<Item = &'a str>) -> Vec<(Option<u64>, Value)> {
    packets.into_iter().filter_map(answer).collect()
}

/// An ack, or the event `error`, which has no id.
fn answer(packet: &str) -> Option<(Option<u64>, Value)> {
    if let Some(ack) = packet.strip_prefix("43") {
        let (id, answer) = ack.split_at(ack.find('[').expect("an array"));
        let answer: Value = serde_json::from_str(answer).expect("JSON");
        return Some((Some(id.parse().expect("an ack id")), answer[0].clone()));
    }
    let event: Value = serde_json::from_str(packet.strip_prefix("42")?).expect("JSON");
    (event[0] == "error").then(|| (None, event[1].clone()))
}
