//! `stack.yaml` as typed data: what the user wrote, no defaults filled, no names derived.
//!
//! In: a file's text. Out: a [`Stack`], or every problem with its place.
//! Never: a network call, a physical name, a default (those are `describe.rs`'s).

use std::collections::BTreeMap;
use std::time::Duration;

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::Deserialize;

/// One stack file, its environment merged in and its variables resolved.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Stack {
    /// The stack's identity: tags, lock, history.
    pub name: String,
    /// Ends every physical name, for a copy per developer.
    #[serde(default)]
    pub suffix: String,
    /// The AWS Region, unless a flag or the environment names one.
    pub region: Option<String>,
    /// Refuse any other account.
    pub account: Option<String>,
    /// On everything that takes tags.
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
    #[serde(default)]
    pub tables: IndexMap<String, TableDef>,
    #[serde(default)]
    pub functions: IndexMap<String, FunctionDef>,
    #[serde(default)]
    pub role: RoleDef,
    pub api: ApiDef,
    /// The functions' log groups.
    #[serde(default)]
    pub logs: LogsDef,
    /// Who may connect. Without it the query string is believed.
    pub auth: Option<AuthDef>,
    /// Files to write after a deploy: file name → variable → value.
    #[serde(default)]
    pub outputs: IndexMap<String, IndexMap<String, String>>,
}

/// A DynamoDB table, on demand.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TableDef {
    /// The physical name; else `<stack>-<key>`.
    pub name: Option<String>,
    /// Used and checked, never created, changed or deleted.
    #[serde(default)]
    pub existing: bool,
    pub key: KeyDef,
    /// The attribute that holds the epoch second at which an item expires.
    pub ttl: Option<String>,
    /// Global secondary indexes.
    #[serde(default)]
    pub indexes: IndexMap<String, IndexDef>,
    /// Point-in-time recovery.
    #[serde(default)]
    pub recovery: bool,
    pub encryption: Option<Encryption>,
    pub deletion_protection: Option<bool>,
}

/// A table's or index's key: an attribute, or a partition and a sort attribute.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum KeyDef {
    Partition(Attribute),
    Pair(KeyPair),
}

#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct KeyPair {
    pub partition: Attribute,
    pub sort: Attribute,
}

/// An attribute's name; `name:N` for a number, `name:B` for binary, else a string.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Attribute(pub String);

#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum IndexDef {
    Partition(Attribute),
    Full(IndexFull),
}

#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct IndexFull {
    pub key: Attribute,
    pub sort: Option<Attribute>,
    /// What the index repeats of each item; `all` unless said otherwise.
    pub projection: Option<ProjectionDef>,
}

#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum ProjectionDef {
    Named(ProjectionName),
    Attributes(Vec<String>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ProjectionName {
    All,
    Keys,
}

/// `aws-owned` (free), `aws-managed`, or the ARN of a KMS key.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Encryption(pub String);

/// A Lambda function: a shipped `handler`, or your own `source`.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FunctionDef {
    /// The physical name; else `<stack>-<key>`.
    pub name: Option<String>,
    pub description: Option<String>,
    pub handler: Option<Shipped>,
    /// A cargo package (→ `provided.al2023`), or a folder or zip with a `runtime`.
    pub source: Option<String>,
    pub runtime: Option<String>,
    /// The entry point inside the source, such as `index.handler`.
    pub entry: Option<String>,
    /// Megabytes, 128 to 10240; also sets the share of CPU.
    pub memory: Option<u32>,
    /// Such as `10s`; 1 s to 15 min.
    pub timeout: Option<Span>,
    pub architecture: Option<Architecture>,
    #[serde(default)]
    pub environment: IndexMap<String, String>,
    /// What it may do: becomes its IAM policy and its variables.
    #[serde(default)]
    pub uses: IndexMap<String, Vec<Use>>,
    /// Concurrent executions set aside for it, and its limit.
    pub concurrency: Option<u32>,
    pub logs: Option<LogsDef>,
}

/// A handler that travels with msgai.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Shipped {
    Connect,
    Disconnect,
    Send,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
pub enum Architecture {
    #[serde(rename = "x86_64")]
    X86_64,
    #[serde(rename = "arm64")]
    Arm64,
}

/// What a function does with a table (`read`, `write`, `delete`, `update`) or with live connections
/// (`send`, `get`, `disconnect`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Use {
    Read,
    Write,
    Update,
    Delete,
    Send,
    Get,
    Disconnect,
}

/// One shared role, or one for each function.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum RoleDef {
    Each(PerFunction),
    Shared(SharedRole),
}

impl Default for RoleDef {
    fn default() -> Self {
        Self::Shared(SharedRole {
            name: None,
            boundary: None,
        })
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
pub enum PerFunction {
    #[serde(rename = "per-function")]
    PerFunction,
}

#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SharedRole {
    /// The physical name; else `<stack>-<region>`.
    pub name: Option<String>,
    /// The ARN of a permissions boundary.
    pub boundary: Option<String>,
}

/// The WebSocket API and its one stage.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ApiDef {
    /// The API's name; else the stack's.
    pub name: Option<String>,
    pub description: Option<String>,
    /// The route selection expression; `$request.body.action` unless said otherwise.
    pub select: Option<String>,
    /// The stage's name, the last part of the URL.
    pub stage: String,
    pub routes: IndexMap<String, RouteDef>,
    pub throttle: Option<ThrottleDef>,
    /// Access logs, one line an event. Without it there are none.
    pub logs: Option<AccessLogsDef>,
    /// Stage variables.
    #[serde(default)]
    pub variables: IndexMap<String, String>,
    /// CloudWatch metrics per route.
    #[serde(default)]
    pub metrics: bool,
}

#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum RouteDef {
    Function(String),
    Full(RouteFull),
}

#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RouteFull {
    pub function: String,
    /// Send what the function returns back to the client.
    #[serde(default)]
    pub reply: bool,
    /// How long API Gateway waits for the function, 50 ms to 29 s.
    pub timeout: Option<Span>,
    pub throttle: Option<ThrottleDef>,
}

/// Requests per second and how many at once.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ThrottleDef {
    pub rate: f64,
    pub burst: u32,
}

#[derive(Debug, Clone, PartialEq, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LogsDef {
    /// Such as `14d`, or `forever`.
    pub retention: Option<Retention>,
}

#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AccessLogsDef {
    pub retention: Option<Retention>,
    /// One line, with `$context.requestId` in it.
    pub format: Option<String>,
}

/// How long logs are kept: `14d`, or `forever`.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Retention(pub String);

/// Who may connect: your own REQUEST authorizer function.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AuthDef {
    /// The function that decides.
    pub function: String,
    /// What must be there before it is asked, such as `querystring.token` or `header.Authorization`.
    #[serde(default)]
    pub identity: Vec<String>,
}

/// A length of time: `500ms`, `10s`, `2m`.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Span(pub String);

impl Span {
    /// `None` when it is not a number followed by `ms`, `s` or `m`.
    pub fn duration(&self) -> Option<Duration> {
        let text = self.0.trim();
        let digits = text
            .find(|c: char| !c.is_ascii_digit())
            .unwrap_or(text.len());
        let number: u64 = text.get(..digits)?.parse().ok()?;
        match text.get(digits..)?.trim() {
            "ms" => Some(Duration::from_millis(number)),
            "s" => Some(Duration::from_secs(number)),
            "m" => Some(Duration::from_secs(number.checked_mul(60)?)),
            _ => None,
        }
    }
}
