//! The handshake: who the client is, and which program, as it says after it has connected.

use std::sync::Arc;

use serde_json::Value;

use super::door::WebSocketConnection;
use super::format::Format;
use super::greeting::{Subscriber, invalid};
use super::message::Message;
use super::raw_object::RawObject;
use crate::contract::{ErrorCode, PresenceWish, Reply};
use crate::domain::Identity;
use crate::transport::connection::client_info::ClientInfo;
use crate::transport::credential::Credential;

/// What a token is called in a handshake.
const TOKEN: &str = "token";
/// Where it says whether it is told who comes and goes.
const PRESENCE: &str = "presence";

impl WebSocketConnection {
    /// Takes note of who the client is, as it says after it has connected.
    pub(super) async fn introduce(self: &Arc<Self>, message: &Message) {
        let limits = self.app().payload_limits();
        if let Err(refusal) = message.arguments().check(&limits) {
            return self.turn_away(Some(message), &refusal).await;
        }
        let data = RawObject::read(message.data.get());
        let said = |key: &str| {
            let raw = data.as_ref()?.get(key)?.get();
            serde_json::from_str(raw).ok()
        };
        self.note_client_info(ClientInfo::read(said));
        let presence = said(PRESENCE).and_then(|said| PresenceWish::chosen(&said));
        if let Some(chosen) = presence {
            self.door.choose_presence(chosen);
            if let Some(subscriber) = self.subscriber() {
                subscriber.session.choose_presence(chosen);
            }
        }
        let shown = Credential::in_auth(said);
        if let (Some(subscriber), None) = (self.subscriber(), &shown) {
            // Who is known need not show it again.
            let id = message.id.as_deref();
            return self.say_welcome(&subscriber, id, true).await;
        }
        let identity = self.identify(shown.as_ref()).await;
        let introduced = match identity {
            Ok(identity) => self.meet(message, shown.as_ref(), identity).await,
            Err(refusal) => Err(self.in_words_of_format(refusal, said)),
        };
        if let Err(refusal) = introduced {
            self.turn_away(Some(message), &refusal).await;
        }
    }

    /// Says of a handshake what extensions look for: the key that they showed is none, also if they showed nothing.
    fn in_words_of_format(&self, refusal: Reply, said: impl Fn(&str) -> Option<Value>) -> Reply {
        let is_refused = refusal.code() == Some(ErrorCode::Unauthenticated);
        let token = said(TOKEN).filter(|token| !token.is_null());
        match (self.door.format, token) {
            (Format::Flat, None) if is_refused => invalid("API key"),
            (Format::Flat, Some(_)) if is_refused => invalid(TOKEN),
            _ => refusal,
        }
    }

    async fn meet(
        self: &Arc<Self>,
        message: &Message,
        shown: Option<&Credential>,
        identity: Option<Identity>,
    ) -> Result<(), Reply> {
        let id = message.id.as_deref();
        let known = self.subscriber();
        let is_known = known
            .as_ref()
            .is_some_and(|subscriber| subscriber.session.identity().is_some());
        match (known, identity, shown) {
            // Nobody looks at what is shown.
            (Some(subscriber), None, _) => self.say_welcome(&subscriber, id, true).await,
            (Some(subscriber), Some(_), Some(shown)) if is_known => {
                self.refresh(&subscriber, shown).await?;
                self.say_welcome(&subscriber, id, true).await;
            }
            (_, identity, _) => {
                let (subscriber, begun) = self.begin_session(identity).await?;
                let with_cursor = begun.missed.is_empty();
                self.say_welcome(&subscriber, id, with_cursor).await;
                self.begin_events(&subscriber, begun).await;
            }
        }
        Ok(())
    }

    /// Shows a newer token in a session.
    async fn refresh(&self, subscriber: &Subscriber, shown: &Credential) -> Result<(), Reply> {
        let refreshed = subscriber.session.refresh(shown.as_str()).await;
        if !refreshed.reply.is_ok() {
            return Err(refreshed.reply);
        }
        self.watch_credential();
        subscriber.tell_lost(&refreshed.lost).await;
        Ok(())
    }
}
