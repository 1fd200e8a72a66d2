//! Those who are not let in.

use serde_json::{Value, json};

use super::callers::{api_key, revoke};
use super::table::rows;
use super::wire::{Transport, Wire};
use super::{AUDIENCE, Scene, object_in, token};
use crate::support::tokens::{self, SECRET, now, signed};

const PROJECT: &str = "closed";

/// Claims that are good.
fn claims() -> Value {
    json!({"sub": "founder", "aud": AUDIENCE, "iat": now(), "exp": now() + 3600, "projects": {"*": "owner"}})
}

fn with(changes: Value) -> Value {
    let mut claims = claims();
    for (claim, value) in changes.as_object().expect("claims") {
        claims[claim] = value.clone();
    }
    claims
}

/// A token that says itself how it is signed, and is signed by nobody.
fn unsigned(header: &Value, claims: &Value, signature: &str) -> String {
    let part = |value: &Value| base64url(value.to_string().as_bytes());
    format!("{}.{}.{signature}", part(header), part(claims))
}

fn base64url(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let bits = chunk
            .iter()
            .fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte))
            << (8 * (3 - chunk.len()));
        for digit in 0..=chunk.len() {
            let value = bits >> (18 - 6 * digit) & 63;
            text.push(char::from(DIGITS[value as usize]));
        }
    }
    text
}

/// What proves nothing, by what is wrong with it.
async fn worthless(scene: &Scene) -> Vec<(&'static str, Value)> {
    let good = signed(&claims(), SECRET);
    let (signed_part, signature) = good.rsplit_once('.').expect("it has a signature");
    let (_, body) = signed_part.split_once('.').expect("it has a body");
    let key = api_key(scene, "revoked", &["*:owner".to_owned()]).await;
    revoke(scene, "revoked").await;
    let unknown = format!("bck_unknown_{}", "0".repeat(64));
    let mut almost = api_key(scene, "known", &["*:owner".to_owned()]).await;
    let last = if almost.pop() == Some('0') { '1' } else { '0' };
    almost.push(last);
    let none = |alg: &str| unsigned(&json!({"alg": alg, "typ": "JWT"}), &claims(), "");
    let forged = with(json!({"sub": "admin"}));
    let swapped = unsigned(&json!({"alg": "HS256"}), &forged, signature);
    let long_ago = now() - 3600;
    vec![
        ("nothing", Value::Null),
        ("an empty token", json!({"token": ""})),
        ("only a userId", json!({"userId": "founder"})),
        ("a number", json!({"token": 7})),
        ("garbage", json!({"token": "garbage"})),
        (
            "an expired one",
            json!({"token": signed(&with(json!({"exp": long_ago})), SECRET)}),
        ),
        (
            "one without end",
            json!({"token": tokens::with("founder", json!({"aud": AUDIENCE, "exp": null}))}),
        ),
        (
            "one that is not valid yet",
            json!({"token": signed(&with(json!({"nbf": now() + 3600})), SECRET)}),
        ),
        (
            "one of another key",
            json!({"token": signed(&claims(), "another secret of thirty-two characters")}),
        ),
        ("alg none", json!({"token": none("none")})),
        ("alg None", json!({"token": none("None")})),
        (
            "alg none with a signature",
            json!({"token": unsigned(&json!({"alg": "none"}), &claims(), signature)}),
        ),
        ("no signature", json!({"token": format!("{signed_part}.")})),
        ("another's signature", json!({"token": swapped})),
        (
            "another algorithm",
            json!({"token": format!("{}.{body}.{signature}", base64url(b"{\"alg\":\"RS256\"}"))}),
        ),
        (
            "another audience",
            json!({"token": signed(&with(json!({"aud": "others"})), SECRET)}),
        ),
        ("no audience", json!({"token": tokens::of("founder")})),
        (
            "nobody's",
            json!({"token": signed(&with(json!({"sub": ""})), SECRET)}),
        ),
        (
            "an API key's name as a user",
            json!({"token": token("apikey:known", json!({}))}),
        ),
        ("a revoked key", json!({"token": key})),
        ("an unknown key", json!({"apiKey": unknown})),
        ("almost a key", json!({"apiKey": almost})),
    ]
}

/// They are told one word, and whatever they send then has no answer and no effect.
#[tokio::test(flavor = "multi_thread")]
async fn whoever_shows_nothing_good_can_do_nothing() {
    let scene = Scene::set().await;
    scene.project(PROJECT).await;
    let seq = scene.seq(PROJECT).await;
    for (what, auth) in worthless(&scene).await {
        for transport in Transport::ALL {
            let mut wire = Wire::open(transport, &scene.server.address).await;
            let refused = wire.connect(&auth).await;
            let refusal = refused.expect_err(what);
            let told: Value = serde_json::from_str(&refusal[2..]).expect("it is JSON");
            assert_eq!(told["message"], "unauthenticated", "{what}: {refusal}");
            can_do_nothing(&mut wire, what).await;
            assert_eq!(scene.seq(PROJECT).await, seq, "{what} over {transport:?}");
        }
    }
}

/// Nor can whoever sends before anybody has asked.
#[tokio::test(flavor = "multi_thread")]
async fn before_connect_nothing_can_be_done() {
    let scene = Scene::set().await;
    scene.project(PROJECT).await;
    let seq = scene.seq(PROJECT).await;
    for transport in Transport::ALL {
        let mut wire = Wire::open(transport, &scene.server.address).await;
        can_do_nothing(&mut wire, "no CONNECT").await;
        assert_eq!(scene.seq(PROJECT).await, seq, "{transport:?}");
    }
}

/// Sends everything. Then a good token, so that it is known when all would have been answered.
async fn can_do_nothing(wire: &mut Wire, who: &str) {
    for row in rows(PROJECT, "token") {
        if !wire.send(&format!("4277{}", row.packet())).await {
            break;
        }
    }
    let good = json!({"token": token("somebody", json!({}))});
    wire.connect(&good).await.ok();
    for message in &wire.heard {
        let answered = message.starts_with("43") || message.starts_with("42");
        assert!(!answered, "{who} is told {message}");
    }
}

/// In the place of a good token, none of these is one.
#[tokio::test(flavor = "multi_thread")]
async fn nobody_goes_on_with_a_worthless_token() {
    let scene = Scene::set().await;
    let good = token("ann", json!({}));
    let others = token("bob", json!({}));
    let mut wire = scene.enter(Transport::WebSocket, &good).await;
    for (what, auth) in worthless(&scene).await {
        let shown = if auth["token"].is_null() {
            &auth["apiKey"]
        } else {
            &auth["token"]
        };
        let packet = json!(["auth:refresh", {"token": shown}]);
        let answer = object_in(&wire.ask(&packet.to_string()).await);
        let expected = [json!("unauthenticated"), json!("validation_failed")];
        assert!(expected.contains(&answer["code"]), "{what}: {answer}");
    }
    let packet = json!(["auth:refresh", {"token": others}]);
    let answer = object_in(&wire.ask(&packet.to_string()).await);
    assert_eq!(answer["code"], "forbidden", "{answer}");
    let packet = json!(["auth:refresh", {"token": good}]);
    let answer = object_in(&wire.ask(&packet.to_string()).await);
    assert_eq!(answer["userId"], "ann", "{answer}");
}
