//! Who comes, at whatever door.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use tokio::time::timeout;

use super::admission::{Admission, rate_limited};
use super::credential::{Credential, Heads, in_api_key_header};
use super::query::from_query;
use crate::auth::AuthError;
use crate::contract::{ErrorCode, EventClass, Reply};
use crate::domain::{ClientId, ConnectionId, Holder, Id, Identity, PrivateId, Role};
use crate::limits::{Budget, ClientAddress};
use crate::state::AppState;
use crate::telemetry::{ShownPath, causes};
use crate::writer::Caller;

/// Where a client says who it is, on a server that verifies no tokens.
const USER_HEADER: &str = "x-user-id";
const USER_IN_QUERY: &str = "userId";
/// For how long a request waits for a rate.
const PATIENCE: Duration = Duration::from_millis(250);

/// Who asks over HTTP: an extractor. Each request is a connection of its own.
#[derive(Debug)]
pub(crate) struct HttpCaller {
    pub(crate) caller: Caller,
    /// What it has shown.
    pub(crate) identity: Option<Identity>,
    /// Where it is; unknown if the server itself asks.
    pub(crate) client: Option<ClientAddress>,
}

impl FromRequestParts<AppState> for HttpCaller {
    type Rejection = Reply;

    async fn from_request_parts(parts: &mut Parts, app: &AppState) -> Result<Self, Reply> {
        let client = parts.extensions.get().copied();
        Admission::new(app).check_origin(&parts.headers, client)?;
        let (shown, query) = (shown_in(parts, app), parts.uri.query());
        let connection = ConnectionId::generate();
        let identity = identify_at(app, client, shown.as_ref(), connection).await?;
        let said = match &identity {
            Some(_) => None,
            None => said_user(app, &parts.headers, query)?,
        };
        let (pid, said) = (PrivateId::generate(), said.as_ref().map(Id::as_str));
        let (caller, _) = caller_of(connection, &pid, identity.as_ref(), said);
        Ok(Self {
            caller,
            identity,
            client,
        })
    }
}

impl HttpCaller {
    /// Whether what it has shown counts after a while as well: an API key may have been revoked.
    ///
    /// # Errors
    ///
    /// The answer, `unauthenticated` or `unavailable`.
    pub(crate) async fn still_counts(&self, app: &AppState) -> Result<(), Reply> {
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
    pub(crate) async fn spend(&self, app: &AppState, class: EventClass) -> Result<(), Reply> {
        spend(app, self.budget(app).as_deref(), class).await
    }

    /// What its user, or its address, may do; `None` if that is not limited.
    pub(crate) fn budget(&self, app: &AppState) -> Option<Arc<Budget>> {
        budget(app, self.identity.as_ref(), self.client)
    }
}

/// Who asks for what everybody may know: an extractor. Without a credential that is anybody; one that is shown must count.
/// Either way it costs a read.
#[derive(Debug)]
pub(crate) struct PublicCaller {
    /// Whether it may be told who is connected.
    pub(crate) is_administrator: bool,
}

impl FromRequestParts<AppState> for PublicCaller {
    type Rejection = Reply;

