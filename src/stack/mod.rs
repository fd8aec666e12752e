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
mod environments;
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
    /// Ends every physical name except those of existing tables, for a copy per developer; part of the identity.
    /// Letters, digits, `-`, `_`; at most 24. Unless said: none.
    #[serde(default)]
    #[schemars(example = &"-dev")]
    pub suffix: String,
    /// The AWS Region. `--region` and `AWS_REGION` come before it, the profile after it. Unless said: from there, or
    /// an error.
    #[schemars(example = &"us-east-1")]
    pub region: Option<String>,
    /// 12 digits; any other account is refused. Unless said: any.
    #[schemars(with = "Option<Scalar>", example = &"111122223333")]
    pub account: Option<String>,
    /// On everything that takes tags; at most 45, none that begins with `aws:` or `msgai:`. Unless said: none.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, Scalar>", example = serde_json::json!({ "team": "chat" }))]
    pub tags: BTreeMap<String, String>,
    /// Objects without the stack's mark that it takes over: `table/NAME`, `function/NAME`, `role/NAME`,
    /// `log-group/NAME`, `domain/NAME`, `mapping/NAME` by their physical names, `api/ID`. Unless said: nothing.
    #[serde(default)]
    #[schemars(example = ["table/Connections"])]
    pub adopt: Vec<String>,
    /// Tables, by the name that the rest of the file calls them. Unless said: none.
    #[serde(default)]
    pub tables: IndexMap<String, TableDef>,
    /// Functions, by the name that the rest of the file calls them. Unless said: none.
    #[serde(default)]
    pub functions: IndexMap<String, FunctionDef>,
    /// One role for all functions, or the word `per-function` for one each. Unless said: one.
    #[serde(default)]
    #[schemars(example = &"per-function")]
    pub role: RoleDef,
    /// The WebSocket API, its routes and its one stage.
    pub api: ApiDef,
    /// The functions' log groups.
    #[serde(default)]
    #[schemars(example = serde_json::json!({ "retention": "14d" }))]
    pub logs: LogsDef,
    /// Who may connect; asked once, at `$connect`. Unless said: nobody is asked, and the query string is believed.
    #[schemars(example = auth::example())]
    pub auth: Option<AuthDef>,
    /// Files to write after a deploy: file name → variable → value. A value is a template:
    /// see [`variables::expand`].
    #[serde(default)]
    #[schemars(
        description = "Files that a deploy writes beside the stack file: `KEY=value` lines, other lines untouched. Unless said: none.",
        with = "IndexMap<String, OutputFile>",
        example = serde_json::json!({ ".env.local": { "WS_URL": "${api.url}" } })
    )]
    pub outputs: IndexMap<String, IndexMap<String, String>>,
}

/// A table, on demand.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(example = serde_json::json!({ "key": "messageId" }))]
pub struct TableDef {
    /// The physical name. Unless said: `<stack>-<key>`, then the suffix.
    pub name: Option<String>,
    /// Used and checked, never made, changed or deleted. Needs a `name`, which takes no suffix. The local cloud
    /// makes it, so that there is one. Unless said: `false`.
    #[serde(default)]
    pub existing: bool,
    /// The primary key: an attribute, or a `partition` and a `sort` attribute. `id` is a string, `id:N` a number,
    /// `id:B` binary. It cannot change.
    #[schemars(example = &"connectionId")]
    pub key: KeyDef,
    /// The attribute with the epoch second at which an item expires. Unless said: no expiry.
    #[schemars(example = &"ttl")]
    pub ttl: Option<String>,
    /// Global secondary indexes, at most 20: name → partition attribute, or `key`, `sort` and `projection`. Unless
    /// said: none.
    #[serde(default)]
    #[schemars(example = index_example())]
    pub indexes: IndexMap<String, IndexDef>,
    /// Point-in-time recovery. Unless said: `false`.
    #[serde(default)]
    pub recovery: bool,
    /// `aws-owned` (free), `aws-managed`, or the ARN of a KMS key. Unless said: `aws-owned`.
    #[schemars(example = &"aws-managed")]
    pub encryption: Option<Encryption>,
    /// AWS refuses to delete the table, whoever asks; `destroy --delete-data` lifts it first. Unless said: `true`;
    /// `false` for `-e dev` and locally.
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

/// A global secondary index: its partition attribute, or its keys below.
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

/// A global secondary index, with its settings.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct IndexFull {
    /// The partition key's attribute.
    pub key: Attribute,
    /// The sort key's attribute. Unless said: none.
    pub sort: Option<Attribute>,
    /// What the index repeats of each item: `all`, `keys`, or a list of attributes. Unless said: `all`.
    pub projection: Option<ProjectionDef>,
    /// Of an index on `groupId` of `connections`: spreads each group over so many keys, 1 to 256, so that none is
    /// hot; workers deliver to big groups. Unless said: a group is one key.
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
    /// The physical name. Unless said: `<stack>-<key>`, then the suffix.
    pub name: Option<String>,
    /// At most 256 characters. Unless said: empty.
    pub description: Option<String>,
    /// A handler that travels with msgai; or else a `source`.
    pub handler: Option<Shipped>,
    /// Your own code, from the stack file's folder: a cargo package (→ `provided.al2023`), or a folder or zip with
    /// a `runtime`.
    #[schemars(example = &"./functions/audit")]
    pub source: Option<String>,
    /// For a folder or zip, such as `nodejs22.x`. Unless said: `provided.al2023`.
    #[schemars(example = &"nodejs22.x")]
    pub runtime: Option<String>,
    /// The entry point inside the source, such as `index.handler`; of a cargo package, the binary.
    #[schemars(example = &"index.handler")]
    pub entry: Option<String>,
    /// Megabytes, 128 to 10240; also sets the share of CPU. Unless said: `128`.
    #[schemars(range(min = 128, max = 10240))]
    pub memory: Option<u32>,
    /// Whole seconds or minutes, `1s` to `15m`. Unless said: `10s`.
    #[schemars(example = &"10s")]
    pub timeout: Option<Span>,
    /// The processor it runs on. Unless said: `x86_64`; locally, this machine's.
    pub architecture: Option<Architecture>,
    /// Environment variables, besides those that `uses` adds. A value is a template:
    /// see [`variables::expand`].
    #[serde(default)]
    #[schemars(
        description = "Environment variables; they win over those that `uses` adds. A value may hold `${api.url}` and the like.",
        with = "IndexMap<String, Scalar>",
        example = serde_json::json!({ "LOG_LEVEL": "info" })
    )]
    pub environment: IndexMap<String, String>,
    /// What it may do; becomes its IAM policy and its variables. Unless said: nothing.
    #[serde(default)]
    #[schemars(example = uses_example())]
    pub uses: IndexMap<String, Vec<Use>>,
    /// Concurrent executions set aside for it, and its limit; 0 switches it off. Unless said: none.
    pub concurrency: Option<u32>,
    /// Its log group, where it differs from the stack's `logs`.
    pub logs: Option<LogsDef>,
    /// The physical name of its role; functions may share one. Unless said: the stack's.
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
    /// The physical name. Unless said: `<stack>-<region>`, then the suffix.
    pub name: Option<String>,
    /// The ARN of a permissions boundary. Unless said: none.
    pub boundary: Option<String>,
}

