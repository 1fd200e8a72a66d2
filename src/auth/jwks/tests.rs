use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use jsonwebtoken::Algorithm;
use jsonwebtoken::jwk::Jwk;
use serde_json::{Value, json};

use super::super::AuthError;
use super::super::tests::{
    EC, ED, OTHER_RSA, RSA, encoding_key, refusal, signed, signed_at, start,
};
use super::*;

const REFRESH: Duration = Duration::from_mins(5);

/// The public part of a key, as it is published.
fn jwk(algorithm: Algorithm, key: &str, kid: Option<&str>) -> Value {
    let jwk = Jwk::from_encoding_key(&encoding_key(algorithm, key), algorithm).unwrap();
    let mut jwk = serde_json::to_value(jwk).unwrap();
    jwk["kid"] = kid.into();
    jwk
}

fn set(keys: &[Value]) -> String {
    json!({"keys": keys}).to_string()
}

fn old() -> Value {
    jwk(Algorithm::RS256, RSA, Some("old"))
}

fn new() -> Value {
    jwk(Algorithm::RS256, OTHER_RSA, Some("new"))
}

async fn read(path: &Path, lifecycle: &Lifecycle) -> Arc<Jwks> {
    let path = path.to_str().unwrap();
    Jwks::start(path, REFRESH, lifecycle).await.unwrap()
}

fn knows(jwks: &Jwks, kid: &str) -> bool {
    jwks.known().keys.iter().any(|key| key.is_named(kid))
}

#[tokio::test]
async fn the_key_with_the_tokens_kid_verifies_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("jwks.json");
    let ec = jwk(Algorithm::ES256, EC, Some("ec"));
    let ed = jwk(Algorithm::EdDSA, ED, None);
    std::fs::write(&path, set(&[old(), new(), ec, ed])).unwrap();
    let auth = start(&["--auth-jwks", path.to_str().unwrap()])
        .await
        .unwrap();
    assert!(auth.verifies_tokens());
    for (algorithm, key, kid) in [
        (Algorithm::RS256, RSA, Some("old")),
        (Algorithm::RS256, OTHER_RSA, Some("new")),
        (Algorithm::RS256, OTHER_RSA, None),
        (Algorithm::ES256, EC, Some("ec")),
        (Algorithm::EdDSA, ED, Some("any")),
    ] {
        let token = signed(algorithm, key, kid);
        auth.identify(&token).await.unwrap();
    }
    for (algorithm, key, kid) in [
        (Algorithm::RS256, RSA, Some("new")),
        (Algorithm::RS256, RSA, Some("ec")),
        (Algorithm::RS256, RSA, Some("other")),
        (
            Algorithm::HS256,
            "the text of a key that is published",
            Some("old"),
        ),
    ] {
        refusal(&auth, &signed(algorithm, key, kid)).await;
    }
}

#[test]
fn only_keys_that_verify_tokens_are_taken() {
    let good = jwk(Algorithm::RS256, RSA, Some("good"));
    let changed = |field: &str, value: Value| {
        let mut changed = good.clone();
        changed[field] = value;
        changed
    };
    let ed = jwk(Algorithm::EdDSA, ED, None);
    for bad in [
        changed("use", json!("enc")),
        changed("key_ops", json!(["encrypt"])),
        changed("alg", json!("RS512")),
        changed("alg", json!("HS256")),
        changed("n", json!("AQAB")),
        changed("n", json!(null)),
        changed("n", json!("A".repeat(2000))),
        json!({"kty": "oct", "k": "c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0", "alg": "HS256"}),
        json!({"kty": "OKP", "crv": "Ed25519", "x": "AQAB"}),
        json!({"kty": "OKP", "crv": "X25519", "x": ed["x"]}),
        json!({"kty": "EC", "crv": "P-256", "x": "AQAB", "y": "AQAB"}),
        json!({"kty": "EC", "crv": "P-384", "x": ed["x"], "y": ed["x"]}),
        json!({"kty": "new"}),
        json!("key"),
    ] {
        let keys = set::parse(set(&[bad.clone(), good.clone()]).as_bytes()).unwrap();
        assert_eq!(keys.len(), 1, "{bad}");
        assert!(set::parse(set(&[bad]).as_bytes()).is_err());
    }
    let plain =
        json!({"kty": "RSA", "n": good["n"], "e": good["e"], "key_ops": ["verify"], "use": "sig"});
    assert_eq!(set::parse(set(&[plain]).as_bytes()).unwrap().len(), 1);
    for bad in ["", "[]", "{}", r#"{"keys":{}}"#, r#"{"keys":[]}"#] {
        assert!(set::parse(bad.as_bytes()).is_err(), "{bad}");
    }
    assert!(set::parse(set(&vec![good; 65]).as_bytes()).is_err());
}

