//! One client's dealings with the server, whatever the transport: what it is subscribed to, the cursor that
//! covers all of it, and the requests that are no commands.

mod rooms;

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::Value;
use tokio::sync::oneshot;

use crate::app::App;
use crate::command::Caller;
use crate::contract::{
    CommandRequest, Cursor, ErrorCode, EventStyle, Join, Reply, Request, Since, payload,
};
use crate::domain::{Action, ChannelName, ChannelNo, Event, Fields, Kind, ProjectId, Seq};
use crate::hub::{From, Joined, SubscribeError, Subscriber};
use crate::store::{Channel, StoreError};

use rooms::{MAX_ROOMS, Rooms};

/// Events in the answer to a join that asks for them; what comes after is delivered.
const JOIN_EVENTS: usize = 500;
/// Payload bytes in one answer that carries events.
const SYNC_BYTES: usize = 4 * 1024 * 1024;

/// See the module.
#[derive(Debug)]
pub struct Session {
    app: App,
    /// Who is on the other end.
    pub caller: Caller,
    /// How the session's events are spelled.
    pub style: EventStyle,
    rooms: Rooms,
}

/// What a request leads to.
#[derive(Debug)]
pub enum Outcome {
    /// The answer.
    Done(Reply),
    /// A command is on its way through this queue of the writer.
    Pending {
        /// The writer's queue.
        queue: usize,
        /// The answer, once there is one.
        answer: oneshot::Receiver<Reply>,
    },
}

impl Session {
    /// A session without subscriptions.
    #[must_use]
    pub fn new(app: App, caller: Caller, style: EventStyle) -> Self {
        Self {
            app,
            caller,
            style,
            rooms: Rooms::default(),
        }
    }

    /// Ends all subscriptions.
    pub fn close(&self) {
        self.rooms.close();
    }

    /// The cursor after an event that is being delivered: it covers all channels of the session.
    #[must_use]
    pub fn cursor_after(&self, event: &Event) -> String {
        self.rooms.cursor_after(self.app.epoch(), event)
    }

    /// The queue that a command would go through, if its project is known without a look at the store.
    #[must_use]
    pub fn queue_of(&self, request: &Request) -> Option<usize> {
        match request {
            Request::Command(command) => {
                let project = command.project.as_ref()?;
                Some(self.app.writer().queue_of(project))
            }
            _ => None,
        }
    }

    /// Takes [`Session::cursor_after`] back: the event could not be delivered and will be offered again.
    pub fn not_told(&self, event: &Event) {
        self.rooms.not_told(event);
    }

    /// Serves a request.
    pub async fn run(&self, request: Request, subscriber: &Arc<dyn Subscriber>) -> Outcome {
        let reply = match request {
            Request::Command(command) => return self.submit(*command).await,
            Request::Join(join) => self.join(join, subscriber).await,
            Request::Leave { project } => Ok(self.leave(&project).await),
            Request::Snapshot { project } => self.snapshot(&project).await.map(Reply::done),
            Request::Sync {
                project,
                since,
                limit,
            } => self.sync(&project, since.as_ref(), limit).await,
        };
        Outcome::Done(reply.unwrap_or_else(|error| unavailable(&error)))
    }

    async fn submit(&self, command: CommandRequest) -> Outcome {
        let project = match command.project.clone() {
            Some(project) => Ok(project),
            None => self.only_project(&command).await,
        };
        let submitted = project.and_then(|project| {
            let queue = self.app.writer().queue_of(&project);
            let answer = self.app.writer().submit(command, project, &self.caller)?;
            Ok(Outcome::Pending { queue, answer })
        });
        submitted.unwrap_or_else(Outcome::Done)
    }

    /// The one joined project that a command without `projectId` can mean.
    async fn only_project(&self, command: &CommandRequest) -> Result<ProjectId, Reply> {
        let joined = match &command.action {
            // What is new belongs to no project yet.
            Action::Create { .. } => Vec::new(),
            _ => self.rooms.projects(),
        };
        let missing = |message: &str| {
            Err(Reply::refused(ErrorCode::ValidationFailed, message).with_field("projectId"))
        };
        if let [only] = joined.as_slice() {
            return Ok(only.clone());
        }
        if joined.is_empty() {
            return missing("projectId is missing");
        }
        let (kind, id) = command.subject();
        let found = self
            .app
            .store()
            .entity_projects(kind, id, &joined)
            .await
            .map_err(|error| unavailable(&error))?;
        match found.as_slice() {
            [only] => Ok(only.clone()),
            [] => missing("projectId is missing, and none of the joined projects has this id"),
            _ => missing("projectId is missing, and several of the joined projects have this id"),
        }
    }

