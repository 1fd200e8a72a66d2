//! What may stand in a log: short, on one line, and without secrets, whoever it comes from.

use std::borrow::Cow;
use std::fmt::{self, Write};

use percent_encoding::percent_decode_str;

/// Bytes of a field that are logged.
const MAX_FIELD: usize = 512;
/// Bytes of a path, and of each of its segments.
const MAX_PATH: usize = 256;
const MAX_SEGMENT: usize = 64;
/// Times that a path may be encoded, so that what it hides is still found.
const MAX_ENCODINGS: usize = 3;
/// What follows a channel's name in a path of ours.
const AFTER_A_CHANNEL: [&str; 1] = ["events"];
/// Stands for what is left out.
const CUT: char = '…';

/// What begins a secret: the names of sessions' channels, tokens (JWT), API keys, and what queries and headers carry.
const BEGINS_SECRET: [&str; 16] = [
    "session:",
    "eyJ",
    "bck_",
    "bearer ",
    "x-api-key: ",
    "x-api-key\": \"",
    "token=",
    "apikey=",
    "api_key=",
    "key=",
    "secret=",
    "password=",
    "sid=",
    "pid=",
    "offset=",
    "cursor=",
];

/// What somebody else wrote, as it may be logged.
pub(super) fn clean(value: impl fmt::Display) -> String {
    let mut short = Short {
        text: String::new(),
        max: MAX_FIELD,
        is_cut: false,
    };
    // Fails when it is cut.
    let written = write!(short, "{value}");
    let mut text = escaped(&without_secrets(&short.text));
    if short.is_cut || written.is_err() || text.len() > MAX_FIELD {
        text.truncate(text.floor_char_boundary(MAX_FIELD));
        text.push(CUT);
    }
    text
}

/// Takes so many bytes, and then fails, so that nothing more is formatted.
struct Short {
    text: String,
    max: usize,
    is_cut: bool,
}

impl Write for Short {
    fn write_str(&mut self, more: &str) -> fmt::Result {
        let room = self.max - self.text.len();
        let taken = &more[..more.floor_char_boundary(room)];
        self.text.push_str(taken);
        self.is_cut |= taken.len() < more.len();
        if self.is_cut { Err(fmt::Error) } else { Ok(()) }
    }
}

/// Control characters, and those that hide what a line says, as escapes.
fn escaped(text: &str) -> String {
    let hides = |char: char| {
        char.is_control()
            || matches!(char, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
    };
    let mut escaped = String::with_capacity(text.len());
    for char in text.chars() {
        if hides(char) {
            escaped.extend(char.escape_default());
        } else {
            escaped.push(char);
        }
    }
    escaped
}

/// Replaces what follows the beginning of a secret, up to the next space or comma.
fn without_secrets(text: &str) -> Cow<'_, str> {
    let (mut clean, mut rest) = (String::new(), text);
    while let Some((at, end)) = secret_in(rest) {
        clean.push_str(&rest[..at]);
        clean.push(CUT);
        rest = &rest[end..];
    }
    if clean.is_empty() {
        return Cow::Borrowed(text);
    }
    clean.push_str(rest);
    Cow::Owned(clean)
}

/// Where the first secret stands.
fn secret_in(text: &str) -> Option<(usize, usize)> {
    let lower = text.to_ascii_lowercase();
    let secrets = BEGINS_SECRET.iter().filter_map(|begin| {
        let mut from = 0;
        while let Some(found) = lower[from..].find(&begin.to_ascii_lowercase()) {
            let at = from + found + begin.len();
            let length = text[at..].find(is_between).unwrap_or(text.len() - at);
            let is_shown = length == 0 || text[at..].starts_with(CUT);
            // Not what merely ends in such a word, such as `monkey=`; a channel may stand behind anything.
            let is_word =
                at > begin.len() && text.as_bytes()[at - begin.len() - 1].is_ascii_alphanumeric();
            if !(is_shown || is_word && *begin != BEGINS_SECRET[0]) {
                return Some((at, at + length));
            }
            from = at;
        }
        None
    });
    secrets.min()
}

fn is_between(char: char) -> bool {
    char.is_whitespace() || char == ','
}

/// A request's path as it may be logged: short, decoded, and without the names of sessions.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ShownPath<'a>(pub(crate) &'a str);

impl fmt::Display for ShownPath<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut length = 0;
        for (index, segment) in self.0.split('/').enumerate() {
            if index > 0 {
                f.write_char('/')?;
            }
            if length >= MAX_PATH {
                return f.write_char(CUT);
            }
            let segment = shown_segment(segment);
            length += segment.len() + 1;
            f.write_str(&segment)?;
            if segment.to_ascii_lowercase().contains(BEGINS_SECRET[0]) {
                // The name may go on behind a slash.
                let rest = self.0.split('/').skip(index + 1);
                let known = rest.last().filter(|last| AFTER_A_CHANNEL.contains(last));
                return known.map_or(Ok(()), |known| write!(f, "/{known}"));
            }
        }
        Ok(())
    }
}

