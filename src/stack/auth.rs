//! Who may connect: tokens of an issuer, your own authorizer, and from which pages.

use schemars::JsonSchema;
use serde::Deserialize;
use url::{Host, Url};

use super::{Shipped, Span, Stack};

/// Who may connect: whoever shows a token of `jwt`, or whomever your own `function` lets in.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AuthDef {
    /// Tokens of a Cognito user pool or another OIDC issuer; a shipped authorizer checks them.
    #[schemars(example = jwt_example())]
    pub jwt: Option<JwtDef>,
    /// Your own REQUEST authorizer: a function of this file, instead of `jwt`.
    pub function: Option<String>,
    /// What must be there before `function` is asked, such as `querystring.token` or `header.Authorization`. Unless
    /// said: nothing.
    #[serde(default)]
    #[schemars(example = ["querystring.token"])]
    pub identity: Vec<String>,
    /// Pages that may connect from a browser, such as `https://app.example.com`; a `*.` in front stands for one
    /// label. Unless said: any page.
    #[serde(default)]
    #[schemars(example = ["https://app.example.com"])]
    pub origins: Vec<String>,
}

/// Whose tokens are believed, and which of them.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct JwtDef {
    /// The `iss` of its tokens, to the letter: an https URL, or `local` for the local cloud's own issuer.
    #[schemars(example = &"https://cognito-idp.us-east-1.amazonaws.com/us-east-1_abc")]
    pub issuer: String,
    /// Whom a token must be for: one of these is in its `aud`, or is the `client_id` of a Cognito access token.
    #[schemars(example = ["app-client"])]
    pub audience: Vec<String>,
    /// Refuse Cognito's other kind of token. Unless said: either.
    pub token_use: Option<TokenUse>,
    /// The claim that lists a person's groups, such as `cognito:groups`. Unless said: anybody may join any group.
    #[schemars(example = &"cognito:groups")]
    pub groups_claim: Option<String>,
    /// Where the issuer's keys are. Unless said: where its discovery document says.
    pub jwks: Option<String>,
    /// By how much clocks may differ, whole seconds up to `60s`. Unless said: `30s`.
    #[schemars(example = &"30s")]
    pub skew: Option<Span>,
}

/// Cognito's kinds of token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum TokenUse {
    /// It says who somebody is.
    Id,
    /// It says what somebody may do.
    Access,
}

impl TokenUse {
    /// The word as the claim and the file have it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Id => "id",
            Self::Access => "access",
        }
    }
}

impl JwtDef {
    /// The word for the local cloud's own issuer.
    pub const LOCAL: &'static str = "local";

    /// Whether only this machine knows the issuer, so that no deployed stack may believe it.
    pub fn is_local(&self) -> bool {
        self.issuer == Self::LOCAL || is_loopback(&self.issuer)
    }
}

/// Whether a URL's host is this machine, by its name or number.
pub(super) fn is_loopback(url: &str) -> bool {
    let url = Url::parse(url).ok();
    match url.as_ref().and_then(Url::host) {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

impl Stack {
    /// Whose tokens are believed.
    pub fn jwt(&self) -> Option<&JwtDef> {
        self.auth.as_ref()?.jwt.as_ref()
    }

    /// The function that is asked at `$connect`: your own, or the shipped authorizer.
    pub fn authorizer(&self) -> Option<&str> {
        let auth = self.auth.as_ref()?;
        match (&auth.function, &auth.jwt) {
            (Some(function), _) => Some(function),
            (None, Some(_)) => self.shipped(Shipped::Authorize).next(),
            (None, None) => None,
        }
    }

    /// The functions that a shipped handler serves.
    pub fn shipped(&self, handler: Shipped) -> impl Iterator<Item = &str> {
        let served = self.functions.iter();
        served
            .filter(move |(_, function)| function.handler == Some(handler))
            .map(|(key, _)| key.as_str())
    }
}

pub(super) fn example() -> serde_json::Value {
    serde_json::json!({ "jwt": jwt_example() })
}

fn jwt_example() -> serde_json::Value {
    serde_json::json!({
        "issuer": "https://cognito-idp.us-east-1.amazonaws.com/us-east-1_abc",
        "audience": ["app-client"],
    })
}

#[cfg(test)]
mod tests {
    use super::is_loopback;

    #[test]
    fn only_a_host_of_this_machine_is_loopback() {
        for url in [
            "http://127.0.0.1:4566/x",
            "http://localhost",
            "http://[::1]:9/x",
            "http://127.1/",
            "http://LOCALHOST:4566",
        ] {
            assert!(is_loopback(url), "{url}");
        }
        for url in [
            "http://127.0.0.1.example.com/",
            "https://localhost.example.com",
            "https://example.com/127.0.0.1",
            "http://127.0.0.1@example.com/",
            "localhost",
        ] {
            assert!(!is_loopback(url), "{url}");
        }
    }
}
