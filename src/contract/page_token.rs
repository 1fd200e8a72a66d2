//! Where a page of a list ended, as clients carry it: opaque for them, and understood without any session on the server.

use std::fmt::Write as _;

use super::Reply;
use crate::domain::Mark;

/// Longest text; that of the longest id and any rank that there is, with room to spare.
const MAX_BYTES: usize = 16 * 1024;

/// The text that stands for a place in a list.
///
/// # Panics
///
/// Never: texts and numbers are JSON.
#[must_use]
pub fn write_page_token(mark: &Mark) -> String {
    let parts = (&mark.rank, mark.created_at, &mark.id);
    let json = serde_json::to_vec(&parts).expect("texts and numbers are JSON");
    json.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a text takes everything");
        text
    })
}

/// Reads a text exactly as [`write_page_token`] writes it.
///
/// # Errors
///
/// The answer that says what is wrong with it, by the name of the parameter.
pub fn read_page_token(parameter: &str, text: &str) -> Result<Mark, Reply> {
    let mark = read(text).filter(|mark| write_page_token(mark) == text);
    mark.ok_or_else(|| Reply::invalid(parameter, "is not from an answer of this list"))
}

fn read(text: &str) -> Option<Mark> {
    if text.len() > MAX_BYTES || !text.is_ascii() {
        return None;
    }
    let pairs = text.as_bytes().chunks(2).map(|pair| {
        let pair = str::from_utf8(pair).ok()?;
        u8::from_str_radix(pair, 16).ok()
    });
    let json: Vec<u8> = pairs.collect::<Option<_>>()?;
    let (rank, created_at, id) = serde_json::from_slice(&json).ok()?;
    let mark = Mark {
        rank,
        created_at,
        id,
    };
    let is_clean = !mark.rank.contains('\0') && !mark.id.contains('\0');
    is_clean.then_some(mark)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn is_read_back_as_it_was_written(rank in "[0-9A-Za-z]{0,40}", created_at: i64, id in "[^\0]{0,40}") {
            let mark = Mark { rank, created_at, id };
            prop_assert_eq!(read_page_token("cursor", &write_page_token(&mark)), Ok(mark));
        }

        #[test]
        fn garbage_is_refused_or_means_itself(text in prop_oneof![any::<String>(), "[0-9a-f]{0,40}"]) {
            match read_page_token("cursor", &text) {
                Ok(mark) => prop_assert_eq!(write_page_token(&mark), text),
                Err(refusal) => prop_assert_eq!(refusal.field(), Some("cursor")),
            }
        }
    }

    #[test]
    fn nul_is_no_part_of_it() {
        let mark = Mark {
            rank: String::new(),
            created_at: 0,
            id: "\0".to_owned(),
        };
        assert!(read_page_token("cursor", &write_page_token(&mark)).is_err());
    }
}
