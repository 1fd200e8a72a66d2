//! What a client asks for, understood.

use serde_json::Value;

use super::arguments::{CommandArguments, fingerprint};
use super::build::build;
use super::field::{PROJECT_ID, is_stamp};
use super::names::{Entry, Name};
use super::{
    Arguments, EventName, Limits, ListRequest, PresenceWish, Publication, Reply, SignalRequest,
    Types, idempotency, payload_limits,
};
use crate::domain::{
    Action, Actor, ChannelName, Command, EntityId, Fields, IfMatch, Kind, ProjectId, Stamp,
    StatePage, Unsettled,
};

/// What a text in a list takes up besides its letters.
const KEY_BYTES: usize = 40;

/// What a client asks for.
#[derive(Debug, Clone, PartialEq)]
pub enum Request {
    /// To hear of a project's events.
    Join(Join),
    /// To hear of them no longer.
    Leave {
        /// The project.
        project: ProjectId,
    },
    /// A state, or events that have happened.
    Read(ReadRequest),
    /// To hear of channels' events.
    Subscribe(Subscribe),
    /// To hear of them no longer.
    Unsubscribe {
        /// The channels.
        channels: Vec<ChannelName>,
    },
    /// To tell a channel's subscribers something that is kept.
    Publish(Publication),
    /// To pass a message on to a room as it is, and keep it.
    Relay(Publication),
    /// To have a worker do something.
    ToWorker(Publication),
    /// To go on with a new token, or API key.
    Refresh {
        /// As it was sent.
        token: String,
    },
    /// To tell the others something that is not kept.
    Signal(SignalRequest),
    /// A change.
    Command(Box<CommandRequest>),
    /// Several changes.
    Bulk(Vec<CommandRequest>),
}

impl Request {
    /// Whether the answer may be large: it carries a state, or events.
    #[must_use]
    pub fn may_have_large_answer(&self) -> bool {
        match self {
            Self::Join(join) => join.snapshot || join.events || join.since.is_some(),
            // With `since` the client may be told a reset, which carries a state.
            Self::Subscribe(subscribe) => subscribe.since.is_some(),
            Self::Read(_) => true,
            _ => false,
        }
    }
}

/// A wish to be told what is there, and nothing of what comes.
#[derive(Debug, Clone, PartialEq)]
pub enum ReadRequest {
    /// A project's state now.
    Snapshot {
        /// The project.
        project: ProjectId,
        /// Which page of it; the first one if there is none.
        page: Option<Box<StatePage>>,
    },
    /// A project's events after a point.
    Sync {
        /// The project.
        project: ProjectId,
        /// The point; from the start if there is none.
        since: Option<Since>,
        /// Most events of the answer.
        limit: usize,
    },
    /// A channel's events after a point.
    Replay {
        /// The channel.
        channel: ChannelName,
        /// The point; from the start if there is none.
        since: Option<Since>,
        /// Most events of the answer.
        limit: usize,
    },
    /// A page of a list.
    List(Box<ListRequest>),
}

/// A wish to hear of a project's events.
#[derive(Debug, Clone, PartialEq)]
pub struct Join {
    /// The project.
    pub project: ProjectId,
    /// What the client has seen already.
    pub since: Option<Since>,
    /// Whether the answer should carry the project's state.
    pub snapshot: bool,
    /// Whether the answer, and not the stream, should carry the events after `since`.
    pub events: bool,
    /// Whether the client stays unseen by the others in the project.
    pub is_unseen: bool,
    /// Whether it is to be told who comes and goes, if it says so.
    pub presence: Option<PresenceWish>,
}

/// A wish to hear of channels' events.
#[derive(Debug, Clone, PartialEq)]
pub struct Subscribe {
    /// The channels, each once.
    pub channels: Vec<ChannelName>,
    /// Only of events of these types.
    pub types: Option<Types>,
    /// What the client has seen already. Of channels that a cursor does not name it hears what comes from now on.
    pub since: Option<Since>,
    /// Whether the client is to be told who comes and goes in them, if it says so.
    pub presence: Option<PresenceWish>,
}

