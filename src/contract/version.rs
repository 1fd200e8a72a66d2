//! Versions of client programs, compared as semantic versions are: number by number, a pre-release before its release.

use std::cmp::Ordering;
use std::str::FromStr;

/// Longest version or range that is looked at, in bytes.
const MAX_BYTES: usize = 64;
/// Most numbers of a version; what is missing of them is 0.
const NUMBERS: usize = 4;

/// A version, such as `1.4.0`, `v2` or `2.0-beta.1`. What stands behind a `+` does not count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    numbers: [u64; NUMBERS],
    /// The identifiers of a pre-release; none of a release.
    pre: Vec<String>,
}

/// A text that is no version, or no range of versions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be versions after <, <=, =, >= or >, such as <2.0 or >=1.2 <2")]
pub struct VersionError;

impl FromStr for Version {
    type Err = VersionError;

    fn from_str(text: &str) -> Result<Self, VersionError> {
        if text.len() > MAX_BYTES {
            return Err(VersionError);
        }
        let text = text.trim();
        let text = text.strip_prefix(['v', 'V']).unwrap_or(text);
        let text = text.split_once('+').map_or(text, |(version, _)| version);
        let (release, pre) = match text.split_once('-') {
            Some((release, pre)) => (release, pre.split('.').map(str::to_owned).collect()),
            None => (text, Vec::new()),
        };
        let mut numbers = [0; NUMBERS];
        for (place, part) in release.split('.').enumerate() {
            let number = Some(part).filter(|part| part.bytes().all(|byte| byte.is_ascii_digit()));
            let number = number.and_then(|part| part.parse().ok());
            *numbers.get_mut(place).ok_or(VersionError)? = number.ok_or(VersionError)?;
        }
        Ok(Self { numbers, pre })
    }
}

impl Ord for Version {
    fn cmp(&self, other: &Self) -> Ordering {
        let by_pre = || match (self.pre.is_empty(), other.pre.is_empty()) {
            (true, true) => Ordering::Equal,
            (true, false) => Ordering::Greater,
            (false, true) => Ordering::Less,
            (false, false) => {
                let pairs = self.pre.iter().zip(&other.pre);
                let mut orders = pairs.map(|(one, other)| identifiers(one, other));
                let first = orders.find(|order| order.is_ne());
                first.unwrap_or_else(|| self.pre.len().cmp(&other.pre.len()))
            }
        };
        self.numbers.cmp(&other.numbers).then_with(by_pre)
    }
}

impl PartialOrd for Version {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// Numbers come before words.
fn identifiers(one: &str, other: &str) -> Ordering {
    match (one.parse::<u64>(), other.parse::<u64>()) {
        (Ok(one), Ok(other)) => one.cmp(&other),
        (Ok(_), Err(_)) => Ordering::Less,
        (Err(_), Ok(_)) => Ordering::Greater,
        (Err(_), Err(_)) => one.cmp(other),
    }
}

/// Versions that are meant, such as `<2.0`, `1.4` or `>=1.2 <2`: all comparisons hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VersionRange(Vec<(Comparison, Version)>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Comparison {
    Less,
    AtMost,
    Equal,
    AtLeast,
    Greater,
}

impl Comparison {
    /// The longer ones first: `<=` begins with `<`.
    const ALL: [(&'static str, Self); 5] = [
        ("<=", Self::AtMost),
        (">=", Self::AtLeast),
        ("<", Self::Less),
        (">", Self::Greater),
        ("=", Self::Equal),
    ];

    fn holds(self, order: Ordering) -> bool {
        match self {
            Self::Less => order.is_lt(),
            Self::AtMost => order.is_le(),
            Self::Equal => order.is_eq(),
            Self::AtLeast => order.is_ge(),
            Self::Greater => order.is_gt(),
        }
    }
}

impl FromStr for VersionRange {
    type Err = VersionError;

    fn from_str(text: &str) -> Result<Self, VersionError> {
        if text.len() > MAX_BYTES {
            return Err(VersionError);
        }
        // A sign may stand apart from its version.
        let mut joined = text.replace(',', " ");
        for sign in ["<", ">", "="] {
            while joined.contains(&format!("{sign} ")) {
                joined = joined.replace(&format!("{sign} "), sign);
            }
        }
        let comparisons = joined.split_whitespace().map(|part| {
            let mut signs = Comparison::ALL.into_iter();
            let found = signs.find_map(|(sign, what)| Some((what, part.strip_prefix(sign)?)));
            let (what, version) = found.unwrap_or((Comparison::Equal, part));
            Ok((what, version.parse()?))
        });
        let comparisons = comparisons.collect::<Result<Vec<_>, _>>()?;
        if comparisons.is_empty() {
            return Err(VersionError);
        }
        Ok(Self(comparisons))
    }
}

impl VersionRange {
    /// Whether a version is one of these. A text that is no version is not.
    #[must_use]
    pub fn contains(&self, version: &str) -> bool {
        let Ok(version) = version.parse::<Version>() else {
            return false;
        };
        let mut all = self.0.iter();
        all.all(|(what, other)| what.holds(version.cmp(other)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contains(range: &str, version: &str) -> bool {
        range.parse::<VersionRange>().unwrap().contains(version)
    }

    #[test]
    fn versions_are_compared_by_number() {
        for (range, inside, outside) in [
            ("<2.0", "1.10.3", "2"),
            ("<2.0", "2.0.0-beta", "2.0.0+build"),
            ("<=1.9", "1.9.0", "1.10"),
            ("=1.2", "v1.2.0", "1.2.1"),
            ("1.2", "1.2", "1.2.0-rc.1"),
            (">=1.2.3", "1.2.3.1", "1.2.2"),
            ("> 1", "1.0.1", "1.0"),
            (">=1.2 <2", "1.99", "2.0"),
            (">=1.2, < 2", "1.2", "1.1"),
            (">1.0.0-alpha.2", "1.0.0-alpha.10", "1.0.0-alpha"),
            ("<1.0.0-beta", "1.0.0-7", "1.0.0-gamma"),
        ] {
            assert!(contains(range, inside), "{inside} is in {range}");
            assert!(!contains(range, outside), "{outside} is not in {range}");
        }
        for other in ["", "x", "1.x", "1..2", "1.2.3.4.5", "-1", "latest"] {
            assert!(!contains(">=0", other), "{other}");
        }
    }

    #[test]
    fn a_text_that_is_no_range_is_refused() {
        let long = "1".repeat(65);
        for wrong in ["", " ", "<", "~1", "^1.2", "<2 x", "=<2", &long, "1-2-x y"] {
            assert!(wrong.parse::<VersionRange>().is_err(), "{wrong}");
        }
    }
}
