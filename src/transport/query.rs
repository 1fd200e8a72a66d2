//! What stands in the query of a request.

/// A parameter of a query, percent-decoded.
pub(crate) fn from_query(query: Option<&str>, key: &str) -> Option<String> {
    let mut pairs = form_urlencoded::parse(query?.as_bytes());
    let (_, value) = pairs.find(|(name, _)| name == key)?;
    Some(value.into_owned())
}

/// Whether a query has a parameter of this name, as it stands there.
pub(crate) fn has_key(query: Option<&str>, key: &str) -> bool {
    let mut pairs = query.unwrap_or_default().split('&');
    pairs.any(|pair| pair.split('=').next() == Some(key))
}
