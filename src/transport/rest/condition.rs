//! Conditions in the head of a request (RFC 9110): what the entity must be, or must not be.
//!
//! An entity's tag is its version in quotes.

use axum::http::header;

use crate::contract::Reply;
use crate::domain::IfMatch;
use crate::transport::http::request::RestRequest;

/// Tags in a condition.
#[derive(Debug, PartialEq, Eq)]
enum Tags {
    Any,
    Listed(Vec<Tag>),
}

#[derive(Debug, PartialEq, Eq)]
struct Tag {
    is_weak: bool,
    /// Nothing if it cannot be one of ours.
    version: Option<i64>,
}

/// The tag of an entity of this version.
pub(super) fn tag(version: i64) -> String {
    format!("\"{version}\"")
}

/// What must be so for anything to change. Compared strongly: a weak tag is never the same.
pub(super) fn if_match(call: &RestRequest) -> Result<Option<IfMatch>, Reply> {
    let tags = read(call, "If-Match")?;
    Ok(tags.map(|tags| match tags {
        Tags::Any => IfMatch::Any,
        Tags::Listed(tags) => {
            let strong = tags.iter().filter(|tag| !tag.is_weak);
            IfMatch::Versions(strong.filter_map(|tag| tag.version).collect())
        }
    }))
}

/// Whether the sender has the entity of this version already. Compared weakly.
pub(super) fn is_known(call: &RestRequest, version: i64) -> Result<bool, Reply> {
    Ok(match read(call, "If-None-Match")? {
        None => false,
        Some(Tags::Any) => true,
        Some(Tags::Listed(tags)) => tags.iter().any(|tag| tag.version == Some(version)),
    })
}

fn read(call: &RestRequest, name: &str) -> Result<Option<Tags>, Reply> {
    let header = if name == "If-Match" {
        header::IF_MATCH
    } else {
        header::IF_NONE_MATCH
    };
    let Some(text) = call.header(&header)? else {
        return Ok(None);
    };
    let tags = parse(&text);
    let what = "must be * or a list of entity tags such as \"3\"";
    tags.map(Some).ok_or_else(|| Reply::invalid(name, what))
}

fn parse(text: &str) -> Option<Tags> {
    if text.trim() == "*" {
        return Some(Tags::Any);
    }
    let mut tags = Vec::new();
    let mut rest = text.trim_start_matches(is_between);
    while !rest.is_empty() {
        let bare = rest.strip_prefix("W/");
        let is_weak = bare.is_some();
        let (opaque, after) = bare.unwrap_or(rest).strip_prefix('"')?.split_once('"')?;
        if opaque.bytes().any(|byte| !(0x21..=0x7e).contains(&byte)) {
            return None;
        }
        let version = opaque.parse().ok();
        let version = version.filter(|version: &i64| version.to_string() == opaque);
        tags.push(Tag { is_weak, version });
        rest = after.trim_start_matches(is_between);
        let is_separated = after.trim_start_matches([' ', '\t']).starts_with(',');
        if !rest.is_empty() && !is_separated {
            return None;
        }
    }
    (!tags.is_empty()).then_some(Tags::Listed(tags))
}

fn is_between(char: char) -> bool {
    matches!(char, ' ' | '\t' | ',')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(tags: &[(bool, Option<i64>)]) -> Tags {
        let tags = tags
            .iter()
            .map(|&(is_weak, version)| Tag { is_weak, version });
        Tags::Listed(tags.collect())
    }

    #[test]
    fn tags_are_read_as_the_standard_has_them() {
        for (text, expected) in [
            ("*", Some(Tags::Any)),
            (" * ", Some(Tags::Any)),
            ("\"3\"", Some(listed(&[(false, Some(3))]))),
            ("W/\"3\"", Some(listed(&[(true, Some(3))]))),
            (
                "\"3\", \"x\",,W/\"03\"",
                Some(listed(&[(false, Some(3)), (false, None), (true, None)])),
            ),
            ("\"\"", Some(listed(&[(false, None)]))),
            (
                "\"a,b\" ,\"4\"",
                Some(listed(&[(false, None), (false, Some(4))])),
            ),
            ("", None),
            (",", None),
            ("3", None),
            ("\"3", None),
            ("\"3\"\"4\"", None),
            ("\"3\" \"4\"", None),
            ("*, \"3\"", None),
            ("w/\"3\"", None),
            ("\"a b\"", None),
        ] {
            assert_eq!(parse(text), expected, "{text}");
        }
    }
}
