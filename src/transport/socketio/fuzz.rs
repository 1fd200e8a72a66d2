//! Whatever a client says of itself, and whatever stands in the bytes that pass, reading it neither panics nor hangs nor
//! takes up much memory.

use std::cell::RefCell;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::{fmt, io};

use proptest::prelude::*;
use serde_json::value::RawValue;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};

use super::frames::{Frames, count_payload, frame};
use super::handshake::Handshake;
use super::packet_counter::{Metered, PacketCounter};
use super::pid;
use crate::domain::PrivateId;
use crate::test_support::fuzz::{any_bytes, budget, measured};
use crate::transport::flow::lengths;
use crate::transport::query::from_query;

/// For what is found, and for a refusal.
const SOME: usize = 4 * 1024;
/// Copies of what was said: decoded, with three bytes for one that cannot be, and while a text grows.
const COPIES: usize = 8;
const LARGE: usize = 256 * 1024;
const ANSWER: &str = r#"40{"sid":"AAAAAAAAAAAAAAAA"}"#;
const BOARD_ANSWER: &str = r#"40/board,{"sid":"AAAAAAAAAAAAAAAA"}"#;

/// `auth` may be as large as a message: only what is looked for is decoded.
fn handshake_costs_little(auth: Option<&RawValue>, query: Option<&str>) {
    let length = auth.map_or(0, |auth| auth.get().len()) + query.map_or(0, str::len);
    let measured = measured(|| Handshake::read(auth, query, None));
    let start: String = auth.map_or("", RawValue::get).chars().take(100).collect();
    assert!(
        measured.held <= COPIES * length + SOME,
        "{} bytes for {length} of {start}",
        measured.held
    );
}

fn raw(text: &str) -> Option<Box<RawValue>> {
    RawValue::from_string(text.to_owned()).ok()
}

const KEYS: [&str; 9] = [
    "offset",
    "cursor",
    "serverOffset",
    "pid",
    "userId",
    "echo",
    "eventStyle",
    "token",
    "x",
];

/// Values that take up much more than their text, and others.
const VALUES: [&str; 10] = [
    "{\"\":0},",
    "[0],",
    "0,",
    "[],",
    "\"\\ud800\",",
    "\"\\u0061\",",
    "\"\",",
    "{\"\":{\"\":{\"\":0}}},",
    "9",
    "null,",
];

#[test]
fn large_handshakes_cost_little() {
    for key in KEYS {
        for value in VALUES {
            let many = value.repeat(LARGE / value.len());
            let auth = raw(&format!("{{\"{key}\":[{}]}}", many.trim_end_matches(',')));
            assert!(auth.is_some() || value == "9", "{value}");
            handshake_costs_little(auth.as_deref(), None);
        }
        for text in ["x", "\\ud800", "\\u0061", "\\\\", "é"] {
            let auth = raw(&format!(
                "{{\"{key}\":\"{}\"}}",
                text.repeat(LARGE / text.len())
            ));
            handshake_costs_little(auth.as_deref(), None);
        }
        let query = format!("{key}={}", "%41".repeat(LARGE / 3));
        handshake_costs_little(None, Some(&query));
    }
    let fields: Vec<_> = (0..LARGE / 8).map(|no| format!("\"{no:x}\":0,")).collect();
    let fields = fields.concat();
    handshake_costs_little(raw(&format!("{{{fields}\"a\":0}}")).as_deref(), None);
    for unit in ["&", "=", "a=&", "%", "%zz", "userId=%ff&"] {
        handshake_costs_little(None, Some(&unit.repeat(LARGE / unit.len())));
    }
}

const AUTH: [&str; 24] = [
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "\"",
    "\"offset\":",
    "\"pid\":",
    "\"userId\":",
    "\"eventStyle\":",
    "\"echo\":",
    "\"dash\"",
    "false",
    "null",
    "7",
    "1e999",
    "\"abc123.1:2\"",
    "\"\\ud83d\"",
    "\"0123456789abcdef0123456789abcdef-0\"",
    "\"\"",
    "\"x\":{\"a\":[1]},",
    "\\u0000",
    "-",
];