fn shown_segment(segment: &str) -> String {
    // What is behind it is not logged; one more, so that it shows that there is something.
    let segment = &segment[..segment.floor_char_boundary(3 * MAX_ENCODINGS * MAX_SEGMENT)];
    let mut text = Cow::Borrowed(segment);
    for _ in 0..MAX_ENCODINGS {
        let decoded = percent_decode_str(&text).decode_utf8_lossy().into_owned();
        if decoded == *text {
            break;
        }
        text = Cow::Owned(decoded);
    }
    // Whitespace and commas end no secret here: the whole segment is one name.
    let text = match secret_in(&text) {
        Some((at, _)) => format!("{}{CUT}", &text[..at]),
        None => text.into_owned(),
    };
    if text.len() <= MAX_SEGMENT {
        return text;
    }
    format!("{}{CUT}", &text[..text.floor_char_boundary(MAX_SEGMENT)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_short_and_plain_stays_as_it_is() {
        for text in [
            "",
            "no such task",
            "project:p é",
            "monkey=7",
            "keyboard",
            "session:",
        ] {
            assert_eq!(clean(text), text);
        }
    }

    #[test]
    fn what_is_long_is_cut_and_not_even_formatted() {
        struct Endless;
        impl fmt::Display for Endless {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                loop {
                    f.write_str("é")?;
                }
            }
        }
        for long in [clean(Endless), clean("\u{1}".repeat(100_000))] {
            assert!(long.len() <= MAX_FIELD + CUT.len_utf8());
            assert!(long.ends_with(CUT));
        }
    }

    #[test]
    fn nothing_ends_a_line_or_moves_the_cursor() {
        let shown = clean("a\nb\r\x1b[2J\u{202e}c\u{0}\u{85}");
        assert_eq!(shown, r"a\nb\r\u{1b}[2J\u{202e}c\u{0}\u{85}");
    }

    #[test]
    fn secrets_are_left_out_wherever_they_stand() {
        for (text, shown) in [
            ("session:s3cr3t", "session:…"),
            (
                "events of session:a\"b/c are gone",
                "events of session:… are gone",
            ),
            ("session:a,session:b", "session:…,session:…"),
            ("Bearer abc.def", "Bearer …"),
            ("GET / X-API-Key: abc", "GET / X-API-Key: …"),
            (r#"{"x-api-key": "abc"}"#, r#"{"x-api-key": "…"#),
            ("/ws?apiKey=abc&api_key=d", "/ws?apiKey=…"),
            ("bad token eyJhbGciOiJIUzI1NiJ9.e30.x", "bad token eyJ…"),
            ("key bck_ci_0123 is gone", "key bck_… is gone"),
            ("/socket.io/?EIO=4&sid=abc", "/socket.io/?EIO=4&sid=…"),
            ("?Token=abc&x=1", "?Token=…"),
            ("xsession:hidden", "xsession:…"),
        ] {
            assert_eq!(clean(text), shown, "{text}");
            assert_eq!(clean(shown), shown, "{text}");
        }
    }

    #[test]
    fn a_path_is_short_and_names_no_session() {
        let shown = |path: &str| clean(ShownPath(path));
        for (path, expected) in [
            ("/api/projects/p/tasks/t%201", "/api/projects/p/tasks/t 1"),
            (
                "/api/channels/session:m/events",
                "/api/channels/session:…/events",
            ),
            (
                "/api/channels/%73ession%3am/events",
                "/api/channels/session:…/events",
            ),
            (
                "/api/channels/session%253Am/events",
                "/api/channels/session:…/events",
            ),
            (
                "/api/channels/session:a%20b%2Fc/events",
                "/api/channels/session:…/events",
            ),
            (
                "/api/channels/session:room/secret/events",
                "/api/channels/session:…/events",
            ),
            (
                "/api/channels/session:room/secret",
                "/api/channels/session:…",
            ),
            ("/api/eyJhbGciOiJIUzI1NiJ9.e30.x", "/api/eyJ…"),
        ] {
            assert_eq!(shown(path), expected);
        }
        for long in [
            format!("/api/{}", "x".repeat(60_000)),
            "/x".repeat(30_000),
            "/%2525".repeat(20_000),
            "/%00%0a".repeat(20_000),
        ] {
            assert!(
                shown(&long).len() <= MAX_FIELD + 3,
                "{}",
                shown(&long).len()
            );
        }
    }
}