/// A point in a channel's history, as the client names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Since {
    /// A cursor's text, unchecked.
    Cursor(String),
    /// The seq of the last event seen.
    Seq(i64),
}

impl Since {
    /// A cursor or a seq, as it stands in the query of a request.
    #[must_use]
    pub fn read(text: &str) -> Self {
        match text.parse() {
            Ok(seq @ 0..) => Self::Seq(seq),
            _ => Self::Cursor(text.to_owned()),
        }
    }
}

/// A command, perhaps without its project.
#[derive(Debug, Clone, PartialEq)]
pub struct CommandRequest {
    /// The project, if the payload names it.
    pub project: Option<ProjectId>,
    /// What is to be done.
    pub action: Action,
    /// Whether the id was made here, see [`Command::made_id`].
    pub made_id: bool,
    /// The version that the caller had before its eyes.
    pub expected_version: Option<i64>,
    /// What must be so of the entity, see [`Command::if_match`].
    pub if_match: Option<IfMatch>,
    /// What only the entity can settle, see [`Command::unsettled`].
    pub unsettled: Unsettled,
    /// Keys whose values are no wishes, see [`Command::unread`].
    pub unread: Vec<String>,
    /// Whether what is changed or referred to must exist.
    pub strict: bool,
    /// Other projects that the sender follows, see [`Command::elsewhere`].
    pub elsewhere: Vec<ProjectId>,
    /// Every top-level key that the sender sent, with the sender's value.
    pub echo: Fields,
    /// About what it takes up in memory.
    pub bytes: usize,
    /// The idempotency key.
    pub key: Option<String>,
    pub(super) told: Told,
    /// When and by whom it was made elsewhere, see [`Command::imported`].
    pub(super) imported: Option<Stamp>,
}

/// What tells two commands with the same key apart. Few commands have a key, so it is worked out when it is asked for.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Told {
    Fingerprint(i64),
    /// By the event and the echo.
    Payload(&'static Entry),
}

impl CommandRequest {
    /// Reads a command. `about` is the id of its entity if the request names it beside the arguments; such an id may look
    /// like JSON and is an id all the same.
    ///
    /// # Errors
    ///
    /// The refusal that names what is wrong with the event or its arguments.
    pub fn read(
        event: EventName,
        about: Option<&EntityId>,
        arguments: Arguments<'_>,
        limits: &Limits,
    ) -> Result<Self, Reply> {
        let (values, sent) = (arguments.read(*limits)?, arguments.bytes());
        Self::of_values(event, about, values, sent, limits)
    }

    /// Reads a command from its arguments, which have so many bytes.
    pub(super) fn of_values(
        event: EventName,
        about: Option<&EntityId>,
        mut values: Vec<Value>,
        sent: usize,
        limits: &Limits,
    ) -> Result<Self, Reply> {
        let entry = event.entry();
        let Name::Command(kind, verb) = entry.name else {
            return Err(Reply::invalid("event", "names no command"));
        };
        let original = event.translate(&mut values);
        let arguments = match about {
            Some(id) => CommandArguments::about(entry, id.as_str(), values)?,
            None => CommandArguments::read(entry, values, *limits)?,
        };
        let built = build(verb, kind, &arguments, limits.strict)?;
        let told = match (&original, &arguments.bare, &arguments.status) {
            (None, None, None) => Told::Payload(entry),
            // What is told back is not all that was asked for.
            (_, bare, status) => {
                Told::Fingerprint(fingerprint(entry, [bare, status], &arguments.object))
            }
        };
        let unread: usize = built.unread.iter().map(|key| key.len() + KEY_BYTES).sum();
        Ok(Self {
            project: built.project,
            action: built.action,
            made_id: built.made_id,
            expected_version: built.expected_version,
            if_match: None,
            told,
            // An object is there twice: as it was sent, and as fields. What stands by itself is as long as its text.
            bytes: sent
                + 2 * payload_limits::weight(original.as_ref().unwrap_or(&arguments.object))
                + unread
                + built
                    .unsettled
                    .objects()
                    .map(payload_limits::weight)
                    .sum::<usize>(),
            unsettled: built.unsettled,
            unread: built.unread,
            strict: limits.strict,
            elsewhere: Vec::new(),
            echo: original.unwrap_or(arguments.object),
            key: arguments.key,
            imported: None,
        })
    }

