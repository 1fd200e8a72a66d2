//! The subscriptions of a client that gives them names: several may be to the same channel, which is then told once.

use crate::contract::MAX_TYPES;
use crate::domain::{ChannelName, EventId};

/// Most subscriptions of a connection. More than channels, of which there are fewer.
const MAX: usize = 1024;

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Subscription {
    pub(super) id: String,
    pub(super) channel: ChannelName,
    /// Types of events; all of them if there are none.
    pub(super) types: Vec<String>,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Subscriptions(Vec<Subscription>);

impl Subscriptions {
    pub(super) fn has_place(&self) -> bool {
        self.0.len() < MAX
    }

    /// Adds one.
    pub(super) fn add(&mut self, channel: ChannelName, types: Vec<String>) -> Subscription {
        let id = format!("sub_{}", EventId::generate().0);
        let subscription = Subscription { id, channel, types };
        self.0.push(subscription.clone());
        subscription
    }

    /// Ends one by its name, or all to a channel. What has ended.
    pub(super) fn remove(&mut self, is_meant: impl Fn(&Subscription) -> bool) -> Vec<Subscription> {
        let (ended, left) = self.0.drain(..).partition(is_meant);
        self.0 = left;
        ended
    }

    /// The types of events that all subscriptions to a channel want together, and one more if it is to be added; none,
    /// which is all, if they are too many. `None` if there is no subscription.
    pub(super) fn wanted(
        &self,
        channel: &ChannelName,
        more: Option<&[String]>,
    ) -> Option<Vec<String>> {
        let here = self.0.iter().filter(|known| known.channel == *channel);
        let lists = here.map(|known| &*known.types).chain(more);
        let mut wanted: Option<Vec<String>> = None;
        for types in lists {
            let all = wanted.get_or_insert_default();
            if types.is_empty() {
                return Some(Vec::new());
            }
            for name in types {
                if !all.contains(name) {
                    all.push(name.clone());
                }
                if all.len() > MAX_TYPES {
                    return Some(Vec::new());
                }
            }
        }
        wanted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn channel() -> ChannelName {
        ChannelName::restore("agent:a")
    }

    fn types(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn a_channel_is_told_of_what_anyone_wants() {
        let mut subscriptions = Subscriptions::default();
        assert_eq!(subscriptions.wanted(&channel(), None), None);
        let first = subscriptions.add(channel(), types(&["a", "b"]));
        assert_eq!(
            subscriptions.wanted(&channel(), Some(&types(&["b", "c"]))),
            Some(types(&["a", "b", "c"]))
        );
        let second = subscriptions.add(channel(), Vec::new());
        assert_eq!(subscriptions.wanted(&channel(), None), Some(Vec::new()));
        assert_ne!(first.id, second.id);
        let ended = subscriptions.remove(|known| known.id == second.id);
        assert_eq!(ended, [second]);
        assert_eq!(
            subscriptions.wanted(&channel(), None),
            Some(types(&["a", "b"]))
        );
        let many: Vec<_> = (0..MAX_TYPES).map(|number| format!("t{number}")).collect();
        assert_eq!(
            subscriptions.wanted(&channel(), Some(&many)),
            Some(Vec::new())
        );
        subscriptions.remove(|known| known.channel == channel());
        assert_eq!(subscriptions.wanted(&channel(), None), None);
    }
}
