//! A card's place: a text that sorts by its bytes, and between any two of which another one fits.
//!
//! A rank is read as the digits of a fraction in base 62 (`0-9A-Za-z`) and never ends in the digit 0, so
//! there is room between any two. The first and the last place are made from the sequence number of the
//! event that takes them: they are unique and short however often cards are sent to the top or the end.
//! Nothing is ever renumbered.

use std::fmt;

const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const MIDDLE: char = 'V';

/// A card's place among the cards of its project.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Rank(std::sync::Arc<str>);

impl Rank {
    /// A rank as stored.
    #[must_use]
    pub fn restore(text: String) -> Self {
        Self(text.into())
    }

    /// The place after every rank that was made with a lower `seq` of the same channel.
    #[must_use]
    pub fn last(seq: i64) -> Self {
        let digits = base62(seq);
        let head = char::from(b'a' + length_index(&digits));
        Self(format!("{head}{digits}{MIDDLE}").into())
    }

    /// The place before every rank that was made with a lower `seq` of the same channel.
    #[must_use]
    pub fn first(seq: i64) -> Self {
        let digits = base62(seq);
        let head = char::from(b'Z' - length_index(&digits));
        let mirrored: String = digits
            .bytes()
            .map(|digit| char::from(DIGITS[DIGITS.len() - 1 - value(digit)]))
            .collect();
        Self(format!("{head}{mirrored}{MIDDLE}").into())
    }

    /// A place between two: `None` if they do not stand in this order.
    #[must_use]
    pub fn between(low: &Self, high: &Self) -> Option<Self> {
        (low < high).then(|| Self(midpoint(low.0.as_bytes(), Some(high.0.as_bytes())).into()))
    }

    /// The text, which sorts by its bytes.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Rank {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn value(digit: u8) -> usize {
    DIGITS.iter().position(|&known| known == digit).unwrap_or(0)
}

fn base62(number: i64) -> String {
    let mut rest = number.unsigned_abs();
    let mut digits = Vec::new();
    loop {
        let digit = usize::try_from(rest % 62).expect("a remainder of 62 fits");
        digits.push(char::from(DIGITS[digit]));
        rest /= 62;
        if rest == 0 {
            return digits.iter().rev().collect();
        }
    }
}

/// How many digits beyond the first; an `i64` has at most 11 in base 62.
fn length_index(digits: &str) -> u8 {
    u8::try_from(digits.len() - 1).expect("an i64 has few digits")
}

/// A fraction between `low` and `high` (the upper end if there is none) that does not end in 0.
fn midpoint(low: &[u8], high: Option<&[u8]>) -> String {
    let first_low = low.first().map_or(0, |&digit| value(digit));
    let rest_low = low.get(1..).unwrap_or_default();
    let Some(high) = high else {
        let middle = usize::midpoint(first_low, DIGITS.len());
        if middle > first_low {
            return char::from(DIGITS[middle]).to_string();
        }
        return prefixed(first_low, &midpoint(rest_low, None));
    };
    let first_high = high.first().map_or(0, |&digit| value(digit));
    if first_low == first_high {
        return prefixed(first_low, &midpoint(rest_low, high.get(1..)));
    }
    let middle = usize::midpoint(first_low, first_high);
    if middle > first_low {
        return char::from(DIGITS[middle]).to_string();
    }
    if high.len() > 1 {
        return char::from(DIGITS[first_high]).to_string();
    }
    prefixed(first_low, &midpoint(rest_low, None))
}

fn prefixed(digit: usize, rest: &str) -> String {
    format!("{}{rest}", char::from(DIGITS[digit]))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn later_is_further_out(a in 1_i64..i64::MAX, b in 1_i64..i64::MAX) {
            prop_assume!(a < b);
            prop_assert!(Rank::last(a) < Rank::last(b));
            prop_assert!(Rank::first(a) > Rank::first(b));
            prop_assert!(Rank::first(a) < Rank::last(b));
        }

        /// Cards put anywhere, again and again, always find a place of their own there.
        #[test]
        fn there_is_always_room(places in prop::collection::vec(0_usize..1000, 1..400)) {
            let mut ranks: Vec<Rank> = Vec::new();
            for (seq, place) in (1..).zip(places) {
                let at = place % (ranks.len() + 1);
                let rank = match (at.checked_sub(1).and_then(|i| ranks.get(i)), ranks.get(at)) {
                    (Some(low), Some(high)) => Rank::between(low, high).expect("they are in order"),
                    (None, Some(_)) => Rank::first(seq),
                    (_, None) => Rank::last(seq),
                };
                prop_assert!(!rank.as_str().ends_with('0'));
                ranks.insert(at, rank);
                prop_assert!(ranks.is_sorted_by(|a, b| a < b), "{ranks:?}");
            }
        }
    }

    #[test]
    fn ten_thousand_moves_to_the_top_stay_short() {
        assert!(Rank::first(10_000).as_str().len() <= 5);
    }

    #[test]
    fn one_gap_takes_a_thousand_cards_with_modest_growth() {
        let (low, mut high) = (Rank::last(1), Rank::last(2));
        for _ in 0..1000 {
            high = Rank::between(&low, &high).expect("there is always room");
        }
        assert!(high.as_str().len() < 220, "{}", high.as_str().len());
    }
}
