//! How outgoing event names are spelled.

use std::fmt;
use std::str::FromStr;

use crate::domain::EventType;

/// A spelling of event names.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum EventStyle {
    /// `task:status_changed`
    #[default]
    Colon,
    /// `task-status-changed`
    Dash,
    /// `task_status_changed`
    Snake,
    /// `taskStatusChanged`
    Camel,
}

/// A style was named that does not exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be colon, dash, snake or camel")]
pub struct UnknownStyle;

impl EventStyle {
    /// All styles.
    pub const ALL: [Self; 4] = [Self::Colon, Self::Dash, Self::Snake, Self::Camel];

    /// The style's own name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Colon => "colon",
            Self::Dash => "dash",
            Self::Snake => "snake",
            Self::Camel => "camel",
        }
    }

    /// The name under which clients hear of events of this type.
    #[must_use]
    pub fn name(self, event_type: &EventType) -> String {
        let dotted = event_type.as_str();
        if event_type.is_ours() {
            self.spell(dotted)
        } else {
            dotted.to_owned()
        }
    }

    /// A dotted name in this spelling.
    #[must_use]
    pub fn spell(self, dotted: &str) -> String {
        match self {
            Self::Colon => dotted.replace('.', ":"),
            Self::Dash => words(dotted).collect::<Vec<_>>().join("-"),
            Self::Snake => words(dotted).collect::<Vec<_>>().join("_"),
            Self::Camel => words(dotted)
                .enumerate()
                .map(|(index, word)| {
                    if index == 0 {
                        word.to_owned()
                    } else {
                        capital(word)
                    }
                })
                .collect(),
        }
    }
}

fn words(name: &str) -> impl Iterator<Item = &str> {
    name.split(['.', ':', '_', '-'])
        .filter(|word| !word.is_empty())
}

fn capital(word: &str) -> String {
    let mut chars = word.chars();
    chars
        .next()
        .map(|first| first.to_uppercase().chain(chars).collect())
        .unwrap_or_default()
}

impl fmt::Display for EventStyle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for EventStyle {
    type Err = UnknownStyle;

    fn from_str(name: &str) -> Result<Self, UnknownStyle> {
        Self::ALL
            .into_iter()
            .find(|style| style.as_str() == name)
            .ok_or(UnknownStyle)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spells_each_type_in_each_style() {
        let spelled = |name| {
            let event_type = EventType::known(name);
            EventStyle::ALL.map(|style| style.name(&event_type))
        };
        assert_eq!(
            spelled("task.status_changed"),
            [
                "task:status_changed",
                "task-status-changed",
                "task_status_changed",
                "taskStatusChanged"
            ]
        );
    }

    #[test]
    fn what_others_publish_keeps_its_name() {
        for name in ["ai_progress", "ui:activity", "job.done", "task:updated"] {
            for style in EventStyle::ALL {
                assert_eq!(style.name(&EventType::restore(name.to_owned())), name);
            }
        }
    }

    #[test]
    fn a_style_is_found_by_its_own_name() {
        for style in EventStyle::ALL {
            assert_eq!(style.to_string().parse(), Ok(style));
        }
        assert_eq!("Colon".parse::<EventStyle>(), Err(UnknownStyle));
    }
}
