//! Everybody who is let in.

use std::fmt;

use serde_json::json;
use tokio::process::Command;

use super::table::Rank;
use super::wire::Transport;
use super::{Scene, database, token};
use crate::support::tokens;

/// Somebody with a token or an API key.
pub(super) struct Caller {
    name: String,
    pub(super) credential: String,
    /// Their role in their project.
    pub(super) role: Option<Rank>,
    /// The user to be added as a member, if the role comes from that.
    pub(super) membership: Option<(String, Rank)>,
}

impl Caller {
    fn new(name: &str, credential: String, role: Option<Rank>) -> Self {
        Self {
            name: name.to_owned(),
            credential,
            role,
            membership: None,
        }
    }

    /// The project in which they do everything.
    pub(super) fn project(&self, transport: Transport) -> String {
        project_of(&self.name, transport)
    }
}

fn project_of(name: &str, transport: Transport) -> String {
    format!("of-{name}-{transport:?}")
}

impl fmt::Display for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

/// Everybody, each role by each way to come by it, and those without any.
pub(super) async fn all(scene: &Scene) -> Vec<Caller> {
    let mut all = nobodies(scene).await;
    for role in Rank::ALL {
        let (name, word) = (|how: &str| format!("{how}-{}", role.name()), role.name());
        let member = name("member");
        all.push(Caller {
            membership: Some((member.clone(), role)),
            ..Caller::new(&member, token(&member, json!({})), Some(role))
        });
        let claimed = name("claim");
        let mut roles = json!({"of-nobody": "owner"});
        for transport in Transport::EVERY {
            roles[project_of(&claimed, transport)] = json!(word);
        }
        all.push(Caller::new(&claimed, token(&claimed, roles), Some(role)));
        let everywhere = name("everywhere");
        let roles = json!({"*": word});
        all.push(Caller::new(
            &everywhere,
            token(&everywhere, roles),
            Some(role),
        ));
        let keyed = name("key");
        let scopes = Transport::EVERY.map(|on| format!("{}:{word}", project_of(&keyed, on)));
        let key = api_key(scene, &keyed, &scopes).await;
        all.push(Caller::new(&keyed, key, Some(role)));
    }
    all
}

/// Those who have no role in the projects of others.
pub(super) async fn nobodies(scene: &Scene) -> Vec<Caller> {
    let claim = json!({"of-nobody": "owner"});
    let scope = ["of-nobody:owner".to_owned()];
    vec![
        Caller::new("stranger", token("stranger", json!({})), None),
        Caller::new("claim-elsewhere", token("elsewhere", claim), None),
        Caller::new(
            "key-elsewhere",
            api_key(scene, "key-elsewhere", &scope).await,
            None,
        ),
    ]
}

/// Makes an API key as an operator does.
pub(super) async fn api_key(scene: &Scene, name: &str, scopes: &[String]) -> String {
    let mut arguments = vec!["create", "--name", name];
    for scope in scopes {
        arguments.extend(["--scope", scope]);
    }
    let printed = boardcast_apikey(scene, &arguments).await;
    let key = printed
        .split_whitespace()
        .find(|word| word.starts_with("bck_"));
    key.expect("the key is printed").to_owned()
}

pub(super) async fn revoke(scene: &Scene, name: &str) {
    boardcast_apikey(scene, &["revoke", "--name", name]).await;
}

async fn boardcast_apikey(scene: &Scene, arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_boardcast"))
        .env_clear()
        .env("DATABASE_URL", database(scene.folder.path()))
        .envs(tokens::REQUIRED)
        .arg("apikey")
        .args(arguments)
        .output()
        .await
        .expect("the program is built with the tests");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {errors}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}
