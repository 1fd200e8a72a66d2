use proptest::prelude::*;

use super::*;
use crate::memory::FLOOR;

fn packets(encoding: Encoding, body: &[u8]) -> io::Result<Vec<Bytes>> {
    encoding.check(body)?;
    let (mut rest, mut packets) = (Bytes::copy_from_slice(body), Vec::new());
    while let Some(packet) = encoding.next(&mut rest)? {
        packets.push(packet.whole);
    }
    Ok(packets)
}

#[test]
fn packets_are_told_apart() {
    for (encoding, body, expected) in [
        (
            Encoding::Separated,
            "40\u{1e}42[\"a:1\"]\u{1e}3".as_bytes(),
            &["40\u{1e}", "42[\"a:1\"]\u{1e}", "3"][..],
        ),
        (Encoding::Separated, b"\x1e", &["\u{1e}"]),
        (
            Encoding::Counted,
            "2:409:42[\"é:1\"]1:3".as_bytes(),
            &["2:40", "9:42[\"é:1\"]", "1:3"],
        ),
        (
            Encoding::Counted,
            "8:42[\"😀\"]2:40".as_bytes(),
            &["8:42[\"😀\"]", "2:40"],
        ),
        (Encoding::Bytes, b"", &[]),
    ] {
        let found = packets(encoding, body).unwrap();
        assert_eq!(found, expected, "{encoding:?} {body:?}");
    }
    let bytes = [&[0, 2, 255][..], b"40", &[1, 1, 0, 255], &[4; 10]].concat();
    let found = packets(Encoding::Bytes, &bytes).unwrap();
    assert_eq!(found, [&bytes[..5], &bytes[5..]]);
}

#[test]
fn bodies_with_wrong_lengths_break_off() {
    for (encoding, body) in [
        (Encoding::Counted, "x:y".as_bytes()),
        (Encoding::Counted, b":40"),
        (Encoding::Counted, b"0:2:40"),
        (Encoding::Counted, b"3:40"),
        (Encoding::Counted, b"2:402"),
        (Encoding::Counted, b"999999999:40"),
        // Half of an emoji, and more after it.
        (Encoding::Counted, "1:😀x".as_bytes()),
        (Encoding::Counted, b"2:4\xff"),
        (Encoding::Bytes, &[0, 0, 255, 1]),
        (Encoding::Bytes, &[0, 3, 255, b'4', b'0']),
        (Encoding::Bytes, &[2, 1, 255, b'4']),
        (Encoding::Bytes, &[0, 255, b'4']),
    ] {
        packets(encoding, body).expect_err(&format!("{encoding:?} {body:?}"));
    }
}

proptest! {
    /// Nothing of a body is lost or made up.
    #[test]
    fn packets_are_the_body(body in prop::collection::vec(any::<u8>(), 0..300), text in ".{0,100}") {
        for body in [&body[..], text.as_bytes()] {
            prop_assert_eq!(packets(Encoding::Separated, body).unwrap().concat(), body);
            for encoding in [Encoding::Counted, Encoding::Bytes] {
                if let Ok(found) = packets(encoding, body) {
                    prop_assert!(found.concat().len() <= body.len());
                }
            }
        }
        let units = text.encode_utf16().count();
        let whole = format!("{units}:{text}");
        let found = packets(Encoding::Counted, whole.as_bytes()).ok();
        let expected = (units > 0).then(|| vec![Bytes::from(whole.clone())]);
        prop_assert_eq!(found, expected);
    }
}

/// The packets that engineioxide gets of a body.
fn handed_on(encoding: Encoding, body: &[u8]) -> Vec<Bytes> {
    let counter = Arc::new(PacketCounter::default());
    counter.namespaces.enter("/");
    let packets = Packets::new(encoding, Bytes::copy_from_slice(body), counter, 1000);
    packets.collect::<io::Result<_>>().unwrap()
}

#[test]
fn a_malformed_packet_is_replaced_and_its_neighbours_stay() {
    let counter = PacketCounter::default();
    counter.namespaces.enter("/");
    let text = |packet: &str| match fate(packet.as_bytes(), &counter) {
        Fate::Replace(text) => text,
        other => panic!("{other:?}"),
    };
    let first = text("421[\"é\",{]");
    let last = text("42[]");
    let found = handed_on(
        Encoding::Separated,
        "421[\"é\",{]\u{1e}422[\"b\"]\u{1e}42[]".as_bytes(),
    );
    assert_eq!(
        found.concat(),
        format!("{first}\u{1e}422[\"b\"]\u{1e}{last}\u{1e}").as_bytes()
    );
    let found = handed_on(
        Encoding::Counted,
        "10:421[\"é\",{]8:422[\"b\"]4:42[]".as_bytes(),
    );
    let units = first.encode_utf16().count();
    assert_eq!(
        found.concat(),
        format!("{units}:{first}8:422[\"b\"]{}:{last}", last.len()).as_bytes()
    );
    let found = handed_on(
        Encoding::Bytes,
        b"\0\x04\xff42[]\0\x01\xff3\x01\x02\xff\x04x",
    );
    let digits: Vec<u8> = last
        .len()
        .to_string()
        .bytes()
        .map(|digit| digit - b'0')
        .collect();
    let expected = [b"\0", &digits[..], b"\xff", last.as_bytes(), b"\0\x01\xff3"];
    assert_eq!(found.concat(), expected.concat());
}

#[test]
fn packets_without_a_meaning_are_left_out() {
    let body = "5\u{1e}\u{1e}42[\"a\"]\u{1e}2probe\u{1e}bAQID\u{1e}6";
    let found = handed_on(Encoding::Separated, body.as_bytes());
    assert_eq!(found.concat(), b"42[\"a\"]\x1e");
    let found = handed_on(Encoding::Counted, b"1:55:b4AQI7:42[\"a\"]1:6");
    assert_eq!(found.concat(), b"7:42[\"a\"]");
}

#[test]
fn a_body_waits_for_the_rates_within_its_share_of_the_memory() {
    let (memory, longest) = (
        MemoryBudget::new(64 * FLOOR, usize::MAX),
        Duration::from_secs(5),
    );
    let share = memory.fair_share();
    let (delay, held) = patience(share, longest, &memory);
    assert_eq!((delay, memory.used()), (longest, share));
    let (delay, _held) = patience(share, longest, &memory);
    assert_eq!(delay, Duration::ZERO, "less is left for the next one");
    drop(held);
    assert_eq!(patience(share, longest, &memory).0, Duration::ZERO);
}
