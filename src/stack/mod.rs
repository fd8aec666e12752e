//! `stack.yaml` as typed data: what the user wrote, no defaults filled, no names derived.
//!
//! In: a file's text. Out: a [`Stack`], or every problem with its place.
//! Never: a network call, a default (those are `describe.rs`'s).
//!
//! The way of a file: `yaml.rs` reads it into a tree that knows its places (`tree.rs`), `load.rs` merges the
//! chosen environment, `interpolate.rs` fills in variables, `shape.rs` holds the tree against the schema
//! that these types derive, serde makes a [`Stack`] of it, `validate` checks what types cannot say, and `derive.rs`
//! adds the functions that the file asks for without naming them.

mod adopt;
mod auth;
mod derive;
mod domain;
mod foreign;
mod hints;
mod interpolate;
mod kinds;
mod limits;
mod load;
mod physical;
mod problem;
mod schema;
mod shape;
pub(crate) mod shards;
mod show;
mod slips;
mod template;
mod tree;
pub mod validate;
pub mod variables;
pub(crate) mod words;
mod yaml;

#[cfg(test)]
mod tests;

pub use adopt::Unfit;
pub use auth::{AuthDef, JwtDef, TokenUse};
pub use domain::DomainDef;
pub use load::{FILE, Loaded, Secrets, find, load, load_text};
pub use problem::{Path, Problem, Severity, Step};
pub use schema::{schema, schema_text};
pub use show::{Placed, Problems, to_json};
pub use template::{Template, stack_name, template};
pub(crate) use words::choice;

use std::collections::BTreeMap;
use std::time::Duration;

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::Deserialize;

/// One stack file, its environment merged in and its variables resolved.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Stack {
    /// The stack's identity: tags, lock, history. A letter, then letters, digits and `-`; at most 40.
    #[schemars(example = &"chat")]
    pub name: String,
    /// Ends every physical name except those of existing tables, for a copy per developer.
    #[serde(default)]
    #[schemars(example = &"-dev")]
    pub suffix: String,
    /// The AWS Region, unless a flag or the environment names one.
    #[schemars(example = &"us-east-1")]
    pub region: Option<String>,
    /// Refuse any other account: 12 digits.
    #[schemars(with = "Option<Scalar>", example = &"111122223333")]
    pub account: Option<String>,
    /// On everything that takes tags.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, Scalar>", example = serde_json::json!({ "team": "chat" }))]
    pub tags: BTreeMap<String, String>,
    /// Objects without the stack's mark that it takes over: `table/NAME`, `function/NAME`, `role/NAME`,
    /// `log-group/NAME` by their physical names, `api/ID`.
    #[serde(default)]
    #[schemars(example = ["table/Connections"])]
    pub adopt: Vec<String>,
    /// Tables, by the name that the rest of the file calls them.
    #[serde(default)]
    pub tables: IndexMap<String, TableDef>,
    /// Lambda functions, by the name that the rest of the file calls them.
    #[serde(default)]
    pub functions: IndexMap<String, FunctionDef>,
    /// One shared role, or `per-function` for one each.
    #[serde(default)]
    #[schemars(example = &"per-function")]
    pub role: RoleDef,
    /// The WebSocket API, its routes and its stage.
    pub api: ApiDef,
    /// The functions' log groups.
    #[serde(default)]
    #[schemars(example = serde_json::json!({ "retention": "14d" }))]
    pub logs: LogsDef,
    /// Who may connect. Without it the query string is believed.
    #[schemars(example = auth::example())]
    pub auth: Option<AuthDef>,
    /// Files to write after a deploy: file name → variable → value. A value is a template:
    /// see [`variables::expand`].
    #[serde(default)]
    #[schemars(
        description = "Files to write after a deploy: file name → variable → value",
        with = "IndexMap<String, IndexMap<String, Scalar>>",
        example = serde_json::json!({ ".env.local": { "WS_URL": "${api.url}" } })
    )]
    pub outputs: IndexMap<String, IndexMap<String, String>>,
}

