//! What operators ask of an instance for all of them.

use serde_json::{Value, json};

use super::scene::soon;
use crate::support::cluster::admin;

/// What opens `/admin` in these tests.
pub(super) const ADMIN_TOKEN: &str = "the-token-of-the-tests";

/// Whom an operation is for.
#[derive(Debug, Clone, Copy)]
pub(super) enum Target<'a> {
    Everyone,
    User(&'a str),
    Project(&'a str),
}

/// Somebody who knows the token, at one instance.
pub(super) struct Operator<'a> {
    pub(super) address: &'a str,
}

impl Target<'_> {
    /// As a notification names it.
    fn audience(self) -> Value {
        match self {
            Self::Everyone => json!({"everyone": true}),
            Self::User(id) => json!({"userId": id}),
            Self::Project(id) => json!({"projectId": id}),
        }
    }

    /// As the other operations name it.
    fn room(self) -> String {
        match self {
            Self::Everyone => panic!("there is no room of everyone"),
            Self::User(id) => format!("user:{id}"),
            Self::Project(id) => format!("project:{id}"),
        }
    }
}

impl Operator<'_> {
    pub(super) async fn notify(&self, target: Target<'_>, title: &str) {
        let mut body = target.audience();
        body["title"] = json!(title);
        self.post("/notifications", body).await;
    }

    pub(super) async fn disconnect(&self, target: Target<'_>) {
        let body = json!({"room": target.room()});
        self.post("/disconnect", body).await;
    }

    /// Waits until so many instances answer when they are asked.
    pub(super) async fn sees(&self, instances: usize) {
        soon("all instances answer", async || {
            let path = "/sockets?room=user:nobody";
            let (_, counted) = admin(self.address, path, ADMIN_TOKEN, None).await;
            let answered = counted["instances"].as_object();
            answered.is_some_and(|answered| answered.len() == instances)
        })
        .await;
    }

    async fn post(&self, path: &str, body: Value) {
        let (status, answer) = admin(self.address, path, ADMIN_TOKEN, Some(body)).await;
        assert_eq!(status, 202, "{path}: {answer}");
    }
}
