//! What a client is told when it has connected, in the words of its dialect, and what templates see of it.

use std::sync::Arc;

use serde_json::{Value, json};

use super::door::Door;
use super::introduction::now;
use super::subscriber::SessionSubscriber;
use crate::clock::Clock;
use crate::contract::dialect::{Dialect, Root, Scope};
use crate::contract::{Join, Request, Since, Subscribe, json_text};
use crate::domain::{ChannelName, Timestamp};
use crate::hub::Offer;
use crate::session::Outcome;

impl<D: Door> SessionSubscriber<D> {
    /// What templates see of the client and the server.
    pub(crate) fn scope(&self) -> Scope<'static> {
        let caller = &self.session.caller;
        let mut user = self.session.profile().clone();
        user.insert("id".to_owned(), caller.actor.as_str().into());
        let app = self.connection.app();
        let uptime = app.uptime();
        let started = Clock.now().as_millis() - i64::try_from(uptime.as_millis()).unwrap_or(0);
        let server = json!({
            "startedAt": Timestamp::from_millis(started).to_string(),
            "uptime": uptime.as_secs(),
            "connections": app.connections().count(),
        });
        let mut scope = Scope::new()
            .with_owned(Root::User, user.into())
            .with_owned(Root::Socket, json!({ "id": caller.connection.to_string() }))
            .with_owned(Root::Server, server)
            .with_owned(Root::Now, now());
        if let Some(introduction) = self.connection.door.introduction() {
            for (root, value) in &introduction.values {
                scope.set(*root, value.clone());
            }
        }
        scope
    }

    /// Says something to the client, once there is room.
    pub(crate) async fn say(&self, name: &str, payload: &Value) -> Offer {
        let payload = json_text(payload);
        let told = self.connection.push(payload.get().len(), |out| {
            let cursor = self.session.rooms.cursor();
            self.connection.door.say(out, name, &payload, &cursor)
        });
        told.await
    }

    /// Says what a dialect says to those who have connected.
    ///
    /// A client that comes back is told first what it missed up to the state: what the state does not have is not lost, and what
    /// it has is not told after it once more.
    pub(crate) async fn greet(self: &Arc<Self>, dialect: &Arc<Dialect>, is_continued: bool) {
        let mut scope = self.scope();
        let told = dialect.greetings.iter();
        let templates: Vec<_> = told.filter_map(|said| said.data.as_ref()).collect();
        let needs_state = templates
            .iter()
            .any(|data| data.roots().contain(Root::State));
        let mut since = None;
        if let Some(room) = &dialect.default_room {
            scope.set(Root::Room, room.to_json());
            if needs_state {
                let state = self.read_state(room, dialect, &templates, &mut scope);
                match state.await {
                    Ok(seq) => {
                        let channel = room.channel();
                        let is_back = self.session.rooms.contains(&channel);
                        let is_told =
                            is_back && (!is_continued || self.catch_up(&channel, seq).await);
                        since = (!is_told).then_some(seq);
                    }
                    Err(refusal) => self.connection.note_refused("greet", &refusal),
                }
            }
        }
        if dialect.rooms.joins_default {
            self.join_quietly(dialect, since).await;
        }
        if dialect.rooms.hears_projects {
            self.hear(ChannelName::list_of_projects()).await;
        }
        if dialect.has_user_room() {
            self.hear_user_channel().await;
        }
        if let Some(room) = &dialect.default_room
            && let Ok(people) = self.session.people(room, dialect).await
        {
            scope.set(Root::Presence, people);
        }
        for said in &dialect.greetings {
            self.say(&said.event, &said.payload(&scope, &Value::Null))
                .await;
        }
    }

    /// Joins the room in which everybody is; a client that comes back goes on from where it was.
    async fn join_quietly(self: &Arc<Self>, dialect: &Arc<Dialect>, since: Option<i64>) {
        let Some(room) = dialect.default_room.clone() else {
            return;
        };
        let channel = room.channel();
        let join = Join {
            project: room,
            since: since.map(Since::Seq),
            snapshot: false,
            events: false,
            is_unseen: false,
            presence: None,
        };
        let channels = [channel];
        if let Outcome::Done(reply) = self.run(Request::Join(join)).await {
            self.connection.note_refused("join:project", &reply);
            self.settle_room(&channels[0]);
            self.release(&channels).await;
        }
    }

    async fn hear_user_channel(self: &Arc<Self>) {
        let name = format!("user:{}", self.session.caller.actor.as_str());
        if let Ok(channel) = ChannelName::parse(&name) {
            self.hear(channel).await;
        }
    }

    /// Subscribes to a channel for which the client has not asked.
    async fn hear(self: &Arc<Self>, channel: ChannelName) {
        if self.session.rooms.contains(&channel) {
            return;
        }
        let channels = vec![channel];
        let wish = Subscribe {
            channels: channels.clone(),
            types: None,
            since: None,
            presence: None,
        };
        let reply = self.subscribe(wish).await;
        self.connection.note_refused("subscribe", &reply);
        self.release(&channels).await;
    }
}
