use clap::Parser;
use jsonwebtoken::{EncodingKey, Header};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::domain::{Grants, Holder, Role, Timestamp};

pub(super) const SECRET: &str = "a secret of thirty-two characters";
pub(super) const RSA: &str = include_str!("../../tests/keys/rsa.pem");
pub(super) const RSA_PUBLIC: &str = include_str!("../../tests/keys/rsa.pub.pem");
pub(super) const OTHER_RSA: &str = include_str!("../../tests/keys/other-rsa.pem");
pub(super) const EC: &str = include_str!("../../tests/keys/ec.pem");
pub(super) const EC_PUBLIC: &str = include_str!("../../tests/keys/ec.pub.pem");
pub(super) const ED: &str = include_str!("../../tests/keys/ed.pem");
pub(super) const ED_PUBLIC: &str = include_str!("../../tests/keys/ed.pub.pem");

#[derive(Parser)]
struct Settings {
    #[command(flatten)]
    auth: AuthConfig,
}

pub(super) fn settings(flags: &[&str]) -> AuthConfig {
    let flags = std::iter::once("boardcast").chain(flags.iter().copied());
    Settings::try_parse_from(flags).unwrap().auth
}

pub(super) async fn start(flags: &[&str]) -> Result<Authenticator, AuthConfigError> {
    let store = Store::open(&"sqlite::memory:".parse().unwrap(), 1).await;
    let store = store.unwrap();
    store.migrate().await.unwrap();
    Authenticator::start(&settings(flags), &store, &Lifecycle::new()).await
}

pub(super) fn encoding_key(algorithm: Algorithm, key: &str) -> EncodingKey {
    let key = key.as_bytes();
    match algorithm {
        Algorithm::RS256 | Algorithm::RS512 | Algorithm::PS256 => EncodingKey::from_rsa_pem(key),
        Algorithm::ES256 => EncodingKey::from_ec_pem(key),
        Algorithm::EdDSA => EncodingKey::from_ed_pem(key),
        _ => EncodingKey::from_secret(key),
    }
    .unwrap()
}

pub(super) fn signed(algorithm: Algorithm, key: &str, kid: Option<&str>) -> String {
    let now = claims()["iat"].as_i64().unwrap();
    signed_at(algorithm, key, kid, now)
}

pub(super) fn signed_at(algorithm: Algorithm, key: &str, kid: Option<&str>, at: i64) -> String {
    let mut header = Header::new(algorithm);
    header.kid = kid.map(str::to_owned);
    let mut claims = claims();
    claims["iat"] = at.into();
    jsonwebtoken::encode(&header, &claims, &encoding_key(algorithm, key)).unwrap()
}

fn claims() -> Value {
    let now = Clock.now().as_millis() / 1000;
    json!({"sub": "ann", "iat": now, "exp": now + 60})
}

pub(super) async fn refusal(auth: &Authenticator, credential: &str) -> String {
    match auth.identify(credential).await {
        Err(AuthError::Unauthenticated(reason)) => reason,
        other => panic!("not refused: {other:?}"),
    }
}

#[tokio::test]
async fn each_kind_of_key_verifies_its_tokens() {
    for (flag, public, algorithm, private) in [
        ("--auth-secret", SECRET, Algorithm::HS256, SECRET),
        ("--auth-public-key", RSA_PUBLIC, Algorithm::RS256, RSA),
        ("--auth-public-key", EC_PUBLIC, Algorithm::ES256, EC),
        ("--auth-public-key", ED_PUBLIC, Algorithm::EdDSA, ED),
        (
            "--auth-public-key",
            include_str!("../../tests/keys/rsa.pkcs1.pem"),
            Algorithm::RS256,
            RSA,
        ),
        (
            "--auth-public-key",
            "tests/keys/ec.pub.pem",
            Algorithm::ES256,
            EC,
        ),
    ] {
        let auth = start(&[flag, public]).await.unwrap();
        assert!(auth.verifies_tokens());
        for kid in [None, Some("any")] {
            let token = signed(algorithm, private, kid);
            for credential in [
                token.clone(),
                format!("Bearer {token}"),
                format!(" bearer  {token}\n"),
            ] {
                let identity = auth.identify(&credential).await.unwrap();
                assert_eq!(identity.actor.as_str(), "ann");
            }
        }
    }
    let keys = ["--auth-secret", SECRET, "--auth-public-key", RSA_PUBLIC];
    let both = start(&keys).await.unwrap();
    both.identify(&signed(Algorithm::HS256, SECRET, None))
        .await
        .unwrap();
    both.identify(&signed(Algorithm::RS256, RSA, None))
        .await
        .unwrap();
}

