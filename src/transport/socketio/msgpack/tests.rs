use proptest::prelude::*;

use super::*;
use crate::test_support::fuzz::{any_bytes, budget, measured};

const MOST: usize = 1_000_000;

/// As `socket.io-msgpack-parser` 3.0.2 writes them.
#[test]
fn packets_of_the_parser_are_read() {
    for (bytes, text) in [
        (
            &b"\x83\xa4type\x00\xa4data\x81\xa5token\xa1x\xa3nsp\xa1/"[..],
            r#"40{"token":"x"}"#,
        ),
        (b"\x82\xa4type\x00\xa3nsp\xa1/", "40"),
        (b"\x83\xa4type\x00\xa4data\xd4\x00\x00\xa3nsp\xa6/admin", "40/admin,"),
        (b"\x82\xa4type\x01\xa3nsp\xa1/", "41"),
        (
            b"\x85\xa4type\x02\xa4data\x92\xa1a\x82\xa1n\xcb\x3f\xf8\0\0\0\0\0\0\xa1u\xd4\0\0\xa7options\x81\xa8compress\xc3\xa2id\x07\xa3nsp\xa1/",
            r#"427["a",{"n":1.5}]"#,
        ),
        (
            b"\x83\xa4type\x02\xa4data\x93\xa1a\xd4\0\0\xd7\0\0\0\0\0\0\0\0\0\xa3nsp\xa1/",
            r#"42["a",null,"1970-01-01T00:00:00.000Z"]"#,
        ),
        (
            b"\x83\xa4type\x02\xa4data\x93\xa1a\xc4\x02ab\xcb\x7f\xf0\0\0\0\0\0\0\xa3nsp\xa1/",
            r#"42["a",{"_placeholder":true,"num":0},null]"#,
        ),
        (b"\x83\xa4type\x03\xa4data\x90\xa2id\xff\xa3nsp\xa1/", ""),
        (b"\x82\xa4type\x05\xa3nsp\xa1/", ""),
        (b"\x82\xa4type\x00\xa3nsp\xa1/x", ""),
        (b"\x82\xa4type\x00\xa3nsp\xa3/,x", ""),
        (b"\x92\x01\x02", ""),
        (b"", ""),
    ] {
        let expected = (!text.is_empty()).then(|| text.to_owned());
        assert_eq!(to_text(bytes, MOST), expected, "{}", bytes.escape_ascii());
    }
}

#[test]
fn packets_of_the_server_are_written_as_the_parser_reads_them() {
    for text in [
        r#"40{"sid":"a","pid":"b"}"#,
        r#"42["task:created",{"title":"é","n":[1,-1,1.5,18446744073709551615,null,true]},"e.1:2"]"#,
        r#"4312[{"ok":true}]"#,
        r#"44{"message":"unauthenticated"}"#,
        "41",
        r#"44/admin,{"message":"Invalid namespace"}"#,
    ] {
        let packet = from_text(text).unwrap();
        assert_eq!(to_text(&packet, MOST).as_deref(), Some(text));
    }
    for other in ["2", "0{}", "6", "", "4"] {
        assert_eq!(from_text(other), None, "{other}");
    }
    let body = encode_body("2\u{1e}41");
    let (ping, bytes) = body.split_once(SEPARATOR).unwrap();
    assert_eq!(ping, "2");
    let packet = super::bytes(bytes.as_bytes()).unwrap();
    assert_eq!(to_text(&packet, MOST).as_deref(), Some("41"));
}

#[test]
fn what_would_be_large_or_deep_is_not_read() {
    let begun = b"\x83\xa4type\x02\xa3nsp\xa1/\xa4data";
    let deep = [&begun[..], &vec![0x91; 100_000]].concat();
    assert_eq!(to_text(&deep, MOST), None);
    let nulls = [&begun[..], b"\xdd\0\x01\0\0", &vec![0xc0; 65_536]].concat();
    assert!(to_text(&nulls, MOST).is_some());
    assert_eq!(to_text(&nulls, 1000), None);
    // More elements are announced than there are.
    let hollow = [&begun[..], b"\xdd\xff\xff\xff\xff"].concat();
    let measured = measured(|| to_text(&hollow, MOST));
    assert_eq!(measured.result, None);
    assert!(measured.held < 1024, "{}", measured.held);
}

proptest! {
    #![proptest_config(budget())]

    /// Whatever bytes a client sends: what is made of them is a packet of the default parser's with JSON in it.
    #[test]
    fn any_bytes_are_read_or_refused(rest in any_bytes(&["type", "\u{2}", "nsp", "/", "data", "id"])) {
        for start in [&b"\x83\xa4type\x02\xa3nsp\xa1/\xa4data"[..], b""] {
            let packet = [start, &rest].concat();
            if let Some(text) = to_text(&packet, MOST) {
                let data = text.strip_prefix("42").unwrap_or_default();
                if !start.is_empty() && !data.is_empty() {
                    serde_json::from_str::<de::IgnoredAny>(data).unwrap();
                }
            }
        }
    }
}
