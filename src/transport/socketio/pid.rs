//! Puts the private session id (`pid`) into the answer to CONNECT.
//!
//! Socket.IO's clients from version 4.6 on offer to go on where they were if they were given one, and no other client
//! minds. socketioxide gives none and has no place for it, so its answer is completed on its way out: `40{"sid":"…"}`
//! becomes `40{"sid":"…","pid":"…"}`, and `40/board,{"sid":"…"}` likewise. No other packet begins like that.

use tokio_tungstenite::tungstenite::protocol::frame::Frame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};

use super::namespaces::DEFAULT;
use crate::domain::PrivateId;
use crate::transport::flow::lengths;

const CONNECT: &str = "40";
const START: &str = r#"{"sid":""#;
const END: &str = r#""}"#;
/// Bytes of the payload of an answer: it has one short id.
const MAX_PAYLOAD: usize = 64;
/// Bytes of the longest header of a frame.
const MAX_HEADER: usize = 10;
/// How a whole text message begins.
const TEXT: u8 = 0x81;

/// The namespace of an answer to CONNECT.
fn answered(packet: &str) -> Option<&str> {
    let rest = packet.strip_prefix(CONNECT)?;
    let (namespace, payload) = match rest.split_once(',') {
        Some((namespace, payload)) if namespace.starts_with('/') => (namespace, payload),
        _ => (DEFAULT, rest),
    };
    let is_answer =
        payload.len() <= MAX_PAYLOAD && payload.starts_with(START) && payload.ends_with(END);
    is_answer.then_some(namespace)
}

/// The answer to CONNECT, with the id.
fn complete(packet: &str, pid: &PrivateId) -> String {
    let open = packet.strip_suffix('}').unwrap_or(packet);
    format!(r#"{open},"pid":"{pid}"}}"#)
}

/// The body of a polling answer, with the ids in it that `take` has for the namespaces of its answers to CONNECT; `None` if it
/// has none.
pub(super) fn complete_body(
    body: &str,
    take: impl Fn(&str) -> Option<PrivateId>,
) -> Option<String> {
    let (mut completed, mut copied) = (String::new(), 0);
    let mut start = 0;
    for packet in body.split('\u{1e}') {
        let end = start + packet.len();
        if let Some(pid) = answered(packet).and_then(&take) {
            completed.push_str(&body[copied..start]);
            completed.push_str(&complete(packet, &pid));
            copied = end;
        }
        start = end + 1;
    }
    if copied == 0 {
        return None;
    }
    completed.push_str(&body[copied..]);
    Some(completed)
}

/// An answer to CONNECT among frames.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Answer<'a> {
    pub(super) start: usize,
    pub(super) end: usize,
    /// The namespace that it lets the client into.
    pub(super) namespace: &'a str,
    packet: &'a str,
}

impl Answer<'_> {
    /// The frame with the id.
    pub(super) fn with(&self, pid: &PrivateId) -> Vec<u8> {
        let payload = complete(self.packet, pid);
        let mut frame = Vec::with_capacity(payload.len() + MAX_HEADER);
        // It cannot fail: the vector takes everything.
        Frame::message(payload, OpCode::Data(Data::Text), true)
            .format(&mut frame)
            .ok();
        frame
    }
}