const QUERY: [&str; 14] = [
    "&",
    "=",
    "userId=",
    "eventStyle=",
    "echo=",
    "token=",
    "sid=",
    "EIO=4",
    "dash",
    "%",
    "%41",
    "%f",
    "%00",
    "+",
];

/// What a server writes, and what it does not.
const WIRE: [&str; 18] = [
    "\u{1}\u{1}4",
    "\u{1e}",
    ":",
    "42[",
    "43[",
    "2",
    "3probe",
    "7:42[\"é\"]",
    "4294967296:",
    "0:",
    "-1:",
    "40{\"sid\":\"",
    "\"}",
    ANSWER,
    "40/admin,",
    "40/board,",
    BOARD_ANSWER,
    "😀",
];

/// Some frames of a server, some of them almost.
fn any_wire() -> impl Strategy<Value = Vec<u8>> {
    let whole = prop_oneof![
        any_bytes(&WIRE).prop_map(|bytes| frame(1, &String::from_utf8_lossy(&bytes))),
        Just(frame(1, ANSWER)),
        Just(frame(1, BOARD_ANSWER)),
        any_bytes(&WIRE),
        prop::sample::select(vec![125_u8, 126, 127, 255]).prop_map(|length| vec![0x81, length]),
        prop::array::uniform8(any::<u8>()).prop_map(|length| [&[0x81, 127][..], &length].concat()),
    ];
    prop::collection::vec(whole, 0..6).prop_map(|frames| frames.concat())
}

proptest! {
    #![proptest_config(budget())]

    #[test]
    fn any_handshake_costs_little(auth in any_bytes(&AUTH), wrap: bool, query in any_bytes(&QUERY)) {
        let auth = String::from_utf8_lossy(&auth);
        let auth = if wrap { format!("{{\"pid\":\"{}\"}}", auth.replace(['"', '\\'], "")) } else { auth.into_owned() };
        let query = String::from_utf8_lossy(&query);
        handshake_costs_little(raw(&auth).as_deref(), Some(&query));
        handshake_costs_little(None, Some(&query));
        for key in ["sid", "EIO", ""] {
            let found = measured(|| from_query(Some(&query), key));
            prop_assert!(found.held <= COPIES * query.len() + SOME, "{}", found.held);
        }
    }

    /// In whatever pieces bytes come, they are counted alike, and nothing of them is kept.
    #[test]
    fn any_bytes_are_followed(wire in any_wire(), pieces in prop::collection::vec(1_usize..300, 1..20)) {
        let mut whole = Frames::default();
        let counted = measured(|| whole.follow(&wire));
        prop_assert_eq!(counted.held, 0);
        let mut parted = Frames::default();
        let mut sum = 0;
        let mut rest = &wire[..];
        for piece in pieces.iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let (now, later) = rest.split_at((*piece).min(rest.len()));
            sum += parted.follow(now);
            rest = later;
        }
        prop_assert_eq!(sum, counted.result);
        prop_assert_eq!(parted.to_boundary(), whole.to_boundary());
    }

    #[test]
    fn the_answer_is_looked_for_in_any_bytes(wire in any_wire()) {
        let found = measured(|| pid::find_frame(&wire));
        prop_assert_eq!(found.held, 0);
        if let Some(answer) = found.result {
            prop_assert!(answer.start < answer.end && answer.end <= wire.len());
            let completed = answer.with(&PrivateId::generate());
            let (header, length) = lengths(&completed).unwrap();
            prop_assert_eq!(completed.len() as u64, header as u64 + length);
        }
    }

    #[test]
    fn any_polling_body_is_counted_and_completed(body in any_bytes(&WIRE), separated: bool) {
        let body = String::from_utf8_lossy(&body);
        let counted = measured(|| count_payload(&body, separated));
        prop_assert_eq!(counted.held, 0);
        prop_assert!(counted.result <= body.len() as u64);
        let pid = PrivateId::generate();
        let has_pid = RefCell::new(vec!["/", "/board"]);
        let take = |namespace: &str| {
            let mut has_pid = has_pid.borrow_mut();
            let at = has_pid.iter().position(|name| *name == namespace)?;
            has_pid.swap_remove(at);
            Some(pid.clone())
        };
        let completed = measured(|| pid::complete_body(&body, take));
        prop_assert!(completed.held <= 3 * body.len() + SOME);
        let pids = |body: &str| body.matches(",\"pid\":\"").count();
        let taken = 2 - has_pid.borrow().len();
        prop_assert_eq!(completed.result.is_some(), taken > 0);
        if let Some(completed) = completed.result {
            prop_assert_eq!(pids(&completed), pids(&body) + taken);
        }
    }

    #[test]
    fn any_private_id_costs_little(bytes in any_bytes(&["0123456789abcdef0123456789abcdef", "-", "0", "4294967295", "A", "é"])) {
        pid_costs_little(&String::from_utf8_lossy(&bytes));
    }

    /// What passes through is what comes out, in both directions, whatever it is and in whatever pieces; but for the
    /// answer to CONNECT.
    #[test]
    fn any_bytes_pass(wire in any_wire(), incoming in any_wire(), at_once in 1_usize..300, lacking in prop::sample::subsequence(vec!["/", "/board"], 0..=2)) {
        let counter = Arc::new(PacketCounter::default());
        let pid = PrivateId::generate();
        for namespace in &lacking {
            counter.give_pid(namespace, pid.clone());
        }
        let mut stream = Metered::new(Pipe { written: Vec::new(), incoming: incoming.clone(), at_once }, counter);
        let mut read = Vec::new();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            stream.write_all(&wire).await.unwrap();
            stream.flush().await.unwrap();
            stream.read_to_end(&mut read).await.unwrap();
        });
        prop_assert_eq!(read, incoming);
        let mut expected = wire;
        let (mut at, mut lacking) = (0, lacking);
        while !lacking.is_empty() && let Some(answer) = pid::find_frame(&expected[at..]) {
            let range = at + answer.start..at + answer.end;
            at = range.end;
            if let Some(taken) = lacking.iter().position(|name| *name == answer.namespace) {
                lacking.swap_remove(taken);
                let completed = answer.with(&pid);
                at = range.start + completed.len();
                expected.splice(range, completed);
            }
        }
        prop_assert_eq!(&stream.written().written, &expected);
    }
}