#[tokio::test(start_paused = true)]
async fn an_unknown_kid_has_the_keys_read_again_but_not_often() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("jwks.json");
    std::fs::write(&path, set(&[old()])).unwrap();
    let lifecycle = Lifecycle::new();
    let jwks = read(&path, &lifecycle).await;
    std::fs::write(&path, set(&[old(), new()])).unwrap();
    assert!(!knows(&jwks, "new"));
    jwks.read_for_unknown().await;
    assert!(knows(&jwks, "new") && knows(&jwks, "old"));

    std::fs::write(&path, set(&[new()])).unwrap();
    tokio::time::advance(ASKED_AT_MOST * 9 / 10).await;
    jwks.read_for_unknown().await;
    assert!(knows(&jwks, "old"), "it was read a moment ago");
    tokio::time::advance(ASKED_AT_MOST / 10).await;
    jwks.read_for_unknown().await;
    assert!(
        !knows(&jwks, "old"),
        "a key that is not published any more is none"
    );
}

/// Whoever makes up keys uses up the reading. That locks nobody out who has one that is new, and asks nobody to come again
/// who has one that is gone.
#[tokio::test]
async fn a_forged_kid_locks_no_new_key_out() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("jwks.json");
    std::fs::write(&path, set(&[old()])).unwrap();
    let auth = start(&["--auth-jwks", path.to_str().unwrap()])
        .await
        .unwrap();
    tokio::time::pause();
    let forged = signed(Algorithm::RS256, OTHER_RSA, Some("forged"));
    refusal(&auth, &forged).await;
    std::fs::write(&path, set(&[new()])).unwrap();
    let fresh = signed(Algorithm::RS256, OTHER_RSA, Some("new"));
    let error = auth.identify(&fresh).await.unwrap_err();
    assert!(matches!(error, AuthError::NoKeysYet), "{error:?}");
    let long_ago = Clock.now().as_millis() / 1000 - 60;
    let stale = signed_at(Algorithm::RS256, OTHER_RSA, Some("gone"), long_ago);
    refusal(&auth, &stale).await;
    tokio::time::advance(ASKED_AT_MOST).await;
    auth.identify(&fresh).await.unwrap();
    refusal(&auth, &signed(Algorithm::RS256, RSA, Some("new"))).await;
}

/// Not all who publish keys name them, and not all who sign say with which.
#[tokio::test]
async fn a_new_key_is_found_without_its_name() {
    let unnamed = |key| jwk(Algorithm::RS256, key, None);
    for (before, after, kid) in [
        (unnamed(RSA), unnamed(OTHER_RSA), None),
        (old(), new(), None),
        (unnamed(RSA), new(), Some("new")),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("jwks.json");
        std::fs::write(&path, set(&[before])).unwrap();
        let auth = start(&["--auth-jwks", path.to_str().unwrap()])
            .await
            .unwrap();
        std::fs::write(&path, set(&[after])).unwrap();
        let fresh = signed(Algorithm::RS256, OTHER_RSA, kid);
        auth.identify(&fresh).await.unwrap();
    }
}

#[tokio::test]
async fn what_nobody_waits_for_any_more_is_read_for_the_next() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("jwks.json");
    std::fs::write(&path, set(&[old()])).unwrap();
    let lifecycle = Lifecycle::new();
    let jwks = read(&path, &lifecycle).await;
    std::fs::write(&path, set(&[new()])).unwrap();
    tokio::select! {
        biased;
        () = jwks.read_for_unknown() => panic!("it takes a while"),
        () = std::future::ready(()) => {}
    }
    jwks.read_for_unknown().await;
    assert!(knows(&jwks, "new"));
}

