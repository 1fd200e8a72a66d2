//! Settings of who may connect.

use std::time::Duration;

use clap::Args;
// An issuer or a claim that is empty would be looked for, and refuse everybody.
use clap::builder::NonEmptyStringValueParser as Text;

use super::Secret;
use super::secret::signing_secret;
use super::value::{duration, pause};

/// How clients show who they are.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Authentication")]
pub struct AuthConfig {
    /// Refuse clients that show neither a valid token nor an API key, and give each only what its roles allow. Without it
    /// every client may do everything.
    #[arg(long, env = "AUTH_REQUIRED", global = true)]
    pub auth_required: bool,

    /// Secret with which tokens are signed (HS256), at least 32 characters.
    #[arg(
        long,
        env = "AUTH_SECRET",
        allow_hyphen_values = true,
        value_parser = signing_secret,
        hide_env_values = true,
        value_name = "SECRET",
        global = true
    )]
    pub auth_secret: Option<Secret>,

    /// Public key of those who sign tokens (RS256, ES256 or EdDSA): PEM text, or the path of a file with it.
    #[arg(
        long,
        env = "AUTH_PUBLIC_KEY",
        allow_hyphen_values = true,
        hide_env_values = true,
        value_name = "PEM_OR_PATH",
        global = true
    )]
    pub auth_public_key: Option<String>,

    /// Public keys of those who sign tokens, as a JWKS: the path of a file, or an `https://` address.
    #[arg(long, env = "AUTH_JWKS", value_name = "PATH_OR_URL", global = true)]
    pub auth_jwks: Option<String>,

    /// How often the JWKS is read again. A token of none of its keys has it read at once, at most every 10 s.
    #[arg(
        long, env = "AUTH_JWKS_REFRESH", default_value = "5m", value_parser = duration,
        value_name = "DURATION", global = true
    )]
    pub auth_jwks_refresh: Duration,

    /// Issuer (`iss`) that tokens must name.
    #[arg(long, env = "AUTH_ISSUER", value_parser = Text::new(), value_name = "TEXT", global = true)]
    pub auth_issuer: Option<String>,

    /// Audience (`aud`) that tokens must name.
    #[arg(long, env = "AUTH_AUDIENCE", value_parser = Text::new(), value_name = "TEXT", global = true)]
    pub auth_audience: Option<String>,

    /// By how much the clocks of those who sign tokens may differ from this one.
    #[arg(
        long, env = "AUTH_LEEWAY", default_value = "30s", value_parser = pause,
        value_name = "DURATION", global = true
    )]
    pub auth_leeway: Duration,

    /// Claim with the user's id.
    #[arg(
        long,
        env = "AUTH_USER_CLAIM",
        default_value = "sub",
        value_parser = Text::new(),
        value_name = "CLAIM",
        global = true
    )]
    pub auth_user_claim: String,

    /// Claim with roles by project, such as `{"demo":"admin","*":"viewer"}`. Without it tokens carry no roles.
    #[arg(long, env = "AUTH_PROJECTS_CLAIM", value_parser = Text::new(), value_name = "CLAIM", global = true)]
    pub auth_projects_claim: Option<String>,

    /// Cookie in which a token may come. Needs `CORS_ORIGINS` to be a list.
    #[arg(long, env = "AUTH_COOKIE", value_parser = Text::new(), value_name = "NAME", global = true)]
    pub auth_cookie: Option<String>,

    /// How long before its token expires a connection is warned; not before half of what is left is over.
    #[arg(
        long, env = "AUTH_EXPIRY_WARNING", default_value = "60s", value_parser = duration,
        value_name = "DURATION", global = true
    )]
    pub auth_expiry_warning: Duration,

    /// How long after its token has expired, `AUTH_LEEWAY` included in neither, a connection is closed.
    #[arg(
        long, env = "AUTH_GRACE", default_value = "30s", value_parser = pause,
        value_name = "DURATION", global = true
    )]
    pub auth_grace: Duration,

    /// Let users choose the ids of projects that they create. Then anybody can find out which ids are taken, and take
    /// others'.
    #[arg(long, env = "CLIENT_PROJECT_IDS", global = true)]
    pub client_project_ids: bool,
}
