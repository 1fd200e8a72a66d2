//! What operators ask the server.

mod health;
mod operations;
mod probes;

use std::time::Duration;

use axum::Router;
use axum::http::Method;
use axum::routing::MethodRouter;

use crate::state::AppState;
use crate::store::StoreError;
use crate::transport::connection::operators::Operators;
use crate::transport::http::endpoint::Admitted;
use crate::transport::rest::Endpoint;

/// How long the database may take to answer.
const PATIENCE: Duration = Duration::from_secs(1);

/// Whether the database answers; what is wrong if it does not.
async fn ask_store(app: &AppState) -> Result<(), &'static str> {
    match tokio::time::timeout(PATIENCE, app.store().ping()).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(_)) => Err("the database cannot be reached; commands are refused as unavailable"),
        Err(_) => Err("the database does not answer; commands are refused as unavailable"),
    }
}

/// Whether the database takes writes; why not if it does not. Whoever asks lets one be tried if it is time for that: one
/// for all who ask, every few seconds at most.
async fn ask_writes(app: &AppState) -> Result<(), &'static str> {
    let writes = app.store().writes();
    if writes.begin_try() {
        let (store, patience) = (app.store().clone(), app.config().database_timeout);
        app.lifecycle().spawn_service(async move {
            let tried = tokio::time::timeout(patience, store.try_write()).await;
            let tried = tried.unwrap_or_else(|late| Err(StoreError::Unavailable(late.into())));
            store.writes().tried(tried.as_ref().copied());
        });
    }
    writes.settled(PATIENCE).await;
    writes.verdict()
}

/// All endpoints, as the OpenAPI document has them.
pub(crate) fn endpoints(operators: &Operators) -> Vec<Endpoint> {
    let mut endpoints = vec![health::endpoint()];
    endpoints.extend(probes::endpoints());
    endpoints.extend(operations::endpoints(operators));
    endpoints
}

/// Their routes.
pub(crate) fn router(endpoints: Vec<Endpoint>) -> Router<AppState> {
    let routes = endpoints
        .into_iter()
        .fold(Router::new(), |routes, endpoint| {
            routes.route(endpoint.path, endpoint.routes.into_router())
        });
    routes.merge(operations::elsewhere())
}

/// One that anybody may ask.
fn plain(path: &'static str, name: &str, summary: &str, route: MethodRouter<AppState>) -> Endpoint {
    Endpoint {
        method: Method::GET,
        path,
        name: name.to_owned(),
        group: "operations",
        summary: summary.to_owned(),
        about: "",
        parameters: Vec::new(),
        body: None,
        answers: Vec::new(),
        refusals: &[],
        routes: Admitted::elsewhere(route),
    }
}