    /// Tells whether two commands with the same key are the same.
    #[must_use]
    pub fn fingerprint(&self) -> i64 {
        match &self.told {
            Told::Fingerprint(known) => *known,
            Told::Payload(entry) => fingerprint(entry, [&None, &None], &self.echo),
        }
    }

    /// Keeps the fingerprint as it is, whatever becomes of the echo.
    pub(super) fn keep_fingerprint(&mut self) {
        self.told = Told::Fingerprint(self.fingerprint());
    }

    /// The command, in the project that its payload names or that was found for it.
    #[must_use]
    pub fn into_command(self, project: ProjectId) -> Command {
        Command {
            project,
            action: self.action,
            made_id: self.made_id,
            expected_version: self.expected_version,
            if_match: self.if_match,
            unsettled: self.unsettled,
            unread: self.unread,
            strict: self.strict,
            elsewhere: self.elsewhere,
            echo: self.echo,
            imported: self.imported,
        }
    }

    /// Sets the idempotency key, as it is named in a request's head or beside a command.
    ///
    /// # Errors
    ///
    /// The answer that says what is wrong with it.
    pub fn set_key(&mut self, name: &str, key: &str) -> Result<(), Reply> {
        self.key = Some(idempotency::checked(name, key)?);
        Ok(())
    }

    /// Sets the project, as it is named beside the payload, and sees to it that the payload names no other.
    ///
    /// # Errors
    ///
    /// The answer that says what is wrong.
    pub fn set_project(&mut self, project: &ProjectId) -> Result<(), Reply> {
        let other = self.project.as_ref().is_some_and(|said| said != project);
        let mut said = PROJECT_ID.iter().filter_map(|key| self.echo.get(*key));
        if other || said.any(|said| !said.is_null() && !project.is_named_by(said)) {
            let what = "names another project than the request";
            return Err(Reply::invalid(PROJECT_ID[0], what));
        }
        self.project = Some(project.clone());
        Ok(())
    }

    /// Gives a project that is to be made under a key, and for which its sender named no id, the id of this key: a
    /// repetition must find the project, because keys belong to one.
    pub fn make_id_of_key(&mut self, actor: &Actor) {
        if let Action::Create { kind, id, .. } = &mut self.action
            && (*kind, self.made_id) == (Kind::Project, true)
            && let Some(key) = &self.key
        {
            *id = EntityId::of_key(actor, key);
            self.project = Some(ProjectId(id.0.clone()));
        }
    }

    /// Leaves out of the echo what the sender says of who did something, and when: where it is known who somebody is,
    /// only the server says that, in whatever spelling.
    pub fn disown_stamps(&mut self) {
        if !self.echo.keys().any(|key| is_stamp(key)) {
            return;
        }
        self.keep_fingerprint();
        self.echo.retain(|key, _| !is_stamp(key));
    }

    /// Whether the task that is changed may be another project's: then the project is where it is to go.
    #[must_use]
    pub fn may_mean_elsewhere(&self) -> bool {
        let is_change = matches!(
            self.action,
            Action::Update {
                kind: Kind::Task,
                ..
            } | Action::Toggle {
                kind: Kind::Task,
                ..
            } | Action::TaskMove { .. }
        );
        is_change && !self.strict
    }

    /// The kind and id of the entity that the command names.
    #[must_use]
    pub fn subject(&self) -> (Kind, &EntityId) {
        self.action.subject()
    }
}