/// The key decides how a token must be signed.
#[tokio::test]
async fn a_token_does_not_choose_its_algorithm() {
    for (flag, key, algorithm, signing) in [
        // The public key is known to everybody: it must not do as a secret.
        (
            "--auth-public-key",
            RSA_PUBLIC,
            Algorithm::HS256,
            RSA_PUBLIC,
        ),
        ("--auth-public-key", EC_PUBLIC, Algorithm::HS256, EC_PUBLIC),
        ("--auth-public-key", ED_PUBLIC, Algorithm::HS256, ED_PUBLIC),
        ("--auth-public-key", EC_PUBLIC, Algorithm::RS256, RSA),
        ("--auth-public-key", ED_PUBLIC, Algorithm::ES256, EC),
        ("--auth-public-key", RSA_PUBLIC, Algorithm::RS512, RSA),
        ("--auth-public-key", RSA_PUBLIC, Algorithm::PS256, RSA),
        ("--auth-secret", SECRET, Algorithm::RS256, RSA),
        ("--auth-secret", SECRET, Algorithm::HS512, SECRET),
    ] {
        let auth = start(&[flag, key]).await.unwrap();
        let reason = refusal(&auth, &signed(algorithm, signing, None)).await;
        assert_eq!(reason, "no key is meant for this token", "{algorithm:?}");
    }
    let auth = start(&["--auth-public-key", RSA_PUBLIC]).await.unwrap();
    let reason = refusal(&auth, &signed(Algorithm::RS256, OTHER_RSA, None)).await;
    assert_eq!(reason, "the signature is wrong");
}

#[tokio::test]
async fn what_is_not_signed_is_no_token() {
    let auth = start(&["--auth-secret", SECRET]).await.unwrap();
    let token = signed(Algorithm::HS256, SECRET, None);
    let (message, signature) = token.rsplit_once('.').unwrap();
    let (_, claims) = message.split_once('.').unwrap();
    // {"alg":"none"} and {"typ":"JWT","alg":"None"}
    for header in ["eyJhbGciOiJub25lIn0", "eyJ0eXAiOiJKV1QiLCJhbGciOiJOb25lIn0"] {
        for signature in ["", signature] {
            refusal(&auth, &format!("{header}.{claims}.{signature}")).await;
        }
    }
    for other in [
        "",
        ".",
        "..",
        "...",
        "Bearer ",
        message,
        &format!("{message}."),
        &format!("{token}."),
    ] {
        refusal(&auth, other).await;
    }
    let long = format!("{token}{}", "A".repeat(MAX_CREDENTIAL));
    assert!(refusal(&auth, &long).await.contains("bytes"));
    let mut header = Header::new(Algorithm::HS256);
    header.crit = Some(vec!["exp".to_owned()]);
    let key = encoding_key(Algorithm::HS256, SECRET);
    let critical = jsonwebtoken::encode(&header, &self::claims(), &key).unwrap();
    assert!(refusal(&auth, &critical).await.contains("critical"));
}

