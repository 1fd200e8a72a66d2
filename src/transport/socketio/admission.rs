//! Who a client is, when it comes.

use super::handshake::Handshake;
use crate::app::App;
use crate::contract::{ErrorCode, Reply};
use crate::domain::{ClientId, ConnectionId, Identity, PrivateId};
use crate::limits::ClientAddress;
use crate::transport::visitor::identify_at;
use crate::writer::Caller;

/// Who has come.
pub(super) struct Guest {
    pub(super) caller: Caller,
    pub(super) client: ClientId,
    /// What it has shown.
    pub(super) identity: Option<Identity>,
}

/// Why a client is not let in.
pub(super) enum Refusal {
    /// It may try again.
    Now,
    /// It is to be told why.
    Told(String),
}

impl Refusal {
    fn of(reply: &Reply) -> Self {
        match reply.code() {
            Some(code @ ErrorCode::Unauthenticated) => Self::Told(code.as_str().to_owned()),
            _ => Self::Now,
        }
    }
}

impl Guest {
    /// Finds out who has come, by what it has shown, or else by what it says.
    pub(super) async fn meet(
        app: &App,
        handshake: &Handshake,
        pid: &PrivateId,
        address: Option<ClientAddress>,
    ) -> Result<Self, Refusal> {
        let connection = ConnectionId::generate();
        let shown = handshake.credential.as_ref();
        let address = address.filter(|_| shown.is_some());
        if let Some(identity) = identify_at(app, address, shown, connection)
            .await
            .map_err(|reply| Refusal::of(&reply))?
        {
            let client = pid.client_of(&identity.actor);
            return Ok(Self {
                caller: Caller::new(connection, client, Some(identity.actor.as_str())),
                client,
                identity: Some(identity),
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
        })
    }
}
