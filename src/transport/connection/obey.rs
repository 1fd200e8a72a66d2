//! Obeys the rules of a dialect: reads a message as the rules say, and tells its sender and the room what they say afterwards.

use std::sync::Arc;

use serde_json::Value;
use serde_json::value::RawValue;

use super::door::Door;
use super::request_loop::{Asked, RequestLoop};
use super::subscriber::SessionSubscriber;
use crate::contract::dialect::{
    Audience, Keep, OnRule, OnRules, Relay, Root, Said, Scope, Template,
};
use crate::contract::{
    Arguments, CommandRequest, ErrorCode, EventName, Limits, MAX_COMMANDS, Publication, Reply,
    Request, Since, json_text, pack,
};
use crate::domain::{Actor, ChannelName, Fields, Id, ProjectId};
use crate::session::Session;

/// Where a message may name its room, if no rule says so.
const ROOM_KEYS: [&str; 7] = [
    "projectId",
    "project_id",
    "boardId",
    "board_id",
    "roomId",
    "room_id",
    "room",
];

/// A message that is served by a rule, and what is to follow.
pub(crate) struct Obeyed<D: Door> {
    subscriber: Arc<SessionSubscriber<D>>,
    rules: Arc<OnRules>,
    at: usize,
    scope: Scope<'static>,
    message: Arc<Message>,
    room: Option<ProjectId>,
    /// Whether the first relay that is kept was what was asked for.
    is_relay: bool,
}

/// A message, as its rules see it.
struct Message {
    name: String,
    arguments: Vec<Value>,
    nothing: Value,
}

impl Message {
    fn first(&self) -> &Value {
        self.arguments.first().unwrap_or(&self.nothing)
    }
}

impl<D: Door> RequestLoop<D> {
    /// Serves a message by the rules for its name.
    pub(crate) async fn obey(
        &mut self,
        subscriber: &Arc<SessionSubscriber<D>>,
        asked: Asked<D>,
        rules: Arc<OnRules>,
        arguments: Arguments<'_>,
    ) {
        let limits = self.connection.app().payload_limits();
        let values = match arguments.values(&limits) {
            Ok(values) => values,
            Err(refusal) => return self.refuse(asked, arguments, &refusal).await,
        };
        let message = Arc::new(Message {
            name: asked.name.clone(),
            arguments: values,
            nothing: Value::Null,
        });
        let mut scope = subscriber.scope();
        scope.set(Root::Data, message.first().clone());
        scope.set(Root::Args, Value::Array(message.arguments.clone()));
        let holding: Vec<usize> = (0..rules.rules.len())
            .filter(|at| rules.rules[*at].holds(&scope))
            .collect();
        if holding.is_empty() {
            let message = "no rule of the dialect fits this message";
            let refusal = Reply::refused(ErrorCode::ValidationFailed, message).with_field("event");
            return self.refuse(asked, arguments, &refusal).await;
        }
        let leading = holding
            .iter()
            .position(|at| rules.rules[*at].is.is_some())
            .unwrap_or(0);
        let Asked { name, mut ack, .. } = asked;
        for (number, at) in holding.into_iter().enumerate() {
            let own = if number == leading { ack.take() } else { None };
            let asked = Asked::new(name.clone(), own);
            let scope = scope.clone();
            let obeyed = Obeyed {
                subscriber: Arc::clone(subscriber),
                rules: Arc::clone(&rules),
                at,
                scope,
                message: Arc::clone(&message),
                room: None,
                is_relay: false,
            };
            self.obey_one(asked, obeyed, arguments, &limits).await;
        }
    }

    async fn refuse(&mut self, asked: Asked<D>, arguments: Arguments<'_>, refusal: &Reply) {
        self.record_refused(&asked, arguments, refusal);
        // Answers keep the order of the questions.
        self.settle_all().await;
        self.connection.answer(asked, refusal).await;
    }

