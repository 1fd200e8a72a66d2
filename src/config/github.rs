//! Settings of webhooks from GitHub.

use std::str::FromStr;

use clap::Args;

use super::secret::Secret;
use crate::domain::ChannelName;

/// Most repositories that have a channel of their own.
const MAX_REPOSITORIES: usize = 1000;

/// What GitHub may tell, and on which channels that is published.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "GitHub")]
pub struct GithubConfig {
    /// Secret with which GitHub signs its webhooks, at least 16 characters. Without it none are taken.
    #[arg(
        long,
        env = "GITHUB_WEBHOOK_SECRET",
        allow_hyphen_values = true,
        hide_env_values = true,
        value_name = "SECRET",
        global = true
    )]
    pub github_webhook_secret: Option<Secret>,

    /// Channel on which it is published what GitHub tells, such as `github` or `project:demo`.
    #[arg(
        long, env = "GITHUB_CHANNEL", default_value = "github", value_parser = channel, value_name = "CHANNEL",
        global = true
    )]
    pub github_channel: ChannelName,

    /// Repositories whose events go to another channel, separated by commas: `owner/name=project:demo`.
    #[arg(
        long,
        env = "GITHUB_REPOSITORIES",
        value_delimiter = ',',
        value_name = "REPOSITORIES",
        global = true
    )]
    pub github_repositories: Vec<RepositoryChannel>,
}

/// The channel of a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RepositoryChannel {
    /// `owner/name`
    pub repository: String,
    /// Where its events are published.
    pub channel: ChannelName,
}

impl GithubConfig {
    /// The channel on which a repository's events are published. GitHub does not tell large letters from small ones.
    #[must_use]
    pub fn channel_of(&self, repository: &str) -> &ChannelName {
        let mut known = self.github_repositories.iter();
        let known = known.find(|known| known.repository.eq_ignore_ascii_case(repository));
        known.map_or(&self.github_channel, |known| &known.channel)
    }

    /// What is wrong with the settings together.
    ///
    /// # Errors
    ///
    /// A sentence for the operator.
    pub(super) fn validate(&self) -> Result<(), String> {
        if self.github_repositories.len() > MAX_REPOSITORIES {
            return Err(format!(
                "GITHUB_REPOSITORIES must not name more than {MAX_REPOSITORIES} repositories"
            ));
        }
        if self.github_webhook_secret.is_none() && !self.github_repositories.is_empty() {
            return Err("GITHUB_REPOSITORIES needs GITHUB_WEBHOOK_SECRET".to_owned());
        }
        Ok(())
    }
}

fn channel(text: &str) -> Result<ChannelName, String> {
    let channel = ChannelName::parse(text.trim());
    let channel = channel.map_err(|error| format!("the name of a channel {error}"))?;
    if channel.is_of_all() || channel.is_list_of_projects() {
        return Err("nobody publishes on this channel: name another".to_owned());
    }
    Ok(channel)
}

impl FromStr for RepositoryChannel {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts = text.trim().split_once('=');
        let (repository, name) = parts.ok_or("a repository is owner/name=channel")?;
        let is_repository = repository
            .split('/')
            .filter(|part| !part.is_empty())
            .count()
            == 2
            && repository.matches('/').count() == 1
            && !repository.contains(char::is_whitespace);
        if !is_repository {
            return Err(format!("{repository:?} is no repository: owner/name"));
        }
        let (repository, channel) = (repository.to_owned(), channel(name)?);
        Ok(Self {
            repository,
            channel,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repository_has_its_channel_or_that_of_all() {
        let config = GithubConfig {
            github_webhook_secret: None,
            github_channel: channel("github").unwrap(),
            github_repositories: vec!["Owner/name=project:x".parse().unwrap()],
        };
        assert_eq!(config.channel_of("owner/Name").as_str(), "project:x");
        assert_eq!(config.channel_of("owner/other").as_str(), "github");
        assert!(config.validate().is_err());
        for wrong in [
            "o/r",
            "o=c",
            "o/r/x=c",
            "/r=c",
            "o /r=c",
            "o/r=",
            "o/r=a b",
            "o/r=agent:*",
        ] {
            assert!(wrong.parse::<RepositoryChannel>().is_err(), "{wrong}");
        }
    }
}
