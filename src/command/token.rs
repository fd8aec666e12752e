//! `token`: one of the local cloud's own issuer, for a stack whose `auth.jwt.issuer` is `local`.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::local;
use super::session::{Session, folder};
use super::{Context, environment};
use crate::cli::Token;
use crate::error::Error;
use crate::local::issuer::Pen;
use crate::stack::{JwtDef, TokenUse};
use crate::talk::script::Script;

/// A day's work, unless said otherwise.
pub(crate) const LASTS: Duration = Duration::from_hours(8);

/// Longer is no trial.
const MOST: Duration = Duration::from_hours(30 * 24);

pub(crate) async fn run(context: &Context, args: &Token) -> Result<ExitCode, Error> {
    let session = Session::open(context).await?;
    if !(1..=MOST.as_secs()).contains(&args.lasts.as_secs()) {
        return Err(Error::usage(
            "a token lasts a second at least, and 30 days at most",
        ));
    }
    let token = mint(&session, &args.user, &args.group, args.lasts)?;
    context.print(&format!("{token}\n"));
    Ok(ExitCode::SUCCESS)
}

/// Whether tokens for this stack can be made here.
pub(crate) fn mints(session: &Session) -> bool {
    session.is_local()
        && session
            .loaded
            .stack
            .jwt()
            .is_some_and(|jwt| jwt.issuer == JwtDef::LOCAL)
}

/// A token that the stack's authorizer believes.
pub(crate) fn mint(
    session: &Session,
    user: &str,
    groups: &[String],
    lasts: Duration,
) -> Result<String, Error> {
    let Some(jwt) = session.loaded.stack.jwt().filter(|_| mints(session)) else {
        return Err(no_issuer());
    };
    if user.is_empty() || user.chars().any(char::is_control) {
        return Err(Error::usage(
            "nobody has such a name: it is empty, or has a control character",
        ));
    }
    let dir = local::state(&folder(&session.loaded.file))?;
    let kept =
        Pen::of(&dir).map_err(|error| Error::failed(format!("the issuer's key: {error}")))?;
    let pen = kept.ok_or_else(|| {
        Error::failed("the local cloud has no issuer's key yet").hint("run `msgai dev` once")
    })?;
    let issuer = session.site.issuer().unwrap_or_default();
    let claims = claims(jwt, &issuer, user, groups, lasts);
    pen.sign(&claims)
        .map_err(|error| Error::failed(error.to_string()))
}

fn no_issuer() -> Error {
    Error::failed("tokens are made for the local cloud's own issuer alone")
        .hint("write `auth: { jwt: { issuer: local, audience: [ … ] } }`, and say `--local`")
}

fn claims(jwt: &JwtDef, issuer: &str, user: &str, groups: &[String], lasts: Duration) -> Value {
    let now = u64::try_from(jiff::Timestamp::now().as_second()).unwrap_or_default();
    let audience = jwt.audience.first();
    let mut claims = json!({
        "iss": issuer, "sub": user, "iat": now, "exp": now + lasts.as_secs(),
    });
    // Cognito's access tokens name the client and no audience.
    let whom = match jwt.token_use {
        Some(TokenUse::Access) => "client_id",
        Some(TokenUse::Id) | None => "aud",
    };
    claims[whom] = json!(audience);
    if let Some(kind) = jwt.token_use {
        claims["token_use"] = json!(kind.word());
    }
    if let Some(claim) = &jwt.groups_claim {
        claims[claim] = json!(groups);
    }
    claims
}

/// Whom a token names, where it is one that can be read: only to say to whom a message goes, and believed by nobody.
pub(crate) fn subject(token: &str) -> Option<String> {
    let claims = token.split('.').nth(1)?;
    let claims = BASE64_URL_SAFE_NO_PAD.decode(claims).ok()?;
    let claims: Value = serde_json::from_slice(&claims).ok()?;
    claims["sub"].as_str().map(str::to_owned)
}

/// What a conversation asks for without holding it: `token:alice`, `token:alice:ward-3,ward-4`, `env:ALICE_TOKEN`.
pub(crate) fn secrets(
    session: Option<&Session>,
    script: &Script,
) -> Result<BTreeMap<String, String>, Error> {
    let value = |asked: &str| match asked.split_once(':') {
        Some(("token", who)) => {
            let (user, groups) = who.split_once(':').unwrap_or((who, ""));
            let groups = groups.split(',').filter(|group| !group.is_empty());
            let groups: Vec<String> = groups.map(str::to_owned).collect();
            let session = session.ok_or_else(no_issuer)?;
            mint(session, user, &groups, LASTS)
        }
        Some(("env", name)) => environment(name).ok_or_else(|| {
            Error::failed(format!(
                "the conversation needs the environment variable {name}"
            ))
            .hint("set it to a token of your issuer")
        }),
        _ => Err(Error::failed(format!(
            "`${{{asked}}}` stands for nothing in a conversation"
        ))
        .hint("it knows `${id}`, `${token:USER}` and `${env:NAME}`")),
    };
    let asked = script.placeholders().into_iter();
    asked
        .map(|asked| Ok((asked.clone(), value(&asked)?)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two layers that may not know each other name one place.
    #[test]
    fn tokens_name_the_issuer_that_is_served() {
        assert_eq!(
            crate::describe::identity::LOCAL_ISSUER,
            crate::local::issuer::PATH
        );
    }

    #[test]
    fn a_token_that_can_be_read_says_whom_it_names() {
        let claims = BASE64_URL_SAFE_NO_PAD.encode(r#"{"sub":"alice"}"#);
        assert_eq!(
            subject(&format!("e30.{claims}.x")).as_deref(),
            Some("alice")
        );
        for other in ["opaque", "a.b.c", "", "e30.e30.x"] {
            assert_eq!(subject(other), None, "{other}");
        }
    }

    #[test]
    fn a_token_says_what_the_stack_asks_for() {
        let jwt = |token_use, groups: Option<&str>| JwtDef {
            issuer: JwtDef::LOCAL.to_owned(),
            audience: vec!["app".to_owned(), "other".to_owned()],
            token_use,
            groups_claim: groups.map(str::to_owned),
            jwks: None,
            skew: None,
        };
        let groups = ["ward-3".to_owned()];
        let plain = claims(&jwt(None, None), "http://i", "alice", &groups, LASTS);
        assert_eq!(
            (&plain["sub"], &plain["aud"]),
            (&json!("alice"), &json!("app"))
        );
        assert!(plain.get("token_use").is_none() && plain.get("groups").is_none());
        let access = jwt(Some(TokenUse::Access), Some("cognito:groups"));
        let access = claims(&access, "http://i", "alice", &groups, LASTS);
        assert_eq!(access["client_id"], "app");
        assert_eq!(access["cognito:groups"], json!(["ward-3"]));
        assert!(access.get("aud").is_none());
    }
}
