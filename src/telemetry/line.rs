//! One line of the log, as JSON for machines or as text for people.

use std::fmt;

use serde_json::Value;
use tracing::field::{Field, Visit};
use tracing::{Event, Level};

use super::clean::clean;
use crate::clock::Clock;
use crate::config::LogFormat;

/// What the line says; its other fields stand beside it.
const MESSAGE: &str = "message";
/// How many of the kind were left out before it.
const SUPPRESSED: &str = "suppressed";

/// How lines are written.
#[derive(Debug, Clone, Copy)]
pub(super) struct Style {
    pub(super) format: LogFormat,
    /// Whether a person reads it on a terminal.
    pub(super) has_colors: bool,
}

/// The fields of an event, each of them [clean](super::clean).
#[derive(Debug, Default)]
struct Fields {
    message: String,
    others: Vec<(&'static str, Value)>,
}

impl Fields {
    fn set(&mut self, field: &Field, value: impl Into<Value>) {
        self.others.push((field.name(), value.into()));
    }

    fn text(&mut self, field: &Field, value: impl fmt::Display) {
        let value = clean(value);
        if field.name() == MESSAGE {
            self.message = value;
        } else {
            self.set(field, value);
        }
    }
}

impl Visit for Fields {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.set(field, value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.set(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.set(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.set(field, value);
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.text(field, value);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.text(field, format_args!("{value:?}"));
    }
}

impl Style {
    /// Writes an event, of whose kind some were left out before.
    pub(super) fn line(self, event: &Event<'_>, suppressed: u64) -> String {
        let mut fields = Fields::default();
        event.record(&mut fields);
        if suppressed > 0 {
            fields.others.push((SUPPRESSED, suppressed.into()));
        }
        match self.format {
            LogFormat::Json => json(event, fields),
            LogFormat::Text => self.text(event, &fields),
        }
    }

    fn text(self, event: &Event<'_>, fields: &Fields) -> String {
        let (level, target) = (event.metadata().level(), event.metadata().target());
        let paint = |color: &'static str| if self.has_colors { color } else { "" };
        let (dim, reset) = (paint("\x1b[2m"), paint("\x1b[0m"));
        let bright = paint(color(*level));
        let others = fields.others.iter();
        let others = others.map(|(name, value)| format!(" {dim}{name}={reset}{value}"));
        format!(
            "{dim}{}{reset} {bright}{level:>5}{reset} {dim}{target}:{reset} {}{}\n",
            Clock.now(),
            fields.message,
            others.collect::<String>()
        )
    }
}

fn color(level: Level) -> &'static str {
    match level {
        Level::ERROR => "\x1b[31m",
        Level::WARN => "\x1b[33m",
        Level::INFO => "\x1b[32m",
        Level::DEBUG => "\x1b[34m",
        Level::TRACE => "\x1b[35m",
    }
}

fn json(event: &Event<'_>, fields: Fields) -> String {
    let metadata = event.metadata();
    let head = [
        ("timestamp", Clock.now().to_string().into()),
        ("level", metadata.level().as_str().into()),
        (MESSAGE, fields.message.into()),
    ];
    let last = ("target", metadata.target().into());
    let members = head.into_iter().chain(fields.others).chain([last]);
    let members = members.map(|(name, value): (_, Value)| format!("\"{name}\":{value}"));
    format!("{{{}}}\n", members.collect::<Vec<_>>().join(","))
}