#[tokio::test]
async fn a_key_that_cannot_be_used_ends_the_start_without_being_shown() {
    for key in [
        RSA,
        EC,
        include_str!("../../tests/keys/p384.pub.pem"),
        include_str!("../../tests/keys/short-rsa.pub.pem"),
        "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----",
        // Only one of them would count.
        &[EC_PUBLIC, RSA_PUBLIC].concat(),
        "/nowhere/at/all",
        "MIIEvQIBADANBgkqhkiG9w0BAQEFAASC",
    ] {
        let error = start(&["--auth-public-key", key])
            .await
            .unwrap_err()
            .to_string();
        assert!(error.starts_with("AUTH_PUBLIC_KEY "), "{error}");
        let mut lines = key.lines().filter(|line| !line.starts_with('-'));
        assert!(lines.all(|line| !error.contains(line)), "{error}");
    }
}

#[tokio::test]
async fn an_api_key_is_as_good_as_its_row() {
    let auth = start(&[]).await.unwrap();
    assert!(!auth.verifies_tokens());
    let mut roles = Grants::default();
    roles.insert("demo", Role::Member);
    let now = Clock.now();
    let later = Timestamp::from_millis(now.as_millis() + 60_000);
    let store = &auth.shared.store;
    let make = |name: &str, expires_at| {
        api_key::make(&name.parse().unwrap(), roles.clone(), now, expires_at)
    };
    let (ci, past) = (make("ci", Some(later)), make("past", Some(now)));
    for made in [&ci, &past] {
        assert!(store.api_key_insert(&made.key).await.unwrap());
    }

    let identity = auth.identify(&format!("Bearer {}", ci.text)).await.unwrap();
    assert_eq!(identity.actor.as_str(), "apikey:ci");
    assert_eq!(
        identity.holder,
        Holder::Service {
            key: "ci".to_owned()
        }
    );
    assert_eq!(
        (&identity.grants, identity.expires_at),
        (&roles, Some(later))
    );
    assert!(refusal(&auth, &past.text).await.contains("expired"));
    for wrong in [
        make("ci", None).text,
        make("other", None).text,
        "bck_ci".to_owned(),
    ] {
        assert!(!refusal(&auth, &wrong).await.contains(&wrong));
    }
    let names = ["ci", "past", "other"].map(str::to_owned);
    assert_eq!(auth.gone_keys(&names).await.unwrap(), names[1..]);

    assert!(
        auth.shared
            .lifecycle
            .stop(std::time::Duration::from_secs(5))
            .await
    );
    let used = store.api_key_get("ci").await.unwrap().unwrap().last_used_at;
    assert!(used.is_some_and(|at| at >= now), "{used:?}");
    store.api_key_revoke("ci", now).await.unwrap();
    assert!(refusal(&auth, &ci.text).await.contains("revoked"));
    store.close().await;
    let error = auth.identify(&ci.text).await.unwrap_err();
    assert!(matches!(error, AuthError::Unavailable(_)), "{error:?}");
}

fn identify(credential: &str) -> Result<Identity, AuthError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.unwrap().block_on(async {
        let keys = ["--auth-secret", SECRET, "--auth-public-key", EC_PUBLIC];
        start(&keys).await.unwrap().identify(credential).await
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn no_text_is_a_token(text in "\\PC*|[A-Za-z0-9_.-]*|eyJhbGciOiJIUzI1NiJ9\\.[A-Za-z0-9_-]*\\.[A-Za-z0-9_-]*|bck_.*") {
        let refused = matches!(identify(&text), Err(AuthError::Unauthenticated(_)));
        prop_assert!(refused);
    }

    #[test]
    fn a_token_that_was_changed_is_none(at in any::<prop::sample::Index>(), with in "[A-Za-z0-9_.=-]|\\PC", is_ec in any::<bool>()) {
        let token = if is_ec {
            signed(Algorithm::ES256, EC, None)
        } else {
            signed(Algorithm::HS256, SECRET, None)
        };
        let at = at.index(token.len());
        let mut changed = token.clone();
        changed.replace_range(at..=at, &with);
        // What stands around a token is no part of it.
        prop_assume!(changed.trim() != token);
        let refused = matches!(identify(&changed), Err(AuthError::Unauthenticated(_)));
        prop_assert!(refused, "{}", changed);
    }
}
