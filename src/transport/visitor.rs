//! Who comes, at whatever door.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::FromRequestParts;
use axum::http::HeaderMap;
use axum::http::request::Parts;
use tokio::time::timeout;

use super::credential::{Credential, Heads, IN_QUERY};
use super::gate::Gate;
use super::query::from_query;
use crate::app::App;
use crate::auth::AuthError;
use crate::command::Caller;
use crate::contract::{ErrorCode, EventClass, Reply};
use crate::domain::{ConnectionId, Holder, Id, Identity, PrivateId};
use crate::limits::{Budget, ClientAddress, Exceeded};
use crate::telemetry::causes;

/// Where a client says who it is, on a server that verifies no tokens.
const USER_HEADER: &str = "x-user-id";
const USER_IN_QUERY: &str = "userId";

/// Who asks over HTTP: an extractor. Each request is a connection of its own.
#[derive(Debug)]
pub(crate) struct Visitor {
    pub(crate) caller: Caller,
    /// What it has shown.
    pub(crate) identity: Option<Identity>,
    /// Where it is; unknown if the server itself asks.
    pub(crate) client: Option<ClientAddress>,
}

impl FromRequestParts<App> for Visitor {
    type Rejection = Reply;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Reply> {
        let client = parts.extensions.get().copied();
        Gate::new(app).page(&parts.headers, client)?;
        let heads = Heads::new(app.auth(), app.config().auth.auth_cookie.as_deref());
        let query = parts.uri.query();
        let in_query = || from_query(query, IN_QUERY).and_then(|text| Credential::new(&text));
        let shown = heads.find(&parts.headers, query).or_else(in_query);
        let connection = ConnectionId::generate();
        let identity = identify_at(app, client, shown.as_ref(), connection).await?;
        let pid = PrivateId::generate();
        let caller = if let Some(Identity { actor, .. }) = &identity {
            Caller::new(connection, pid.client_of(actor), Some(actor.as_str()))
        } else {
            let said = said_user(app, &parts.headers, query)?;
            Caller::new(connection, pid.client(), said.as_ref().map(Id::as_str))
        };
        Ok(Self {
            caller,
            identity,
            client,
        })
    }
}

impl Visitor {
    /// Whether what it has shown counts after a while as well: an API key may have been revoked.
    ///
    /// # Errors
    ///
    /// The answer, `unauthenticated` or `unavailable`.
    pub(crate) async fn still_counts(&self, app: &App) -> Result<(), Reply> {
        let holder = self.identity.as_ref().map(|identity| &identity.holder);
        let Some(Holder::Service { key }) = holder else {
            return Ok(());
        };
        match app.auth().gone_keys(std::slice::from_ref(key)).await {
            Ok(gone) if gone.is_empty() => Ok(()),
            Ok(_) => Err(unauthenticated(self.caller.connection, "the key is gone")),
            Err(error) => {
                let error = causes(&error);
                tracing::warn!(%error, "cannot look whether an API key is gone");
                Err(unavailable())
            }
        }
    }

    /// Takes a request out of what its user may do, or its address if nobody has shown who they are: else anybody could
    /// use up what somebody else may do.
    ///
    /// # Errors
    ///
    /// The answer, `rate_limited`.
    pub(crate) fn spend(&self, app: &App, class: EventClass) -> Result<(), Reply> {
        let Some(budget) = self.budget(app) else {
            return Ok(());
        };
        let spent = app.limits().spend_shared(class, &budget);
        spent.map_err(too_much)
    }

    /// What its user may still do, or its address; `None` if that is not limited.
    pub(crate) fn budget(&self, app: &App) -> Option<Arc<Budget>> {
        match (&self.identity, self.client) {
            (Some(identity), _) => app.limits().budget_of(identity.actor.as_str()),
            (None, Some(client)) => app.limits().budget_at(client),
            (None, None) => None,
        }
    }
}

fn too_much(Exceeded { limit, retry_after }: Exceeded) -> Reply {
    Reply::refused(ErrorCode::RateLimited, limit.sentence()).with_retry_after(retry_after)
}

/// As [`identify`], out of what may be tried from the address if it was in vain: looking at credentials costs most of all, and here
/// each request shows one.
async fn identify_at(
    app: &App,
    client: Option<ClientAddress>,
    shown: Option<&Credential>,
    connection: ConnectionId,
) -> Result<Option<Identity>, Reply> {
    let (limits, class) = (app.limits(), EventClass::Read);
    let budget = client.and_then(|client| limits.attempts_at(client));
    if let Some(budget) = &budget {
        limits.spend_shared(class, budget).map_err(too_much)?;
    }
    let identity = identify(app, shown, connection).await;
    let in_vain = identity.as_ref().err().and_then(Reply::code) == Some(ErrorCode::Unauthenticated);
    if let Some(budget) = budget.filter(|_| !in_vain) {
        limits.give_back_shared(class, &budget);
    }
    identity
}

/// Who a client says it is. Where users can show who they are nobody is believed to be one of them.
///
/// # Errors
///
/// The answer that says what is wrong with it.
pub(crate) fn said_user(
    app: &App,
    headers: &HeaderMap,
    query: Option<&str>,
) -> Result<Option<Id>, Reply> {
    if app.auth().verifies_tokens() {
        return Ok(None);
    }
    let invalid = |what: &str| Reply::invalid(USER_IN_QUERY, what);
    let said = match headers.get(USER_HEADER) {
        Some(value) => match str::from_utf8(value.as_bytes()) {
            Ok(text) => Some(text.trim().to_owned()),
            Err(_) => return Err(invalid("must be UTF-8")),
        },
        None => from_query(query, USER_IN_QUERY),
    };
    let Some(said) = said.filter(|said| !matches!(&**said, "" | "undefined" | "null")) else {
        return Ok(None);
    };
    if said.contains('\0') {
        return Err(invalid("must not contain NUL characters"));
    }
    let id = Id::from_text(&said).map_err(|error| invalid(&error.to_string()))?;
    Ok(Some(id))
}

/// Tells whose a credential is; nobody's if there is none. One that nobody can look at counts for nothing: frontends send
/// all sorts of tokens.
///
/// # Errors
///
/// The answer, `unauthenticated` or `unavailable`; the reason is in the log.
pub(crate) async fn identify(
    app: &App,
    shown: Option<&Credential>,
    connection: ConnectionId,
) -> Result<Option<Identity>, Reply> {
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
            Err(unavailable())
        }
        Err(_) => {
            tracing::warn!(connection.id = %connection, "cannot tell who a client is: no answer");
            Err(unavailable())
        }
    }
}

/// Well before socketioxide loses its own patience, of which taking up subscriptions needs its share.
fn patience(app: &App) -> Duration {
    app.config().connect_timeout / 4
}

fn unauthenticated(connection: ConnectionId, reason: &str) -> Reply {
    let code = ErrorCode::Unauthenticated;
    tracing::info!(connection.id = %connection, code = code.as_str(), reason, "refused at the door");
    Reply::refused(code, "a valid token or API key is needed")
}

fn unavailable() -> Reply {
    let message = "tokens cannot be verified now; try again in a moment";
    Reply::refused(ErrorCode::Unavailable, message)
}
