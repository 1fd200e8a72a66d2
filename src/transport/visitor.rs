//! Who comes, at whatever door.

use std::time::Duration;

use tokio::time::timeout;

use super::credential::Credential;
use crate::app::App;
use crate::auth::AuthError;
use crate::contract::{ErrorCode, Reply};
use crate::domain::{ConnectionId, Identity};
use crate::telemetry::causes;

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
