//! Two names for one thing, never mixed up: ours ([`ResourceId`]) and the cloud's ([`Physical`]).

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::de::value::{Error as NoKind, StrDeserializer};
use serde::de::{Error as _, IntoDeserializer};
use serde::{Deserialize, Serialize};

/// The tag that marks an object as a stack's own; its value is the [`StackId`].
pub const MARK: &str = "msgai:stack";

/// The first letters of every permission statement of ours (API permissions carry no tags).
pub const STATEMENT_MARK: &str = "msgai-";

/// The alias through which the API calls every function.
pub const LIVE: &str = "live";

/// The identity of a stack in one account and region: its name and its suffix.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct StackId(String);

impl StackId {
    pub fn new(name: &str, suffix: &str) -> Self {
        Self(format!("{name}{suffix}"))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for StackId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// A type of resource. Declared in dependency order: a kind needs only kinds above it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    Api,
    Role,
    LogGroup,
    Table,
    RolePolicy,
    Function,
    Version,
    Alias,
    Authorizer,
    Integration,
    Route,
    RouteResponse,
    Permission,
    Stage,
    Domain,
    Mapping,
    /// The API's default endpoint, switched off: it exists where that is so.
    EndpointOff,
    Deployment,
}

impl Kind {
    /// The word a person reads, as in `route/$connect`.
    pub fn word(self) -> &'static str {
        match self {
            Self::Api => "api",
            Self::Role => "role",
            Self::LogGroup => "log-group",
            Self::Table => "table",
            Self::RolePolicy => "role-policy",
            Self::Function => "function",
            Self::Version => "version",
            Self::Alias => "alias",
            Self::Authorizer => "authorizer",
            Self::Integration => "integration",
            Self::Route => "route",
            Self::RouteResponse => "route-response",
            Self::Permission => "permission",
            Self::Stage => "stage",
            Self::Domain => "domain",
            Self::Mapping => "mapping",
            Self::EndpointOff => "endpoint-off",
            Self::Deployment => "deployment",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

/// Our name for a resource, such as `route/$connect`; unique within a stack.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ResourceId {
    pub kind: Kind,
    pub name: String,
}

impl ResourceId {
    pub fn new(kind: Kind, name: impl Into<String>) -> Self {
        Self {
            kind,
            name: name.into(),
        }
    }
}

impl fmt::Display for ResourceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self.kind {
            // Log groups' names begin with a slash of their own.
            Kind::LogGroup => self.name.strip_prefix('/').unwrap_or(&self.name),
            _ => &self.name,
        };
        write!(f, "{}/{name}", self.kind)
    }
}

/// A text that is no `kind/name`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoResourceId(String);

impl fmt::Display for NoResourceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` is no resource such as `route/$connect`", self.0)
    }
}

impl std::error::Error for NoResourceId {}

impl FromStr for ResourceId {
    type Err = NoResourceId;

    fn from_str(text: &str) -> Result<Self, NoResourceId> {
        let refused = || NoResourceId(text.to_owned());
        let (kind, name) = text.split_once('/').ok_or_else(refused)?;
        let word: StrDeserializer<'_, NoKind> = kind.into_deserializer();
        match (Kind::deserialize(word), name) {
            (Err(_), _) | (_, "") => Err(refused()),
            (Ok(Kind::LogGroup), name) => Ok(Self::new(Kind::LogGroup, format!("/{name}"))),
            (Ok(kind), name) => Ok(Self::new(kind, name)),
        }
    }
}

impl Serialize for ResourceId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ResourceId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(D::Error::custom)
    }
}

/// The cloud's name for an object: what its API calls take.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Physical {
    pub id: String,
}

impl Physical {
    pub fn new(id: impl Into<String>) -> Self {
        Self { id: id.into() }
    }
}

/// The physical ids known so far.
pub type Facts = BTreeMap<ResourceId, Physical>;

/// Where a stack lives, as ARNs spell it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Place {
    pub partition: String,
    pub region: String,
    pub account: String,
}

impl Place {
    pub fn role_arn(&self, path: &str, name: &str) -> String {
        format!(
            "arn:{}:iam::{}:role{path}{name}",
            self.partition, self.account
        )
    }

    pub fn function_arn(&self, name: &str) -> String {
        format!(
            "arn:{}:lambda:{}:{}:function:{name}",
            self.partition, self.region, self.account
        )
    }

    pub fn table_arn(&self, name: &str) -> String {
        format!(
            "arn:{}:dynamodb:{}:{}:table/{name}",
            self.partition, self.region, self.account
        )
    }

    /// Without the trailing `:*` that `CloudWatch` Logs puts on some of its answers.
    pub fn log_group_arn(&self, name: &str) -> String {
        format!(
            "arn:{}:logs:{}:{}:log-group:{name}",
            self.partition, self.region, self.account
        )
    }

    pub fn api_arn(&self, api_id: &str) -> String {
        self.gateway_arn(&format!("/apis/{api_id}"))
    }

    /// What a path of API Gateway's own API is as a resource; the account is not part of it.
    pub fn gateway_arn(&self, path: &str) -> String {
        format!("arn:{}:apigateway:{}::{path}", self.partition, self.region)
    }

    pub fn domain_arn(&self, domain: &str) -> String {
        self.gateway_arn(&format!("/domainnames/{domain}"))
    }

    pub fn stage_arn(&self, api_id: &str, stage: &str) -> String {
        format!("{}/stages/{stage}", self.api_arn(api_id))
    }

    /// What a caller of the API is allowed: `…:{api}/{path}`.
    pub fn execute_api_arn(&self, api_id: &str, path: &str) -> String {
        format!(
            "arn:{}:execute-api:{}:{}:{api_id}/{path}",
            self.partition, self.region, self.account
        )
    }

    /// How an integration or authorizer names the function it calls.
    pub fn invocation_uri(&self, function_arn: &str) -> String {
        format!(
            "arn:{}:apigateway:{}:lambda:path/2015-03-31/functions/{function_arn}/invocations",
            self.partition, self.region
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_read_as_it_is_written() {
        for (kind, name) in [
            (Kind::Api, "chat"),
            (Kind::LogGroup, "/aws/lambda/chat-send"),
            (Kind::RolePolicy, "chat-eu-west-1"),
            (Kind::Route, "$connect"),
            (Kind::Route, "/chat/join"),
            (Kind::RouteResponse, "say"),
            (Kind::Permission, "chat-send:(authorizer)"),
        ] {
            let id = ResourceId::new(kind, name);
            assert_eq!(id.to_string().parse(), Ok(id));
        }
        assert_eq!(
            ResourceId::new(Kind::LogGroup, "/aws/x").to_string(),
            "log-group/aws/x"
        );
    }

    #[test]
    fn what_is_no_id_is_refused() {
        for text in ["", "route", "route/", "routes/$connect", "/x", "Route/x"] {
            assert!(text.parse::<ResourceId>().is_err(), "{text}");
        }
    }
}
