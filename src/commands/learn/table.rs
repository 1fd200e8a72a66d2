//! What was learned, as a table for people.

use std::fmt::Write as _;

use crate::learn::{Learned, LearnedEvent, OutcomeCount};

/// Characters of a shape that are shown.
const MAX_SHAPE: usize = 100;

/// The table.
pub(super) fn of(learned: &Learned) -> String {
    let mut text = String::new();
    let mut line = |what: std::fmt::Arguments<'_>| {
        // Writing to a text cannot fail.
        text.write_fmt(what).unwrap_or_default();
        text.push('\n');
    };
    let what = if learned.learning {
        "all events that clients have sent"
    } else {
        "events that were not understood or were refused; with --learn all are written down"
    };
    line(format_args!("Since {}: {what}", learned.since));
    for event in &learned.events {
        add_event(event, &mut line);
    }
    if learned.other_events > 0 {
        line(format_args!(
            "\n{} messages under other names",
            learned.other_events
        ));
    }
    if !learned.published.is_empty() {
        line(format_args!("\nBackends have published"));
    }
    for published in &learned.published {
        let shapes = published
            .shapes
            .iter()
            .flat_map(|shape| &shape.args)
            .map(ToString::to_string);
        let shapes = shapes.collect::<Vec<_>>().join(" or ");
        let refused = published
            .refused
            .as_ref()
            .map(|code| format!(", refused: {code}"))
            .unwrap_or_default();
        line(format_args!(
            "    {}: {}  {}  ({}{refused})",
            published.family,
            published.event_type,
            short(&shapes),
            published.count
        ));
    }
    for (namespace, count) in &learned.refused_namespaces {
        line(format_args!(
            "\nThere is no namespace {namespace}, which clients asked for {count} times: name it under `namespaces` of a \
             dialect's [match]"
        ));
    }
    let is_empty = learned.events.is_empty() && learned.published.is_empty();
    if is_empty && learned.refused_namespaces.is_empty() {
        line(format_args!("\nNothing yet."));
    }
    text
}

/// What is known of an event.
fn add_event(event: &LearnedEvent, line: &mut impl FnMut(std::fmt::Arguments<'_>)) {
    line(format_args!(
        "\n{}  {} times, last {}",
        event.event, event.count, event.last
    ));
    for shape in &event.shapes {
        let args: Vec<_> = shape.args.iter().map(ToString::to_string).collect();
        line(format_args!(
            "    sent      {}  ({})",
            short(&args.join(", ")),
            shape.count
        ));
    }
    if event.other_shapes > 0 {
        line(format_args!(
            "    sent      in other shapes  ({})",
            event.other_shapes
        ));
    }
    for outcome in &event.outcomes {
        line(format_args!(
            "    {}  ({})",
            outcome_of(outcome),
            outcome.count
        ));
    }
    line(format_args!("    by        {}", clients(event)));
}

fn outcome_of(outcome: &OutcomeCount) -> String {
    match (&outcome.taken_for, &outcome.code) {
        (Some(what), _) => format!("taken for {what}"),
        (None, code) => {
            let code = code.as_deref().unwrap_or("refused");
            match (&outcome.why, &outcome.field) {
                (Some(why), _) => format!("refused   {code}: {why}"),
                (None, Some(field)) => format!("refused   {code}: {field}"),
                (None, None) => format!("refused   {code}"),
            }
        }
    }
}

fn clients(event: &LearnedEvent) -> String {
    let clients = event.clients.iter().map(|one| {
        let origin = one
            .client
            .origin
            .as_ref()
            .map(|origin| format!(" at {origin}"))
            .unwrap_or_default();
        format!("{}{origin} over {}", one.client.agent, one.client.transport)
    });
    clients.collect::<Vec<_>>().join("; ")
}

fn short(text: &str) -> String {
    if text.chars().count() <= MAX_SHAPE {
        return text.to_owned();
    }
    let start: String = text.chars().take(MAX_SHAPE).collect();
    format!("{start}…")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_table_says_what_was_sent_and_what_became_of_it() {
        let learned: Learned = serde_json::from_value(json!({
            "learning": true, "since": "2026-01-01T00:00:00.000Z",
            "events": [{"event": "zap", "count": 2, "last": "x", "shapes": [{"args": [{"a": "string"}], "count": 2}],
                "outcomes": [{"code": "unknown_event", "why": "there is no event \"…\"", "count": 2}],
                "clients": [{"agent": "Chrome 131", "origin": "https://b.example", "transport": "socketio", "count": 2}]}],
            "published": [{"family": "user", "type": "note", "count": 1, "shapes": [{"args": ["string"], "count": 1}]}],
        }))
        .unwrap();
        let table = of(&learned);
        for line in [
            "zap  2 times, last x",
            "    sent      {a: string}  (2)",
            "    refused   unknown_event: there is no event \"…\"  (2)",
            "    by        Chrome 131 at https://b.example over socketio",
            "    user: note  string  (1)",
        ] {
            assert!(table.lines().any(|found| found == line), "{line}\n{table}");
        }
    }
}