/// Where the first answer to CONNECT stands among frames. They begin at the beginning of a frame, and the answer is not found
/// if it is not whole: whoever writes frames writes them whole.
pub(super) fn find_frame(frames: &[u8]) -> Option<Answer<'_>> {
    let mut start = 0;
    while let Some(&first) = frames.get(start) {
        // Whether it is masked does not count: as in `Frames`, or the two would disagree on where it ends.
        let (header, length) = lengths(&frames[start..])?;
        let length = usize::try_from(length).ok()?;
        let end = start.checked_add(header)?.checked_add(length)?;
        let payload = frames.get(start + header..end)?;
        let is_connect = first == TEXT && payload.starts_with(CONNECT.as_bytes());
        if is_connect
            && let Ok(packet) = std::str::from_utf8(payload)
            && let Some(namespace) = answered(packet)
        {
            return Some(Answer {
                start,
                end,
                namespace,
                packet,
            });
        }
        start = end;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::super::frames::frame;
    use super::*;

    const ANSWER: &str = r#"40{"sid":"AAAAAAAAAAAAAAAA"}"#;

    #[test]
    fn the_answer_is_found_among_other_frames() {
        let long = format!("42[{:?}]", ANSWER.repeat(5000));
        let before = [frame(1, "2"), frame(1, &long), frame(1, "42[\"40{\"]")].concat();
        let frames = [before.clone(), frame(1, ANSWER), frame(1, "2")].concat();
        let answer = find_frame(&frames).unwrap();
        assert_eq!(
            (answer.start, answer.end, answer.namespace),
            (before.len(), before.len() + ANSWER.len() + 2, "/")
        );
        let pid = PrivateId::generate();
        let completed = answer.with(&pid);
        let expected = format!(r#"40{{"sid":"AAAAAAAAAAAAAAAA","pid":"{pid}"}}"#);
        assert_eq!(completed, frame(1, &expected));
    }

    #[test]
    fn other_frames_stay() {
        for other in [
            "",
            "2",
            "40",
            "40/admin,",
            "40admin,{\"sid\":\"A\"}",
            "40{\"sid\":\"A\"},",
            "40/admin,{\"sid\":\"A\",\"pid\":\"B\"}x",
            "44{\"message\":\"x\"}",
        ] {
            assert_eq!(find_frame(&frame(1, other)), None, "{other}");
        }
        let cut = frame(1, ANSWER);
        assert_eq!(find_frame(&cut[..cut.len() - 1]), None);
        let masked = [&[TEXT, 0x80 | 0x7e, 0, 0][..], &frame(1, ANSWER)].concat();
        let found = find_frame(&masked).map(|answer| (answer.start, answer.end));
        assert_eq!(found, Some((4, masked.len())));
        assert_eq!(
            find_frame(&[TEXT, 127, 255, 255, 255, 255, 255, 255, 255, 255, 1]),
            None
        );
    }

    #[test]
    fn answers_of_namespaces_are_completed_whatever_their_length() {
        let secret = "0123456789abcdef0123456789abcdef";
        let pid = PrivateId::parse(&format!("{secret}-{}", u32::MAX)).unwrap();
        for length in [1, 30, 60, 80, 124, 200, 70_000] {
            let namespace = format!("/{}", "n".repeat(length));
            let answer = format!("40{namespace},{}", &ANSWER[2..]);
            let frames = [frame(1, "42/n,[1]"), frame(1, &answer)].concat();
            let found = find_frame(&frames).unwrap();
            assert_eq!(found.namespace, namespace);
            let expected = format!(r#"40{namespace},{{"sid":"AAAAAAAAAAAAAAAA","pid":"{pid}"}}"#);
            assert_eq!(found.with(&pid), frame(1, &expected));
        }
    }

    #[test]
    fn a_polling_body_is_completed() {
        let pid = PrivateId::generate();
        let body = format!("2\u{1e}{ANSWER}\u{1e}42[1]");
        let completed = complete_body(&body, |_| Some(pid.clone())).unwrap();
        let expected = format!(r#"40{{"sid":"AAAAAAAAAAAAAAAA","pid":"{pid}"}}"#);
        assert_eq!(completed, format!("2\u{1e}{expected}\u{1e}42[1]"));
        assert_eq!(complete_body("42[\"x\"]", |_| unreachable!()), None);
        assert_eq!(complete_body(&body, |_| None), None);
    }

    #[test]
    fn each_answer_in_a_polling_body_gets_the_id_of_its_namespace() {
        let sid = r#"{"sid":"A"}"#;
        let body = format!("40{sid}\u{1e}42/b,[1]\u{1e}40/b,{sid}\u{1e}40/c,{sid}");
        let (one, two) = (PrivateId::generate(), PrivateId::generate());
        let completed = complete_body(&body, |namespace| match namespace {
            "/" => Some(one.clone()),
            "/c" => Some(two.clone()),
            _ => None,
        });
        let with = |pid: &PrivateId| format!(r#"{{"sid":"A","pid":"{pid}"}}"#);
        let expected = format!(
            "40{}\u{1e}42/b,[1]\u{1e}40/b,{sid}\u{1e}40/c,{}",
            with(&one),
            with(&two)
        );
        assert_eq!(completed, Some(expected));
    }
}
