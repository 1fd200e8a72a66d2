//! A mark: what the instances of a deployment publish on a topic of their own so that all have the same names for the
//! messages that follow it.

use std::fmt;

use crate::domain::InstanceId;

/// Which instance published it, and how many it had published before. No two marks are equal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mark {
    pub(super) instance: InstanceId,
    pub(super) number: u64,
}

/// What an instance says of itself together with a mark.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Word {
    /// Nothing that matters to others: it has just come.
    Nothing,
    /// It holds what was published since this mark.
    Since(Mark),
    /// It has messages from before it began to hold any, and they are not settled yet.
    Busy,
    /// Whatever was published before this mark is settled.
    Settled(Mark),
}

const SINCE: &str = "since";
const BUSY: &str = "busy";
const SETTLED: &str = "settled";

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.instance, self.number)
    }
}

impl Mark {
    fn parse(text: &str) -> Option<Self> {
        let (instance, number) = text.split_once('-')?;
        Some(Self {
            instance: InstanceId::restore(instance),
            number: number.parse().ok()?,
        })
    }
}

/// The message of a mark of ours.
pub(super) fn write(number: u64, word: &Word) -> String {
    match word {
        Word::Nothing => number.to_string(),
        Word::Since(mark) => format!("{number} {SINCE} {mark}"),
        Word::Busy => format!("{number} {BUSY}"),
        Word::Settled(mark) => format!("{number} {SETTLED} {mark}"),
    }
}

/// Reads a sealed message. What a later version says with its marks and is not understood here changes nothing about
/// there being one.
pub(super) fn read(sealed: &[u8]) -> Option<(Mark, Word)> {
    let (instance, message) = sealed.split_at_checked(InstanceId::LENGTH)?;
    let instance = InstanceId::restore(std::str::from_utf8(instance).ok()?);
    let mut words = std::str::from_utf8(message).ok()?.split(' ');
    let number = words.next()?.parse().ok()?;
    let word = match (words.next(), words.next().and_then(Mark::parse)) {
        (Some(SETTLED), Some(mark)) => Word::Settled(mark),
        (Some(SINCE), Some(mark)) => Word::Since(mark),
        (Some(BUSY), _) => Word::Busy,
        _ => Word::Nothing,
    };
    Some((Mark { instance, number }, word))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::broker::envelope;

    #[test]
    fn a_mark_is_read_as_it_was_written() {
        let instance = InstanceId::generate();
        let mark = Mark {
            instance: instance.clone(),
            number: 17,
        };
        let other = || mark.clone();
        for word in [
            Word::Nothing,
            Word::Since(other()),
            Word::Busy,
            Word::Settled(other()),
        ] {
            let sealed = envelope::seal(&instance, write(17, &word).as_bytes());
            assert_eq!(read(&sealed), Some((mark.clone(), word)));
        }
        let later = envelope::seal(&instance, b"17 something new");
        assert_eq!(read(&later), Some((mark, Word::Nothing)));
        for nothing in [&b"short"[..], b"ffffffffffff", b"ffffffffffffx"] {
            assert_eq!(read(nothing), None);
        }
    }
}
