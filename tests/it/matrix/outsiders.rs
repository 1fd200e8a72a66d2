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
    let Value::Object(changes) = changes else {
        panic!("claims are an object");
    };
    let all = claims.as_object_mut().expect("claims are an object");
    all.extend(changes);
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
pub(super) async fn worthless(scene: &Scene) -> Vec<(&'static str, Value)> {
    let all = ["*:owner".to_owned()];
    let revoked = api_key(scene, "revoked", &all).await;
    revoke(scene, "revoked").await;
    let unknown = format!("bck_unknown_{}", "0".repeat(64));
    let mut almost = api_key(scene, "known", &all).await;
    let last = if almost.pop() == Some('0') { '1' } else { '0' };
    almost.push(last);
    let mut worthless = vec![
        ("nothing", Value::Null),
        ("an empty token", json!({"token": ""})),
        ("only a userId", json!({"userId": "founder"})),
        ("a number", json!({"token": 7})),
        ("a revoked key", json!({"token": revoked})),
        ("an unknown key", json!({"apiKey": unknown})),
        ("almost a key", json!({"apiKey": almost})),
    ];
    let texts = unproven().into_iter().chain(untrue());
    worthless.extend(texts.map(|(what, text)| (what, json!({"token": text}))));
    worthless
}

/// Tokens that nobody whom we know has signed.
fn unproven() -> Vec<(&'static str, String)> {
    let good = signed(&claims(), SECRET);
    let (signed_part, signature) = good.rsplit_once('.').expect("it has a signature");
    let (_, body) = signed_part.split_once('.').expect("it has a body");
    let none =
        |alg: &str, signature| unsigned(&json!({"alg": alg, "typ": "JWT"}), &claims(), signature);
    let others = unsigned(
        &json!({"alg": "HS256"}),
        &with(json!({"sub": "admin"})),
        signature,
    );
    let rs256 = base64url(br#"{"alg":"RS256"}"#);
    vec![
        ("garbage", "garbage".to_owned()),
        (
            "another key",
            signed(&claims(), "another secret of thirty-two characters"),
        ),
        ("alg none", none("none", "")),
        ("alg None", none("None", "")),
        ("alg none with a signature", none("none", signature)),
        ("no signature", format!("{signed_part}.")),
        ("another's signature", others),
        ("another algorithm", format!("{rs256}.{body}.{signature}")),
    ]
}

/// Tokens that are well signed and say what does not help.
fn untrue() -> Vec<(&'static str, String)> {
    let but = |changes| signed(&with(changes), SECRET);
    vec![
        ("expired", but(json!({"exp": now() - 3600}))),
        ("without end", but(json!({"exp": null}))),
        ("not valid yet", but(json!({"nbf": now() + 3600}))),
        ("another audience", but(json!({"aud": "others"}))),
        ("no audience", tokens::of("founder")),
        ("nobody's", but(json!({"sub": ""}))),
        ("a service's name", token("apikey:known", json!({}))),
        ("a stranger's name", token("anonymous:known", json!({}))),
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
