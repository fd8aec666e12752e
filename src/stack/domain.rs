//! A domain of one's own: `api.domain`.

use schemars::JsonSchema;
use serde::Deserialize;

/// A domain of one's own, at which clients reach the API.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DomainDef {
    /// The host that clients connect to. Its DNS record is yours to make, and msgai prints it.
    #[schemars(example = &"chat.example.org")]
    pub name: String,
    /// The ARN of its certificate, of the stack's account and Region. Unless said: the domain is somebody
    /// else's: used, checked, never made, changed or deleted.
    #[schemars(example = &"arn:aws:acm:us-east-1:111122223333:certificate/12345678-1234-1234-1234-123456789012")]
    pub certificate: Option<String>,
    /// The last part of the URL, `wss://chat.example.org/KEY`: one part, of letters, digits and `$-_.+!*'()`.
    /// Unless said: none, and the URL is the domain alone.
    #[schemars(example = &"chat")]
    pub key: Option<String>,
    /// Switch the API's own `execute-api` address off, so that clients connect to the domain only. Unless said: `false`.
    #[serde(default)]
    pub only: bool,
}

impl DomainDef {
    /// The last part of the URL; empty for none.
    pub fn key(&self) -> &str {
        self.key.as_deref().unwrap_or_default()
    }

    /// The domain and the last part of the URL.
    pub fn address(&self) -> String {
        match self.key() {
            "" => self.name.clone(),
            key => format!("{}/{key}", self.name),
        }
    }

    /// The partition, the Region and the account of its certificate.
    pub fn certificate_place(&self) -> Option<(&str, &str, &str)> {
        certificate_place(self.certificate.as_deref()?)
    }
}

/// `None` when it is no ARN of a certificate.
pub(super) fn certificate_place(arn: &str) -> Option<(&str, &str, &str)> {
    let mut parts = arn.splitn(6, ':');
    let ("arn", partition, "acm", region, account, rest) = (
        parts.next()?,
        parts.next()?,
        parts.next()?,
        parts.next()?,
        parts.next()?,
        parts.next()?,
    ) else {
        return None;
    };
    let id = rest.strip_prefix("certificate/")?;
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-';
    let fits = partition.starts_with("aws")
        && super::limits::is_region(region)
        && super::limits::is_account(account)
        && !id.is_empty()
        && id.chars().all(plain);
    fits.then_some((partition, region, account))
}
