//! Who a client is, when it comes.

use std::time::Duration;

use tokio::time::timeout;

use super::credential::Credential;
use super::handshake::Handshake;
use crate::app::App;
use crate::auth::AuthError;
use crate::command::Caller;
use crate::contract::ErrorCode;
use crate::domain::{ClientId, ConnectionId, Identity, PrivateId};
use crate::telemetry::causes;

/// Who has come.
pub(super) struct Guest {
    pub(super) caller: Caller,
    pub(super) client: ClientId,
    /// What it has shown.
    pub(super) identity: Option<Identity>,
    /// Whether the caller is a user that has a name.
    pub(super) is_named: bool,
}

/// Why a client is not let in.
pub(super) enum Refusal {
    /// It may try again.
    Now,
    /// It is to be told why.
    Told(String),
}

impl Guest {
    /// Finds out who has come, by what it has shown, or else by what it says.
    pub(super) async fn meet(
        app: &App,
        handshake: &Handshake,
        pid: &PrivateId,
    ) -> Result<Self, Refusal> {
        let connection = ConnectionId::generate();
        let shown = handshake.credential.as_ref();
        if let Some(identity) = identify(app, shown, connection).await? {
            let client = pid.client_of(&identity.actor);
            return Ok(Self {
                caller: Caller::new(connection, client, Some(identity.actor.as_str())),
                client,
                identity: Some(identity),
                is_named: true,
            });
        }
        // Where users can show who they are nobody is believed to be one of them.
        let said = if app.auth().verifies_tokens() {
            None
        } else {
            handshake.user_id.clone().map_err(Refusal::Told)?
        };
        let client = pid.client();
        Ok(Self {
            caller: Caller::new(connection, client, said.as_deref()),
            client,
            identity: None,
            is_named: said.is_some(),
        })
    }
}

/// Tells whose a credential is. One that nobody can look at counts for nothing: frontends send all sorts of tokens.
async fn identify(
    app: &App,
    shown: Option<&Credential>,
    connection: ConnectionId,
) -> Result<Option<Identity>, Refusal> {
    let auth = app.auth();
    let Some(shown) = shown.filter(|shown| auth.looks_at(shown.as_str())) else {
        if auth.is_required() {
            return Err(unauthenticated(connection, "nothing is shown"));
        }
        return Ok(None);
    };
    match timeout(patience(app), auth.identify(shown.as_str())).await {
        Ok(Ok(identity)) => Ok(Some(identity)),
        Ok(Err(AuthError::Unauthenticated(reason))) => Err(unauthenticated(connection, &reason)),
        Ok(Err(error)) => {
            let error = causes(&error);
            tracing::warn!(connection.id = %connection, %error, "cannot tell who a client is");
            Err(Refusal::Now)
        }
        Err(_) => {
            tracing::warn!(connection.id = %connection, "cannot tell who a client is: no answer");
            Err(Refusal::Now)
        }
    }
}

/// Well before socketioxide loses its own patience, of which taking up subscriptions needs its share.
fn patience(app: &App) -> Duration {
    app.config().connect_timeout / 4
}

fn unauthenticated(connection: ConnectionId, reason: &str) -> Refusal {
    let code = ErrorCode::Unauthenticated.as_str();
    tracing::info!(connection.id = %connection, code, reason, "refused at CONNECT");
    Refusal::Told(code.to_owned())
}