/// A table, on demand.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(example = serde_json::json!({ "key": "messageId" }))]
pub struct TableDef {
    /// The physical name; else `<stack>-<key>`.
    pub name: Option<String>,
    /// Used and checked, never created, changed or deleted. Needs a `name`, which takes no suffix.
    #[serde(default)]
    pub existing: bool,
    /// The primary key: an attribute, or a `partition` and a `sort` attribute.
    #[schemars(example = &"connectionId")]
    pub key: KeyDef,
    /// The attribute that holds the epoch second at which an item expires.
    #[schemars(example = &"ttl")]
    pub ttl: Option<String>,
    /// Global secondary indexes: name → partition attribute, or `key`, `sort` and `projection`.
    #[serde(default)]
    #[schemars(example = index_example())]
    pub indexes: IndexMap<String, IndexDef>,
    /// Point-in-time recovery.
    #[serde(default)]
    pub recovery: bool,
    /// `aws-owned` (free), `aws-managed`, or the ARN of a KMS key.
    #[schemars(example = &"aws-managed")]
    pub encryption: Option<Encryption>,
    /// Refuse to delete the table, whoever asks.
    pub deletion_protection: Option<bool>,
}

/// A table's or index's key: an attribute, or a partition and a sort attribute.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum KeyDef {
    Partition(Attribute),
    Pair(KeyPair),
}

/// A composite primary key.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct KeyPair {
    /// The partition key's attribute.
    pub partition: Attribute,
    /// The sort key's attribute.
    pub sort: Attribute,
}

/// An attribute's name; `name:N` for a number, `name:B` for binary, else a string.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Attribute(pub String);

/// The type of a key attribute, as the service spells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum AttributeType {
    S,
    N,
    B,
}

impl Attribute {
    /// The name without its type.
    pub fn name(&self) -> &str {
        self.0
            .split_once(':')
            .map_or(self.0.as_str(), |(name, _)| name)
    }

    /// `None` when what follows the colon is no type; a validated stack has none such.
    pub fn kind(&self) -> Option<AttributeType> {
        match self.0.split_once(':') {
            None | Some((_, "S")) => Some(AttributeType::S),
            Some((_, "N")) => Some(AttributeType::N),
            Some((_, "B")) => Some(AttributeType::B),
            Some(_) => None,
        }
    }
}

/// A global secondary index: its partition attribute, or all of it.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum IndexDef {
    Partition(Attribute),
    Full(IndexFull),
}

impl IndexDef {
    /// The partition key's attribute.
    pub fn key(&self) -> &Attribute {
        match self {
            Self::Partition(key) => key,
            Self::Full(full) => &full.key,
        }
    }

    /// Into how many parts each value of the key is spread.
    pub fn shards(&self) -> Option<u16> {
        match self {
            Self::Partition(_) => None,
            Self::Full(full) => full.shards,
        }
    }

