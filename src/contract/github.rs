//! What GitHub tells of a repository, made into an event: the few fields that people look at, and where the rest is found.
//! Whatever GitHub sends (up to 25 MB) is read once, and nothing is kept of it that is not named here.

#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::{Reply, json_text};

/// Longest title, name or address, in characters.
const MAX_TEXT: usize = 500;
/// Longest part of a comment, in characters.
const MAX_EXCERPT: usize = 2000;
/// Most labels, and most people.
const MAX_LISTED: usize = 50;
/// How far a workflow may be, as its schema has it; nothing is said of what GitHub invents later.
const STATUSES: [&str; 6] = [
    "requested",
    "queued",
    "waiting",
    "pending",
    "in_progress",
    "completed",
];
/// How it may end.
const CONCLUSIONS: [&str; 9] = [
    "success",
    "failure",
    "cancelled",
    "skipped",
    "neutral",
    "timed_out",
    "action_required",
    "stale",
    "startup_failure",
];

/// An event that GitHub tells of.
#[derive(Debug, Clone)]
pub struct GithubEvent {
    /// The repository, `owner/name`.
    pub repository: String,
    /// `github_issue_update`, `github_pr_update` or `github_workflow_update`.
    pub event_type: &'static str,
    /// The data of the event.
    pub data: Box<RawValue>,
}

/// The type that an event of GitHub's becomes; nothing if it becomes none.
fn type_of(event: &str) -> Option<&'static str> {
    Some(match event {
        "issues" | "issue_comment" => "github_issue_update",
        "pull_request"
        | "pull_request_review"
        | "pull_request_review_comment"
        | "pull_request_review_thread" => "github_pr_update",
        "workflow_run" | "workflow_job" | "check_run" | "check_suite" => "github_workflow_update",
        _ => return None,
    })
}

impl GithubEvent {
    /// Reads an event, by what `X-GitHub-Event` calls it. Nothing if it is of another kind.
    ///
    /// # Errors
    ///
    /// The answer to a payload that is not what GitHub sends.
    pub fn read(event: &str, payload: &str) -> Result<Option<Self>, Reply> {
        let Some(event_type) = type_of(event) else {
            return Ok(None);
        };
        let wrong = || Reply::invalid("payload", format!("is not what GitHub sends of {event:?}"));
        let sent: Sent = serde_json::from_str(payload).map_err(|_| wrong())?;
        let repository = sent.repository.as_ref().ok_or_else(wrong)?;
        let repository = repository.full_name.clone();
        let data = match event_type {
            "github_issue_update" => sent.issue_update(event),
            "github_pr_update" => sent.pr_update(event),
            _ => sent.workflow_update(event),
        };
        Ok(Some(Self {
            repository: short(&repository, MAX_TEXT),
            event_type,
            data: data.ok_or_else(wrong)?,
        }))
    }
}

/// A text that may be long.
type Text = Option<String>;

#[derive(Deserialize)]
struct Sent {
    action: Text,
    repository: Option<Repository>,
    sender: Option<User>,
    issue: Option<Item>,
    pull_request: Option<Item>,
    comment: Option<Remark>,
    review: Option<Remark>,
    workflow_run: Option<Check>,
    workflow_job: Option<Check>,
    check_run: Option<Check>,
    check_suite: Option<Check>,
}

#[derive(Deserialize)]
struct Repository {
    full_name: String,
}

#[derive(Deserialize)]
struct User {
    login: String,
}

#[derive(Deserialize)]
struct Label {
    name: String,
}

/// An issue or a pull request.
#[derive(Deserialize)]
struct Item {
    number: u64,
    title: Text,
    state: Text,
    html_url: Text,
    user: Option<User>,
    labels: Option<Vec<Label>>,
    assignees: Option<Vec<User>>,
    draft: Option<bool>,
    merged: Option<bool>,
    head: Option<Branch>,
    base: Option<Branch>,
    /// Of an issue that is a pull request.
    pull_request: Option<serde::de::IgnoredAny>,
}

#[derive(Deserialize)]
struct Branch {
    r#ref: Text,
    sha: Text,
}

/// A comment, or a review.
#[derive(Deserialize)]
struct Remark {
    html_url: Text,
    user: Option<User>,
    body: Text,
    state: Text,
}

/// A run of a workflow, one of its jobs, or a check.
#[derive(Deserialize)]
struct Check {
    id: u64,
    run_id: Option<u64>,
    name: Text,
    workflow_name: Text,
    status: Text,
    conclusion: Text,
    html_url: Text,
    head_branch: Text,
    head_sha: Text,
    run_number: Option<u64>,
    run_attempt: Option<u64>,
}

