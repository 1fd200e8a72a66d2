//! What came of a play, for people and as JSON.

use std::fmt;

use serde::Serialize;
use serde_json::Value;

use super::facts::{Listen, Source};
use super::hearing::{Hearing, Page};

/// What came of a play.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// The frontend.
    pub frontend: String,
    /// How it was played, in sentences.
    pub how: Vec<String>,
    /// Each message that was sent.
    pub emits: Vec<EmitResult>,
    /// What the backend did.
    pub backend: Vec<BackendResult>,
    /// Each event that is listened for.
    pub listens: Vec<ListenResult>,
    /// The sums.
    pub sums: Sums,
}

/// What came of a message.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct EmitResult {
    /// The event's name.
    pub event: String,
    /// Whether a page sends it.
    pub used: bool,
    /// Whether the server did what was meant.
    pub understood: bool,
    /// The code of the refusal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// Why it was not understood.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// The event that its sender heard of it, although its own server told it to the others only: a page may show it twice.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub heard_itself: Option<String>,
    /// The id that was put in place of one that the facts made up.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
}

/// What came of something that the backend did.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BackendResult {
    /// What it did.
    pub call: String,
    /// Whether the server did it.
    pub ok: bool,
    /// Why not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// What came of a listen.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ListenResult {
    /// The event's name.
    pub event: String,
    /// Who causes it.
    pub source: &'static str,
    /// What was heard.
    pub result: Outcome,
    /// What a handler reads and what was not there; of the event that had most of it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<String>,
    /// What else is worth knowing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// What was heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// The event, with all that its handler reads.
    Ok,
    /// Nothing.
    NotHeard,
    /// The event, without something that its handler reads.
    Incomplete,
    /// Nobody ever tells it, so it does not count.
    Dead,
}

/// The sums.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Sums {
    /// Messages that were sent.
    pub emits: usize,
    /// Those that were understood.
    pub understood: usize,
    /// Listens that count.
    pub listens: usize,
    /// Those that are satisfied.
    pub satisfied: usize,
    /// Listens that do not count.
    pub dead: usize,
}

impl Sums {
    /// Whether nothing that counts is missing.
    #[must_use]
    pub const fn is_complete(&self) -> bool {
        self.understood == self.emits && self.satisfied == self.listens
    }

    /// The sums of the results.
    pub(super) fn of(emits: &[EmitResult], listens: &[ListenResult]) -> Self {
        let with = |outcome| move |listen: &&ListenResult| listen.result == outcome;
        let dead = listens.iter().filter(with(Outcome::Dead)).count();
        Self {
            emits: emits.len(),
            understood: emits.iter().filter(|emit| emit.understood).count(),
            listens: listens.len() - dead,
            satisfied: listens.iter().filter(with(Outcome::Ok)).count(),
            dead,
        }
    }
}

impl fmt::Display for Sums {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} of {} emits understood, {} of {} listens satisfied",
            self.understood, self.emits, self.satisfied, self.listens
        )?;
        match self.dead {
            0 => Ok(()),
            dead => write!(f, ", {dead} dead"),
        }
    }
}

/// Looks whether a listen is satisfied by what was heard before a point.
pub(super) fn outcome(listen: &Listen, hearing: &Hearing, to: usize) -> ListenResult {
    let mut result = ListenResult {
        event: listen.event.clone(),
        source: listen.source.as_str(),
        result: Outcome::Dead,
        missing: Vec::new(),
        note: None,
    };
    if listen.source == Source::Dead {
        return result;
    }
    // What the server says by itself may be for the one who acts or for the others; all else is told to others.
    let either = matches!(listen.source, Source::Server | Source::Other);
    let heard = hearing.until(to, |heard| {
        heard.event == listen.event
            && (either || heard.page == Page::B)
            && listen.ns.as_ref().is_none_or(|ns| *ns == heard.namespace)
    });
    let missing = heard
        .iter()
        .map(|heard| missing(&listen.needs, heard.payload()));
    let mut missing: Vec<_> = missing.collect();
    missing.sort_by_key(Vec::len);
    result.result = match missing.first() {
        None => Outcome::NotHeard,
        Some(best) if best.is_empty() => Outcome::Ok,
        Some(best) => {
            result.missing.clone_from(best);
            return ListenResult {
                result: Outcome::Incomplete,
                ..result
            };
        }
    };
    if let (Outcome::Ok, Some(worst)) = (result.result, missing.last())
        && !worst.is_empty()
    {
        result.note = Some(format!("once without {}", worst.join(", ")));
    }
    result
}

