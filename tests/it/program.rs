//! The program as its operator meets it: settings, subcommands, shutdown.

use std::process::{Command, Output};
use std::time::Duration;

use serde_json::json;

use crate::support::client::Client;
use crate::support::server::Server;
use crate::support::websocket::Ws;
use crate::support::{eventually, http};

pub(crate) fn run(args: &[&str], settings: &[(&str, &str)]) -> Output {
    let folder = tempfile::tempdir().unwrap();
    Command::new(env!("CARGO_BIN_EXE_boardcast"))
        .args(args)
        .env_clear()
        .envs(settings.iter().copied())
        .current_dir(folder.path())
        .output()
        .unwrap()
}

#[test]
fn wrong_settings_end_with_a_sentence_and_no_secrets() {
    for (name, value, said) in [
        ("PORT", "70000", "PORT"),
        ("HOST", "nowhere", "HOST"),
        ("PING_INTERVAL", "5", "unit"),
        ("EVENT_STYLE", "loud", "style"),
        ("EVENT_CURSOR", "sometimes", "auto"),
        ("SOCKETIO_CLIENT_DIR", "nowhere", "socket.io-client"),
        ("LOG_LEVEL", "a=b=c", "LOG_LEVEL"),
        ("LOG_FORMAT", "xml", "log-format"),
        ("MAX_MESSAGE", "1024", "MAX_PAYLOAD"),
        ("CORS_ORIGINS", "example.com", "origin"),
        ("CORS_ORIGINS", "https://app.example/path", "origin"),
        ("CORS_ORIGINS", "wss://app.example", "http"),
        ("FRONTEND_URL", "app.example", "scheme"),
        (
            "AUTH_SECRET",
            "geheim, but not long enough",
            "32 characters",
        ),
        ("AUTH_PUBLIC_KEY", "geheim", "AUTH_PUBLIC_KEY"),
        ("AUTH_JWKS", "http://example.com/keys", "https://"),
        ("COMMAND_RATE", "200", "none"),
        ("TRUSTED_PROXIES", "proxy", "10.0.0.0/8"),
        ("MAX_ROOMS", "257", "256"),
        ("INGRESS_CHANNELS", "ui:activity", "REDIS_URL"),
        ("INGRESS_CHANNELS", "ui*:", "*"),
        ("INGRESS_CHANNELS", "*", "agent:*"),
        ("INGRESS_ENVELOPE_CHANNELS", "events", "REDIS_URL"),
        ("EVENT_CHANNELS", "a b", "spaces"),
        ("WS_PATH", "/api/ws", "/api"),
        ("INGRESS_CHANNELS", "project:p", "commands"),
        ("DATABASE_URL", "mysql://u:geheim@h/d", "postgres://"),
        (
            "DATABASE_URL",
            "postgres://u:geheim@127.0.0.1:1/d",
            "cannot be opened",
        ),
    ] {
        let output = run(&[], &[(name, value)]);
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success(), "{name}={value}");
        assert!(
            error.to_lowercase().contains(&said.to_lowercase()),
            "{name}={value}: {error}"
        );
        let all = error + &String::from_utf8_lossy(&output.stdout);
        assert!(!all.contains("geheim"), "a password is printed: {all}");
    }
}