/// What every update says.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Update<T> {
    repository: String,
    event: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    action: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sender: Option<String>,
    #[serde(flatten)]
    of: T,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ItemUpdate {
    number: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    title: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    author: Option<String>,
    labels: Vec<String>,
    assignees: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    draft: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    merged: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    head: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    base: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sha: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    is_pull_request: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    comment: Option<RemarkUpdate>,
    #[serde(skip_serializing_if = "Option::is_none")]
    review: Option<RemarkUpdate>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RemarkUpdate {
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    author: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<String>,
    /// The beginning of its text.
    #[serde(skip_serializing_if = "Option::is_none")]
    excerpt: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RunUpdate {
    run_id: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    job_id: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    workflow: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    job: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<String>,
    conclusion: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    branch: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sha: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    run_number: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    attempt: Option<u64>,
}

impl Sent {
    fn update<T: Serialize>(&self, event: &str, of: T) -> Option<Box<RawValue>> {
        let repository = self.repository.as_ref()?;
        Some(json_text(&Update {
            repository: short(&repository.full_name, MAX_TEXT),
            event: event.to_owned(),
            action: text(self.action.as_ref()),
            sender: self.sender.as_ref().map(login),
            of,
        }))
    }

    fn issue_update(&self, event: &str) -> Option<Box<RawValue>> {
        let issue = self.issue.as_ref()?;
        let update = ItemUpdate {
            is_pull_request: Some(issue.pull_request.is_some()),
            ..self.item(issue)
        };
        self.update(event, update)
    }

    fn pr_update(&self, event: &str) -> Option<Box<RawValue>> {
        let update = self.item(self.pull_request.as_ref()?);
        self.update(event, update)
    }

    fn item(&self, item: &Item) -> ItemUpdate {
        let (head, base) = (item.head.as_ref(), item.base.as_ref());
        let labels = item.labels.iter().flatten().take(MAX_LISTED);
        let assignees = item.assignees.iter().flatten().take(MAX_LISTED);
        ItemUpdate {
            number: item.number,
            title: text(item.title.as_ref()),
            state: text(item.state.as_ref()),
            url: text(item.html_url.as_ref()),
            author: item.user.as_ref().map(login),
            labels: labels.map(|label| short(&label.name, MAX_TEXT)).collect(),
            assignees: assignees.map(login).collect(),
            draft: item.draft,
            merged: item.merged,
            head: head.and_then(|branch| text(branch.r#ref.as_ref())),
            base: base.and_then(|branch| text(branch.r#ref.as_ref())),
            sha: head.and_then(|branch| text(branch.sha.as_ref())),
            is_pull_request: None,
            comment: self.comment.as_ref().map(remark),
            review: self.review.as_ref().map(remark),
        }
    }

    fn workflow_update(&self, event: &str) -> Option<Box<RawValue>> {
        let job = self.workflow_job.as_ref();
        let run = match event {
            "workflow_run" => self.workflow_run.as_ref(),
            "workflow_job" => job,
            "check_run" => self.check_run.as_ref(),
            _ => self.check_suite.as_ref(),
        }?;
        let known = |said: &Text, names: &[&str]| {
            let said = said.as_deref().filter(|said| names.contains(said));
            said.map(str::to_owned)
        };
        let name = text(run.name.as_ref());
        let (workflow, job_name) = match job {
            Some(job) => (text(job.workflow_name.as_ref()), name),
            None => (name, None),
        };
        let update = RunUpdate {
            run_id: run.run_id.unwrap_or(run.id),
            job_id: job.map(|job| job.id),
            workflow,
            job: job_name,
            status: known(&run.status, &STATUSES),
            conclusion: known(&run.conclusion, &CONCLUSIONS),
            url: text(run.html_url.as_ref()),
            branch: text(run.head_branch.as_ref()),
            sha: text(run.head_sha.as_ref()),
            run_number: run.run_number,
            attempt: run.run_attempt,
        };
        self.update(event, update)
    }
}

fn remark(said: &Remark) -> RemarkUpdate {
    RemarkUpdate {
        url: text(said.html_url.as_ref()),
        author: said.user.as_ref().map(login),
        state: text(said.state.as_ref()),
        excerpt: said.body.as_ref().map(|body| short(body, MAX_EXCERPT)),
    }
}

fn login(user: &User) -> String {
    short(&user.login, MAX_TEXT)
}

fn text(said: Option<&String>) -> Option<String> {
    said.map(|said| short(said, MAX_TEXT))
}

/// The beginning of a text, with an ellipsis if there is more. No payload may have a NUL character.
fn short(said: &str, most: usize) -> String {
    let mut short: String = said.chars().take(most).collect();
    if short.len() < said.len() {
        short.push('…');
    }
    short.replace('\0', "\u{fffd}")
}
