//! What a message of a backend asks for: a publication.

use std::borrow::Cow;

use crate::broker::Heard;
use crate::contract::{Limits, Publication, Reply};
use crate::domain::{BackendSource, ChannelName};

/// Understands a message as one of its source. Its idempotency key is the same on all instances.
///
/// # Errors
///
/// The answer that says what is wrong with it.
pub(super) fn read(
    source: &BackendSource,
    heard: &Heard,
    text: &str,
    limits: &Limits,
) -> Result<Publication, Reply> {
    let key = format!("ingress:{}", heard.name());
    if let BackendSource::Envelope(name) = source {
        let publication = Publication::read(text, limits)?;
        publication.check_key()?;
        if publication.key.is_some() {
            return Ok(publication);
        }
        // Another message has the same name among those that are heard on the channel itself.
        return publication.with_key(&format!("{key}:{name}"));
    }
    let channel = channel(source, &heard.channel)?.into_owned();
    Publication::from_text(channel, text, limits)?.with_key(&key)
}

/// The channel of a message that does not name one.
fn channel<'a>(source: &'a BackendSource, name: &str) -> Result<Cow<'a, ChannelName>, Reply> {
    if let BackendSource::Channel(channel) = source {
        return Ok(Cow::Borrowed(channel));
    }
    let channel = ChannelName::parse(name).map_err(|error| Reply::invalid("channel", error))?;
    if channel.is_project() {
        let what = "is a project's, which tells of changes that are made by commands";
        return Err(Reply::invalid("channel", what));
    }
    Ok(Cow::Owned(channel))
}
