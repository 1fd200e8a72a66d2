//! What a token says, and whether it is so now and for us.

use serde_json::Value;

use super::token::{Claims, moment};
use crate::config::AuthConfig;
use crate::domain::{Actor, Grants, Holder, Id, Identity, Timestamp};

/// Above, not every integer that is no `u64` has a number of its own.
const MAX_SAFE: f64 = 9_007_199_254_740_992.0;

/// What tokens must say to be accepted.
#[derive(Debug)]
pub(super) struct Rules {
    issuer: Option<String>,
    audience: Option<String>,
    leeway: i64,
    user_claim: String,
    projects_claim: Option<String>,
}

impl Rules {
    pub(super) fn new(config: &AuthConfig) -> Self {
        Self {
            issuer: config.auth_issuer.clone(),
            audience: config.auth_audience.clone(),
            leeway: i64::try_from(config.auth_leeway.as_millis()).unwrap_or(i64::MAX),
            user_claim: config.auth_user_claim.clone(),
            projects_claim: config.auth_projects_claim.clone(),
        }
    }

    /// Who the user is, unless the claims are not true now or not meant for us.
    pub(super) fn identity(&self, claims: &Claims, now: Timestamp) -> Result<Identity, String> {
        let expires_at = self.in_force(claims, now)?;
        self.meant_for_us(claims)?;
        let issued_at = time(claims, "iat")?;
        // A token cannot know what is still to come.
        let granted_at = issued_at.map(|at| at.min(now).as_millis().saturating_sub(self.leeway));
        Ok(Identity {
            actor: self.user(claims)?,
            holder: Holder::User {
                granted_at: granted_at.map(Timestamp::from_millis),
            },
            grants: self.grants(claims)?,
            expires_at: Some(expires_at),
        })
    }

    /// What time it is here when another clock says this.
    pub(super) fn at_the_latest(&self, theirs: Timestamp) -> Timestamp {
        Timestamp::from_millis(theirs.as_millis().saturating_add(self.leeway))
    }

    /// When a token ends that has begun and has not ended yet.
    fn in_force(&self, claims: &Claims, now: Timestamp) -> Result<Timestamp, String> {
        let expires_at = time(claims, "exp")?.ok_or("the token has no exp")?;
        if now.as_millis() >= expires_at.as_millis().saturating_add(self.leeway) {
            return Err("the token has expired".to_owned());
        }
        let not_before = time(claims, "nbf")?;
        if not_before.is_some_and(|at| at.as_millis().saturating_sub(self.leeway) > now.as_millis())
        {
            return Err("the token is not valid yet".to_owned());
        }
        Ok(expires_at)
    }

    fn meant_for_us(&self, claims: &Claims) -> Result<(), String> {
        let is = |value: Option<&Value>, text: &str| value.and_then(Value::as_str) == Some(text);
        if let Some(issuer) = &self.issuer
            && !is(claims.get("iss"), issuer)
        {
            return Err("the token has another iss than AUTH_ISSUER".to_owned());
        }
        if let Some(audience) = &self.audience {
            let named = match claims.get("aud") {
                Some(Value::Array(all)) => all.iter().any(|one| is(Some(one), audience)),
                one => is(one, audience),
            };
            if !named {
                return Err("the token's aud does not name AUTH_AUDIENCE".to_owned());
            }
        }
        Ok(())
    }

    fn user(&self, claims: &Claims) -> Result<Actor, String> {
        let claim = &self.user_claim;
        let value = claims
            .get(claim)
            .ok_or_else(|| format!("the token has no {claim}"))?;
        // Read as the nearest number that there is, it would be several users' id.
        if value.is_f64() && value.as_f64().is_some_and(|number| number.abs() > MAX_SAFE) {
            return Err(format!("the token's {claim} is too large for a number"));
        }
        let id = Id::from_json(value).map_err(|error| format!("the token's {claim} {error}"))?;
        if Actor::is_reserved(id.as_str()) || id.as_str().contains('\0') {
            return Err(format!("the token's {claim} cannot be a user's id"));
        }
        Ok(Actor::new(id.as_str()))
    }

