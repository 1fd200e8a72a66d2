//! Takes out of names and keys what may be a value: ids, addresses, and what is too long to be a word.

use std::borrow::Cow;

/// Stands for what looks like an id.
pub(super) const ID: &str = "<id>";
/// Stands for what is longer than a name can be, or has characters that no name has.
pub(super) const OTHER: &str = "<other>";
/// Bytes that a name or a key may have.
const MAX_BYTES: usize = 64;
/// Letters and digits in hexadecimal of which an id is told from a word.
const HEX_DIGITS: usize = 8;
/// Changes between letters and digits that no word has.
const CHANGES: usize = 3;

/// A key of an object, without what may be a value.
pub(super) fn key(key: &str) -> Cow<'_, str> {
    let is_char = |char: char| char.is_alphanumeric() || "_$.:/- ".contains(char);
    if key.contains('@') {
        Cow::Borrowed(ID)
    } else if key.len() > MAX_BYTES || !key.chars().all(is_char) {
        Cow::Borrowed(OTHER)
    } else {
        parts(key)
    }
}

/// An event's name, without what may be a value.
pub(super) fn name(name: &str) -> Cow<'_, str> {
    key(name)
}

/// Replaces the parts of a name that look like ids, such as in `task:123:update`.
fn parts(name: &str) -> Cow<'_, str> {
    let separators = [':', '.', '/', ' '];
    if !name.split(separators).any(is_id) {
        return Cow::Borrowed(name);
    }
    let mut clean = String::with_capacity(name.len());
    for part in name.split_inclusive(separators) {
        let word = part.trim_end_matches(separators);
        clean.push_str(if is_id(word) { ID } else { word });
        clean.push_str(&part[word.len()..]);
    }
    Cow::Owned(clean)
}

/// Whether a word looks like an id: a number, an e-mail address, a UUID or another random text.
fn is_id(word: &str) -> bool {
    if word.is_empty() {
        return false;
    }
    let digits = word.bytes().filter(u8::is_ascii_digit).count();
    let is_number = digits == word.len();
    let hex = word.bytes().filter(u8::is_ascii_hexdigit).count();
    let dashes = word.bytes().filter(|byte| *byte == b'-').count();
    let is_hex = digits > 0 && hex >= HEX_DIGITS && hex + dashes == word.len();
    let kinds: Vec<bool> = word
        .chars()
        .filter(|char| char.is_alphanumeric())
        .map(|char| char.is_ascii_digit())
        .collect();
    let changes = kinds.windows(2).filter(|pair| pair[0] != pair[1]).count();
    is_number || word.contains('@') || is_hex || changes >= CHANGES
}

/// A refusal's sentence, without what it quotes of the message.
pub(super) fn sentence(sentence: &str, field: Option<&str>) -> String {
    let mut clean = String::new();
    let rest = match field.and_then(|field| Some((field, sentence.strip_prefix(field)?))) {
        Some((field, rest)) => {
            clean.push_str(&path(field));
            rest
        }
        None => sentence,
    };
    for (number, part) in rest.split('"').enumerate() {
        // Every other part is what stands between two quotation marks.
        clean.push_str(if number % 2 == 0 { part } else { "\"…\"" });
    }
    clean.chars().take(200).collect()
}

/// A field's path such as `task.items.0.id`, without what may be a value.
pub(super) fn path(path: &str) -> String {
    let parts = path.split('.').map(|part| {
        let is_index = part.len() < 4 && part.bytes().all(|byte| byte.is_ascii_digit());
        if is_index {
            Cow::Borrowed(part)
        } else {
            key(part)
        }
    });
    parts.collect::<Vec<_>>().join(".")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_stay_and_ids_go() {
        for word in [
            "taskId",
            "task_id",
            "_id",
            "i18n",
            "face",
            "added",
            "s3Key",
            "projects",
            "x",
            "task:status_changed",
            "board/tag",
            "Größe",
            "columnId2",
        ] {
            assert_eq!(key(word), word);
        }
        for id in [
            "7",
            "ann@example.org",
            "deadbeef7",
            "0190a7c4-5b1e-7d2a-9f00-1c2d3e4f5a6b",
            "507f1f77bcf86cd799439011",
            "clh3x8f9z0000q",
            "fg5x1q7j",
        ] {
            assert_eq!(key(id), ID, "{id}");
        }
        assert_eq!(key(&"word".repeat(17)), OTHER);
        assert_eq!(key("a\nb"), OTHER);
        assert_eq!(name("task:123:update"), "task:<id>:update");
        assert_eq!(name("room:507f1f77bcf86cd799439011"), "room:<id>");
    }

    #[test]
    fn sentences_quote_nothing() {
        assert_eq!(
            sentence(r#"there is no event "a secret""#, Some("event")),
            "there is no event \"…\""
        );
        assert_eq!(
            sentence(
                "data.507f1f77bcf86cd799439011 is missing",
                Some("data.507f1f77bcf86cd799439011")
            ),
            "data.<id> is missing"
        );
        assert_eq!(path("items.0.id"), "items.0.id");
    }
}
