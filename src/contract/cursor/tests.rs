use proptest::prelude::*;

use super::*;

const KEY: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

fn epoch() -> Epoch {
    Epoch::restore("abc123".to_owned(), KEY).unwrap()
}

fn name(text: &str) -> ChannelRef {
    ChannelRef::Name(ChannelName::parse(text).unwrap())
}

fn no(no: i64) -> ChannelRef {
    ChannelRef::Number(ChannelNo(no))
}

/// What these positions look like, sealed by whoever has the key.
fn sealed(positions: &str) -> String {
    let mut seal = Seal::default();
    for part in positions.split(',') {
        let number = part.split(':').next().and_then(|no| no.parse().ok());
        if let Some(number) = number {
            seal.toggle(epoch().seal(ChannelNo(number)));
        }
    }
    format!(
        "abc123~{}.{positions}",
        URL_SAFE_NO_PAD.encode(seal.to_bytes())
    )
}

fn parse(text: &str) -> Result<Cursor, CursorError> {
    Cursor::parse(text, &epoch())
}

proptest! {
    #[test]
    fn cursor_that_was_written_is_read_back(
        positions in prop::collection::btree_map(0..i64::MAX, 0..i64::MAX, 0..90),
        names in prop::collection::btree_set("(session:|project:|)[a-zé][a-z0-9:/_-]{0,20}", 0..20),
    ) {
        let mut cursor = Cursor::new(epoch());
        for (&no, &seq) in positions.iter().rev() {
            cursor.set(ChannelNo(no), seq);
        }
        for text in &names {
            cursor.set(name(text), 0);
        }
        prop_assert_eq!(parse(&cursor.to_string()), Ok(cursor.clone()));
        for (number, seq) in positions {
            prop_assert_eq!(cursor.get(&no(number)), Some(seq));
        }
    }

    #[test]
    fn garbage_is_refused_or_means_itself(
        text in prop_oneof![any::<String>(), "abc123~A{16}\\.[0-9@:,+=|aM]{0,12}"],
    ) {
        if let Ok(cursor) = parse(&text) {
            prop_assert_eq!(cursor.to_string(), text);
        }
    }

    /// The attack: numbers that were not handed out beside numbers that were.
    #[test]
    fn number_that_was_not_handed_out_spoils_the_cursor(
        mine in prop::collection::btree_set(1_i64..300, 0..5),
        guessed in prop::collection::btree_set(1_i64..300, 1..5),
    ) {
        let mut cursor = Cursor::new(epoch());
        for number in &mine {
            cursor.set(ChannelNo(*number), 0);
        }
        let text = cursor.to_string();
        let (head, _) = text.split_once('.').unwrap();
        let all: std::collections::BTreeSet<_> = mine.union(&guessed).collect();
        let list: Vec<_> = all.iter().map(|no| format!("{no}:0")).collect();
        let read = parse(&format!("{head}.{}", list.join(",")));
        if guessed.is_subset(&mine) {
            prop_assert_eq!(read, Ok(cursor));
        } else {
            prop_assert_eq!(read, Err(CursorError::NotHandedOut));
        }
    }
}

#[test]
fn anything_but_a_cursor_is_refused() {
    for text in [
        "",
        "a",
        "abc123",
        ".1:1",
        "~.1:1",
        "abc123.1:1",
        "abc123~.1:1",
        "abc123~AAAA.1:1",
    ] {
        assert_eq!(parse(text), Err(CursorError::Malformed), "{text}");
    }
    for text in [
        "1", "1:", "01:1", "1:+1", "1:-1", "1:1,", "2:1,1:1", "1:1,1:1", "@:0", "@YQ==:0", "@YQ",
        "@Y:0", "@KiA:0",
    ] {
        assert_eq!(parse(&sealed(text)), Err(CursorError::Malformed), "{text}");
    }
    assert_eq!(parse("e.1:1"), Err(CursorError::OtherDatabase));
    assert_eq!(
        parse("e~AAAAAAAAAAAAAAAA.1:1"),
        Err(CursorError::OtherDatabase)
    );
    let positions: Vec<_> = (0..257).map(|no| format!("{no}:1")).collect();
    assert_eq!(
        parse(&sealed(&positions.join(","))),
        Err(CursorError::TooLong)
    );
    // More types, or names, than are given out: the next cursor might be too long.
    let one = "x".repeat(64);
    let many = (0..=MAX_CURSOR_TYPES_BYTES / 64).map(|no| format!("{no}:1={one}"));
    let many = sealed(&many.collect::<Vec<_>>().join(","));
    assert!(many.len() < MAX_CURSOR_BYTES);
    assert_eq!(parse(&many), Err(CursorError::TooLong));
    let mut cursor = Cursor::new(epoch());
    for index in 0..80 {
        cursor.set(name(&format!("session:{index:0>100}")), 0);
    }
    assert!(cursor.to_string().len() < MAX_CURSOR_BYTES);
    assert_eq!(parse(&cursor.to_string()), Err(CursorError::TooLong));
    let long = "a".repeat(MAX_CURSOR_BYTES + 1);
    assert_eq!(parse(&long), Err(CursorError::TooLong));
}

