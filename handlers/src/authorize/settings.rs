//! What the authorizer is told of whom to believe, in its environment.

use crate::env::SettingsError;
use crate::jwks::Issuer;
use crate::jwt::{Rules, TokenUse};
use crate::origin::Origins;

/// Seconds by which clocks may differ unless the stack says otherwise, and at most.
const SKEW: u64 = 30;
const MOST_SKEW: u64 = 60;

/// Whom to believe, and which pages to let in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trust {
    pub issuer: Issuer,
    pub rules: Rules,
    pub origins: Origins,
}

impl Trust {
    /// Reads the environment; an empty value counts as absent, and what is not understood is not passed over.
    pub fn read(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, SettingsError> {
        let value = |name: &str| lookup(name).filter(|value| !value.is_empty());
        let needed = |name| value(name).ok_or(SettingsError::Missing(name));
        let url = needed("JWT_ISSUER")?;
        if !is_url(&url) {
            return Err(bad("JWT_ISSUER", "an https URL"));
        }
        let jwks = value("JWT_JWKS");
        if jwks.as_deref().is_some_and(|url| !is_url(url)) {
            return Err(bad("JWT_JWKS", "an https URL"));
        }
        let audience = needed("JWT_AUDIENCE")?;
        let audience = audience
            .split(',')
            .map(str::trim)
            .filter(|one| !one.is_empty());
        let audience: Vec<String> = audience.map(str::to_owned).collect();
        if audience.is_empty() {
            return Err(SettingsError::Missing("JWT_AUDIENCE"));
        }
        let token_use = match value("JWT_TOKEN_USE") {
            None => None,
            Some(word) => {
                let kind = TokenUse::named(&word);
                Some(kind.ok_or_else(|| bad("JWT_TOKEN_USE", "`id` or `access`"))?)
            }
        };
        let skew = match value("JWT_SKEW_SECONDS") {
            None => SKEW,
            Some(text) => {
                let seconds = text.parse().ok().filter(|seconds| *seconds <= MOST_SKEW);
                seconds.ok_or_else(|| bad("JWT_SKEW_SECONDS", "a number of seconds up to 60"))?
            }
        };
        Ok(Self {
            rules: Rules {
                issuer: url.clone(),
                audience,
                token_use,
                groups_claim: value("JWT_GROUPS_CLAIM"),
                skew,
            },
            issuer: Issuer { url, jwks },
            origins: Origins::parse(&value("ALLOWED_ORIGINS").unwrap_or_default()),
        })
    }
}

fn bad(name: &'static str, wanted: &'static str) -> SettingsError {
    SettingsError::Bad { name, wanted }
}

/// Without TLS only where nothing leaves the machine, for trials.
fn is_url(url: &str) -> bool {
    let here = ["http://127.0.0.1", "http://localhost", "http://[::1]"];
    let ends = |rest: &str| rest.is_empty() || rest.starts_with([':', '/']);
    let is_here = here
        .into_iter()
        .any(|host| url.strip_prefix(host).is_some_and(ends));
    (is_here || url.starts_with("https://"))
        && !url.contains(['@', '#'])
        && !url.contains(char::is_whitespace)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> Result<Trust, SettingsError> {
        let all: Vec<_> = [
            ("JWT_ISSUER", "https://id.example.com"),
            ("JWT_AUDIENCE", "a, b"),
        ]
        .iter()
        .chain(variables)
        .copied()
        .collect();
        Trust::read(|name| {
            let found = all.iter().rfind(|(key, _)| *key == name);
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn issuer_and_audience_are_needed_and_the_rest_has_defaults() {
        let trust = read(&[]).unwrap();
        assert_eq!(trust.rules.audience, ["a", "b"]);
        assert_eq!((trust.rules.skew, trust.rules.token_use), (30, None));
        assert_eq!(trust.issuer.jwks, None);
        assert_eq!(
            read(&[("JWT_ISSUER", "")]),
            Err(SettingsError::Missing("JWT_ISSUER"))
        );
        for audience in ["", " , "] {
            let answer = read(&[("JWT_AUDIENCE", audience)]);
            assert_eq!(answer, Err(SettingsError::Missing("JWT_AUDIENCE")));
        }
        let trust = read(&[
            ("JWT_TOKEN_USE", "access"),
            ("JWT_SKEW_SECONDS", "0"),
            ("JWT_GROUPS_CLAIM", "cognito:groups"),
            ("JWT_JWKS", "https://id.example.com/keys"),
            ("ALLOWED_ORIGINS", "https://app.example.com"),
        ])
        .unwrap();
        assert_eq!(trust.rules.token_use, Some(TokenUse::Access));
        assert_eq!(trust.rules.skew, 0);
        assert!(!trust.origins.admit(Some("https://evil.example")));
    }

    #[test]
    fn what_is_not_understood_is_not_passed_over() {
        for (name, value) in [
            ("JWT_ISSUER", "local"),
            ("JWT_ISSUER", "http://id.example.com"),
            ("JWT_ISSUER", "http://localhost.example.com"),
            ("JWT_ISSUER", "http://127.0.0.1@id.example.com"),
            ("JWT_JWKS", "file:///keys"),
            ("JWT_JWKS", "http://169.254.169.254/keys"),
            ("JWT_TOKEN_USE", "ID"),
            ("JWT_SKEW_SECONDS", "61"),
            ("JWT_SKEW_SECONDS", "-1"),
            ("JWT_SKEW_SECONDS", "30s"),
        ] {
            let error = read(&[(name, value)]).unwrap_err();
            assert_eq!(error.error_type(), "Runtime.InvalidEnvironment");
            let text = error.to_string();
            assert!(text.starts_with(&format!("{name} is not ")), "{text}");
        }
        for here in [
            "http://127.0.0.1:4566/x",
            "http://localhost",
            "http://[::1]:9/",
        ] {
            assert!(read(&[("JWT_ISSUER", here)]).is_ok(), "{here}");
        }
    }
}
