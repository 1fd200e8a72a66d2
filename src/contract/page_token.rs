//! Where a page of a list, or of a state, ended, as clients carry it: opaque for them, and understood without any session on
//! the server, by every instance.

use std::fmt::Write as _;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::Reply;
use crate::domain::{Mark, StatePage, StatePlace};

/// The key under which a page of a state is asked for…
pub const PAGE: &str = "page";
/// … and the one under which an answer says how to ask for the next one.
pub const NEXT_PAGE: &str = "nextPage";
/// Longest text; that of the longest id and any rank that there is, with room to spare.
const MAX_BYTES: usize = 16 * 1024;

/// The text that stands for a place in a list.
///
/// # Panics
///
/// Never: texts and numbers are JSON.
#[must_use]
pub fn write_page_token(mark: &Mark) -> String {
    write(&(&mark.rank, mark.created_at, &mark.id))
}

/// The text that stands for a place in a state.
///
/// # Panics
///
/// Never: texts and numbers are JSON.
#[must_use]
pub fn write_state_token(page: &StatePage) -> String {
    let StatePlace { kind, mark } = &page.after;
    write(&(
        &page.epoch,
        page.seq,
        kind.as_str(),
        &mark.rank,
        mark.created_at,
        &mark.id,
    ))
}

/// Reads a text exactly as [`write_page_token`] writes it.
///
/// # Errors
///
/// The answer that says what is wrong with it, by the name of the parameter.
pub fn read_page_token(parameter: &str, text: &str) -> Result<Mark, Reply> {
    let mark = read(text).and_then(|(rank, created_at, id)| clean(rank, created_at, id));
    let mark = mark.filter(|mark| write_page_token(mark) == text);
    mark.ok_or_else(|| Reply::invalid(parameter, "is not from an answer of this list"))
}

/// Reads a text exactly as [`write_state_token`] writes it.
///
/// # Errors
///
/// The answer that says what is wrong with it, by the name of the parameter.
pub fn read_state_token(parameter: &str, text: &str) -> Result<StatePage, Reply> {
    type Parts = (String, i64, String, String, i64, String);
    let page = read(text).and_then(|(epoch, seq, kind, rank, created_at, id): Parts| {
        let mark = clean(rank, created_at, id)?;
        let kind = kind.parse().ok()?;
        let after = StatePlace { kind, mark };
        Some(StatePage { epoch, seq, after })
    });
    let page = page.filter(|page| write_state_token(page) == text);
    page.ok_or_else(|| {
        let what = "is not from an answer with a state: ask for the state anew, without it";
        Reply::invalid(parameter, what)
    })
}

fn write(parts: &impl Serialize) -> String {
    let json = serde_json::to_vec(parts).expect("texts and numbers are JSON");
    json.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a text takes everything");
        text
    })
}

fn read<T: DeserializeOwned>(text: &str) -> Option<T> {
    if text.len() > MAX_BYTES || !text.is_ascii() {
        return None;
    }
    let pairs = text.as_bytes().chunks(2).map(|pair| {
        let pair = str::from_utf8(pair).ok()?;
        u8::from_str_radix(pair, 16).ok()
    });
    let json: Vec<u8> = pairs.collect::<Option<_>>()?;
    serde_json::from_slice(&json).ok()
}

/// A mark, unless one of its texts can be in no database.
fn clean(rank: String, created_at: i64, id: String) -> Option<Mark> {
    let is_clean = !rank.contains('\0') && !id.contains('\0');
    is_clean.then_some(Mark {
        rank,
        created_at,
        id,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::Kind;

    proptest! {
        #[test]
        fn is_read_back_as_it_was_written(rank in "[0-9A-Za-z]{0,40}", created_at: i64, id in "[^\0]{0,40}") {
            let mark = Mark { rank, created_at, id };
            prop_assert_eq!(read_page_token("cursor", &write_page_token(&mark)), Ok(mark));
        }

        #[test]
        fn a_place_in_a_state_is_read_back(seq: i64, rank in "[0-9A-Za-z]{0,40}", id in "[^\0]{0,40}") {
            let mark = Mark { rank, created_at: 5, id };
            let after = StatePlace { kind: Kind::Task, mark };
            let page = StatePage { epoch: "e".to_owned(), seq, after };
            prop_assert_eq!(read_state_token("page", &write_state_token(&page)), Ok(page));
        }

        #[test]
        fn garbage_is_refused_or_means_itself(text in prop_oneof![any::<String>(), "[0-9a-f]{0,40}"]) {
            prop_assert!(read_state_token("page", &text).is_err());
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