    /// The partition key's attribute as the service has it: with shards, the one that the handlers fill in.
    pub fn physical_key(&self) -> Attribute {
        match self.shards() {
            None => self.key().clone(),
            Some(_) => Attribute(format!("{}Shard", self.key().name())),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct IndexFull {
    /// The partition key's attribute.
    pub key: Attribute,
    /// The sort key's attribute.
    pub sort: Option<Attribute>,
    /// What the index repeats of each item; `all` unless said otherwise.
    pub projection: Option<ProjectionDef>,
    /// Spreads each group over so many keys, 1 to 256, so that none is hot; workers deliver to big groups.
    #[schemars(range(min = 1, max = 256))]
    pub shards: Option<u16>,
}

/// What an index repeats: `all`, `keys`, or a list of attributes.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum ProjectionDef {
    Named(ProjectionName),
    Attributes(Vec<String>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ProjectionName {
    /// Every attribute of the item.
    All,
    /// The keys of the table and of the index alone.
    Keys,
}

/// `aws-owned` (free), `aws-managed`, or the ARN of a KMS key.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Encryption(pub String);

/// A Lambda function: a shipped `handler`, or your own `source`.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(example = serde_json::json!({ "handler": "send" }))]
pub struct FunctionDef {
    /// The physical name; else `<stack>-<key>`.
    pub name: Option<String>,
    /// At most 256 characters.
    pub description: Option<String>,
    /// A handler that travels with msgai; or else a `source`.
    pub handler: Option<Shipped>,
    /// Your own code: a cargo package (→ `provided.al2023`), or a folder or zip with a `runtime`.
    #[schemars(example = &"./functions/audit")]
    pub source: Option<String>,
    /// For a folder or zip.
    #[schemars(example = &"nodejs22.x")]
    pub runtime: Option<String>,
    /// The entry point inside the source, such as `index.handler`.
    #[schemars(example = &"index.handler")]
    pub entry: Option<String>,
    /// Megabytes, 128 to 10240; also sets the share of CPU.
    #[schemars(range(min = 128, max = 10240))]
    pub memory: Option<u32>,
    /// Such as `10s`; 1 s to 15 min.
    #[schemars(example = &"10s")]
    pub timeout: Option<Span>,
    /// The processor it runs on.
    pub architecture: Option<Architecture>,
    /// Environment variables, besides those that `uses` adds. A value is a template:
    /// see [`variables::expand`].
    #[serde(default)]
    #[schemars(
        description = "Environment variables, besides those that `uses` adds",
        with = "IndexMap<String, Scalar>",
        example = serde_json::json!({ "LOG_LEVEL": "info" })
    )]
    pub environment: IndexMap<String, String>,
    /// What it may do: becomes its IAM policy and its variables.
    #[serde(default)]
    #[schemars(example = uses_example())]
    pub uses: IndexMap<String, Vec<Use>>,
    /// Concurrent executions set aside for it, and its limit; 0 switches it off.
    pub concurrency: Option<u32>,
    /// Its log group, where it differs from the stack's `logs`.
    pub logs: Option<LogsDef>,
    /// The physical name of its role, where that is not the stack's; functions may share one.
    pub role: Option<String>,
}

/// A handler that travels with msgai.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Shipped {
    /// For `$connect`: stores who is connected, in which group.
    Connect,
    /// For `$disconnect`: forgets the connection.
    Disconnect,
    /// Stores a message, delivers it to people or to a group, and tells the sender.
    Send,
    /// Sends what somebody missed. Needs a table `timeline`.
    CatchUp,
    /// Notes who has read a message, and tells its sender.
    MarkRead,
    /// Tells the others that somebody writes.
    Typing,
    /// Says who is connected.
    Presence,
    /// For `$default`: answers what no route takes with an error that helps.
    Default,
    /// All message routes in one function.
    Chat,
    /// Checks tokens for `auth.jwt`; it is added by itself.
    Authorize,
    /// Delivers to big groups, one of its runs a shard; it is added by itself.
    Deliver,
}

impl Shipped {
    /// As the file and the function's setting spell it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Disconnect => "disconnect",
            Self::Send => "send",
            Self::CatchUp => "catchUp",
            Self::MarkRead => "markRead",
            Self::Typing => "typing",
            Self::Presence => "presence",
            Self::Default => "default",
            Self::Chat => "chat",
            Self::Authorize => "authorize",
            Self::Deliver => "deliver",
        }
    }

    /// The place that it is for; `None` is any route for messages, and what is no route's name is no place on one.
    pub fn home(self) -> Option<&'static str> {
        match self {
            Self::Connect => Some("$connect"),
            Self::Disconnect => Some("$disconnect"),
            Self::Authorize => Some("auth.jwt"),
            Self::Deliver => Some("shards"),
            Self::Send
            | Self::CatchUp
            | Self::MarkRead
            | Self::Typing
            | Self::Presence
            | Self::Default
            | Self::Chat => None,
        }
    }
}

/// The processor that a function runs on; `arm64` costs a fifth less.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
pub enum Architecture {
    /// Intel and AMD.
    #[serde(rename = "x86_64")]
    X86_64,
    /// Graviton, at four fifths of the price.
    #[serde(rename = "arm64")]
    Arm64,
}

/// What a function does with a table (`read`, `write`, `delete`, `update`) or with live connections
/// (`send`, `get`, `disconnect`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Use {
    /// Of a table: get and query items.
    Read,
    /// Of a table: put items.
    Write,
    /// Of a table: update items.
    Update,
    /// Of a table: delete items.
    Delete,
    /// Of `connections`: post to one.
    Send,
    /// Of `connections`: ask about one.
    Get,
    /// Of `connections`: close one.
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

/// A role for each function, with what that function uses and no more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
pub enum PerFunction {
    #[serde(rename = "per-function")]
    PerFunction,
}