    async fn join(
        &self,
        join: Join,
        subscriber: &Arc<dyn Subscriber>,
    ) -> Result<Reply, StoreError> {
        let channel = join.project.channel();
        if !self.rooms.has_place_for(&channel) {
            return Ok(too_many_rooms());
        }
        let mut extra = Fields::new();
        let mut from = match &join.since {
            None => From::Now,
            Some(since) => match self.position(since, &channel).await? {
                Ok(seq) => From::After(seq),
                Err(reason) => {
                    extra = self.reset(&join.project, reason).await?;
                    From::After(seq_of(&extra))
                }
            },
        };
        if join.snapshot && extra.is_empty() {
            extra.insert(
                "snapshot".to_owned(),
                self.snapshot(&join.project).await?.into(),
            );
            if from == From::Now {
                from = From::After(
                    extra
                        .get("snapshot")
                        .and_then(Value::as_object)
                        .map_or(0, seq_of),
                );
            }
        }
        if let (true, From::After(after)) = (join.events, from) {
            let events = self.events_after(&channel, after, JOIN_EVENTS).await?;
            from = From::After(events.last().map_or(after, |event| event.seq));
            extra.insert("events".to_owned(), self.listed(&events));
        }
        loop {
            match self
                .subscribe(&join.project, &channel, subscriber, from)
                .await
            {
                Ok(joined) => return Ok(self.joined(&join, &channel, joined, extra)),
                Err(SubscribeError::OutOfRange) => {
                    extra = self
                        .reset(&join.project, "the position is outside the log")
                        .await?;
                    from = From::After(seq_of(&extra));
                }
                Err(SubscribeError::Store(error)) => return Err(error),
                Err(SubscribeError::Closing) => return Ok(closing()),
            }
        }
    }

    /// The state in place of a replay that cannot be had, and why.
    async fn reset(&self, project: &ProjectId, reason: &str) -> Result<Fields, StoreError> {
        let snapshot = self.snapshot(project).await?;
        let said = |key: &str| Some((key.to_owned(), snapshot.get(key)?.clone()));
        let mut extra: Fields = ["projectId", "seq", "cursor"]
            .iter()
            .filter_map(|key| said(key))
            .collect();
        extra.insert("reset".to_owned(), true.into());
        extra.insert("reason".to_owned(), reason.into());
        extra.insert("snapshot".to_owned(), snapshot.into());
        Ok(extra)
    }

    async fn subscribe(
        &self,
        project: &ProjectId,
        channel: &ChannelName,
        subscriber: &Arc<dyn Subscriber>,
        from: From,
    ) -> Result<Joined, SubscribeError> {
        let old = self.rooms.enter(channel, project);
        if let Some(old) = &old {
            // Only then is it known how far the client was told.
            old.leave().await;
        }
        let from = if old.is_some() && from == From::Now {
            // Joining again changes nothing: the client goes on from where it is.
            self.rooms.position(channel).map_or(from, From::After)
        } else {
            self.rooms.restart(channel);
            from
        };
        let hub = self.app.hub();
        // The old one lives on until then and keeps the feed, which need not read the log's head again.
        let result = hub.subscribe(channel, Arc::clone(subscriber), from).await;
        drop(old);
        match result {
            Ok((subscription, joined)) => {
                self.rooms.settle(channel, subscription, joined);
                Ok(joined)
            }
            Err(error) => {
                self.rooms.forget(channel);
                Err(error)
            }
        }
    }

    fn joined(&self, join: &Join, channel: &ChannelName, joined: Joined, extra: Fields) -> Reply {
        let mut answer = extra;
        answer.insert("room".to_owned(), channel.as_str().into());
        answer.insert("projectId".to_owned(), join.project.to_json());
        answer.insert("seq".to_owned(), joined.head.into());
        answer.insert(
            "cursor".to_owned(),
            self.cursor_at(joined.channel_no, joined.head).into(),
        );
        Reply::done(answer)
    }

    fn cursor_at(&self, no: Option<ChannelNo>, seq: Seq) -> String {
        let mut cursor = Cursor::new(self.app.epoch().clone());
        if let Some(no) = no {
            cursor.set(no, seq);
        }
        cursor.to_string()
    }

    async fn leave(&self, project: &ProjectId) -> Reply {
        let channel = project.channel();
        let mut answer = Fields::new();
        answer.insert("room".to_owned(), channel.as_str().into());
        answer.insert("projectId".to_owned(), project.to_json());
        match self.rooms.exit(&channel) {
            Some(subscription) => subscription.leave().await,
            None => {
                answer.insert("noop".to_owned(), true.into());
            }
        }
        self.rooms.forget(&channel);
        Reply::done(answer)
    }

