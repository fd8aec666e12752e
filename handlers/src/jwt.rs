//! A token: what it says, and whether the issuer said it.
//!
//! In: a token's text, the issuer's keys, what the stack believes, the time. Out: [`Claims`], or the [`Flaw`].
//! Never: a claim read before the signature is verified; a key, an address or an algorithm that the token brings along.

pub mod claims;
pub mod key;
mod strict;

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

pub use claims::{Claims, Rules, TokenUse};
pub use key::Key;

/// API Gateway takes 10,240 bytes of headers and 4,096 of URL: nothing longer comes in honestly.
pub const LONGEST: usize = 8 * 1024;

/// The longest name of a key that is looked for.
const KEY_ID: usize = 256;

/// The two algorithms, each with one kind of key. There is no other, and no way to ask for one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    Rs256,
    Es256,
}

impl Algorithm {
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "RS256" => Some(Self::Rs256),
            "ES256" => Some(Self::Es256),
            _ => None,
        }
    }
}

/// Why a token is not believed: one word for the log, and never anything of the token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flaw {
    NoToken,
    Malformed,
    Algorithm,
    UnknownKey,
    Signature,
    Issuer,
    Audience,
    TokenUse,
    Expired,
    NotYet,
    Subject,
    Groups,
}

impl Flaw {
    /// The word of the log.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NoToken => "noToken",
            Self::Malformed => "tokenMalformed",
            Self::Algorithm => "tokenAlgorithm",
            Self::UnknownKey => "tokenUnknownKey",
            Self::Signature => "tokenSignature",
            Self::Issuer => "tokenIssuer",
            Self::Audience => "tokenAudience",
            Self::TokenUse => "tokenUse",
            Self::Expired => "tokenExpired",
            Self::NotYet => "tokenNotYet",
            Self::Subject => "tokenSubject",
            Self::Groups => "tokenGroups",
        }
    }
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A token taken apart, nothing of it believed: it says only which key to try.
pub struct Unverified<'a> {
    pub algorithm: Algorithm,
    pub key_id: Option<String>,
    signed: &'a str,
    payload: &'a str,
    signature: Vec<u8>,
}

/// A token's claims as its issuer wrote them, not yet held against the stack.
#[derive(Debug, Clone, PartialEq)]
pub struct Verified(Map<String, Value>);

impl<'a> Unverified<'a> {
    /// Reads the three parts of a signed token in its compact form.
    pub fn read(token: &'a str) -> Result<Self, Flaw> {
        if token.len() > LONGEST {
            return Err(Flaw::Malformed);
        }
        let (signed, signature) = token.rsplit_once('.').ok_or(Flaw::Malformed)?;
        let (header, payload) = signed.split_once('.').ok_or(Flaw::Malformed)?;
        if payload.contains('.') || payload.is_empty() {
            return Err(Flaw::Malformed);
        }
        let header = object(header)?;
        // What must be understood and is not; a payload that is not base64 is one such thing.
        if header.contains_key("crit") || header.contains_key("b64") || header.contains_key("enc") {
            return Err(Flaw::Malformed);
        }
        if !header.get("typ").is_none_or(is_token) {
            return Err(Flaw::Malformed);
        }
        let algorithm = header.get("alg").and_then(Value::as_str);
        Ok(Self {
            algorithm: algorithm
                .and_then(Algorithm::named)
                .ok_or(Flaw::Algorithm)?,
            key_id: key_id(header.get("kid"))?,
            signed,
            payload,
            signature: decode(signature)?,
        })
    }

    /// Believes the claims if one of these keys signed them. Each key has its own algorithm, which must be the token's.
    pub fn verify<'k>(&self, keys: impl IntoIterator<Item = &'k Key>) -> Result<Verified, Flaw> {
        let signed = keys.into_iter().any(|key| {
            key.algorithm() == self.algorithm && key.signed(self.signed, &self.signature)
        });
        if !signed {
            return Err(Flaw::Signature);
        }
        object(self.payload).map(Verified)
    }
}

/// Issuers sign other things with the same keys, such as logouts; a type, if there is one, is a token's.
fn is_token(kind: &Value) -> bool {
    let known = ["jwt", "at+jwt", "application/at+jwt"];
    let kind = kind.as_str().map(str::to_ascii_lowercase);
    kind.is_some_and(|kind| known.contains(&kind.as_str()))
}

/// A name to look up among names, whatever it looks like; it is no path and no query.
fn key_id(value: Option<&Value>) -> Result<Option<String>, Flaw> {
    match value {
        None => Ok(None),
        Some(Value::String(id)) if id.len() <= KEY_ID => Ok(Some(id.clone())),
        Some(_) => Err(Flaw::Malformed),
    }
}

/// Base64 as tokens spell it: one spelling for every value, so that no token can be written in two ways.
fn decode(text: &str) -> Result<Vec<u8>, Flaw> {
    URL_SAFE_NO_PAD.decode(text).map_err(|_| Flaw::Malformed)
}

fn object(part: &str) -> Result<Map<String, Value>, Flaw> {
    strict::object(&decode(part)?).ok_or(Flaw::Malformed)
}

#[cfg(test)]
pub(crate) mod forge;
#[cfg(test)]
mod tests;
