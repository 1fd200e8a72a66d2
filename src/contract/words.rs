//! The words of a key, one after the other, without memory of their own: every key of every payload is looked at so.

/// Bytes of the longest word that may mean something.
pub(super) const LONGEST: usize = 48;

/// A word in lower case.
#[derive(Debug, Clone, Copy)]
pub(super) struct Word {
    letters: [u8; LONGEST],
    length: usize,
}

impl Word {
    /// One that nobody knows.
    pub(super) const UNKNOWN: Self = Self {
        letters: [0; LONGEST],
        length: 0,
    };

    fn of(text: &[u8]) -> Self {
        let mut word = Self::UNKNOWN;
        // A longer one stays empty, which is no word at all.
        if let Some(letters) = word.letters.get_mut(..text.len()) {
            letters.copy_from_slice(text);
            letters.make_ascii_lowercase();
            word.length = text.len();
        }
        word
    }

    /// Its letters; none of a word that is longer than all that mean something.
    pub(super) fn as_str(&self) -> &str {
        std::str::from_utf8(&self.letters[..self.length]).unwrap_or_default()
    }
}

/// See the module. Words end at separators and at the humps of camelCase, as in [`names::words`](super::names::words).
#[derive(Debug, Clone)]
pub(super) struct Words<'a> {
    rest: &'a [u8],
}

impl<'a> Words<'a> {
    pub(super) const fn of(key: &'a str) -> Self {
        Self {
            rest: key.as_bytes(),
        }
    }
}

impl Iterator for Words<'_> {
    type Item = Word;

    fn next(&mut self) -> Option<Word> {
        let start = self.rest.iter().position(|byte| !is_separator(*byte))?;
        let text = &self.rest[start..];
        let is_hump = |pair: &[u8]| {
            pair[1].is_ascii_uppercase()
                && (pair[0].is_ascii_lowercase() || pair[0].is_ascii_digit())
        };
        let end = text
            .windows(2)
            .position(|pair| is_hump(pair) || is_separator(pair[1]));
        let (word, rest) = text.split_at(end.map_or(text.len(), |end| end + 1));
        self.rest = rest;
        Some(Word::of(word))
    }
}

fn is_separator(byte: u8) -> bool {
    matches!(byte, b':' | b'-' | b'_' | b'.' | b' ')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::contract::names;

    proptest! {
        /// They are the words of names, but for those that are too long to mean anything.
        #[test]
        fn are_those_of_names(key in "[a-cA-C0-2:_. éÜ-]{0,12}|[a-zA-Z_]{0,120}") {
            let mut expected = names::words(&key);
            for word in &mut expected {
                if word.len() > LONGEST {
                    word.clear();
                }
            }
            let found: Vec<_> = Words::of(&key).map(|word| word.as_str().to_owned()).collect();
            prop_assert_eq!(found, expected);
        }
    }
}