    /// The seq that a `since` means in this channel, or why it cannot be served.
    async fn position(
        &self,
        since: &Since,
        channel: &ChannelName,
    ) -> Result<Result<Seq, &'static str>, StoreError> {
        let text = match since {
            Since::Seq(seq) => return Ok(Ok(*seq)),
            Since::Cursor(text) => text,
        };
        let Ok(cursor) = Cursor::parse(text) else {
            return Ok(Err("the cursor is malformed"));
        };
        if cursor.epoch() != self.app.epoch() {
            return Ok(Err("the cursor is of another database"));
        }
        let found = self.app.store().channel_get(channel).await?;
        let seq = found.map_or(Some(0), |channel| cursor.get(channel.no));
        Ok(seq.ok_or("the cursor does not cover this project"))
    }

    async fn snapshot(&self, project: &ProjectId) -> Result<Fields, StoreError> {
        let snapshot = self.app.store().snapshot(project).await?;
        let (no, seq) = match &snapshot.channel {
            Some(Channel { no, seq, .. }) => (Some(*no), *seq),
            None => (None, 0),
        };
        let mut lists: HashMap<Kind, Vec<Value>> = HashMap::new();
        for entity in &snapshot.entities {
            let fields = payload::entity(entity);
            lists.entry(entity.kind).or_default().push(fields.into());
        }
        let mut take = |kind| lists.remove(&kind).unwrap_or_default();
        let mut fields = Fields::new();
        fields.insert("projectId".to_owned(), project.to_json());
        fields.insert("seq".to_owned(), seq.into());
        fields.insert("cursor".to_owned(), self.cursor_at(no, seq).into());
        fields.insert(
            "project".to_owned(),
            take(Kind::Project).pop().unwrap_or_default(),
        );
        fields.insert("epics".to_owned(), take(Kind::Epic).into());
        fields.insert("sprints".to_owned(), take(Kind::Sprint).into());
        fields.insert("tasks".to_owned(), take(Kind::Task).into());
        Ok(fields)
    }

    async fn events_after(
        &self,
        channel: &ChannelName,
        after: Seq,
        limit: usize,
    ) -> Result<Vec<Arc<Event>>, StoreError> {
        let store = self.app.store();
        match store.channel_get(channel).await? {
            Some(found) => {
                store
                    .events_page(channel, found.no, after, limit, SYNC_BYTES)
                    .await
            }
            None => Ok(Vec::new()),
        }
    }

    fn listed(&self, events: &[Arc<Event>]) -> Value {
        let listed = events
            .iter()
            .map(|event| payload::listed(event, self.style));
        listed.collect::<Vec<_>>().into()
    }

    async fn sync(
        &self,
        project: &ProjectId,
        since: Option<&Since>,
        limit: usize,
    ) -> Result<Reply, StoreError> {
        let channel = project.channel();
        let position = match since {
            Some(since) => self.position(since, &channel).await?,
            None => Ok(0),
        };
        let found = self.app.store().channel_get(&channel).await?;
        let (pruned, head) = found
            .as_ref()
            .map_or((0, 0), |channel| (channel.pruned_seq, channel.seq));
        let after = match position {
            Ok(after) if (pruned..=head).contains(&after) => after,
            Ok(_) => {
                return Ok(Reply::done(
                    self.reset(project, "the position is outside the log")
                        .await?,
                ));
            }
            Err(reason) => return Ok(Reply::done(self.reset(project, reason).await?)),
        };
        let events = self.events_after(&channel, after, limit).await?;
        let seq = events.last().map_or(after, |event| event.seq);
        let mut answer = Fields::new();
        answer.insert("projectId".to_owned(), project.to_json());
        answer.insert("events".to_owned(), self.listed(&events));
        answer.insert("seq".to_owned(), seq.into());
        answer.insert(
            "cursor".to_owned(),
            self.cursor_at(found.map(|found| found.no), seq).into(),
        );
        answer.insert("hasMore".to_owned(), (seq < head).into());
        Ok(Reply::done(answer))
    }
}

fn seq_of(fields: &Fields) -> Seq {
    fields.get("seq").and_then(Value::as_i64).unwrap_or(0)
}

fn unavailable(error: &StoreError) -> Reply {
    tracing::warn!(error = error as &dyn std::error::Error, "a read failed");
    let (code, message) = if error.is_unavailable() {
        (
            ErrorCode::Unavailable,
            "the database cannot be reached; try again in a moment",
        )
    } else {
        (ErrorCode::Internal, "something went wrong on the server")
    };
    Reply::refused(code, message)
}

fn too_many_rooms() -> Reply {
    let message = format!(
        "a connection can be in {MAX_ROOMS} projects at a time; leave one, or open another connection"
    );
    Reply::refused(ErrorCode::ValidationFailed, message).with_field("projectId")
}

fn closing() -> Reply {
    Reply::refused(
        ErrorCode::Unavailable,
        "the server is shutting down; connect again",
    )
}