    async fn obey_one(
        &mut self,
        mut asked: Asked<D>,
        mut obeyed: Obeyed<D>,
        arguments: Arguments<'_>,
        limits: &Limits,
    ) {
        let subscriber = Arc::clone(&obeyed.subscriber);
        let request = match obeyed.request(arguments, limits) {
            Ok(request) => request,
            Err(refusal) => {
                asked.obeyed = Some(Box::new(obeyed));
                return self.refuse(asked, arguments, &refusal).await;
            }
        };
        let rules = Arc::clone(&obeyed.rules);
        let rule = &rules.rules[obeyed.at];
        self.record_taken(&asked, arguments, || "rule");
        let Some(mut request) = request else {
            // Nothing but what follows.
            asked.obeyed = Some(Box::new(obeyed));
            self.settle_all().await;
            let done = Reply::done(Fields::new());
            return self.connection.answer(asked, &done).await;
        };
        if let Request::Join(join) = &mut request {
            join.is_unseen = rule.hides;
        }
        let wants_state = obeyed.needs_state();
        if wants_state {
            // What is told between the state and its events would be lost in the state.
            self.settle_all().await;
            subscriber.hold();
            if let (Request::Join(join), Some(dialect)) =
                (&mut request, subscriber.connection.door.dialect())
            {
                let templates: Vec<_> = rule.templates().collect();
                let scope = &mut obeyed.scope;
                let state = subscriber.read_state(&join.project, dialect, &templates, scope);
                match state.await {
                    Ok(seq) => {
                        let channel = join.project.channel();
                        let is_back = subscriber.session.rooms.contains(&channel);
                        let is_told = is_back && subscriber.catch_up(&channel, seq).await;
                        join.since = (!is_told).then_some(Since::Seq(seq));
                    }
                    Err(refusal) => {
                        asked.obeyed = Some(Box::new(obeyed));
                        self.refuse(asked, arguments, &refusal).await;
                        return subscriber.open();
                    }
                }
            }
        }
        if rule.has_consequences() || obeyed.is_relay {
            asked.obeyed = Some(Box::new(obeyed));
        }
        self.run(&subscriber, asked, request).await;
        if wants_state {
            self.settle_all().await;
            subscriber.open();
        }
    }

    /// Passes a message on to the room as it is.
    pub(crate) async fn pass_on(
        &mut self,
        subscriber: &Arc<SessionSubscriber<D>>,
        asked: Asked<D>,
        keep: Keep,
        arguments: Arguments<'_>,
    ) {
        let limits = self.connection.app().payload_limits();
        let values = match arguments.values(&limits) {
            Ok(values) => values,
            Err(refusal) => return self.refuse(asked, arguments, &refusal).await,
        };
        let nothing = Value::Null;
        let first = values.first().unwrap_or(&nothing);
        let payload = pack(&values);
        let Some(room) = room_in(first).or_else(|| subscriber.session.meant_room()) else {
            return self.refuse(asked, arguments, &no_room()).await;
        };
        self.record_taken(&asked, arguments, || "custom event");
        let channel = room.channel();
        match keep {
            Keep::Log => {
                let published = Publication::relayed(channel, &asked.name, payload);
                match published {
                    Ok(publication) => {
                        self.run(subscriber, asked, Request::Relay(publication))
                            .await;
                    }
                    Err(refusal) => self.refuse(asked, arguments, &refusal).await,
                }
            }
            Keep::Signal => {
                self.settle_all().await;
                let told =
                    subscriber
                        .session
                        .relay_signal(channel, &asked.name, payload.into(), false);
                let reply = told.await.err();
                let reply = reply.unwrap_or_else(|| Reply::done(Fields::new()));
                self.connection.answer(asked, &reply).await;
            }
        }
    }
}

impl<D: Door> Obeyed<D> {
    fn rule(&self) -> &OnRule {
        &self.rules.rules[self.at]
    }

    fn session(&self) -> &Session {
        &self.subscriber.session
    }

    /// Whether something is told that needs the state.
    fn needs_state(&self) -> bool {
        let mut templates = self.rule().templates();
        templates.any(|template| template.roots().contain(Root::State))
    }

