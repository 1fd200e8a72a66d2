//! Whatever is sent, reading it neither panics nor hangs nor takes up much memory.
//!
//! How much: a text once or twice, and for each of its values what an object of one field needs, three times at most.
//! There are not more than [`MAX_VALUES`](payload_limits::MAX_VALUES) in a packet, so no packet takes up more than 20 MiB while
//! it is read, and commands that wait are counted by what they take up.

use std::fs;
use std::path::Path;
use std::sync::LazyLock;

use super::*;
use crate::test_support::fuzz::{any_bytes, budget, measured};

/// Copies of a text: as it was sent, mended, decoded, once more as a field. The buffers of two of them grow, and are up to twice as
/// large.
const COPIES: usize = 6;
/// What a value may need besides its text: three times an object of one field.
const PER_VALUE: usize = 3 * 680;
/// For a refusal.
const SOME: usize = 4 * 1024;
/// Largest packet, in bytes.
const LARGE: usize = 256 * 1024;

/// What reading a packet may take up.
fn allowance(packet: &str) -> usize {
    let values = packet.matches(['[', '{', ',']).count();
    COPIES * packet.len() + PER_VALUE * values.min(payload_limits::MAX_VALUES) + SOME
}

fn costs_little(event: &str, packet: &str) {
    // What is made once does not count.
    vocabulary::all();
    let measured = measured(|| parse(event, packet, &Limits::default()));
    let start: String = packet.chars().take(100).collect();
    assert!(
        measured.held <= allowance(packet),
        "{} bytes for {} of {start}",
        measured.held,
        packet.len()
    );
    match measured.result {
        Ok(Request::Command(command)) => {
            let (kept, counted) = (measured.kept, command.bytes);
            assert!(kept <= counted + SOME, "{kept} are {counted}: {start}");
        }
        Ok(_) => {}
        Err(reply) => {
            assert!(reply.to_raw().get().len() < 2000, "{start}");
            assert!(!reply.message().is_empty() && reply.field().is_some());
        }
    }
}

/// What makes parsers work: begun and never ended, ended and never begun, or much from little.
const UNITS: [&str; 24] = [
    "[",
    "]",
    "{",
    "\"",
    "\\",
    ",",
    ":",
    " ",
    "\\ud800",
    "\\u0000",
    "\\\\",
    "\\\"",
    "9",
    "-",
    "1e9,",
    "0,",
    "[],",
    "[0],",
    "{},",
    "{\"\":0},",
    "\"\",",
    "\"a\":",
    "{\"a\":",
    "\u{10ffff}",
];

/// Places in which something stands in a packet.
const PLACES: [(&str, &str); 9] = [
    ("", ""),
    ("[\"e\",", "]"),
    ("[\"e\",\"", "\"]"),
    ("[\"e\",[", "0]]"),
    ("[\"e\",\"t\",\"{", "}\"]"),
    (
        "[\"e\",{\"projectId\":\"p\",\"taskId\":\"t\",\"x\":[",
        "0]}]",
    ),
    (
        "[\"e\",{\"projectId\":\"p\",\"taskId\":\"t\",\"name\":\"",
        "\"}]",
    ),
    (
        "[\"e\",{\"projectId\":\"p\",\"taskId\":\"t\",\"updates\":{\"name\":[",
        "0]}}]",
    ),
    ("[\"e\",{\"projectId\":\"p\",\"", "\":0}]"),
];

const EVENTS: [&str; 5] = [
    "project:create",
    "task:delete",
    "join:project",
    "auth:refresh",
    "typing",
];

/// A unit in a place, until the packet is so long.
fn filled((before, after): (&str, &str), unit: &str, length: usize) -> String {
    let room = length - before.len() - after.len();
    format!("{before}{}{after}", unit.repeat(room / unit.len()))
}

#[test]
fn much_of_the_same_costs_little() {
    for (row, place) in PLACES.into_iter().enumerate() {
        for (column, unit) in UNITS.into_iter().enumerate() {
            let packet = filled(place, unit, LARGE);
            costs_little("task:update", &packet);
            costs_little(EVENTS[(row + column) % EVENTS.len()], &packet);
        }
    }
}

/// As many values as there may be, of the kind that takes up most.
#[test]
fn the_most_that_a_packet_takes_up() {
    let nested = |levels: usize| format!("{}0{},", "{\"\":".repeat(levels), "}".repeat(levels));
    let numbered = |count| {
        (0..count)
            .map(|no| format!("\"{no:x}\":[0],"))
            .collect::<Vec<_>>()
            .concat()
    };
    for (unit, values) in [
        (nested(25), 26),
        (nested(1), 2),
        ("0,".to_owned(), 1),
        ("[0],".to_owned(), 2),
    ] {
        let units = unit.repeat((payload_limits::MAX_VALUES - 10) / values);
        for place in &PLACES[3..] {
            let packet = format!("{}{units}{}", place.0, place.1);
            costs_little("task:update", &packet);
        }
    }
    let fields = numbered(payload_limits::MAX_VALUES / 2 - 10);
    costs_little(
        "task:update",
        &format!("[\"e\",\"t\",{{{fields}\"name\":{{{fields}\"a\":0}}}}]"),
    );
    costs_little(
        "task:update",
        &format!("[\"e\",\"t\",{{\"name\":{{{fields}\"a\":0}}}}]"),
    );
}

/// It is no field of an object, and waits like one.
#[test]
fn a_status_that_stands_by_itself_is_counted() {
    let packet = filled(("[\"e\",\"t\",\"", "\"]"), "x", LARGE);
    costs_little("task:status", &packet);
}

