//! The REQUEST authorizer: who connects, by a token of the issuer that the stack believes.
//!
//! In: the authorizer's event, [`Fetch`] for the issuer's keys. Out: a policy with the token's `sub` as its principal,
//! or [`NoAnswer`], which API Gateway makes a 401 or 500 of. Never: a table; a token, or any claim but `sub`, in a log.

pub mod settings;
pub mod token;

use std::fmt;

use serde::Serialize;
use tokio::time::timeout_at;

use crate::call::Call;
use crate::event::Event;
use crate::fault::Fault;
use crate::jwks::{Fetch, Found, Keyring};
use crate::jwt::{Claims, Flaw, Unverified};
use crate::log::Record;
pub use settings::Trust;

/// Percent of the call's time after which the issuer has not answered.
const KEYS_BY: u32 = 80;

/// API Gateway takes 8 KB of policy and context; what else is in there is at most half of it.
const GROUPS_BYTES: usize = 4 * 1024;

/// Asks nobody twice: the keys stay with it.
#[derive(Debug)]
pub struct Gate<'a, F> {
    pub trust: &'a Trust,
    pub keys: &'a Keyring,
    pub fetch: &'a F,
}

/// What API Gateway is told: whom it lets in, or that it lets nobody in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[expect(
    clippy::struct_field_names,
    reason = "they are API Gateway's own names"
)]
pub struct Policy {
    principal_id: String,
    policy_document: Document,
    context: Context,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Document {
    version: &'static str,
    statement: [Statement; 1],
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Statement {
    action: &'static str,
    effect: &'static str,
    resource: String,
}

/// What every later event of the connection carries: flat, and strings.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
struct Context {
    /// Seconds since the Unix epoch.
    #[serde(skip_serializing_if = "Option::is_none")]
    exp: Option<String>,
    /// A JSON list of names.
    #[serde(skip_serializing_if = "Option::is_none")]
    groups: Option<String>,
}

/// Why there is no policy. The words are API Gateway's: it compares them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoAnswer {
    /// The client is answered 401.
    Unauthorized,
    /// The client is answered 500.
    NoKeys,
}

impl fmt::Display for NoAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unauthorized => "Unauthorized",
            Self::NoKeys => "the issuer's keys cannot be read; the function's log says why",
        })
    }
}

impl std::error::Error for NoAnswer {}

impl<F: Fetch> Gate<'_, F> {
    /// Decides about one handshake.
    pub async fn decide(&self, event: &Event, call: &Call) -> (Result<Policy, NoAnswer>, Record) {
        let mut record = Record::of(event);
        let answer = self.answer(event, call, &mut record).await;
        record.duration_ms = call.millis();
        (answer, record)
    }

    async fn answer(
        &self,
        event: &Event,
        call: &Call,
        record: &mut Record,
    ) -> Result<Policy, NoAnswer> {
        // First, because a page that may not connect is told nothing about its visitor's token.
        if !self.trust.origins.admit(event.header("Origin")) {
            record.outcome = "originForbidden";
            return Ok(Policy::deny(event));
        }
        match self.claims(event, call, record).await {
            Ok(claims) => {
                record.outcome = "authorized";
                record.user_id = Some(claims.subject.clone());
                Ok(Policy::allow(event, claims))
            }
            Err(Some(flaw)) => {
                record.outcome = flaw.as_str();
                Err(NoAnswer::Unauthorized)
            }
            Err(None) => {
                record.outcome = "keysUnavailable";
                Err(NoAnswer::NoKeys)
            }
        }
    }

    /// Whose token it is; the flaw of the token, or none if it could not be looked at.
    async fn claims(
        &self,
        event: &Event,
        call: &Call,
        record: &mut Record,
    ) -> Result<Claims, Option<Flaw>> {
        let token = token::of(event).ok_or(Flaw::NoToken)?;
        let token = Unverified::read(token)?;
        let keys = self
            .keys
            .find(self.fetch, &self.trust.issuer, &token, call.now);
        let found = timeout_at(call.by(KEYS_BY), keys).await;
        let found = found.unwrap_or_else(|_| {
            let text = format!("{} gave no keys in time", self.trust.issuer.url);
            Found::Unavailable(Fault::Unavailable(text))
        });
        let keys = match found {
            Found::Keys(keys) => keys,
            Found::Unknown(fault) => {
                record.blame(fault.map(|fault| fault.to_string()));
                return Err(Some(Flaw::UnknownKey));
            }
            Found::Unavailable(fault) => {
                record.blame(Some(fault.to_string()));
                return Err(None);
            }
        };
        let verified = token.verify(&keys)?;
        Ok(self.trust.rules.judge(&verified, call.now_seconds())?)
    }
}

impl Policy {
    fn new(event: &Event, principal_id: String, effect: &'static str, context: Context) -> Self {
        let statement = Statement {
            action: "execute-api:Invoke",
            effect,
            resource: event.method_arn.clone().unwrap_or_default(),
        };
        Self {
            principal_id,
            policy_document: Document {
                version: "2012-10-17",
                statement: [statement],
            },
            context,
        }
    }

    fn deny(event: &Event) -> Self {
        Self::new(event, "nobody".to_owned(), "Deny", Context::default())
    }

    fn allow(event: &Event, claims: Claims) -> Self {
        let asked = event.query("groupId");
        let context = Context {
            exp: Some(claims.expires.to_string()),
            groups: claims.groups.map(|groups| listed(groups, asked)),
        };
        Self::new(event, claims.subject, "Allow", context)
    }
}

/// The groups as JSON. Of more than fit, the one that is asked for, if it is among them: the rest is asked for never.
fn listed(mut groups: Vec<String>, asked: Option<&str>) -> String {
    let text = |groups: &[String]| serde_json::to_string(groups).expect("strings are JSON");
    let all = text(&groups);
    if all.len() <= GROUPS_BYTES {
        return all;
    }
    groups.retain(|group| Some(group.as_str()) == asked && group.len() <= GROUPS_BYTES / 2);
    groups.truncate(1);
    text(&groups)
}

#[cfg(test)]
mod tests;