    /// What the rule asks for: nothing if it only says something.
    fn request(
        &mut self,
        arguments: Arguments<'_>,
        limits: &Limits,
    ) -> Result<Option<Request>, Reply> {
        let rules = Arc::clone(&self.rules);
        let rule = &rules.rules[self.at];
        self.room = self.find_room(rule)?;
        if let Some(room) = &self.room {
            self.scope.set(Root::Room, room.to_json());
        }
        let name = &self.message.name;
        let Some(event) = rule.is.map(|event| event.in_words_of(name)) else {
            if rule.needs_room() && self.room.is_none() {
                return Err(no_room());
            }
            self.present(rule)?;
            return self.first_kept(rule);
        };
        if let Some(each) = &rule.each {
            let commands = self.read_each(rule, each, event, limits)?;
            self.present(rule)?;
            return Ok((!commands.is_empty()).then_some(Request::Bulk(commands)));
        }
        let request = self.read(rule, event, arguments, limits)?;
        // What the request is about is the room, if it says so.
        let meant = match &request {
            Request::Join(join) => Some(join.project.clone()),
            Request::Leave { project } => Some(project.clone()),
            Request::Command(command) => command.project.clone(),
            Request::Signal(signal) => signal.project.clone(),
            _ => None,
        };
        if let Some(meant) = meant {
            self.scope.set(Root::Room, meant.to_json());
            self.room = Some(meant);
        }
        self.present(rule)?;
        Ok(Some(request))
    }

    fn read(
        &self,
        rule: &OnRule,
        event: EventName,
        arguments: Arguments<'_>,
        limits: &Limits,
    ) -> Result<Request, Reply> {
        let dialect = self.subscriber.connection.door.dialect();
        let renames = dialect.filter(|dialect| dialect.renames(event));
        let mut argument = rule.argument(&self.scope);
        if argument.is_none() && renames.is_some() {
            argument = Some(self.message.first().clone());
        }
        let Some(mut argument) = argument else {
            return Request::read(event, arguments, limits);
        };
        if let Some(dialect) = renames {
            dialect.rename(event, &mut argument);
        }
        let text = json_text(&argument);
        Request::read(event, Arguments::One(text.get()), limits)
    }

    /// Reads a command for each one of a list.
    fn read_each(
        &self,
        rule: &OnRule,
        each: &Template,
        event: EventName,
        limits: &Limits,
    ) -> Result<Vec<CommandRequest>, Reply> {
        let Some(Value::Array(items)) = each.render(&self.scope) else {
            return Err(Reply::invalid(
                "payload",
                "must have the list that the rule names",
            ));
        };
        if items.len() > MAX_COMMANDS {
            let what = format!("must not have a list of more than {MAX_COMMANDS}");
            return Err(Reply::invalid("payload", what));
        }
        let dialect = self.subscriber.connection.door.dialect();
        let command = |(index, item): (usize, Value)| {
            let mut scope = self.scope.clone();
            scope.set(Root::Index, index.into());
            scope.set(Root::It, item);
            let mut argument = rule.argument(&scope).unwrap_or_default();
            if let Some(dialect) = dialect.filter(|dialect| dialect.renames(event)) {
                dialect.rename(event, &mut argument);
            }
            let text = json_text(&argument);
            let read = CommandRequest::read(event, None, Arguments::One(text.get()), limits);
            let mut command = read?;
            if let Some(key) = &mut command.key {
                *key = format!("{key}#{index}");
            }
            Ok(command)
        };
        let commands = items.into_iter().enumerate().map(command);
        commands.collect()
    }

    fn find_room(&self, rule: &OnRule) -> Result<Option<ProjectId>, Reply> {
        match rule.room(&self.scope) {
            Some(Some(id)) => match Id::from_json(&id) {
                Ok(id) => Ok(Some(ProjectId(id))),
                Err(error) => Err(Reply::invalid("projectId", error)),
            },
            Some(None) => Err(Reply::invalid("projectId", "is missing")),
            None => {
                let named = room_in(self.message.first());
                Ok(named.or_else(|| self.session().meant_room()))
            }
        }
    }