/// What a handler reads and a payload does not have.
fn missing(needs: &[String], payload: &Value) -> Vec<String> {
    let lacks = |need: &&String| match need.as_str() {
        "=any" => false,
        "=string" => !payload.is_string(),
        "=array" => !payload.is_array(),
        path => at(payload, path).is_none(),
    };
    needs.iter().filter(lacks).cloned().collect()
}

fn at<'a>(payload: &'a Value, path: &str) -> Option<&'a Value> {
    path.split('.').try_fold(payload, |value, key| match value {
        Value::Object(fields) => fields.get(key),
        Value::Array(items) => items.get(key.parse::<usize>().ok()?),
        _ => None,
    })
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.frontend)?;
        for sentence in &self.how {
            writeln!(f, "  {sentence}")?;
        }
        let emits = self
            .emits
            .iter()
            .map(|emit| [emit.event.clone(), emit.state(), emit.remark()]);
        let emits = emits.collect();
        table(f, ["EMIT", "", ""], emits)?;
        let calls = self.backend.iter();
        let calls = calls.map(|call| {
            let state = if call.ok { "ok" } else { "refused" };
            [
                call.call.clone(),
                state.to_owned(),
                call.why.clone().unwrap_or_default(),
            ]
        });
        table(f, ["BACKEND", "", ""], calls.collect())?;
        let listens = self.listens.iter();
        let listens = listens.map(|listen| {
            [
                listen.event.clone(),
                listen.source.to_owned(),
                listen.remark(),
            ]
        });
        table(f, ["LISTEN", "SOURCE", ""], listens.collect())?;
        writeln!(f, "\n{}", self.sums)
    }
}

impl EmitResult {
    fn state(&self) -> String {
        let state = if self.understood {
            "understood"
        } else {
            "not understood"
        };
        state.to_owned()
    }

    fn remark(&self) -> String {
        let refused = match (&self.code, &self.why) {
            (Some(code), Some(why)) => format!("{code}: {why}"),
            (one, other) => one.clone().or_else(|| other.clone()).unwrap_or_default(),
        };
        let id = self.id.as_ref().map(|id| format!("({id})"));
        let used = (!self.used).then(|| "(no page sends it)".to_owned());
        let own = self.heard_itself.as_ref();
        let own = own.map(|event| format!("(its sender hears {event} as well)"));
        let parts = [own, Some(refused).filter(|text| !text.is_empty()), id, used];
        parts.into_iter().flatten().collect::<Vec<_>>().join(" ")
    }
}

impl ListenResult {
    fn remark(&self) -> String {
        let result = match self.result {
            Outcome::Ok => "ok".to_owned(),
            Outcome::NotHeard => "not heard".to_owned(),
            Outcome::Incomplete => format!("heard without {}", self.missing.join(", ")),
            Outcome::Dead => "dead".to_owned(),
        };
        match &self.note {
            Some(note) => format!("{result} ({note})"),
            None => result,
        }
    }
}

/// Writes rows below headings, in columns. Nothing is written of what has no rows.
fn table(f: &mut fmt::Formatter<'_>, headings: [&str; 3], rows: Vec<[String; 3]>) -> fmt::Result {
    if rows.is_empty() {
        return Ok(());
    }
    let mut all = vec![headings.map(str::to_owned)];
    all.extend(rows);
    let width = |column: usize| {
        let widths = all.iter().map(|row| row[column].chars().count());
        widths.max().unwrap_or(0)
    };
    let (first, second) = (width(0), width(1));
    writeln!(f)?;
    for [one, two, three] in &all {
        let line = format!("{one:first$}  {two:second$}  {three}");
        writeln!(f, "{}", line.trim_end())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_missing_is_named() {
        let needs = ["=any", "task._id", "0.userId"].map(str::to_owned);
        assert_eq!(
            missing(&needs, &json!({"task": {"_id": null}})),
            ["0.userId"]
        );
        assert_eq!(missing(&needs, &json!([{"userId": 1}])), ["task._id"]);
        let kinds = ["=string", "=array"].map(str::to_owned);
        assert_eq!(missing(&kinds, &json!("t1")), ["=array"]);
        assert_eq!(missing(&kinds, &json!([])), ["=string"]);
    }
}