    /// The roles that the token gives. What cannot be read gives none: it refuses the token.
    fn grants(&self, claims: &Claims) -> Result<Grants, String> {
        let mut grants = Grants::default();
        let Some(claim) = &self.projects_claim else {
            return Ok(grants);
        };
        let projects = match claims.get(claim) {
            None => return Ok(grants),
            Some(Value::Object(projects)) => projects,
            Some(_) => return Err(format!("the token's {claim} is no object")),
        };
        for (project, role) in projects {
            let is_project = (project == Grants::EVERYWHERE || Id::from_text(project).is_ok())
                && !project.contains('\0');
            let role = role.as_str().and_then(|role| role.parse().ok());
            let role = role.filter(|_| is_project);
            grants.insert(
                project,
                role.ok_or_else(|| {
                    format!(
                        "the token's {claim} must map projects to viewer, member, admin or owner"
                    )
                })?,
            );
        }
        Ok(grants)
    }
}

/// A time in a claim, which is seconds and may have a fraction.
fn time(claims: &Claims, claim: &str) -> Result<Option<Timestamp>, String> {
    let Some(value) = claims.get(claim) else {
        return Ok(None);
    };
    let at = value.as_f64().and_then(moment);
    at.map(Some)
        .ok_or_else(|| format!("the token's {claim} is no time"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::tests::settings;
    use super::*;
    use crate::domain::Role;

    const NOW: i64 = 1_700_000_000;

    /// What is said of these claims besides a `sub` and an `exp`.
    fn identity(flags: &[&str], claims: &Value, now: Timestamp) -> Result<Identity, String> {
        let mut all = json!({"sub": "ann", "exp": NOW + 60});
        for (claim, value) in claims.as_object().unwrap() {
            all[claim] = value.clone();
        }
        Rules::new(&settings(flags)).identity(all.as_object().unwrap(), now)
    }

    fn now() -> Timestamp {
        Timestamp::from_millis(NOW * 1000)
    }

    fn is_accepted(flags: &[&str], claims: &Value) -> bool {
        identity(flags, claims, now()).is_ok()
    }

    #[test]
    fn a_token_counts_from_nbf_to_exp_give_or_take_the_leeway() {
        let at = |millis| {
            let claims = json!({"nbf": NOW, "exp": NOW + 60});
            let now = Timestamp::from_millis(NOW * 1000 + millis);
            identity(&["--auth-leeway", "1500ms"], &claims, now)
        };
        assert_eq!(at(-1501).unwrap_err(), "the token is not valid yet");
        assert!(at(-1500).is_ok());
        let identity = at(61_499).unwrap();
        assert_eq!(
            identity.expires_at,
            Some(Timestamp::from_millis((NOW + 60) * 1000))
        );
        assert_eq!(at(61_500).unwrap_err(), "the token has expired");
    }

    #[test]
    fn times_must_be_times_and_exp_must_be_there() {
        let rules = Rules::new(&settings(&[]));
        let without = json!({"sub": "ann"});
        let error = rules
            .identity(without.as_object().unwrap(), now())
            .unwrap_err();
        assert_eq!(error, "the token has no exp");
        for claim in ["exp", "nbf", "iat"] {
            for wrong in [
                json!(null),
                json!("1"),
                json!(-1),
                json!(1e300),
                json!([NOW]),
                json!(u64::MAX),
            ] {
                assert!(
                    !is_accepted(&[], &json!({claim: wrong})),
                    "{claim}: {wrong}"
                );
            }
        }
        assert!(is_accepted(&[], &json!({"exp": 1_700_000_000.5})));
    }

    #[test]
    fn grants_are_as_old_as_the_token_says_but_not_of_tomorrow() {
        for (issued, granted) in [(NOW - 100, NOW - 130), (NOW + 100, NOW - 30)] {
            let identity = identity(&[], &json!({"iat": issued}), now()).unwrap();
            let granted_at = Some(Timestamp::from_millis(granted * 1000));
            assert_eq!(identity.holder, Holder::User { granted_at });
        }
        let identity = identity(&[], &json!({}), now()).unwrap();
        assert_eq!(identity.holder, Holder::User { granted_at: None });
    }

    #[test]
    fn issuer_and_audience_must_be_ours_if_we_have_one() {
        let issuer = ["--auth-issuer", "https://id"];
        assert!(is_accepted(&issuer, &json!({"iss": "https://id"})));
        for other in [
            json!({}),
            json!({"iss": "https://id/"}),
            json!({"iss": ["https://id"]}),
        ] {
            assert!(!is_accepted(&issuer, &other), "{other}");
        }
        let audience = ["--auth-audience", "board"];
        for ours in [json!("board"), json!(["other", "board"])] {
            assert!(is_accepted(&audience, &json!({"aud": ours})), "{ours}");
        }
        for other in [
            json!(null),
            json!("boards"),
            json!([]),
            json!([["board"]]),
            json!({"board": 1}),
        ] {
            assert!(!is_accepted(&audience, &json!({"aud": other})), "{other}");
        }
        assert!(!is_accepted(&audience, &json!({})));
        assert!(is_accepted(&[], &json!({"iss": "anybody", "aud": ["any"]})));
    }

    #[test]
    fn a_user_has_an_id_that_nobody_else_can_have() {
        let flags = ["--auth-user-claim", "uid"];
        let actor =
            |id: Value| identity(&flags, &json!({"uid": id}), now()).map(|found| found.actor);
        assert_eq!(actor(json!("ann")).unwrap().as_str(), "ann");
        assert_eq!(actor(json!(42)).unwrap().as_str(), "42");
        assert_eq!(actor(json!(42.0)).unwrap().as_str(), "42");
        let most = actor(json!(u64::MAX)).unwrap();
        assert_eq!(most.as_str(), u64::MAX.to_string());
        for wrong in [
            json!(""),
            json!(null),
            json!(true),
            json!(["ann"]),
            json!("a".repeat(256)),
            json!("an\0n"),
            json!("apikey:ci"),
            json!("anonymous:1"),
            json!("anonymous"),
            json!("ingress"),
            // As many, and many others, are read.
            json!(2_f64.powi(64)),
            json!(-2_f64.powi(64)),
        ] {
            assert!(actor(wrong.clone()).is_err(), "{wrong}");
        }
        assert!(!is_accepted(&flags, &json!({})), "sub is not asked");
    }

    #[test]
    fn roles_are_read_whole_or_refuse_the_token() {
        let flags = ["--auth-projects-claim", "projects"];
        let grants = |projects: Value| {
            let found = identity(&flags, &json!({"projects": projects}), now());
            found.map(|found| found.grants)
        };
        let found = grants(json!({"demo": "admin", "*": "viewer"})).unwrap();
        let found: Vec<_> = found.iter().collect();
        assert_eq!(found, [("*", Role::Viewer), ("demo", Role::Admin)]);
        assert_eq!(grants(json!({})), Ok(Grants::default()));
        assert!(is_accepted(&flags, &json!({})));
        for wrong in [
            json!(null),
            json!(["demo"]),
            json!("demo:admin"),
            json!({"demo": "boss"}),
            json!({"demo": "Admin"}),
            json!({"demo": null}),
            json!({"demo": ["admin"]}),
            json!({"": "admin"}),
            json!({"ok": "viewer", "d\0": "admin"}),
        ] {
            assert!(grants(wrong.clone()).is_err(), "{wrong}");
        }
        let unasked = identity(&[], &json!({"projects": {"demo": "boss"}}), now());
        assert_eq!(unasked.unwrap().grants, Grants::default());
    }
}