/// One role for all functions.
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
    /// At most 1024 characters.
    pub description: Option<String>,
    /// The route selection expression; `$request.body.action` unless said otherwise.
    #[schemars(example = &"$request.body.action")]
    pub select: Option<String>,
    /// The stage's name, the last part of the URL.
    #[schemars(example = &"production")]
    pub stage: String,
    /// What a message or a connection leads to: `$connect`, `$disconnect`, `$default` or what `select` yields.
    #[schemars(example = routes_example())]
    pub routes: IndexMap<String, RouteDef>,
    /// The limit of every route that has none of its own.
    #[schemars(example = throttle_example())]
    pub throttle: Option<ThrottleDef>,
    /// A domain of one's own, at which clients connect instead of at AWS's.
    pub domain: Option<DomainDef>,
    /// Access logs, one line an event. Without it there are none.
    #[schemars(example = serde_json::json!({ "retention": "14d" }))]
    pub logs: Option<AccessLogsDef>,
    /// Stage variables.
    #[serde(default)]
    #[schemars(with = "IndexMap<String, Scalar>", example = serde_json::json!({ "release": "blue" }))]
    pub variables: IndexMap<String, String>,
    /// Metrics for each route, at the price of detailed ones.
    #[serde(default)]
    pub metrics: bool,
}

/// The function a route calls, alone or with the route's settings.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum RouteDef {
    Function(String),
    Full(RouteFull),
}

#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RouteFull {
    /// The function it calls.
    pub function: String,
    /// Send what the function returns back to the client.
    #[serde(default)]
    pub reply: bool,
    /// How long API Gateway waits for the function, 50 ms to 29 s.
    pub timeout: Option<Span>,
    /// The limit of this route.
    #[schemars(example = throttle_example())]
    pub throttle: Option<ThrottleDef>,
}

impl RouteDef {
    /// The function it calls.
    pub fn function(&self) -> &str {
        match self {
            Self::Function(function) => function,
            Self::Full(full) => &full.function,
        }
    }
}

/// Requests per second and how many at once.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ThrottleDef {
    /// Requests per second.
    pub rate: f64,
    /// Requests at once.
    pub burst: u32,
}

/// A log group.
#[derive(Debug, Clone, PartialEq, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LogsDef {
    /// Such as `14d`, or `forever`.
    #[schemars(example = &"14d")]
    pub retention: Option<Retention>,
}

/// The stage's access log.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AccessLogsDef {
    /// The log group's name; else `/aws/apigateway/<stack>/<stage>`. A suffix ends it, too.
    #[schemars(example = &"/aws/apigateway/chat")]
    pub group: Option<String>,
    /// Such as `14d`, or `forever`.
    #[schemars(example = &"14d")]
    pub retention: Option<Retention>,
    /// One line, with `$context.requestId` in it.
    pub format: Option<String>,
}

/// How long logs are kept: `14d`, or `forever`.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(transparent)]
#[schemars(extend("pattern" = r"^([0-9]+d|forever)$|\$\{"))]
pub struct Retention(pub String);

impl Retention {
    /// The word for logs that never go.
    pub const FOREVER: &'static str = "forever";

    /// The days; `None` for `forever`, and for what is not a number followed by `d`.
    pub fn days(&self) -> Option<u32> {
        self.0.trim().strip_suffix('d')?.trim().parse().ok()
    }
}

/// A length of time: `500ms`, `10s`, `2m`.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(transparent)]
#[schemars(extend("pattern" = r"^[0-9]+ ?(ms|s|m)$|\$\{"))]
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

/// A string that may be written like a number or a boolean; it is taken as it is spelled.
struct Scalar;

impl JsonSchema for Scalar {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Scalar".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": ["string", "number", "boolean"] })
    }
}

fn throttle_example() -> serde_json::Value {
    serde_json::json!({ "rate": 500, "burst": 1000 })
}

fn index_example() -> serde_json::Value {
    serde_json::json!({ "userId-index": "userId" })
}

fn uses_example() -> serde_json::Value {
    serde_json::json!({ "tables.messages": ["read"], "connections": ["send"] })
}

fn routes_example() -> serde_json::Value {
    serde_json::json!({ "$connect": "connect", "sendMessage": { "function": "sendMessage", "reply": true } })
}
