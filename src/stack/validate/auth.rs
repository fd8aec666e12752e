//! Who may connect: tokens, your own authorizer, origins.

use super::super::auth::is_loopback;
use super::super::limits;
use super::super::problem::{Path, Problem};
use super::super::{AuthDef, IndexDef, JwtDef, ProjectionDef, ProjectionName, Shipped, Span};
use super::{Checks, at, origin};

const BELIEVED: &str = "the query string is believed: anyone connects as anyone";
const STANDING: &str = "without `auth` the query string is believed: anyone connects as anyone";
const JWT: &str = "`auth: { jwt: { issuer: …, audience: [ … ] } }` lets in who has a token";

/// Whether a warning is the one that every file without `auth` gets, on every run.
pub(crate) fn is_standing(message: &str) -> bool {
    message == STANDING
}

impl Checks<'_> {
    pub(super) fn auth(&mut self) {
        let stack = self.stack;
        if stack.jwt().is_none() {
            self.idle_authorizers();
        }
        let Some(auth) = &stack.auth else {
            if !stack.api.routes.is_empty() {
                self.push(Problem::warning(at(["api"]).itself(), STANDING).hint(JWT));
            }
            return;
        };
        match (&auth.jwt, &auth.function) {
            (Some(_), Some(_)) => {
                let message = "`auth` has a `jwt` and a `function`: one of them decides";
                let problem = Problem::error(at(["auth", "function"]).itself(), message);
                self.push(problem.hint(
                    "take one away; a function with `handler: authorize` is used for `jwt` unsaid",
                ));
            }
            (Some(jwt), None) => self.jwt(jwt),
            (None, Some(function)) => self.own_authorizer(function),
            (None, None) if auth.origins.is_empty() => {
                let problem = Problem::error(
                    at(["auth"]).itself(),
                    "`auth` says neither `jwt` nor `function`",
                );
                self.push(problem.hint(JWT));
            }
            (None, None) => {
                let message = format!("`origins` keeps out other pages, and {BELIEVED}");
                self.push(Problem::warning(at(["auth"]).itself(), message).hint(JWT));
            }
        }
        if !self.connects() && !stack.api.routes.is_empty() {
            let problem = Problem::error(
                at(["auth"]).itself(),
                "`auth` is asked at `$connect`, and the API has no such route",
            );
            self.push(problem);
        }
        self.identity_sources(auth);
        self.origins(auth);
    }

    fn own_authorizer(&mut self, function: &str) {
        let place = at(["auth", "function"]);
        self.declared(place.clone(), "`auth`", function);
        let stack = self.stack;
        let handler = stack
            .functions
            .get(function)
            .and_then(|function| function.handler);
        if handler.is_some_and(|handler| handler != Shipped::Authorize) {
            let message =
                format!("function `{function}` is a shipped handler, and decides nothing");
            self.push(
                Problem::error(place, message)
                    .hint("an authorizer is your own code: a function with a `source`"),
            );
        }
    }

    /// The shipped authorizer decides by what `auth.jwt` says, and by nothing without.
    fn idle_authorizers(&mut self) {
        for key in self.stack.shipped(Shipped::Authorize) {
            let message = format!("function `{key}` checks tokens, and no `auth.jwt` says whose");
            let here = at(["functions", key, "handler"]);
            self.found.push(Problem::error(here, message).hint(JWT));
        }
    }

    fn jwt(&mut self, jwt: &JwtDef) {
        let here = at(["auth", "jwt"]);
        if jwt.issuer != JwtDef::LOCAL {
            self.url(here.key("issuer"), &jwt.issuer, "issuer");
        }
        if let Some(jwks) = &jwt.jwks {
            self.url(here.key("jwks"), jwks, "jwks");
        }
        self.audience(&here.key("audience"), &jwt.audience);
        if jwt.groups_claim.as_ref().is_some_and(String::is_empty) {
            let problem = Problem::error(here.key("groups_claim"), "the claim's name is empty");
            self.push(problem.hint("Cognito's is `cognito:groups`"));
        }
        if let Some(skew) = &jwt.skew {
            self.skew(here.key("skew"), skew);
        }
        let mut several = self.stack.shipped(Shipped::Authorize).skip(1);
        if let Some(second) = several.next() {
            let message = format!("function `{second}` is a second `authorize`: one is asked");
            let place = at(["functions", second, "handler"]);
            self.push(Problem::error(place, message));
        }
        self.expiring_rows();
    }

    /// What a function fetches keys from: nobody on the way may put in others.
    fn url(&mut self, here: Path, url: &str, what: &str) {
        let host = url
            .split_once("://")
            .map_or("", |(_, rest)| rest.split('/').next().unwrap_or_default());
        let flaw = if url.contains(|c: char| c.is_whitespace() || c.is_control()) {
            Some("has a space or a control character")
        } else if !(url.starts_with("https://") || url.starts_with("http://") && is_loopback(url)) {
            Some("is not an https URL")
        } else if host.is_empty() || host.contains('@') {
            Some("has no plain host")
        } else if url.contains('#') || (what == "issuer" && url.contains('?')) {
            Some("has a query or a fragment")
        } else {
            None
        };
        let Some(flaw) = flaw else { return };
        let pool = url.split_once('_').map(|(region, _)| region);
        let hint = match (what, pool.filter(|region| limits::is_region(region))) {
            ("issuer", Some(region)) => {
                format!("write `https://cognito-idp.{region}.amazonaws.com/{url}`")
            }
            ("issuer", None) => {
                "it is the `iss` of the tokens, to the letter; a Cognito user pool's is \
                 `https://cognito-idp.REGION.amazonaws.com/POOL`, the local cloud's `local`"
                    .to_owned()
            }
            _ => "it is where the keys are, such as `https://id.example.com/keys`".to_owned(),
        };
        let message = format!("{what} `{url}` {flaw}");
        self.push(Problem::error(here, message).hint(hint));
    }

    fn audience(&mut self, here: &Path, audience: &[String]) {
        if audience.is_empty() {
            let problem =
                Problem::error(here.clone(), "a token for nobody in particular is refused");
            self.push(problem.hint("name the app client's id, or the API's identifier"));
        }
        for (position, one) in audience.iter().enumerate() {
            let unfit = |c: char| c == ',' || c.is_whitespace() || c.is_control();
            if one.is_empty() || one.contains(unfit) {
                let message = format!("audience `{one}` is empty, or has a comma or a space");
                self.error(here.index(position), message);
            }
        }
    }

    fn skew(&mut self, here: Path, skew: &Span) {
        let fits = skew.duration().is_some_and(|skew| {
            skew.subsec_nanos() == 0 && skew.as_secs() <= limits::TOKEN_SKEW_SECONDS
        });
        if !fits {
            let message = format!("skew `{}` is not a number of seconds up to 60", skew.0);
            let problem = Problem::error(here, message);
            self.push(problem.hint("write `30s`; clocks that differ by more are to be set"));
        }
    }

    /// A row ends with its token; an index that does not say when finds it all the same.
    fn expiring_rows(&mut self) {
        let Some(table) = self.stack.tables.get("connections") else {
            return;
        };
        for (name, index) in &table.indexes {
            let IndexDef::Full(full) = index else {
                continue;
            };
            let says = match &full.projection {
                None | Some(ProjectionDef::Named(ProjectionName::All)) => true,
                Some(ProjectionDef::Named(ProjectionName::Keys)) => false,
                Some(ProjectionDef::Attributes(all)) => all.iter().any(|one| one == "ttl"),
            };
            if !says {
                let message = format!(
                    "index `{name}` does not repeat `ttl`: who has an expired token goes on hearing"
                );
                let place = at(["tables", "connections", "indexes", name, "projection"]);
                self.push(
                    Problem::warning(place, message).hint("write `projection: [ttl, connectedAt]`"),
                );
            }
        }
    }

    fn origins(&mut self, auth: &AuthDef) {
        let here = at(["auth", "origins"]);
        for (position, one) in auth.origins.iter().enumerate() {
            if let Some((flaw, hint)) = origin::flaw(one) {
                let message = format!("origin `{one}` {flaw}");
                let place = here.index(position);
                self.push(Problem::error(place, message).hint(hint));
            }
        }
        let connects = self.stack.shipped(Shipped::Connect).next().is_some();
        if !auth.origins.is_empty() && auth.jwt.is_none() && !connects {
            let problem = Problem::error(
                here.itself(),
                "`origins` is for handler `connect` to look at, and no function has it",
            );
            self.push(problem.hint("let your own function look at the header `Origin`"));
        }
    }

    fn identity_sources(&mut self, auth: &AuthDef) {
        let here = at(["auth", "identity"]);
        if auth.function.is_none() && !auth.identity.is_empty() {
            let message = "`identity` is for `function`: a token of `jwt` may come three ways";
            self.error(here.clone().itself(), message);
        }
        for (position, identity) in auth.identity.iter().enumerate() {
            self.identity_source(here.index(position), identity);
        }
    }

    fn identity_source(&mut self, here: Path, identity: &str) {
        const KNOWN: [&str; 4] = ["querystring.", "header.", "context.", "stageVariables."];
        let named = |prefix: &str| {
            identity
                .strip_prefix(prefix)
                .is_some_and(|name| !name.is_empty() && !name.contains(char::is_whitespace))
        };
        if KNOWN.into_iter().any(named) {
            return;
        }
        let message = format!("`{identity}` is nothing that a handshake brings");
        let hint = "write `querystring.token` or `header.Authorization`";
        self.push(Problem::error(here, message).hint(hint));
    }
}
