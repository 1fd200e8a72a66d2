use std::pin::pin;

use futures_util::FutureExt as _;
use proptest::prelude::*;
use tokio::io::AsyncReadExt as _;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocket, WebSocketConfig};

use super::*;

/// The first byte of a text that is one frame, and of one that goes on in further frames.
const WHOLE: u8 = 0x81;
const BEGUN: u8 = 0x01;

const MAX_MESSAGE: usize = 100_000;

/// A frame as a client writes it.
fn frame(first: u8, payload: &[u8], mask: [u8; 4]) -> Vec<u8> {
    let mut text = super::Message::new(true);
    text.bytes.extend_from_slice(payload);
    apply(mask, &mut text.bytes[MAX_HEADER..]);
    let (mut bytes, start) = text.frame(true);
    bytes[start] = first;
    bytes[MAX_HEADER - 4..MAX_HEADER].copy_from_slice(&mask);
    bytes.split_off(start)
}

/// A client that is in the namespace.
fn inside() -> Arc<PacketCounter> {
    let counter = Arc::new(PacketCounter::default());
    counter.namespaces.enter("/");
    counter
}

/// What the library is to make of a packet; nothing if it is left out.
fn expected(text: &str) -> Option<Message> {
    match fate(text.as_bytes(), &inside()) {
        Fate::Pass => Some(Message::text(text)),
        Fate::Replace(text) => Some(Message::text(text)),
        Fate::Drop => None,
    }
}

/// A stream that gives so many bytes at a time.
struct Pieces<'a> {
    bytes: &'a [u8],
    piece: usize,
}

impl AsyncRead for Pieces<'_> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let piece = self.piece.min(buf.remaining()).min(self.bytes.len());
        let (now, later) = self.bytes.split_at(piece);
        buf.put_slice(now);
        self.bytes = later;
        Poll::Ready(Ok(()))
    }
}

/// What comes out, read into a buffer of so many bytes.
fn checked(bytes: &[u8], piece: usize, buffer: usize) -> Vec<u8> {
    let mut stream = Checked::new(Pieces { bytes, piece }, inside(), MAX_MESSAGE);
    let (mut read, mut buffer) = (Vec::new(), vec![0; buffer]);
    let reading = async {
        loop {
            match stream.read(&mut buffer).await.unwrap() {
                0 => break,
                more => read.extend_from_slice(&buffer[..more]),
            }
        }
    };
    pin!(reading).now_or_never().expect("nothing waits");
    assert_eq!(stream.frames.ready.bytes.capacity(), 0);
    read
}

/// What the library makes of a client's bytes: the messages, and the error that ends them.
fn messages(bytes: &[u8]) -> (Vec<Message>, String) {
    let config = WebSocketConfig::default()
        .max_message_size(Some(MAX_MESSAGE))
        .max_frame_size(Some(MAX_MESSAGE));
    let stream = Cursor::new(bytes.to_vec());
    let mut socket = WebSocket::from_raw_socket(Incoming(stream), Role::Server, Some(config));
    let mut messages = Vec::new();
    loop {
        match socket.read() {
            Ok(message) => messages.push(message),
            Err(error) => return (messages, error.to_string()),
        }
    }
}

/// A stream that can be read, and takes what is written.
struct Incoming(Cursor<Vec<u8>>);

impl io::Read for Incoming {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        io::Read::read(&mut self.0, buf)
    }
}