    /// Shows others in the room what the rule says of the client.
    fn present(&self, rule: &OnRule) -> Result<(), Reply> {
        let (Some(Value::Object(fields)), Some(room)) = (rule.present(&self.scope), &self.room)
        else {
            return Ok(());
        };
        self.session().present(room, fields)
    }

    /// The first relay that is kept is what is asked for: it keeps its place among commands, and its commit is what the
    /// acknowledgement tells of.
    fn first_kept(&mut self, rule: &OnRule) -> Result<Option<Request>, Reply> {
        let is_plain =
            |relay: &&Relay| relay.keep == Keep::Log && !matches!(relay.to, Audience::User(_));
        let first = rule.relay.first().filter(is_plain);
        let (Some(relay), Some(room)) = (first, &self.room) else {
            return Ok(None);
        };
        let needs_more = relay.data.as_ref().is_some_and(|data| {
            let roots = data.roots();
            roots.contain(Root::State) || roots.contain(Root::Presence)
        });
        if needs_more {
            return Ok(None);
        }
        let publication = self.publication(relay, room.channel())?;
        self.is_relay = true;
        Ok(Some(Request::Relay(publication)))
    }

    fn publication(&self, relay: &Relay, channel: ChannelName) -> Result<Publication, Reply> {
        Publication::relayed(channel, self.name(relay), self.payload(relay))
    }

    /// What is passed on: what the rule says, or else all arguments.
    fn payload(&self, relay: &Relay) -> Box<RawValue> {
        match &relay.data {
            Some(data) => json_text(&data.render(&self.scope).unwrap_or_default()),
            None => pack(&self.message.arguments),
        }
    }

    fn name<'a>(&'a self, relay: &'a Relay) -> &'a str {
        relay.event.as_deref().unwrap_or(&self.message.name)
    }

    /// The acknowledgement as the rule wants it, if it is not ours.
    pub(super) fn acknowledgement(&self, reply: &Reply) -> Option<Value> {
        let mut scope = self.scope.clone();
        scope.set(Root::Ack, answer(reply));
        if let Some(entity) = self.entity(reply) {
            scope.set(Root::Entity, entity);
        }
        self.rule().ack(&scope)
    }

    /// What its sender is told of a refusal, if the rule says so.
    pub(super) fn refusal(&self, reply: &Reply) -> Option<(&Said, Value)> {
        let said = self.rule().refused.as_ref()?;
        let mut scope = self.scope.clone();
        let mut error = answer(reply);
        if let Some(message) = error.get("error").cloned() {
            error["message"] = message;
        }
        scope.set(Root::Error, error);
        let payload = said.payload(&scope, self.message.first());
        Some((said, payload))
    }

    fn entity(&self, reply: &Reply) -> Option<Value> {
        let entity = answer(reply).get("data")?.clone();
        let event = self.rule().is?;
        let dialect = self.subscriber.connection.door.dialect()?;
        let kind = event.kind()?;
        Some(dialect.shaped(kind, entity))
    }

    /// Tells what follows: the room first, then the sender.
    pub(super) async fn follow(mut self, reply: &Reply) {
        if !reply.is_ok() {
            return;
        }
        let rules = Arc::clone(&self.rules);
        let rule = &rules.rules[self.at];
        if rule.relay.is_empty() && rule.reply.is_empty() {
            return;
        }
        let subscriber = Arc::clone(&self.subscriber);
        match self.complete(rule, reply).await {
            Ok(()) => self.tell_what_follows(rule).await,
            Err(refusal) => {
                let connection = &subscriber.connection;
                connection.note_refused(&self.message.name, &refusal);
            }
        }
        if self.needs_state() {
            subscriber.open();
        }
    }

