//! An issuer's keys: where they are, and what is remembered of them.
//!
//! In: the issuer as the stack names it, [`Fetch`] for what is outside, the time. Out: the keys that a token may be
//! signed with. Never: an address that a token brings along; a request while the key is known; two within a minute
//! because somebody made up the name of a key.

mod fetch;

use std::future::Future;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::Value;

use crate::fault::Fault;
use crate::jwt::{Key, Unverified};

/// A key that is not known may be new: so often the issuer is asked.
const ASK_AGAIN_MS: u64 = 60_000;

/// An issuer that gave nothing yet is asked again as soon as it may have recovered.
const RETRY_MS: u64 = 1_000;

/// Issuers have two to ten keys.
const MOST_KEYS: usize = 100;

/// Reads what is at a URL; how long and how much at most is its own affair.
pub trait Fetch: Sync {
    fn get(&self, url: &str) -> impl Future<Output = Result<Vec<u8>, Fault>> + Send;
}

/// Who signs, as the stack names them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issuer {
    /// The `iss` of the tokens.
    pub url: String,
    /// Where the keys are, if the stack says so.
    pub jwks: Option<String>,
}

/// The keys of one execution environment, for its life.
#[derive(Debug, Default)]
pub struct Keyring(Mutex<Ring>);

#[derive(Debug, Default)]
struct Ring {
    keys: Vec<Key>,
    /// Milliseconds since the Unix epoch, of the last attempt.
    asked: Option<u64>,
    failure: Option<Fault>,
}

/// What there is for a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    Keys(Vec<Key>),
    /// The issuer has no such key, as far as it could be asked.
    Unknown(Option<Fault>),
    /// There is not one key of this issuer.
    Unavailable(Fault),
}

impl Keyring {
    /// The keys that a token may be signed with. `now` is in milliseconds since the Unix epoch.
    pub async fn find<F: Fetch>(
        &self,
        fetch: &F,
        issuer: &Issuer,
        token: &Unverified<'_>,
        now: u64,
    ) -> Found {
        if !self.may_ask(token, now) {
            return self.held(token);
        }
        let answer = issuer.keys(fetch).await;
        {
            let mut ring = self.ring();
            match answer {
                Ok(keys) => {
                    *ring = Ring {
                        keys,
                        asked: ring.asked,
                        failure: None,
                    }
                }
                // What was known stays known.
                Err(fault) => ring.failure = Some(fault),
            }
        }
        self.held(token)
    }

    /// Whether the issuer is to be asked now; then this counts as having asked.
    fn may_ask(&self, token: &Unverified<'_>, now: u64) -> bool {
        let mut ring = self.ring();
        let waits = if ring.keys.is_empty() {
            RETRY_MS
        } else if token.key_id.is_none() || !ring.matching(token).is_empty() {
            return false;
        } else {
            ASK_AGAIN_MS
        };
        let may = ring
            .asked
            .is_none_or(|asked| now >= asked.saturating_add(waits));
        if may {
            ring.asked = Some(now);
        }
        may
    }

    fn held(&self, token: &Unverified<'_>) -> Found {
        let ring = self.ring();
        if ring.keys.is_empty() {
            let fault = ring.failure.clone();
            return Found::Unavailable(fault.unwrap_or_else(|| unavailable("no keys yet")));
        }
        match ring.matching(token) {
            keys if keys.is_empty() => Found::Unknown(ring.failure.clone()),
            keys => Found::Keys(keys),
        }
    }

    fn ring(&self) -> MutexGuard<'_, Ring> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ring {
    /// Keys of the token's name; a token that names none is by the only key, if there is only one.
    fn matching(&self, token: &Unverified<'_>) -> Vec<Key> {
        match (&token.key_id, self.keys.as_slice()) {
            (None, [only]) => vec![only.clone()],
            (None, _) => Vec::new(),
            (Some(id), keys) => {
                let named = keys.iter().filter(|key| key.id() == Some(id));
                named.cloned().collect()
            }
        }
    }
}

impl Issuer {
    async fn keys<F: Fetch>(&self, fetch: &F) -> Result<Vec<Key>, Fault> {
        let url = self.jwks_url(fetch).await?;
        let set = document(fetch, &url).await?;
        let Some(keys) = set["keys"].as_array() else {
            return Err(unavailable(&format!("{url} has no list `keys`")));
        };
        // Kinds that are not believed here, and kinds that there will be, are passed over.
        let keys: Vec<Key> = keys.iter().take(MOST_KEYS).filter_map(Key::read).collect();
        if keys.is_empty() {
            return Err(unavailable(&format!("{url} has no key for RS256 or ES256")));
        }
        Ok(keys)
    }

    /// What the stack says, what is known of Cognito, or what the issuer itself says.
    async fn jwks_url<F: Fetch>(&self, fetch: &F) -> Result<String, Fault> {
        if let Some(url) = &self.jwks {
            return Ok(url.clone());
        }
        let base = self.url.trim_end_matches('/');
        if is_cognito(base) {
            return Ok(format!("{base}/.well-known/jwks.json"));
        }
        let place = format!("{base}/.well-known/openid-configuration");
        let about = document(fetch, &place).await?;
        if about["issuer"].as_str() != Some(&self.url) {
            let why = format!("{place} is of another issuer than {}", self.url);
            return Err(unavailable(&why));
        }
        match about["jwks_uri"].as_str() {
            Some(url) if self.may_fetch(url) => Ok(url.to_owned()),
            Some(_) => Err(unavailable(&format!(
                "the `jwks_uri` of {place} is not an https URL"
            ))),
            None => Err(unavailable(&format!("{place} has no `jwks_uri`"))),
        }
    }

    /// Over HTTPS only, but for the host that the stack itself names without.
    fn may_fetch(&self, url: &str) -> bool {
        if url.starts_with("https://") {
            return true;
        }
        let host = |url: &str| {
            let rest = url.strip_prefix("http://")?;
            let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
            Some(rest[..end].to_owned())
        };
        host(url).is_some_and(|theirs| host(&self.url) == Some(theirs))
    }
}

/// `https://cognito-idp.REGION.amazonaws.com/POOL`: its keys are at a place that is known.
fn is_cognito(issuer: &str) -> bool {
    let rest = issuer.strip_prefix("https://cognito-idp.");
    let host = rest.and_then(|rest| rest.split('/').next());
    host.is_some_and(|host| host.ends_with(".amazonaws.com") || host.ends_with(".amazonaws.com.cn"))
}

async fn document<F: Fetch>(fetch: &F, url: &str) -> Result<Value, Fault> {
    let bytes = fetch.get(url).await?;
    serde_json::from_slice(&bytes).map_err(|_| unavailable(&format!("{url} is not JSON")))
}

fn unavailable(why: &str) -> Fault {
    Fault::Unavailable(format!("the issuer's keys: {why}"))
}

#[cfg(test)]
pub(crate) mod double;
#[cfg(test)]
mod tests;
