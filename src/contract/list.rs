//! Asking for lists: of which kind, of which project, which entities, from where on, and how many.

use serde_json::Value;

use super::arguments::First;
use super::field::{self, PROJECT_ID, first};
use super::{Limits, Reply, read_page_token};
use crate::domain::{EventType, FieldFilter, Fields, Filter, Id, Kind, Page, ProjectId};

/// Items of a page if nobody says how many.
pub const DEFAULT_PAGE: u64 = 100;
/// The most items of a page.
pub const MAX_PAGE: u64 = 500;

/// Where a page begins: the token of the page before.
pub const CURSOR: &str = "cursor";
/// The most items that are wanted.
pub const LIMIT: &str = "limit";
const TOKENS: [&str; 4] = [CURSOR, "pageToken", "page_token", "nextCursor"];

/// A wish for a page of a list.
#[derive(Debug, Clone, PartialEq)]
pub struct ListRequest {
    /// Of which kind.
    pub kind: Kind,
    /// Of which project, if the payload names it.
    pub project: Option<ProjectId>,
    /// Which part of the list.
    pub page: Page,
    /// Keys that were sent and have no effect.
    pub ignored: Vec<String>,
    /// Every top-level key that the sender sent, with the sender's value.
    pub echo: Fields,
}

impl ListRequest {
    /// The type of the event by which those hear the list who asked for no ack.
    #[must_use]
    pub fn event_type(&self) -> EventType {
        EventType::known(match self.kind {
            Kind::Project => "project.listed",
            Kind::Task => "task.listed",
            Kind::Epic => "epic.listed",
            Kind::Sprint => "sprint.listed",
            Kind::Member => "member.listed",
            Kind::Comment => "comment.listed",
            Kind::Other(_) => return EventType::restore(format!("{}.listed", self.kind)),
        })
    }
}

/// Reads the filter of a list. `parameter` gives what was sent by a name.
///
/// # Errors
///
/// What `parameter` refuses.
pub fn filter(
    kind: Kind,
    mut parameter: impl FnMut(&str) -> Result<Option<String>, Reply>,
) -> Result<Filter, Reply> {
    let is_task = kind == Kind::Task;
    let mut of_tasks = |name| if is_task { parameter(name) } else { Ok(None) };
    let (sprint, epic) = (of_tasks("sprintId")?, of_tasks("epicId")?);
    let assignee = of_tasks("assignee")?;
    let mut fields = Vec::new();
    let references = Kind::all().into_iter().map(Kind::id_key);
    let references = references.filter(|key| Kind::of_reference(key).is_some());
    for key in references.chain(["parentId"]).filter(|_| kind.is_beside()) {
        if let Some(text) = parameter(key)? {
            fields.push(FieldFilter {
                field: key.to_owned(),
                value: Value::String(text),
            });
        }
    }
    Ok(Filter {
        status: match kind {
            Kind::Project | Kind::Member => None,
            _ => parameter("status")?,
        },
        sprint,
        epic,
        assignee,
        text: parameter("q")?,
        fields,
    })
}

/// Reads what is wanted of a list. An id by itself is the project's; of comments it is that of their task.
pub(super) fn list(
    kind: Kind,
    argument: Option<Value>,
    limits: Limits,
) -> Result<ListRequest, Reply> {
    let argument = argument.filter(|argument| !argument.is_null());
    let read = argument.map(|argument| First::read(argument, limits));
    let echo = match read.transpose()? {
        None => Fields::new(),
        Some(Some(First::Object(echo))) => echo,
        Some(Some(First::Bare(id))) if kind == Kind::Comment => named(Kind::Task.id_key(), id),
        Some(Some(First::Bare(id))) if kind != Kind::Project => named(PROJECT_ID[0], id),
        Some(_) => return Err(Reply::invalid("payload", "must be an object")),
    };
    let mut known: Vec<String> = [LIMIT]
        .iter()
        .chain(&TOKENS)
        .chain(&PROJECT_ID)
        .map(|key| (*key).to_owned())
        .collect();
    let filter = filter(kind, |name| {
        let keys = [name.to_owned(), snake(name)];
        let sent = keys.iter().find_map(|key| echo.get(key));
        let sent = sent.map(|value| text(name, value)).transpose();
        known.extend(keys);
        sent.map(Option::flatten)
    })?;
    let project = match first(&echo, &PROJECT_ID) {
        Some((key, id)) => {
            let id = Id::from_json(id).map_err(|error| Reply::invalid(key, error))?;
            Some(ProjectId(id))
        }
        None => None,
    };
    let after = match first(&echo, &TOKENS) {
        Some((key, Value::String(token))) => Some(read_page_token(key, token)?),
        Some((key, _)) => return Err(Reply::invalid(key, "must be a string")),
        None => None,
    };
    let is_ignored = |key: &&String| !known.contains(key) && !field::is_envelope(key);
    Ok(ListRequest {
        kind,
        project: project.filter(|_| kind != Kind::Project),
        page: Page {
            filter,
            after,
            limit: limit(&echo)?,
        },
        ignored: echo.keys().filter(is_ignored).cloned().collect(),
        echo,
    })
}

fn named(key: &str, id: Value) -> Fields {
    Fields::from_iter([(key.to_owned(), id)])
}

fn limit(echo: &Fields) -> Result<usize, Reply> {
    let sent = match echo.get(LIMIT) {
        None | Some(Value::Null) => DEFAULT_PAGE,
        Some(value) => {
            let sent = value.as_u64().filter(|sent| (1..=MAX_PAGE).contains(sent));
            let what = format!("must be an integer from 1 to {MAX_PAGE}");
            sent.ok_or_else(|| Reply::invalid(LIMIT, what))?
        }
    };
    Ok(usize::try_from(sent).unwrap_or(usize::MAX))
}

fn text(name: &str, value: &Value) -> Result<Option<String>, Reply> {
    match value {
        Value::Null => Ok(None),
        Value::String(text) => Ok(Some(text.clone())),
        Value::Number(number) => Ok(Some(number.to_string())),
        _ => Err(Reply::invalid(name, "must be a string or a number")),
    }
}

/// `taskId` → `task_id`
fn snake(name: &str) -> String {
    let mut spelled = String::with_capacity(name.len() + 1);
    for char in name.chars() {
        if char.is_ascii_uppercase() {
            spelled.push('_');
        }
        spelled.push(char.to_ascii_lowercase());
    }
    spelled
}