    async fn tell_what_follows(&self, rule: &OnRule) {
        for (number, relay) in rule.relay.iter().enumerate() {
            if number == 0 && self.is_relay {
                continue;
            }
            if let Err(refusal) = self.relay(relay).await {
                let connection = &self.subscriber.connection;
                connection.note_refused(&self.message.name, &refusal);
            }
        }
        for said in &rule.reply {
            let payload = said.payload(&self.scope, self.message.first());
            self.subscriber.say(&said.event, &payload).await;
        }
    }

    /// Finds what the templates need that is known only now.
    async fn complete(&mut self, rule: &OnRule, reply: &Reply) -> Result<(), Reply> {
        let uses = |root| {
            let mut templates = rule.templates();
            templates.any(|template| template.roots().contain(root))
        };
        if uses(Root::Ack) {
            self.scope.set(Root::Ack, answer(reply));
        }
        if uses(Root::Entity)
            && let Some(entity) = self.entity(reply)
        {
            self.scope.set(Root::Entity, entity);
        }
        let subscriber = Arc::clone(&self.subscriber);
        let (Some(dialect), Some(room)) = (subscriber.connection.door.dialect(), &self.room) else {
            return Ok(());
        };
        if uses(Root::State) && !self.scope.has(Root::State) {
            subscriber.hold();
            let templates: Vec<_> = rule.templates().collect();
            let scope = &mut self.scope;
            let seq = subscriber
                .read_state(room, dialect, &templates, scope)
                .await?;
            let channel = room.channel();
            if subscriber.session.rooms.contains(&channel) {
                subscriber.catch_up(&channel, seq).await;
            }
        }
        if uses(Root::Presence) {
            let people = subscriber.session.people(room, dialect).await?;
            self.scope.set(Root::Presence, people);
        }
        Ok(())
    }

    async fn relay(&self, relay: &Relay) -> Result<(), Reply> {
        let (session, name) = (self.session(), self.name(relay));
        let room = self.room.as_ref().ok_or_else(no_room)?;
        let user = match &relay.to {
            Audience::User(user) => {
                let user = user.render(&self.scope);
                let Some(user) = user.filter(|user| !user.is_null()) else {
                    return Ok(());
                };
                let id = Id::from_json(&user);
                Some(id.map_err(|error| Reply::invalid("userId", error))?)
            }
            _ => None,
        };
        let Some(user) = user else {
            let channel = room.channel();
            if relay.keep == Keep::Log {
                let publication = self.publication(relay, channel)?;
                let mut pending = session.relay(publication).await?;
                let reply = pending.answer().await;
                return if reply.is_ok() { Ok(()) } else { Err(reply) };
            }
            let payload = self.payload(relay).into();
            let to_all = matches!(relay.to, Audience::All);
            return session.relay_signal(channel, name, payload, to_all).await;
        };
        let channel = ChannelName::parse(&format!("user:{user}"));
        let channel = channel.map_err(|error| Reply::invalid("userId", error))?;
        let user = Actor::new(user.as_str());
        if relay.keep == Keep::Log {
            let publication = self.publication(relay, channel)?;
            let mut pending = session.relay_to_user(room, &user, publication).await?;
            let reply = pending.answer().await;
            return if reply.is_ok() { Ok(()) } else { Err(reply) };
        }
        session.may_tell(room, &user).await?;
        let payload = self.payload(relay).into();
        session.relay_signal(channel, name, payload, true).await
    }
}

/// An answer as JSON.
fn answer(reply: &Reply) -> Value {
    serde_json::from_str(reply.to_raw().get()).unwrap_or_default()
}

/// The room that a message names.
fn room_in(argument: &Value) -> Option<ProjectId> {
    let object = argument.as_object()?;
    let mut ids = ROOM_KEYS.iter().filter_map(|key| object.get(*key));
    let id = ids.find_map(|value| Id::from_json(value).ok())?;
    Some(ProjectId(id))
}

fn no_room() -> Reply {
    let message = "join a room first, or name it in projectId";
    Reply::refused(ErrorCode::ValidationFailed, message).with_field("projectId")
}