/// Of all that a connection may be subscribed to.
#[test]
fn longest_cursor_that_is_handed_out_is_read_back() {
    let epoch = Epoch::restore("e".repeat(MAX_EPOCH_BYTES), KEY).unwrap();
    let mut cursor = Cursor::new(epoch.clone());
    let types = Types::parse(&"x".repeat(MAX_CURSOR_TYPES_BYTES / MAX_CURSOR_CHANNELS));
    let mut names_bytes = 0;
    for index in 0..MAX_CURSOR_CHANNELS {
        let unborn = ChannelName::parse(&format!("session:{index:0>100}")).unwrap();
        let channel = if names_bytes + Cursor::name_bytes(&unborn) <= MAX_CURSOR_NAMES_BYTES {
            names_bytes += Cursor::name_bytes(&unborn);
            ChannelRef::Name(unborn)
        } else {
            no(i64::MAX - i64::try_from(index).unwrap())
        };
        cursor.set(channel.clone(), Seq::MAX);
        cursor.select(&channel, types.clone());
    }
    assert_eq!(cursor.positions().len(), MAX_CURSOR_CHANNELS);
    let read = Cursor::parse(&cursor.to_string(), &epoch).unwrap();
    assert_eq!(read, cursor);
}

#[test]
fn types_stand_beside_their_channel() {
    let text = sealed("1:2,3:4=task:updated|ai_progress,9:1,@dWk:0=x");
    let mut cursor = parse(&text).unwrap();
    assert_eq!(cursor.to_string(), text);
    assert!(cursor.types(&no(3)).is_some() && cursor.types(&no(1)).is_none());
    cursor.set(ChannelNo(3), 5);
    assert_eq!(
        cursor.to_string(),
        sealed("1:2,3:5=task:updated|ai_progress,9:1,@dWk:0=x")
    );
    cursor.remove(&no(3));
    assert_eq!(cursor.to_string(), sealed("1:2,9:1,@dWk:0=x"));
    let ChannelRef::Name(ui) = name("ui") else {
        unreachable!()
    };
    cursor.number(&ui, ChannelNo(4));
    assert_eq!(cursor.to_string(), sealed("1:2,4:0=x,9:1"));
    for bad in ["1:2=", "1:2=a|", "1:2=a|a", "1:2=a b", "1=a:2"] {
        assert_eq!(parse(&sealed(bad)), Err(CursorError::Malformed), "{bad}");
    }
}

#[test]
fn set_replaces() {
    let mut cursor = Cursor::single(epoch(), ChannelNo(4), 1);
    cursor.set(ChannelNo(4), 9);
    cursor.set(ChannelNo(2), 3);
    assert_eq!(cursor.to_string(), sealed("2:3,4:9"));
    assert_eq!(cursor.get(&no(3)), None);
}

/// As long as one key is used: cursors live on through every later version of this program.
#[test]
fn form_and_seal_stay_as_they_are() {
    let mut cursor = Cursor::single(epoch(), ChannelNo(137), 4);
    cursor.set(name("session:s"), 0);
    assert_eq!(
        cursor.to_string(),
        "abc123~oVvx9QdiSwLQulqa.137:4,@c2Vzc2lvbjpz:0"
    );
}

#[test]
fn writing_a_cursor_again_allocates_nothing() {
    let mut cursor = Cursor::new(Epoch::generate());
    for (no, seq) in [(7, 0), (3, 9), (1_000_000, i64::MAX), (4, 10)] {
        cursor.set(ChannelNo(no), seq);
    }
    let mut text = String::new();
    cursor.write(&mut text);
    assert_eq!(text, cursor.to_string());
    assert!(text.ends_with(".3:9,4:10,7:0,1000000:9223372036854775807"));
    text.clear();
    let allocated = allocation_counter::measure(|| cursor.write(&mut text));
    assert_eq!((allocated.count_total, text), (0, cursor.text()));
}
