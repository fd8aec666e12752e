//! What the shipped handlers are told of who may connect.

use super::{Address, Describing, Site};
use crate::resource::text::{Text, Variable};
use crate::stack::{FunctionDef, JwtDef, Shipped, Span};

/// Where the local cloud has its own issuer, below its address; `local` serves it there.
pub(crate) const LOCAL_ISSUER: &str = "/_msgai/issuer";

impl Site {
    /// The local cloud's own issuer; there is none anywhere else. Its port speaks HTTP, whatever else it speaks.
    pub fn issuer(&self) -> Option<String> {
        let (Address::Stage(base) | Address::Path(base)) = &self.address else {
            return None;
        };
        let (_, host) = base.split_once("://")?;
        self.makes_existing
            .then(|| format!("http://{host}{LOCAL_ISSUER}"))
    }
}

impl Describing<'_> {
    /// Variables that `auth` means for a function.
    pub(crate) fn identity(&self, def: &FunctionDef) -> Vec<(String, Variable)> {
        let Some(auth) = &self.stack.auth else {
            return Vec::new();
        };
        match (def.handler, &auth.jwt) {
            (Some(Shipped::Authorize), Some(jwt)) => {
                let mut all = self.tokens(jwt);
                all.extend(self.origins(&auth.origins));
                all
            }
            (Some(Shipped::Connect), None) => self.origins(&auth.origins).into_iter().collect(),
            // Without the authorizer's word it lets nobody in, whatever became of the route.
            (Some(Shipped::Connect), Some(_)) => {
                vec![plain("REQUIRE_PRINCIPAL", "true".to_owned())]
            }
            _ => Vec::new(),
        }
    }

    fn tokens(&self, jwt: &JwtDef) -> Vec<(String, Variable)> {
        let of_this_machine = (jwt.issuer == JwtDef::LOCAL)
            .then(|| self.site.issuer())
            .flatten();
        let issuer = of_this_machine.unwrap_or_else(|| jwt.issuer.clone());
        let mut all = vec![
            self.told("JWT_ISSUER", issuer, &["issuer"]),
            self.told("JWT_AUDIENCE", jwt.audience.join(","), &["audience"]),
        ];
        let skew = jwt.skew.as_ref().and_then(Span::duration);
        all.extend(skew.map(|skew| plain("JWT_SKEW_SECONDS", skew.as_secs().to_string())));
        let kind = jwt.token_use.map(|kind| kind.word().to_owned());
        all.extend(kind.map(|kind| plain("JWT_TOKEN_USE", kind)));
        let claim = jwt.groups_claim.clone();
        all.extend(claim.map(|name| self.told("JWT_GROUPS_CLAIM", name, &["groups_claim"])));
        let keys = jwt.jwks.clone();
        all.extend(keys.map(|url| self.told("JWT_JWKS", url, &["jwks"])));
        all
    }

    fn origins(&self, origins: &[String]) -> Option<(String, Variable)> {
        let text = origins.join(",");
        (!text.is_empty()).then(|| {
            let secret = self.is_secret(&["auth", "origins"]);
            variable("ALLOWED_ORIGINS", text, secret)
        })
    }

    fn told(&self, name: &str, value: String, below: &[&str]) -> (String, Variable) {
        let path: Vec<&str> = ["auth", "jwt"].iter().chain(below).copied().collect();
        variable(name, value, self.is_secret(&path))
    }

    /// Whether a value, or an item of a list, came from the environment.
    fn is_secret(&self, path: &[&str]) -> bool {
        let begins = |secret: &[String]| {
            secret.len() >= path.len() && secret.iter().zip(path).all(|(a, b)| a == b)
        };
        self.secrets.paths().any(begins)
    }
}

fn plain(name: &str, value: String) -> (String, Variable) {
    variable(name, value, false)
}

fn variable(name: &str, value: String, secret: bool) -> (String, Variable) {
    let text = Text::known(value);
    (name.to_owned(), Variable { text, secret })
}