#[test]
fn settings_that_do_not_go_together_end_with_a_sentence() {
    let output = run(&["--database-timeout=1m"], &[("EVENT_RETENTION", "2m")]);
    assert!(String::from_utf8_lossy(&output.stderr).contains("three times"));
    for (channels, said) in [
        ("boardcast:x", "the server's own"),
        ("board*", "the server's own"),
        ("a,b,a", "twice"),
        ("ai:jobs:status,ai:*", "twice"),
    ] {
        let output = run(
            &[
                "--redis-url=redis://127.0.0.1:1",
                "--database-url=postgres://u@127.0.0.1:1/d",
            ],
            &[("INGRESS_CHANNELS", channels)],
        );
        assert!(
            String::from_utf8_lossy(&output.stderr).contains(said),
            "{channels}"
        );
    }
    let output = run(&["--no-such-flag"], &[]);
    assert!(!output.status.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn empty_variable_counts_as_not_set() {
    let empty = SETTINGS.map(|name| (name, ""));
    let empty = empty.into_iter().filter(|(name, _)| {
        // Those that the test itself needs.
        !["HOST", "PORT", "DATABASE_URL", "LOG_FORMAT"].contains(name)
    });
    let settings: Vec<_> = empty.chain([("STRICT", ""), ("REDIS_URL", "")]).collect();
    let server = Server::start_with("sqlite::memory:", &settings).await;
    assert_eq!(server.health().await["status"], "healthy");
    let client = Client::connect(&server.address).await;
    client.join("p").await;
    client
        .call(
            "task:update",
            json!({"projectId": "p", "taskId": "t", "title": "lenient"}),
        )
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn variables_of_other_servers_count_or_are_warned_of() {
    let settings = [("WS_PORT", "1"), ("FRONTEND_URL", "https://app.example")];
    let server = Server::start_with("sqlite::memory:", &settings).await;
    server.tells("WS_PORT has no effect").await;
    let page = |origin| {
        format!(
            "GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: it\r\nConnection: close\r\nOrigin: {origin}\r\n\r\n"
        )
    };
    for (origin, status) in [
        ("https://app.example", "200"),
        ("https://evil.example", "403"),
    ] {
        let answer = http::exchange(&server.address, &page(origin)).await;
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status} ")),
            "{answer}"
        );
    }
    let port = server.address.rsplit_once(':').unwrap().1;
    let output = run(&["healthcheck"], &[("PORT", ""), ("WS_PORT", port)]);
    assert!(output.status.success(), "{output:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn names_of_other_pages_are_understood() {
    let settings = [
        ("WS_PATH", "/realtime"),
        ("MAX_CONNECTIONS", "1000"),
        ("ENABLE_METRICS", "true"),
    ];
    let server = Server::start_with("sqlite::memory:", &settings).await;
    for path in ["/realtime", "/realtime/", "/ws"] {
        let (_socket, greeting) = Ws::greeted(&server.address, path).await;
        assert_eq!(greeting["type"], "connection", "{path}");
    }
    let running = http::get(&server.address, "/api/socketio").await;
    assert_eq!(running, (200, "WebSocket server running".to_owned()));
    server.tells("ENABLE_METRICS has no effect").await;
}

/// Every setting.
const SETTINGS: [&str; 65] = [
    "HOST",
    "PORT",
    "DATABASE_URL",
    "REDIS_URL",
    "REDIS_PREFIX",
    "INGRESS_CHANNELS",
    "INGRESS_ENVELOPE_CHANNELS",
    "EVENT_CHANNELS",
    "ENABLE_METRICS",
    "WS_PATH",
    "DATABASE_CONNECTIONS",
    "DATABASE_TIMEOUT",
    "CORS_ORIGINS",
    "PING_INTERVAL",
    "PING_TIMEOUT",
    "CONNECT_TIMEOUT",
    "MAX_PAYLOAD",
    "MAX_MESSAGE",
    "COMMAND_QUEUE",
    "MAX_BATCH",
    "SLOW_READER_TIMEOUT",
    "DRAIN_TIME",
    "CONNECT_RATE",
    "CONNECT_RATE_PER_IP",
    "TRUSTED_PROXIES",
    "MAX_CONNECTIONS",
    "MAX_CONNECTIONS_PER_IP",
    "MAX_CONNECTIONS_PER_USER",
    "COMMAND_RATE",
    "READ_RATE",
    "SIGNAL_RATE",
    "USER_COMMAND_RATE",
    "USER_READ_RATE",
    "USER_SIGNAL_RATE",
    "MAX_ROOMS",
    "MAX_DEPTH",
    "TYPE_RATES",
    "GITHUB_WEBHOOK_SECRET",
    "GITHUB_CHANNEL",
    "GITHUB_REPOSITORIES",
    "SHUTDOWN_TIMEOUT",
    "STRICT",
    "EVENT_STYLE",
    "EVENT_CURSOR",
    "SOCKETIO_CLIENT_DIR",
    "AUTH_REQUIRED",
    "AUTH_SECRET",
    "AUTH_PUBLIC_KEY",
    "AUTH_JWKS",
    "AUTH_JWKS_REFRESH",
    "AUTH_ISSUER",
    "AUTH_AUDIENCE",
    "AUTH_LEEWAY",
    "AUTH_USER_CLAIM",
    "AUTH_PROJECTS_CLAIM",
    "AUTH_COOKIE",
    "AUTH_EXPIRY_WARNING",
    "AUTH_GRACE",
    "CLIENT_PROJECT_IDS",
    "LOG_LEVEL",
    "LOG_FORMAT",
    "WEBSOCKET_PING_INTERVAL",
    "GREETING_DELAY",
    "WORKER_CHANNEL",
    "WEBSOCKET_MAX_MESSAGE",
];

#[test]
fn help_documents_every_setting_as_flag_and_variable() {
    let output = run(&["--help"], &[]);
    let help = String::from_utf8(output.stdout).unwrap();
    for setting in SETTINGS {
        let variable = [format!("[env: {setting}="), format!("[env: {setting}]")];
        assert!(
            variable.iter().any(|variable| help.contains(variable)),
            "{setting} is not in --help"
        );
        let flag = format!("--{}", setting.to_lowercase().replace('_', "-"));
        assert!(help.contains(&flag), "{flag} is not in --help");
    }
}

#[test]
fn env_example_names_every_setting() {
    let example =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/.env.example")).unwrap();
    let help = String::from_utf8(run(&["--help"], &[]).stdout).unwrap();
    for setting in help
        .split("[env: ")
        .skip(1)
        .filter_map(|rest| rest.split(['=', ']']).next())
    {
        assert!(
            example.contains(&format!("{setting}=")),
            "{setting} is not in .env.example"
        );
    }
}

#[test]
fn migrate_brings_a_database_up_to_date_and_ends() {
    let output = run(&["migrate"], &[]);
    assert!(output.status.success(), "{output:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn healthcheck_tells_a_running_server_from_none() {
    let mut server = Server::start("sqlite::memory:").await;
    let port = server.address.rsplit_once(':').unwrap().1.to_owned();
    assert!(run(&["healthcheck"], &[("PORT", &port)]).status.success());
    server.kill().await;
    assert!(!run(&["healthcheck"], &[("PORT", &port)]).status.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn shutdown_answers_what_was_taken_and_closes_in_time() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = Server::on_file(folder.path()).await;
    let client = Client::connect(&server.address).await;
    client.join("p").await;
    let answers: Vec<_> = (0..500)
        .map(|number| {
            client.ask(
                "task:update",
                &[json!({"projectId": "p", "taskId": "t", "number": number})],
            )
        })
        .collect();
    let mut answers = answers.into_iter();
    assert_eq!(answers.next().unwrap().await.unwrap()["ok"], true);
    server.signal("TERM");
    let mut done = 1;
    for answer in answers {
        let answer = answer
            .await
            .expect("every packet that asks for an ack gets one");
        if answer["ok"] == true {
            done += 1;
        } else {
            assert_eq!(answer["code"], "unavailable", "{answer}");
        }
    }
    for seq in 1..=done {
        assert_eq!(client.next().await.seq(), seq);
    }
    assert_eq!(server.ended().await, Some(0));
    eventually("the client is told", async || client.is_closed()).await;
    server.restart().await;
    let snapshot = Client::connect(&server.address)
        .await
        .call("project:snapshot", json!("p"))
        .await;
    assert_eq!(snapshot["seq"], done);
}

#[tokio::test(flavor = "multi_thread")]
async fn idle_servers_shut_down_at_once() {
    let mut server = Server::start("sqlite::memory:").await;
    let client = Client::connect(&server.address).await;
    client.join("p").await;
    let begun = tokio::time::Instant::now();
    server.signal("INT");
    assert_eq!(server.ended().await, Some(0));
    assert!(
        begun.elapsed() < Duration::from_secs(3),
        "{:?}",
        begun.elapsed()
    );
}
