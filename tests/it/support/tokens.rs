//! Tokens, as those who sign them make them.

use std::time::{SystemTime, UNIX_EPOCH};

use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};

/// What tests set as `AUTH_SECRET`.
pub(crate) const SECRET: &str = "a secret of thirty-two characters";
/// Settings with which tokens are verified, and needed.
pub(crate) const REQUIRED: [(&str, &str); 3] = [
    ("AUTH_REQUIRED", "true"),
    ("AUTH_SECRET", SECRET),
    ("AUTH_PROJECTS_CLAIM", "projects"),
];

/// A user's token for an hour.
pub(crate) fn of(user: &str) -> String {
    with(user, json!({}))
}

/// A user's token for an hour with roles by project, such as `{"demo": "admin"}`.
pub(crate) fn with_roles(user: &str, roles: Value) -> String {
    with(user, Value::from_iter([("projects", roles)]))
}

/// A user's token for an hour, unless these claims say otherwise; `null` removes one.
pub(crate) fn with(user: &str, claims: Value) -> String {
    let now = now();
    let mut all = json!({"sub": user, "iat": now, "exp": now + 3600});
    let Value::Object(claims) = claims else {
        panic!("claims are an object");
    };
    for (claim, value) in claims {
        all[claim] = value;
    }
    all.as_object_mut()
        .expect("claims are an object")
        .retain(|_, value| !value.is_null());
    signed(&all, SECRET)
}

/// Exactly these claims, signed with a secret (HS256).
pub(crate) fn signed(claims: &Value, secret: &str) -> String {
    let key = EncodingKey::from_secret(secret.as_bytes()).expect("it is not empty");
    jsonwebtoken::encode(&Header::new(Algorithm::HS256), claims, &key).expect("it can be signed")
}

/// Seconds since 1970.
pub(crate) fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    i64::try_from(since.expect("it is later").as_secs()).expect("it is not that late")
}