impl io::Write for Incoming {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        Ok(buf.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn frames_read_whole_and_well_pass_where_they_lie() {
    let whole = [
        frame(WHOLE, br#"421["a",{"b":1}]"#, [1, 2, 3, 4]),
        frame(0x89, b"ping", [5, 6, 7, 8]),
        frame(WHOLE, b"3", [9; 4]),
    ]
    .concat();
    let mut bytes = whole.clone();
    let mut frames = Frames::new(inside(), MAX_MESSAGE);
    assert_eq!(frames.check(&mut bytes), whole.len());
    assert_eq!(messages(&bytes), messages(&whole));
}

#[test]
fn a_malformed_packet_is_replaced_alone() {
    for (first, second) in [
        ("42[\"a\"]", "421[]"),
        ("421[]", "42[\"a\"]"),
        ("421[]", "422[]"),
    ] {
        let both = [
            frame(WHOLE, first.as_bytes(), [1, 2, 3, 4]),
            frame(WHOLE, second.as_bytes(), [0; 4]),
        ]
        .concat();
        let expected = [first, second].map(|text| expected(text).unwrap());
        for piece in [1, 7, 1000] {
            assert_eq!(messages(&checked(&both, piece, 512)).0, expected);
        }
    }
}

#[tokio::test]
async fn control_frames_do_not_wait_for_a_text() {
    let (near, mut far) = tokio::io::duplex(1024);
    let mut stream = Checked::new(near, inside(), MAX_MESSAGE);
    let ping = frame(0x89, b"ping", [1, 2, 3, 4]);
    let begun = [frame(BEGUN, b"42[\"a", [5; 4]), ping.clone()].concat();
    tokio::io::AsyncWriteExt::write_all(&mut far, &begun)
        .await
        .unwrap();
    let mut buffer = [0; 512];
    let read = stream.read(&mut buffer).await.unwrap();
    assert_eq!(&buffer[..read], ping);
    let end = frame(0x80, b"\"]", [6; 4]);
    tokio::io::AsyncWriteExt::write_all(&mut far, &end)
        .await
        .unwrap();
    let read = stream.read(&mut buffer).await.unwrap();
    assert_eq!(&buffer[..read], frame(WHOLE, b"42[\"a\"]", [0; 4]));
}

/// So that the library ends the connection, as it would have done.
#[test]
fn what_is_too_long_or_wrong_passes() {
    let too_long = vec![b'x'; MAX_MESSAGE + 1];
    let (half, mask) = (&too_long[..=MAX_MESSAGE / 2], [1, 2, 3, 4]);
    let unmasked = [WHOLE, 2, b'4', b'2'];
    for bytes in [
        frame(WHOLE, &too_long, mask),
        [
            frame(BEGUN, half, mask),
            frame(0x80, half, mask),
            frame(WHOLE, b"42[]", mask),
        ]
        .concat(),
        [frame(BEGUN, b"42", mask), frame(WHOLE, b"42[]", mask)].concat(),
        [frame(BEGUN, b"42", mask), frame(0x82, b"42[]", mask)].concat(),
        [&frame(BEGUN, b"42", mask)[..], &unmasked].concat(),
        frame(0xc1, b"42[]", mask),
        frame(0x83, b"42[]", mask),
        frame(0x80, b"42[]", mask),
    ] {
        let expected = messages(&bytes);
        assert!(expected.0.is_empty(), "{expected:?}");
        for piece in [1, 1000, usize::MAX] {
            assert_eq!(messages(&checked(&bytes, piece, 512)), expected);
        }
    }
}

/// However it is sent, its room ends with it, save where nobody knows yet how long it is.
#[test]
fn a_text_that_is_held_back_takes_up_its_length() {
    let payload = vec![b'x'; 50_000];
    let mut frames = Frames::new(inside(), MAX_MESSAGE);
    let whole = frame(WHOLE, &payload, [1, 2, 3, 4]);
    for piece in whole[..40_000].chunks(512) {
        frames.take(piece);
        let text = frames.message.as_ref().unwrap();
        assert!(text.bytes.capacity() <= MAX_HEADER + payload.len());
    }
    let mut frames = Frames::new(inside(), MAX_MESSAGE);
    for _ in 0..payload.len() {
        frames.take(&frame(
            if frames.message.is_none() { BEGUN } else { 0 },
            b"x",
            [1, 2, 3, 4],
        ));
    }
    let text = frames.message.as_ref().unwrap();
    assert_eq!(text.payload(), payload);
    assert!(text.bytes.capacity() <= 2 * payload.len() + MAX_HEADER);
}

fn any_payload() -> impl Strategy<Value = (bool, Vec<u8>)> {
    let texts = [
        "421[\"a\",{\"b\":1}]",
        "421[]",
        "42",
        "3",
        "40{\"a\":1}",
        "451-[\"a\",{\"_placeholder\":true,\"num\":0}]",
        "452-1[",
        "",
        "5",
        "47",
        "429223372036854775808[\"a\"]",
    ];
    prop_oneof![
        4 => prop::sample::select(texts.to_vec()).prop_map(|text| (true, text.as_bytes().to_vec())),
        1 => (0_usize..80_000).prop_map(|length| (true, format!("421[\"{}\"]", "x".repeat(length)).into_bytes())),
        1 => (0_usize..80_000).prop_map(|length| (true, format!("421[\"{}]", "x".repeat(length)).into_bytes())),
        1 => prop::collection::vec(any::<u8>(), 0..300).prop_map(|bytes| (false, bytes)),
    ]
}

proptest! {
    /// Whatever the pieces in which messages are sent and read, each comes out once and in order, with pings between
    /// them; those that cannot be read replaced, and bytes left out.
    #[test]
    fn messages_in_any_pieces_are_checked(
        payloads in prop::collection::vec((any_payload(), 1_usize..4, any::<[u8; 4]>()), 1..8),
        piece in 1_usize..3000,
        buffer in 1_usize..1024,
    ) {
        let (mut bytes, mut expected, mut pings) = (Vec::new(), Vec::new(), 0);
        for ((is_text, payload), frames, mask) in payloads {
            let mut rest = &payload[..];
            for number in 0..frames {
                let is_last = number + 1 == frames;
                let (part, after) = rest.split_at(if is_last { rest.len() } else { rest.len() / 2 });
                rest = after;
                let opcode = match (number, is_text) { (0, true) => 1, (0, false) => 2, _ => 0 };
                bytes.extend(frame(opcode | if is_last { 0x80 } else { 0 }, part, mask));
                bytes.extend(frame(0x89, b"ping", mask));
                pings += 1;
            }
            if is_text {
                expected.extend(super::tests::expected(std::str::from_utf8(&payload).unwrap()));
            }
        }
        let (mut received, _) = messages(&checked(&bytes, piece, buffer));
        received.retain(|message| {
            pings -= i32::from(message.is_ping());
            !message.is_ping()
        });
        prop_assert_eq!(received, expected);
        prop_assert_eq!(pings, 0);
    }

    /// Bytes that are no frames come out as what they were, as far as a library can tell.
    #[test]
    fn any_bytes_pass(bytes in prop::collection::vec(any::<u8>(), 0..2000), piece in 1_usize..300) {
        let (before, error) = messages(&bytes);
        if error.starts_with("UTF-8") {
            // It is refused, or left out, and what comes after it is read.
            return Ok(());
        }
        let texts = before.into_iter().filter_map(|message| match message {
            Message::Text(text) => super::tests::expected(&text),
            Message::Binary(_) => None,
            other => Some(other),
        });
        let expected: Vec<_> = texts.collect();
        let (mut received, received_error) = messages(&checked(&bytes, piece, 512));
        received.truncate(expected.len());
        prop_assert_eq!(&received, &expected);
        prop_assert_eq!(error, received_error);
    }
}
