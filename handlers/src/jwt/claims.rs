//! What a verified token must say before it is somebody's.

use serde_json::{Map, Value};

use super::{Flaw, Verified};
use crate::connections::{PARTITION_KEY_BYTES, key_problem};

/// Whose tokens are believed, and which of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rules {
    /// `iss`, to the letter.
    pub issuer: String,
    /// A token is for one of these.
    pub audience: Vec<String>,
    /// Cognito's kind of token, if only one is believed.
    pub token_use: Option<TokenUse>,
    /// The claim that lists groups.
    pub groups_claim: Option<String>,
    /// Seconds by which the issuer's clock may differ.
    pub skew: u64,
}

/// Cognito's kinds of token: one says who somebody is, the other what a client may do for them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenUse {
    Id,
    Access,
}

impl TokenUse {
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "id" => Some(Self::Id),
            "access" => Some(Self::Access),
            _ => None,
        }
    }
}

/// What the chat takes from a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claims {
    pub subject: String,
    /// Seconds since the Unix epoch.
    pub expires: u64,
    /// `None` if the stack asks for no groups; then anybody may join any.
    pub groups: Option<Vec<String>>,
}

impl Rules {
    /// Holds a token against the rules at this time, in seconds since the Unix epoch.
    pub fn judge(&self, token: &Verified, now: u64) -> Result<Claims, Flaw> {
        let Verified(claims) = token;
        if text(claims, "iss") != Some(&self.issuer) {
            return Err(Flaw::Issuer);
        }
        self.kind(claims)?;
        let expires = self.times(claims, now)?;
        let subject = text(claims, "sub").ok_or(Flaw::Subject)?;
        if key_problem(subject, PARTITION_KEY_BYTES).is_some() {
            return Err(Flaw::Subject);
        }
        Ok(Claims {
            subject: subject.to_owned(),
            expires,
            groups: self.groups(claims)?,
        })
    }

    /// Kind and audience go together: Cognito's access tokens have no `aud`, but say which client they were given to.
    fn kind(&self, claims: &Map<String, Value>) -> Result<(), Flaw> {
        let kind = match claims.get("token_use") {
            None => None,
            Some(Value::String(word)) => Some(TokenUse::named(word).ok_or(Flaw::TokenUse)?),
            Some(_) => return Err(Flaw::TokenUse),
        };
        // A security event, such as a logout, is signed like a token and admits nobody.
        if claims.contains_key("events") {
            return Err(Flaw::TokenUse);
        }
        if self.token_use.is_some() && kind != self.token_use {
            return Err(Flaw::TokenUse);
        }
        let is_ours = |name: &str| self.audience.iter().any(|one| one == name);
        let fits = match (kind, claims.get("aud")) {
            (Some(TokenUse::Access), None) => text(claims, "client_id").is_some_and(is_ours),
            (_, Some(Value::String(one))) => is_ours(one),
            (_, Some(Value::Array(all))) => {
                let named = all.iter().map(Value::as_str);
                // An entry that is no name spoils the list.
                let named: Option<Vec<&str>> = named.collect();
                named.is_some_and(|all| all.into_iter().any(is_ours))
            }
            _ => false,
        };
        if fits { Ok(()) } else { Err(Flaw::Audience) }
    }

    /// When it ends, if it has begun and not ended.
    fn times(&self, claims: &Map<String, Value>, now: u64) -> Result<u64, Flaw> {
        let expires = claims.get("exp").and_then(seconds).ok_or(Flaw::Expired)?;
        if expires.saturating_add(self.skew) <= now {
            return Err(Flaw::Expired);
        }
        let latest = now.saturating_add(self.skew);
        for name in ["nbf", "iat"] {
            let begins = claims
                .get(name)
                .map(|time| seconds(time).ok_or(Flaw::NotYet));
            if begins.transpose()?.is_some_and(|begins| begins > latest) {
                return Err(Flaw::NotYet);
            }
        }
        Ok(expires)
    }

    /// A list of names, or one name. No claim is no group; anything else is no claim that can be read.
    fn groups(&self, claims: &Map<String, Value>) -> Result<Option<Vec<String>>, Flaw> {
        let Some(name) = &self.groups_claim else {
            return Ok(None);
        };
        let groups = match claims.get(name) {
            None | Some(Value::Null) => Some(Vec::new()),
            Some(Value::String(one)) => Some(vec![one.clone()]),
            Some(Value::Array(all)) => all
                .iter()
                .map(|one| one.as_str().map(str::to_owned))
                .collect(),
            Some(_) => None,
        };
        groups.map(Some).ok_or(Flaw::Groups)
    }
}

fn text<'a>(claims: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    claims.get(name)?.as_str()
}

/// A number of seconds since the Unix epoch; a part of one is cut off. A number in a string is none.
fn seconds(value: &Value) -> Option<u64> {
    /// After the year 9999, and whole in every kind of number.
    const LAST: f64 = 253_402_300_799.0;
    let number = value.as_f64()?;
    if !(0.0..=LAST).contains(&number) {
        return None;
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "it is between 0 and a number far below the largest"
    )]
    let whole = number as u64;
    Some(whole)
}
