//! Several instances of the real program on one Postgres and one Redis of their own.

use std::sync::Arc;

use futures_util::future::join_all;
use serde_json::Value;

use super::postgres::Postgres;
use super::redis::Redis;
use super::server::Server;
use super::{eventually, http};

/// What opens `/admin` in every cluster.
const ADMIN_TOKEN: &str = "the-token-of-the-tests";

/// See the module. Dropped, everything ends.
pub(crate) struct Cluster {
    pub(crate) instances: Vec<Server>,
    pub(crate) postgres: Postgres,
    pub(crate) redis: Redis,
    /// The database that all instances share.
    pub(crate) database_url: String,
}

impl Cluster {
    /// Starts so many instances. Returns when all of them serve and hear one another.
    pub(crate) async fn start(instances: usize) -> Self {
        Self::start_with(instances, &[]).await
    }

    /// As [`Cluster::start`], with more settings.
    pub(crate) async fn start_with(instances: usize, more: &[(&str, &str)]) -> Self {
        let (postgres, redis) = tokio::task::block_in_place(|| (Postgres::start(), Redis::start()));
        let database_url = postgres.create_database().await;
        let redis_url = redis.url();
        let mut settings = vec![
            ("REDIS_URL", redis_url.as_str()),
            ("ADMIN_TOKEN", ADMIN_TOKEN),
            // Short, because tests wait for them to pass.
            ("DATABASE_TIMEOUT", "3s"),
            ("PRESENCE_GRACE", "1s"),
        ];
        settings.extend_from_slice(more);
        let start = || Server::start_with(&database_url, &settings);
        let mut servers = vec![start().await];
        servers.extend(join_all((1..instances).map(|_| start())).await);
        let cluster = Self {
            instances: servers,
            postgres,
            redis,
            database_url,
        };
        cluster.broker_becomes("available").await;
        cluster
    }

    /// Where the instances listen; a restart changes nothing.
    pub(crate) fn addresses(&self) -> Arc<[String]> {
        let addresses = self.instances.iter().map(|server| server.address.clone());
        addresses.collect()
    }

    /// The address of one instance.
    pub(crate) fn address(&self, instance: usize) -> &str {
        &self.instances[instance].address
    }

    /// Waits until every instance says this of its broker.
    pub(crate) async fn broker_becomes(&self, status: &str) {
        for server in &self.instances {
            server
                .health_becomes(&format!("the broker is {status}"), |health| {
                    health["broker"]["kind"] == "redis" && health["broker"]["status"] == status
                })
                .await;
        }
    }

    /// Waits until an instance counts so many instances.
    pub(crate) async fn sees(&self, instance: usize, instances: usize) {
        eventually("all instances are counted", async || {
            self.instances[instance].health().await["cluster"]["instances"] == instances
        })
        .await;
    }

    /// Asks for something below `/admin` of one instance; status and answer.
    pub(crate) async fn admin(&self, instance: usize, path: &str, body: Option<Value>) -> Answer {
        admin(self.address(instance), path, ADMIN_TOKEN, body).await
    }
}

/// A status and what was said.
pub(crate) type Answer = (u16, Value);

/// Asks for something below `/admin`: gets it, or posts a body.
pub(crate) async fn admin(address: &str, path: &str, token: &str, body: Option<Value>) -> Answer {
    let method = if body.is_some() { "POST" } else { "GET" };
    let body = body.map_or_else(String::new, |body| body.to_string());
    let request = format!(
        "{method} /admin{path} HTTP/1.1\r\nHost: it\r\nConnection: close\r\n\
         Authorization: Bearer {token}\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let (status, answer) = http::request(address, &request).await;
    (status, serde_json::from_str(&answer).unwrap_or_default())
}
