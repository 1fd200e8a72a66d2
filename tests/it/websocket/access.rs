//! Who may connect, and hear and say what.

use std::time::Duration;

use serde_json::{Value, json};

use super::{join, publish, start};
use crate::support::client::Client;
use crate::support::tokens::{self, REQUIRED, of, with, with_roles};
use crate::support::websocket::Ws;

fn required(settings: &[(&'static str, &'static str)]) -> Vec<(&'static str, &'static str)> {
    [&REQUIRED[..], settings].concat()
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_served_before_it_is_known_who_asks() {
    let server = start(&REQUIRED).await;
    let (mut ws, greeting) = Ws::greeted(&server.address, "/ws?sessionId=s").await;
    assert!(greeting.get("channels").is_none(), "{greeting}");
    ws.send(json!({"type": "ping"})).await;
    assert_eq!(ws.next().await["type"], "pong");
    let refused = ws
        .call("task:create", json!({"projectId": "p", "title": "x"}))
        .await;
    assert_eq!(refused["code"], "unauthenticated");
    ws.send(json!({"type": "subscribe", "sessionId": "s"}))
        .await;
    assert_eq!(ws.next().await["code"], "unauthenticated");
    ws.send(json!({"type": "codeContext"})).await;
    assert_eq!(ws.next().await["code"], "unauthenticated");
    ws.send(json!({"type": "handshake", "data": {"apiKey": of("ann"), "clientVersion": "1"}}))
        .await;
    let welcome = ws.next().await;
    assert_eq!(
        (&welcome["type"], &welcome["userId"]),
        (&json!("welcome"), &json!("ann"))
    );
    // What its address asked for is heard now.
    let mut other = Ws::connect(
        &server.address,
        &format!("/ws?sessionId=s&token={}", of("bob")),
    )
    .await;
    publish(&mut other, "ai_start", json!({"task": 1})).await;
    assert_eq!(ws.next().await["type"], "ai_start");
}

#[tokio::test(flavor = "multi_thread")]
async fn handshake_with_a_bad_credential_ends_the_connection() {
    let server = start(&REQUIRED).await;
    for (path, kind, data, told, error) in [
        (
            "/ws",
            "handshake",
            json!({"apiKey": "x"}),
            "error",
            "Invalid API key",
        ),
        ("/ws", "handshake", json!({}), "error", "Invalid API key"),
        (
            "/ws",
            "handshake",
            json!({"token": with("ann", json!({"exp": 1}))}),
            "error",
            "Invalid token",
        ),
        (
            "/ws/v1",
            "auth_request",
            json!({"apiKey": "x"}),
            "auth_failure",
            "a valid token or API key is needed",
        ),
    ] {
        let mut ws = Ws::open(&server.address, path, &[]).await.unwrap();
        ws.send(json!({"type": kind, "data": data})).await;
        let refused = ws.until(told).await;
        let said = refused.get("data").unwrap_or(&refused);
        assert_eq!(
            (&said["error"], &said["code"]),
            (&json!(error), &json!("unauthenticated")),
            "{refused}"
        );
        assert_eq!(ws.closed().await, (4401, "unauthenticated".to_owned()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_credential_in_the_address_or_a_header_is_closed_with_1008_at_once() {
    let server = start(&REQUIRED).await;
    let expired = format!("/ws?token={}", with("ann", json!({"exp": 1})));
    for (path, headers) in [
        (&*expired, vec![]),
        ("/?token=x", vec![]),
        ("/ws?sessionId=s&apiKey=x", vec![]),
        ("/ws", vec![("authorization", "Bearer x.y.z")]),
        ("/ws?userId=ann", vec![("x-api-key", "x")]),
    ] {
        let began = std::time::Instant::now();
        let mut ws = Ws::open(&server.address, path, &headers).await.unwrap();
        let error = ws.next().await;
        assert_eq!(
            (&error["type"], &error["code"]),
            (&json!("error"), &json!("unauthenticated")),
            "{path}"
        );
        assert_eq!(
            ws.closed().await,
            (1008, "Unauthorized".to_owned()),
            "{path}"
        );
        assert!(
            began.elapsed() < Duration::from_secs(15),
            "not at CONNECT_TIMEOUT"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_says_nothing_does_not_stay() {
    let server = start(&required(&[("CONNECT_TIMEOUT", "1s")])).await;
    let mut ws = Ws::connect(&server.address, "/ws").await;
    assert_eq!(ws.closed().await.0, 4401);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_may_stand_in_the_address_or_in_a_header() {
    let server = start(&REQUIRED).await;
    let token = of("ann");
    let query = format!("/ws/v1?token={token}");
    let header = format!("Bearer {token}");
    for (path, headers) in [
        (&*query, vec![]),
        ("/ws/v1", vec![("authorization", &*header)]),
    ] {
        let mut ws = Ws::open(&server.address, path, &headers).await.unwrap();
        let greeting = ws.next().await;
        assert_eq!(greeting["data"]["authenticated"], true);
        assert_eq!(greeting["data"]["channels"], json!(["user:ann"]));
    }
}

/// With the envelope a credential is verified before the upgrade; who shows none may do so afterwards.
#[tokio::test(flavor = "multi_thread")]
async fn bad_credential_gets_401_before_the_upgrade() {
    let cookie = [
        ("AUTH_COOKIE", "session"),
        ("CORS_ORIGINS", "https://app.example"),
    ];
    let server = start(&required(&cookie)).await;
    let (good, bad) = (of("ann"), with("ann", json!({"exp": 1})));
    for (token, is_let_in) in [(&good, true), (&bad, false), (&"x".to_owned(), false)] {
        let (bearer, cookie) = (format!("Bearer {token}"), format!("a=b; session={token}"));
        let places = [
            (format!("/ws/v1?token={token}"), vec![]),
            (format!("/ws/v1?apiKey={token}"), vec![]),
            (format!("/ws/v1?api_key={token}"), vec![]),
            ("/ws/v1".to_owned(), vec![("authorization", &*bearer)]),
            ("/ws/v1".to_owned(), vec![("x-api-key", &**token)]),
            ("/ws/v1".to_owned(), vec![("cookie", &*cookie)]),
        ];
        for (path, headers) in places {
            let opened = Ws::open(&server.address, &path, &headers).await;
            match opened {
                Ok(mut ws) => {
                    assert_eq!(ws.next().await["data"]["authenticated"], true, "{path}");
                    assert!(is_let_in, "{path} {headers:?}");
                }
                Err(status) => assert_eq!((status, is_let_in), (401, false), "{path} {headers:?}"),
            }
        }
    }
    // A page of somebody else's makes the browser send its cookie, and is refused whatever that is good for.
    let cookie = format!("session={good}");
    let headers = [("cookie", &*cookie), ("origin", "https://evil.example")];
    assert_eq!(
        Ws::open(&server.address, "/ws/v1", &headers).await.err(),
        Some(403)
    );
    let (mut ws, greeting) = Ws::greeted(&server.address, "/ws/v1").await;
    assert_eq!(greeting["data"]["authenticated"], false);
    ws.send(json!({"type": "auth_request", "data": {"token": good}}))
        .await;
    assert_eq!(ws.next().await["type"], "auth_success");
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_hears_what_is_for_somebody_else() {
    let server = start(&REQUIRED).await;
    let path = format!(
        "/ws?userId=bob&channels=project:p,ai:jobs&token={}",
        of("ann")
    );
    let (mut ws, greeting) = Ws::greeted(&server.address, &path).await;
    assert_eq!(greeting["channels"], json!(["user:ann", "ai:jobs"]));
    let codes = [
        ws.next().await["code"].clone(),
        ws.next().await["code"].clone(),
    ];
    assert_eq!(codes, [json!("forbidden"), json!("not_found")]);
    let refused = ws
        .call("subscribe:channel", json!({"channel": "user:bob"}))
        .await;
    assert_eq!(refused["code"], "forbidden");
    let mut agent = Ws::connect(&server.address, &format!("/ws/v1?token={}", of("ann"))).await;
    let refused = agent
        .call("agent_log", json!({"agentId": "a", "message": "x"}))
        .await;
    assert_eq!(refused["code"], "forbidden");
    let token = with_roles("backend", json!({"*": "member"}));
    let mut backend = Ws::connect(&server.address, &format!("/ws/v1?token={token}")).await;
    let done = backend
        .call("agent_log", json!({"agentId": "a", "message": "x"}))
        .await;
    assert_eq!(done["ok"], true, "{done}");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_removed_is_told_so_and_hears_nothing_more() {
    let server = start(&REQUIRED).await;
    let owner = Client::connect_with(&server.address, &json!({"token": of("ann")}))
        .await
        .unwrap();
    let made = owner
        .call("project:create", json!({"title": "Garden"}))
        .await;
    let project = made["data"]["id"].as_str().unwrap();
    let member = json!({"projectId": project, "userId": "bob", "role": "viewer"});
    assert_eq!(owner.call("member:add", member.clone()).await["ok"], true);
    let mut bob = Ws::connect(&server.address, &format!("/ws?token={}", of("bob"))).await;
    join(&mut bob, project).await;
    assert_eq!(owner.call("member:remove", member).await["ok"], true);
    let told = bob.until("project:access_revoked").await;
    assert_eq!(
        (&told["projectId"], &told["reason"]),
        (&json!(project), &json!("removed"))
    );
    owner
        .call(
            "task:create",
            json!({"projectId": project, "title": "secret"}),
        )
        .await;
    assert_eq!(bob.settled().await, [] as [Value; 0]);
    let refused = bob.call("join:project", json!(project)).await;
    assert_eq!(refused["code"], "not_found");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_does_not_outlive_its_token() {
    let short = [
        ("AUTH_LEEWAY", "1s"),
        ("AUTH_GRACE", "1s"),
        ("AUTH_EXPIRY_WARNING", "2s"),
    ];
    let server = start(&required(&short)).await;
    let until = |seconds| with("ann", json!({"exp": tokens::now() + seconds}));
    let mut ws = Ws::connect(&server.address, &format!("/ws?token={}", until(4))).await;
    let warning = ws.until("auth:expiring").await;
    assert!(
        warning["expiresInMs"].as_i64().unwrap() <= 2000,
        "{warning}"
    );
    let refreshed = ws.call("auth:refresh", json!({"token": until(6)})).await;
    assert_eq!(
        (&refreshed["ok"], &refreshed["userId"]),
        (&json!(true), &json!("ann"))
    );
    assert_eq!(ws.closed().await, (4401, "token_expired".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_shows_it_later_goes_on_as_somebody_and_misses_nothing() {
    let server = start(&[("AUTH_SECRET", tokens::SECRET)]).await;
    let mut ws = Ws::connect(&server.address, "/ws?sessionId=s").await;
    let mut other = Ws::connect(&server.address, "/ws?sessionId=s").await;
    let publishing = tokio::spawn(async move {
        for number in 1..=200 {
            publish(&mut other, "tick", json!({"number": number})).await;
        }
        other
    });
    ws.send(json!({"type": "handshake", "data": {"token": of("ann")}}))
        .await;
    let (mut number, mut user) = (0, Value::Null);
    while number < 200 {
        let message = ws.next().await;
        match message["type"].as_str() {
            Some("welcome") => user = message["userId"].clone(),
            Some("tick") => {
                number += 1;
                assert_eq!(message["number"], number, "{message}");
            }
            _ => panic!("{message}"),
        }
    }
    assert_eq!(user, "ann");
    let mut other = publishing.await.unwrap();
    publish(&mut ws, "mine", json!({})).await;
    assert_eq!(other.until("mine").await["type"], "mine");
    let nothing = ws.try_next(Duration::from_millis(200)).await;
    assert_eq!(nothing, None, "nobody hears themselves");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_known_need_not_show_it_again() {
    let server = start(&REQUIRED).await;
    for (path, kind, told) in [
        ("/ws", "handshake", "welcome"),
        ("/ws/v1", "auth_request", "auth_success"),
    ] {
        let mut ws = Ws::connect(&server.address, &format!("{path}?token={}", of("ann"))).await;
        ws.send(json!({"type": kind, "data": {"clientName": "ide", "clientVersion": "1"}}))
            .await;
        assert_eq!(ws.next().await["type"], told);
        let done = ws.call("project:create", json!({"title": "Garden"})).await;
        assert_eq!(done["ok"], true, "{done}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_shows_it_later_hears_nothing_twice_and_only_what_it_still_wants() {
    let server = start(&[("AUTH_SECRET", tokens::SECRET)]).await;
    let (_first, greeting) = Ws::greeted(&server.address, "/ws?sessionId=s").await;
    let mut other = Ws::connect(&server.address, "/ws?sessionId=s").await;
    publish(&mut other, "tick", json!({"number": 1})).await;
    let cursor = greeting["cursor"].as_str().unwrap();
    let path = format!("/ws?sessionId=s&channels=ui:a&cursor={cursor}");
    let mut ws = Ws::connect(&server.address, &path).await;
    assert_eq!(ws.next().await["number"], 1);
    ws.send(json!({"type": "unsubscribe", "channel": "ui:a"}))
        .await;
    assert_eq!(ws.next().await["type"], "unsubscribed");
    ws.send(json!({"type": "subscribe", "sessionId": "t"}))
        .await;
    assert_eq!(ws.next().await["type"], "subscribed");
    ws.send(json!({"type": "handshake", "data": {"token": of("ann")}}))
        .await;
    assert_eq!(ws.next().await["type"], "welcome");
    let mut listener = Ws::connect(&server.address, "/ws?sessionId=t").await;
    publish(&mut ws, "mine", json!({})).await;
    assert_eq!(listener.next().await["sessionId"], "t", "where it is now");
    publish(&mut other, "tick", json!({"number": 4})).await;
    let mut agent = Ws::connect(&server.address, "/ws/v1").await;
    agent
        .call("note", json!({"channel": "ui:a", "number": 2}))
        .await;
    publish(&mut listener, "tick", json!({"number": 3})).await;
    // Its feed may be later than an answer.
    let mut heard = vec![ws.next().await];
    heard.extend(ws.settled().await);
    let numbers: Vec<_> = heard.iter().map(|event| event["number"].clone()).collect();
    assert_eq!(numbers, [json!(3)], "{heard:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_reads_nothing_does_nothing_more_once_its_token_has_expired() {
    let short = [
        ("AUTH_LEEWAY", "1s"),
        ("AUTH_GRACE", "1s"),
        ("AUTH_EXPIRY_WARNING", "2s"),
        ("MAX_MESSAGE", "1000000"),
    ];
    let server = start(&required(
        &[&short[..], &crate::support::server::UNLIMITED[..]].concat(),
    ))
    .await;
    let token = with("ann", json!({"exp": tokens::now() + 4}));
    let mut watcher = Ws::connect(
        &server.address,
        &format!("/ws?sessionId=s&token={}", of("ann")),
    )
    .await;
    let mut ws = Ws::connect(&server.address, &format!("/ws?sessionId=s&token={token}")).await;
    // Far more than fits into what lies between it and the server waits for it.
    let text = "x".repeat(200_000);
    for number in 0..100 {
        let kind = "tick";
        watcher
            .send(json!({"type": kind, "data": {"number": number, "text": text}}))
            .await;
    }
    watcher.settled().await;
    let late = tokens::now() + 8;
    while tokens::now() < late {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    ws.send(json!({"type": "mine", "data": {}})).await;
    assert_eq!(watcher.try_next(Duration::from_secs(1)).await, None);
    assert_eq!(ws.closed().await, (4401, "token_expired".to_owned()));
}
