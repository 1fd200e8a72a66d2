//! Where backends are heard in Redis: a channel, all channels whose names begin with a text, or a channel whose messages name
//! the channel that they are for.

use std::fmt;
use std::sync::Arc;

use super::ChannelName;

/// What ends a pattern.
const ANY: char = '*';

/// See the module's description.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BackendSource {
    /// A message is published on the channel of the same name.
    Channel(ChannelName),
    /// The same, for every channel whose name begins so.
    Prefix(Arc<str>),
    /// A message is `{channel, type, data}`, and is published on the channel that it names.
    Envelope(ChannelName),
}

impl BackendSource {
    /// Whether Redis would deliver a message of this channel for this source.
    #[must_use]
    pub fn covers(&self, channel: &str) -> bool {
        match self {
            Self::Channel(name) | Self::Envelope(name) => name.as_str() == channel,
            Self::Prefix(prefix) => channel.starts_with(&**prefix),
        }
    }

    /// Whether a message could be delivered for both sources.
    #[must_use]
    pub fn overlaps(&self, other: &Self) -> bool {
        other.covers(self.begin()) || self.covers(other.begin())
    }

    /// What the names of its channels begin with; of a single one the name.
    #[must_use]
    pub fn begin(&self) -> &str {
        match self {
            Self::Channel(name) | Self::Envelope(name) => name.as_str(),
            Self::Prefix(prefix) => prefix,
        }
    }

    /// The pattern that Redis is asked for, if it is more than one channel.
    #[must_use]
    pub fn pattern(&self) -> Option<String> {
        match self {
            Self::Prefix(prefix) => Some(format!("{prefix}{ANY}")),
            Self::Channel(_) | Self::Envelope(_) => None,
        }
    }
}

/// As it stands in the settings.
impl fmt::Display for BackendSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Channel(name) | Self::Envelope(name) => name.fmt(f),
            Self::Prefix(prefix) => write!(f, "{prefix}{ANY}"),
        }
    }
}
