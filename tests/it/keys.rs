//! API keys and tokens from the command line.

use std::path::Path;
use std::process::{Command, Output};

use jsonwebtoken::{DecodingKey, Validation};
use serde_json::{Value, json};

use crate::support::client::Client;
use crate::support::eventually;
use crate::support::server::Server;
use crate::support::tokens;

fn run(folder: &Path, args: &[&str], settings: &[(&str, &str)]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_boardcast"))
        .args(args)
        .env_clear()
        .env("DATABASE_URL", "sqlite://it.db")
        .envs(settings.iter().copied())
        .current_dir(folder)
        .output()
        .unwrap()
}

fn printed(output: &Output) -> String {
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn complaint(output: &Output) -> String {
    assert!(!output.status.success(), "{output:?}");
    assert!(output.stdout.is_empty(), "{output:?}");
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn api_keys_are_managed_while_the_server_runs() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::on_file(folder.path()).await;
    let client = Client::connect(&server.address).await;
    client.join("p").await;
    let apikey = |args: &[&str]| {
        let args: Vec<_> = ["apikey"].iter().chain(args).copied().collect();
        run(folder.path(), &args, &[])
    };
    let create = [
        "create",
        "--name",
        "ci",
        "--scope",
        "team:1:member",
        "--scope",
        "*:viewer",
        "--expires-in",
        "90d",
    ];
    let output = apikey(&create);
    assert!(String::from_utf8_lossy(&output.stderr).contains("only time"));
    let key = printed(&output);
    let secret = key
        .strip_prefix("bck_ci_")
        .and_then(|rest| rest.strip_suffix('\n'));
    let secret = secret.expect("the key is alone on its line");
    assert_eq!(secret.len(), 64, "{key}");
    assert!(complaint(&apikey(&create)).contains("names are given once"));

    let list = printed(&apikey(&["list"]));
    let lines: Vec<_> = list.lines().collect();
    assert_eq!(lines.len(), 2, "{list}");
    assert!(
        lines[0].starts_with("NAME") && lines[0].ends_with("REVOKED"),
        "{list}"
    );
    assert!(
        lines[1].contains("*:viewer,team:1:member") && lines[1].ends_with("never      -"),
        "{list}"
    );
    assert!(!list.contains(secret), "{list}");
    for file in std::fs::read_dir(folder.path()).unwrap() {
        let bytes = std::fs::read(file.unwrap().path()).unwrap();
        let is_there = bytes
            .windows(secret.len())
            .any(|part| part == secret.as_bytes());
        assert!(!is_there, "the secret is kept");
    }

    printed(&apikey(&["revoke", "--name", "ci"]));
    let list = printed(&apikey(&["list"]));
    assert!(list.ends_with("Z\n"), "it says since when: {list}");
    assert!(complaint(&apikey(&["revoke", "--name", "other"])).contains("no API key"));
    let create = json!({"projectId": "p", "title": "still here"});
    assert_eq!(client.call("task:create", create).await["ok"], true);
}

#[test]
fn wrong_api_keys_are_not_made() {
    let folder = tempfile::tempdir().unwrap();
    for (name, scope, said) in [
        ("CI", "p:member", "lower-case"),
        ("c_i", "p:member", "lower-case"),
        ("", "p:member", "name"),
        ("ci", "p", "<project>:<role>"),
        ("ci", "p:boss", "<project>:<role>"),
    ] {
        let args = ["apikey", "create", "--name", name, "--scope", scope];
        let error = complaint(&run(folder.path(), &args, &[]));
        assert!(error.contains(said), "{error}");
    }
    let twice = [
        "apikey", "create", "--name", "ci", "--scope", "p:viewer", "--scope", "p:admin",
    ];
    assert!(complaint(&run(folder.path(), &twice, &[])).contains("twice"));
    let memory = [("DATABASE_URL", "sqlite::memory:")];
    let error = complaint(&run(folder.path(), &["apikey", "list"], &memory));
    assert!(error.contains("DATABASE_URL"), "{error}");
}

#[test]
fn a_token_for_development_says_what_the_settings_ask_for() {
    let folder = tempfile::tempdir().unwrap();
    let settings = [
        ("AUTH_SECRET", tokens::SECRET),
        ("AUTH_ISSUER", "https://id"),
        ("AUTH_AUDIENCE", "board"),
        ("AUTH_USER_CLAIM", "uid"),
        ("AUTH_PROJECTS_CLAIM", "roles"),
    ];
    let args = [
        "token",
        "--user",
        "ann",
        "--project",
        "demo:admin",
        "--project",
        "*:viewer",
        "--expires-in",
        "2h",
    ];
    let token = printed(&run(folder.path(), &args, &settings));
    let key = DecodingKey::from_secret(tokens::SECRET.as_bytes()).unwrap();
    let mut validation = Validation::default();
    validation.set_audience(&["board"]);
    validation.set_issuer(&["https://id"]);
    let claims = jsonwebtoken::decode::<Value>(token.trim_end(), &key, &validation)
        .unwrap()
        .claims;
    assert_eq!(claims["uid"], "ann");
    assert_eq!(claims["roles"], json!({"demo": "admin", "*": "viewer"}));
    let lifetime = claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap();
    assert_eq!(lifetime, 7200);

    for (args, settings, said) in [
        (&args[..3], &settings[1..], "AUTH_SECRET is not set"),
        (&args[..5], &settings[..4], "AUTH_PROJECTS_CLAIM"),
        (
            &["token", "--user", "apikey:ci"],
            &settings[..1],
            "user's id",
        ),
    ] {
        let error = complaint(&run(folder.path(), args, settings));
        assert!(error.contains(said), "{error}");
    }
    let files = std::fs::read_dir(folder.path()).unwrap().count();
    assert_eq!(files, 0, "a token needs no database");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_api_key_opens_the_door_until_it_is_revoked() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}", folder.path().join("it.db").display());
    let server = Server::start_with(&url, &tokens::REQUIRED).await;
    let create = ["apikey", "create", "--name", "ci", "--scope", "*:member"];
    let key = printed(&run(folder.path(), &create, &[]));
    let shown = json!({"apiKey": key.trim_end()});
    let client = Client::connect_with(&server.address, &shown).await.unwrap();
    eventually("its use is noted", async || {
        let list = printed(&run(folder.path(), &["apikey", "list"], &[]));
        list.matches("never").count() == 1
    })
    .await;
    printed(&run(
        folder.path(),
        &["apikey", "revoke", "--name", "ci"],
        &[],
    ));
    eventually("the connection ends", async || client.is_closed()).await;
    let refused = Client::connect_with(&server.address, &shown).await;
    assert_eq!(refused.err().unwrap()["message"], "unauthenticated");

    let args = ["token", "--user", "ann", "--project", "demo:admin"];
    let made = printed(&run(folder.path(), &args, &tokens::REQUIRED));
    for token in [
        made.trim_end(),
        &tokens::of("ann"),
        &tokens::with_roles("ann", json!({"demo": "admin"})),
    ] {
        let shown = json!({"token": token});
        assert!(Client::connect_with(&server.address, &shown).await.is_ok());
    }
}