fn pid_costs_little(text: &str) {
    let measured = measured(|| PrivateId::parse(text));
    assert!(measured.held <= 2 * text.len() + 256, "{}", measured.held);
    if let Some(pid) = measured.result {
        assert_eq!(pid.to_string(), text);
    }
}

#[test]
fn long_private_ids_cost_little() {
    for unit in ["0", "-", "0-", "4", "é"] {
        let long = unit.repeat(LARGE / unit.len());
        pid_costs_little(&long);
        pid_costs_little(&format!("0123456789abcdef0123456789abcdef-{long}"));
    }
}

#[test]
fn long_bodies_and_frames_cost_nothing() {
    for unit in WIRE {
        let body = unit.repeat(LARGE / unit.len());
        for separated in [true, false] {
            assert_eq!(measured(|| count_payload(&body, separated)).held, 0);
        }
        let completed = measured(|| pid::complete_body(&body, |_| None));
        assert_eq!(completed.held, 0, "{unit}");
        let frames = frame(1, unit).repeat(LARGE / unit.len());
        assert_eq!(measured(|| Frames::default().follow(&frames)).held, 0);
        assert_eq!(measured(|| pid::find_frame(&frames)).held, 0);
    }
}

/// A stream that takes and gives so many bytes at a time.
struct Pipe {
    written: Vec<u8>,
    incoming: Vec<u8>,
    at_once: usize,
}

impl fmt::Debug for Pipe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pipe")
    }
}

impl AsyncWrite for Pipe {
    fn poll_write(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let taken = buf.len().min(self.at_once);
        self.written.extend(&buf[..taken]);
        Poll::Ready(Ok(taken))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl AsyncRead for Pipe {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let given = self.incoming.len().min(self.at_once).min(buf.remaining());
        let rest = self.incoming.split_off(given);
        buf.put_slice(&self.incoming);
        self.incoming = rest;
        Poll::Ready(Ok(()))
    }
}