#[tokio::test(start_paused = true)]
async fn the_keys_are_read_at_intervals_and_kept_if_they_cannot_be() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("jwks.json");
    std::fs::write(&path, set(&[old()])).unwrap();
    let lifecycle = Lifecycle::new();
    let jwks = read(&path, &lifecycle).await;
    for broken in ["", r#"{"keys":[]}"#] {
        std::fs::write(&path, broken).unwrap();
        while jwks.known().is_current {
            tokio::time::sleep(REFRESH / 10).await;
        }
        assert!(knows(&jwks, "old"));
        std::fs::write(&path, set(&[old()])).unwrap();
        while !jwks.known().is_current {
            tokio::time::sleep(AFTER_FAILURE / 10).await;
        }
    }
    std::fs::remove_file(&path).unwrap();
    while jwks.known().is_current {
        tokio::time::sleep(REFRESH / 10).await;
    }
    std::fs::write(&path, set(&[new()])).unwrap();
    while !knows(&jwks, "new") {
        tokio::time::sleep(AFTER_FAILURE / 10).await;
    }
    assert!(!knows(&jwks, "old"));
}

#[tokio::test]
async fn a_file_must_be_there_at_the_start() {
    for path in ["/nowhere/at/all", "Cargo.toml"] {
        let error = start(&["--auth-jwks", path]).await.unwrap_err();
        assert!(
            error.to_string().starts_with("AUTH_JWKS names a file"),
            "{error}"
        );
    }
    for url in ["http://id.example.com/keys", "ftp://id.example.com/keys"] {
        let error = start(&["--auth-jwks", url]).await.unwrap_err();
        assert!(error.to_string().contains("https://"), "{error}");
    }
}

/// A web server that answers every request with the same text.
struct Site {
    url: String,
    answer: Arc<Mutex<String>>,
    asked: Arc<AtomicUsize>,
}

impl Site {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let site = Self {
            url: format!("http://{}/keys", listener.local_addr().unwrap()),
            answer: Arc::default(),
            asked: Arc::default(),
        };
        let (answer, asked) = (Arc::clone(&site.answer), Arc::clone(&site.asked));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let request = BufReader::new(stream.try_clone().unwrap()).lines();
                request
                    .map_while(Result::ok)
                    .take_while(|line| !line.is_empty())
                    .for_each(drop);
                asked.fetch_add(1, Ordering::SeqCst);
                // Whoever has read enough hangs up.
                stream.write_all(answer.lock().as_bytes()).ok();
            }
        });
        site
    }

    fn answers(&self, status: &str, body: &str) {
        let length = body.len();
        let head =
            format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n");
        *self.answer.lock() = format!("{head}Location: /elsewhere\r\n\r\n{body}");
    }
}

#[tokio::test]
async fn keys_of_an_address_that_is_away_are_waited_for() {
    let site = Site::start();
    site.answers("503 Service Unavailable", &set(&[old()]));
    let secret = super::super::tests::SECRET;
    let auth = start(&["--auth-jwks", &site.url, "--auth-secret", secret])
        .await
        .unwrap();
    let token = signed(Algorithm::RS256, RSA, Some("old"));
    let error = auth.identify(&token).await.unwrap_err();
    assert!(matches!(error, AuthError::NoKeysYet), "{error:?}");
    auth.identify(&signed(Algorithm::HS256, secret, None))
        .await
        .unwrap();
    refusal(
        &auth,
        &signed(Algorithm::HS256, "another secret, which is as long", None),
    )
    .await;

    site.answers("200 OK", &set(&[old()]));
    let read = async {
        while auth.identify(&token).await.is_err() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), read)
        .await
        .unwrap();
    let asked = site.asked.load(Ordering::SeqCst);
    for _ in 0..20 {
        let forged = signed(Algorithm::RS256, RSA, Some("forged"));
        auth.identify(&forged).await.unwrap_err();
    }
    assert!(site.asked.load(Ordering::SeqCst) <= asked + 1);
}

#[test]
fn only_a_short_document_from_the_address_itself_is_read() {
    let site = Site::start();
    let address = fetch::Address::parse(&site.url).unwrap();
    site.answers("200 OK", "hello");
    assert_eq!(address.get().unwrap(), b"hello");
    site.answers("200 OK", &"x".repeat(1024 * 1024 + 1));
    assert!(address.get().is_err());
    for status in ["302 Found", "404 Not Found", "204 No Content"] {
        let asked = site.asked.load(Ordering::SeqCst);
        site.answers(status, "");
        assert!(address.get().is_err(), "{status}");
        assert_eq!(site.asked.load(Ordering::SeqCst), asked + 1, "{status}");
    }
}