    async fn from_request_parts(parts: &mut Parts, app: &AppState) -> Result<Self, Reply> {
        let client = parts.extensions.get().copied();
        Admission::new(app).check_origin(&parts.headers, client)?;
        let is_operator = shows_admin_token(&parts.headers, app);
        let shown = shown_in(parts, app).filter(|_| !is_operator);
        let identity = match &shown {
            Some(shown) => identify_at(app, client, Some(shown), ConnectionId::generate()).await?,
            None => None,
        };
        let budget = budget(app, identity.as_ref(), client);
        spend(app, budget.as_deref(), EventClass::Read).await?;
        let grants = identity.map(|identity| identity.grants.everywhere());
        let is_administrator = is_operator || grants.flatten() >= Some(Role::Admin);
        Ok(Self {
            is_administrator: is_administrator || !app.auth().is_required(),
        })
    }
}

/// Lets in who shows the `ADMIN_TOKEN`. A wrong one costs the address what any other wrong credential costs.
///
/// # Errors
///
/// The answer, `unauthenticated`, `forbidden` or `rate_limited`.
pub(crate) fn admit_operator(parts: &Parts, app: &AppState) -> Result<(), Reply> {
    let client = parts.extensions.get().copied();
    Admission::new(app).check_origin(&parts.headers, client)?;
    let attempt = Attempt::begin(app, client)?;
    if shows_admin_token(&parts.headers, app) {
        return Ok(());
    }
    attempt.keep();
    let (code, message) = match app.config().admin_token {
        Some(_) => (
            ErrorCode::Unauthenticated,
            "send the admin token as Authorization: Bearer <token>",
        ),
        None => (
            ErrorCode::Forbidden,
            "this server has no ADMIN_TOKEN, so nobody may do this",
        ),
    };
    let path = ShownPath(parts.uri.path());
    tracing::info!(code = code.as_str(), %path, "refused an operator");
    Err(Reply::refused(code, message))
}

fn shows_admin_token(headers: &HeaderMap, app: &AppState) -> bool {
    let Some(token) = app.config().admin_token.as_ref() else {
        return false;
    };
    let bearer = headers.get(header::AUTHORIZATION);
    let bearer = bearer.and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
    let shows_it = |shown: Credential| token.is(shown.as_str());
    bearer.map_or_else(
        || in_api_key_header(headers).is_some_and(shows_it),
        |shown| token.is(shown),
    )
}

/// What a request shows, in its head or its query.
fn shown_in(parts: &Parts, app: &AppState) -> Option<Credential> {
    let heads = Heads::new(app.auth(), app.config().auth.auth_cookie.as_deref());
    let query = parts.uri.query();
    let found = heads.find(&parts.headers, query);
    found.or_else(|| Credential::in_query(query))
}

/// Takes a request out of what may be done, if that is limited, and lets it wait a little: who sends one after the other is
/// slowed down to the rate, and who sends many at once is refused.
async fn spend(app: &AppState, budget: Option<&Budget>, class: EventClass) -> Result<(), Reply> {
    let Some(budget) = budget else { return Ok(()) };
    let wait = app.limits().spend_shared(class, budget, PATIENCE);
    let wait = wait.map_err(rate_limited)?;
    if !wait.is_zero() {
        tokio::time::sleep(wait).await;
    }
    Ok(())
}

/// Takes a request that shows no credential out of what its address may do.
///
/// # Errors
///
/// The answer, `rate_limited`.
pub(crate) async fn spend_at(
    app: &AppState,
    client: Option<ClientAddress>,
    class: EventClass,
) -> Result<(), Reply> {
    spend(app, budget(app, None, client).as_deref(), class).await
}

/// See [`HttpCaller::budget`].
fn budget(
    app: &AppState,
    identity: Option<&Identity>,
    client: Option<ClientAddress>,
) -> Option<Arc<Budget>> {
    let limits = app.limits();
    match (identity, client) {
        (Some(identity), _) => limits.budget_of(identity.actor.as_str()),
        (None, Some(client)) => limits.budget_at(client),
        (None, None) => None,
    }
}

/// A credential that is looked at, taken out of what may be tried from an address. It is given back when this is dropped, also
/// with a request that is cancelled, unless it is kept.
pub(crate) struct Attempt<'a> {
    app: &'a AppState,
    budget: Option<Arc<Budget>>,
}

impl<'a> Attempt<'a> {
    /// Takes it out.
    ///
    /// # Errors
    ///
    /// The answer, `rate_limited`.
    pub(crate) fn begin(app: &'a AppState, client: Option<ClientAddress>) -> Result<Self, Reply> {
        let budget = client.and_then(|client| app.limits().attempts_at(client));
        if let Some(budget) = &budget {
            let tried = app
                .limits()
                .spend_shared(EventClass::Read, budget, Duration::ZERO);
            tried.map_err(rate_limited)?;
        }
        Ok(Self { app, budget })
    }

    /// Charges the address: the credential counts for nothing.
    pub(crate) fn keep(mut self) {
        self.budget = None;
    }
}

impl Drop for Attempt<'_> {
    fn drop(&mut self) {
        if let Some(budget) = self.budget.take() {
            self.app
                .limits()
                .give_back_shared(EventClass::Read, &budget);
        }
    }
}

/// As [`identify`], out of what may be tried from the address if it was in vain: looking at credentials costs most of all, and here
/// each request shows one.
pub(crate) async fn identify_at(
    app: &AppState,
    client: Option<ClientAddress>,
    shown: Option<&Credential>,
    connection: ConnectionId,
) -> Result<Option<Identity>, Reply> {
    let attempt = Attempt::begin(app, client)?;
    let identity = identify(app, shown, connection).await;
    let in_vain = identity.as_ref().err().and_then(Reply::code) == Some(ErrorCode::Unauthenticated);
    if in_vain {
        attempt.keep();
    }
    identity
}

/// The caller of a request: the identity that its client has shown, or else the user that it claims to be.
pub(crate) fn caller_of(
    connection: ConnectionId,
    pid: &PrivateId,
    identity: Option<&Identity>,
    said: Option<&str>,
) -> (Caller, ClientId) {
    let (client, name) = match identity {
        Some(Identity { actor, .. }) => (pid.client_of(actor), Some(actor.as_str())),
        None => (pid.client(), said),
    };
    (Caller::new(connection, client, name), client)
}

/// Who a client says it is. Where users can show who they are nobody is believed to be one of them.
///
/// # Errors
///
/// The answer that says what is wrong with it.
pub(crate) fn said_user(
    app: &AppState,
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
    app: &AppState,
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
fn patience(app: &AppState) -> Duration {
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