/// The WebSocket API and its one stage.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ApiDef {
    /// The API's name in the console. Unless said: the stack's, then the suffix.
    pub name: Option<String>,
    /// At most 1024 characters. Unless said: empty.
    pub description: Option<String>,
    /// The route selection expression. Unless said: `$request.body.action`.
    #[schemars(example = &"$request.body.action")]
    pub select: Option<String>,
    /// The stage's name, the last part of the URL. Another name is another stage: it drops connections.
    #[schemars(example = &"production")]
    pub stage: String,
    /// What a message or a connection leads to: `$connect`, `$disconnect`, `$default` or what `select` yields.
    #[schemars(example = routes_example())]
    pub routes: IndexMap<String, RouteDef>,
    /// The limit of every route that has none of its own. Unless said: 10000 and 5000, an account's.
    #[schemars(example = throttle_example())]
    pub throttle: Option<ThrottleDef>,
    /// A domain of one's own, at which clients connect. Unless said: AWS's own address.
    #[schemars(example = serde_json::json!({ "name": "chat.example.org" }))]
    pub domain: Option<DomainDef>,
    /// Access logs, one JSON line an event. They need a role for API Gateway's logs in the account. Unless said:
    /// none.
    #[schemars(example = serde_json::json!({ "retention": "14d" }))]
    pub logs: Option<AccessLogsDef>,
    /// Stage variables, none of them empty. Unless said: none.
    #[serde(default)]
    #[schemars(with = "IndexMap<String, Scalar>", example = serde_json::json!({ "release": "blue" }))]
    pub variables: IndexMap<String, String>,
    /// Metrics for each route, which CloudWatch bills as detailed. Unless said: `false`.
    #[serde(default)]
    pub metrics: bool,
}

/// The function that the route calls, or its settings below.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum RouteDef {
    Function(String),
    Full(RouteFull),
}

/// A route, with its settings.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RouteFull {
    /// The function it calls.
    pub function: String,
    /// Send what the function returns back to the client. Unless said: `false`.
    #[serde(default)]
    pub reply: bool,
    /// How long API Gateway waits for the function, `50ms` to `29s`. Unless said: `29s`.
    pub timeout: Option<Span>,
    /// The limit of this route. Unless said: the stage's.
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
    /// How long logs are kept: `14d`, or `forever`; one of the numbers of days that CloudWatch Logs has. Unless
    /// said: `14d`; of a function, the stack's.
    #[schemars(example = &"14d")]
    pub retention: Option<Retention>,
}

/// The stage's access log.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AccessLogsDef {
    /// The log group's name; a suffix ends it, too. Unless said: `/aws/apigateway/<stack>/<stage>`.
    #[schemars(example = &"/aws/apigateway/chat")]
    pub group: Option<String>,
    /// How long they are kept: `14d`, or `forever`. Unless said: `14d`.
    #[schemars(example = &"14d")]
    pub retention: Option<Retention>,
    /// One line with `$context.requestId` in it, at most 1024 characters. Unless said: ids, route, status, errors,
    /// latency.
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
        schemars::json_schema!({
            "description": "A text; a number or a boolean is taken as it is spelled.",
            "type": ["string", "number", "boolean"],
        })
    }
}

/// One file: variables, and their values, which may hold `${api.url}` and the like.
#[derive(JsonSchema)]
#[schemars(transparent)]
#[expect(dead_code, reason = "it stands in the schema for the map that is read")]
struct OutputFile(IndexMap<String, Scalar>);

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