/// The packets of real frontends.
static REAL: LazyLock<Vec<(String, String)>> = LazyLock::new(|| {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/payloads");
    let files = fs::read_dir(folder).unwrap();
    let mut packets: Vec<_> = files
        .flat_map(|file| {
            let text = fs::read_to_string(file.unwrap().path()).unwrap();
            let fixture: Value = serde_json::from_str(&text).unwrap();
            fixture["steps"].as_array().unwrap().clone()
        })
        .map(|step| {
            let event = step["emit"][0].as_str().unwrap().to_owned();
            (event, step["emit"].to_string())
        })
        .collect();
    packets.sort();
    packets
});

/// Puts something in place of a piece of the text; where is said in thousandths.
fn mutated(text: &str, edits: Vec<(usize, usize, String)>) -> String {
    let mut chars: Vec<char> = text.chars().collect();
    for (at, removed, inserted) in edits {
        let at = chars.len() * at / 1000;
        let end = (at + removed).min(chars.len());
        chars.splice(at..end, inserted.chars());
    }
    chars.into_iter().collect()
}

fn any_edit() -> impl Strategy<Value = (usize, usize, String)> {
    let known = prop::sample::select(vec![
        "\"projectId\":",
        "\"taskId\":",
        "\"updates\":",
        "\"task\":",
        "\"data\":",
        "\"__proto__\":",
        "\"constructor\":{",
        "\"_placeholder\":true,",
        "null",
        "true",
        "1e999",
        "-0.0",
        "18446744073709551616",
        "\"\"",
        "\\ud83d\\ude00",
        "\"{\\\"a\\\":1}\"",
    ]);
    let inserted = prop_oneof![
        2 => known.prop_map(str::to_owned),
        2 => (prop::sample::select(UNITS.to_vec()), 0_usize..40).prop_map(|(unit, count)| unit.repeat(count)),
        1 => Just(String::new()),
        1 => ".{0,8}",
    ];
    (0_usize..1000, 0_usize..12, inserted)
}

/// Mostly what means something.
fn any_text() -> impl Strategy<Value = String> {
    any_bytes(&UNITS).prop_map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
}

proptest! {
    #![proptest_config(budget())]

    #[test]
    fn real_packets_with_mistakes_cost_little(
        real in prop::sample::select(&**REAL),
        edits in prop::collection::vec(any_edit(), 0..6),
        event in prop_oneof![3 => Just(None), 1 => any_event().prop_map(Some)],
    ) {
        let (named, packet) = real;
        costs_little(&event.unwrap_or(named), &mutated(&packet, edits));
    }

    #[test]
    fn json_of_any_kind_costs_little(event in any_event(), arguments in prop::collection::vec(any_json(), 0..17)) {
        let mut all = vec![Value::String(event.clone())];
        all.extend(arguments);
        costs_little(&event, &Value::Array(all).to_string());
    }

    #[test]
    fn any_text_costs_little(event in prop_oneof![any_event(), any_text()], text in any_text(), place in prop::sample::select(PLACES.to_vec())) {
        costs_little(&event, &text);
        costs_little(&event, &format!("{}{text}{}", place.0, place.1));
    }

    /// Two commands are told apart by what they say, and by nothing else.
    #[test]
    fn the_same_command_has_the_same_fingerprint(real in prop::sample::select(&**REAL)) {
        let (event, packet) = real;
        let read = || parse(&event, &packet, &Limits::default());
        if let (Ok(Request::Command(one)), Ok(Request::Command(other))) = (read(), read()) {
            prop_assert_eq!(one.fingerprint(), other.fingerprint());
        }
    }

    #[test]
    fn any_cursor_costs_little(bytes in any_bytes(&["abc123~AAAAAAAAAAAAAAAA.", "@dWk:0", "@", "~", ".", ":", ",", "1:1", "1:1,", "0", "9223372036854775807", "9223372036854775808", "é", "-"])) {
        cursor_costs_little(&String::from_utf8_lossy(&bytes));
    }
}

fn cursor_costs_little(text: &str) {
    let epoch = super::fixtures::epoch();
    let measured = measured(|| Cursor::parse(text, &epoch));
    assert!(
        measured.held <= 4 * text.len() + 256,
        "{} for {}",
        measured.held,
        text.len()
    );
    if let Ok(cursor) = measured.result {
        assert!(cursor.positions().len() <= MAX_CURSOR_CHANNELS);
        assert_eq!(cursor.to_string(), text);
    }
}

#[test]
fn long_cursors_cost_little() {
    for unit in ["1:1,", "0:0,", "@dWk:0,", ",", ":", ".", "9", "e."] {
        for length in [MAX_CURSOR_BYTES, LARGE] {
            cursor_costs_little(&filled(("abc123~AAAAAAAAAAAAAAAA.", ""), unit, length));
        }
    }
    let rising: Vec<_> = (1..2000).map(|no| format!("{no}:1,")).collect();
    let rising = rising.concat();
    cursor_costs_little(&format!("abc123~AAAAAAAAAAAAAAAA.{rising}2000:1"));
}

/// A name is looked at as long as it can be one.
#[test]
fn long_names_cost_nothing() {
    vocabulary::all();
    for unit in ["task:", "A", ":", "é"] {
        let name = unit.repeat(LARGE);
        let measured = measured(|| parse(&name, "[]", &Limits::default()));
        assert!(measured.held < 2000, "{}", measured.held);
    }
}
