//! Whatever is shown as a token or an API key, looking at it neither panics nor hangs nor takes up much memory, and
//! nobody becomes a user who cannot be one.

use std::sync::LazyLock;

use clap::Parser;
use jsonwebtoken::crypto::sign;
use jsonwebtoken::{Algorithm, EncodingKey};
use proptest::prelude::*;
use tokio::runtime::{Builder, Runtime};

use super::{Authenticator, MAX_CREDENTIAL};
use crate::config::AuthConfig;
use crate::shutdown::Lifecycle;
use crate::store::Store;
use crate::test_support::fuzz::{any_bytes, budget, measured};

const SECRET: &str = "a secret of thirty-two characters";
/// What a credential may take up that is short enough to be looked at: some 6 KB of JSON, of the kind that needs a hundred
/// times as much, twice and while a list grows. It is no multiple of the input, but it is no more than this.
const MOST: usize = 3 * 1024 * 1024;
/// For one that is too long: what the runtime itself needs.
const SOME: usize = 16 * 1024;

#[derive(Parser)]
struct Settings {
    #[command(flatten)]
    auth: AuthConfig,
}

struct Scene {
    runtime: Runtime,
    auth: Authenticator,
}

static SCENE: LazyLock<Scene> = LazyLock::new(|| {
    let runtime = Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let arguments = [
        "",
        "--auth-secret",
        SECRET,
        "--auth-projects-claim",
        "projects",
    ];
    let settings = Settings::try_parse_from(arguments).unwrap();
    let auth = runtime.block_on(async {
        let store = Store::open(&"sqlite::memory:".parse().unwrap(), 1)
            .await
            .unwrap();
        Authenticator::start(&settings.auth, &store, &Lifecycle::new())
            .await
            .unwrap()
    });
    Scene { runtime, auth }
});

/// Whether it proves anything.
fn costs_little(credential: &str) -> bool {
    let scene = &*SCENE;
    let measured = measured(|| scene.runtime.block_on(scene.auth.identify(credential)));
    let length = credential.len();
    let most = if length > 2 * MAX_CREDENTIAL {
        SOME
    } else {
        MOST
    };
    assert!(
        measured.held <= most,
        "{} bytes for {length}",
        measured.held
    );
    let Ok(identity) = measured.result else {
        return false;
    };
    let actor = identity.actor.as_str();
    assert!(!actor.is_empty() && !actor.contains('\0'));
    assert!(!actor.starts_with("apikey:") && !actor.starts_with("anonymous:"));
    assert!(identity.expires_at.is_some());
    true
}

fn base64url(text: &str) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let chunks = text.as_bytes().chunks(3);
    let chars = chunks.flat_map(|chunk| {
        let bits = chunk
            .iter()
            .fold(0, |bits, byte| (bits << 8) | usize::from(*byte));
        let bits = bits << (8 * (3 - chunk.len()));
        (0..=chunk.len()).map(move |digit| char::from(DIGITS[(bits >> (18 - 6 * digit)) & 63]))
    });
    chars.collect()
}

/// A token that is well signed, whatever it says.
fn signed(header: &str, claims: &str) -> String {
    let message = format!("{}.{}", base64url(header), base64url(claims));
    let key = EncodingKey::from_secret(SECRET.as_bytes()).unwrap();
    let signature = sign(message.as_bytes(), &key, Algorithm::HS256).unwrap();
    format!("{message}.{signature}")
}

const HEADER: &str = r#"{"alg":"HS256"}"#;

const JSON: [&str; 34] = [
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "\"",
    "\\",
    "\\ud800",
    "\\u0000",
    "null",
    "1e999",
    "-1",
    "4102444800",
    "1e308",
    "0.5",
    "\"x\"",
    "\"alg\":\"HS256\",",
    "\"alg\":\"none\",",
    "\"typ\":\"JWT\",",
    "\"kid\":\"k\",",
    "\"crit\":[\"exp\"],",
    "\"sub\":\"ann\",",
    "\"sub\":7,",
    "\"sub\":\"apikey:x\",",
    "\"sub\":\"\",",
    "\"exp\":4102444800,",
    "\"exp\":\"x\",",
    "\"nbf\":0,",
    "\"iat\":-1,",
    "\"projects\":{\"p\":\"owner\"},",
    "\"projects\":{\"\":\"owner\"},",
    "\"projects\":[],",
    "{\"\":0},",
];

const TEXT: [&str; 16] = [
    ".",
    "..",
    "=",
    "-",
    "_",
    "Bearer ",
    "bearer",
    " ",
    "bck_",
    "bck_ci_",
    "0123456789abcdef",
    "eyJhbGciOiJIUzI1NiJ9",
    "eyJhbGciOiJub25lIn0",
    "e30",
    "é",
    "null",
];

proptest! {
    #![proptest_config(budget())]

    #[test]
    fn any_credential_costs_little(bytes in any_bytes(&TEXT)) {
        prop_assert!(!costs_little(&String::from_utf8_lossy(&bytes)));
    }

    #[test]
    fn any_claims_cost_little(claims in any_bytes(&JSON), whole: bool) {
        let claims = String::from_utf8_lossy(&claims);
        costs_little(&signed(HEADER, &claims));
        if whole {
            costs_little(&signed(HEADER, &format!("{{{}\"sub\":\"ann\",\"exp\":4102444800}}", claims.replace(['{', '}'], ""))));
        }
    }

    #[test]
    fn any_header_costs_little(header in any_bytes(&JSON), bare: bool) {
        let header = String::from_utf8_lossy(&header);
        let header = if bare { header.into_owned() } else { format!("{{{header}\"alg\":\"HS256\"}}") };
        costs_little(&signed(&header, r#"{"sub":"ann","exp":4102444800}"#));
    }
}

#[test]
fn a_good_token_is_one() {
    assert!(costs_little(&signed(
        HEADER,
        r#"{"sub":"ann","exp":4102444800}"#
    )));
}

/// As long as may be, and longer.
#[test]
fn long_credentials_cost_little() {
    for length in [MAX_CREDENTIAL * 7 / 10, 256 * 1024] {
        for unit in TEXT {
            let long = unit.repeat(length / unit.len());
            costs_little(&long);
            costs_little(&format!("bck_{long}"));
            costs_little(&format!("{}.{long}", base64url(HEADER)));
        }
        for unit in ["{\"\":0},", "[", "{\"a\":", "0,", "\\ud800", "9"] {
            let long = unit.repeat(length / unit.len());
            costs_little(&signed(HEADER, &long));
            costs_little(&signed(
                HEADER,
                &format!("{{\"sub\":\"ann\",\"exp\":4102444800,\"x\":[{long}0]}}"),
            ));
            costs_little(&signed(
                &format!("{{\"alg\":\"HS256\",\"x\":[{long}0]}}"),
                "{}",
            ));
        }
    }
}
