//! The contract with whoever deploys: which handler this is, which tables it uses, where the sockets are.
//!
//! In: a lookup of environment variables. Out: [`Settings`], or the variable that is missing or wrong.
//! Never: the process environment itself; `runtime` has it.

mod error;
mod groups;

use std::path::PathBuf;

use aws_credential_types::Credentials;

use crate::event::RequestContext;
use crate::messages::MessagesKey;
use crate::origin::Origins;
use crate::presence::WITHIN_SECONDS;
use crate::shard::Shards;
pub use groups::Workers;

pub use error::SettingsError;

/// Longer than any row lives.
const MOST_SECONDS: u64 = 7 * 24 * 60 * 60;

/// A handler that this package ships, by the name in `_HANDLER`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Handler {
    Connect,
    Disconnect,
    Send,
    Typing,
    Presence,
    Default,
    /// All message routes in one function.
    Chat,
    CatchUp,
    MarkRead,
    /// Asked by API Gateway before `$connect`.
    Authorize,
    Deliver,
}

/// Every handler and its name: a new one is a line here, one in the enum, one in [`Settings::suffice`] if it needs
/// more than the Connections table, and one in `main.rs`.
const HANDLERS: &[(&str, Handler)] = &[
    ("connect", Handler::Connect),
    ("disconnect", Handler::Disconnect),
    ("send", Handler::Send),
    ("catchUp", Handler::CatchUp),
    ("markRead", Handler::MarkRead),
    ("typing", Handler::Typing),
    ("presence", Handler::Presence),
    ("default", Handler::Default),
    ("chat", Handler::Chat),
    ("authorize", Handler::Authorize),
    ("deliver", Handler::Deliver),
];

/// The routes that `chat` serves; what comes by another is answered as `default` does.
const CHAT: &[(&str, Handler)] = &[
    ("sendMessage", Handler::Send),
    ("typing", Handler::Typing),
    ("presence", Handler::Presence),
    ("catchUp", Handler::CatchUp),
    ("markRead", Handler::MarkRead),
];

impl Handler {
    pub fn named(name: &str) -> Result<Self, SettingsError> {
        let found = HANDLERS.iter().find(|(known, _)| *known == name);
        let handler = found.map(|(_, handler)| *handler);
        handler.ok_or_else(|| SettingsError::UnknownHandler(name.to_owned()))
    }

    /// Who serves an event of this route: everybody whatever comes, but `chat` goes by the route.
    #[must_use]
    pub fn on(self, route_key: &str) -> Self {
        if self != Self::Chat {
            return self;
        }
        let found = CHAT.iter().find(|(route, _)| *route == route_key);
        found.map_or(Self::Default, |(_, handler)| *handler)
    }
}

/// Everything that the environment says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    connections: Option<ConnectionsTable>,
    messages: Option<MessagesTable>,
    pub endpoint: Endpoint,
    /// The function's own name.
    pub function: String,
    pub workers: Workers,
    pub routes: Routes,
    /// How long a connection that was heard of counts as here.
    pub presence_seconds: u64,
    pub door: Door,
}

/// Whom `connect` lets in, beside what an authorizer says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Door {
    /// Pages that may connect, where no authorizer looks at that.
    pub origins: Origins,
    /// Nobody is let in on the query string's word.
    pub requires_principal: bool,
}

/// What messages the stack has routes for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Routes {
    pub names: Vec<String>,
    /// The field that selects among them, perhaps inside another: `action`, `meta.kind`.
    pub field: String,
}

/// The Connections table; its partition key is `connectionId`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectionsTable {
    pub name: String,
    /// The global secondary index whose partition key is `userId`.
    pub by_user_id: Option<String>,
    /// The global secondary index whose partition key is `groupId`, or `groupIdShard` if there are shards.
    pub by_group_id: Option<String>,
    /// Into how many parts that index has each group.
    pub shards: Option<Shards>,
    /// The same for an index that is being filled beside it: rows are written for both.
    pub next_shards: Option<Shards>,
}

/// The Messages table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessagesTable {
    pub name: String,
    pub key: MessagesKey,
    pub timeline: Option<TimelineTable>,
}

/// The timeline; its key is `owner`, and the number `position`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimelineTable {
    pub name: String,
    /// How long an entry is kept, if the table's `ttl` is on.
    pub days: u64,
}

/// How long an entry of the timeline is kept unless the environment says otherwise.
const TIMELINE_DAYS: u64 = 30;

/// How the URL before `/@connections` is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Endpoint {
    /// This URL, whatever the event says; for custom domains.
    Fixed(String),
    /// A local cloud at this URL, which serves every API beneath one path.
    Local(String),
    /// The API's own address, taken from the event.
    OfEvent,
}

impl Settings {
    /// Reads the environment; an empty value counts as absent.
    pub fn read(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, SettingsError> {
        let value = |name: &str| lookup(name).filter(|value| !value.is_empty());
        let messages = match value("MESSAGES_TABLE") {
            Some(name) => Some(MessagesTable {
                name,
                key: messages_key(value("MESSAGES_KEY").as_deref())?,
                timeline: timeline(value)?,
            }),
            None => None,
        };
        let connections = match value("CONNECTIONS_TABLE") {
            Some(name) => Some(ConnectionsTable {
                name,
                by_user_id: value("CONNECTIONS_INDEX_BY_USER_ID"),
                by_group_id: value("CONNECTIONS_INDEX_BY_GROUP_ID"),
                shards: groups::shards(&value)?,
                next_shards: groups::next_shards(&value)?,
            }),
            None => None,
        };
        Ok(Self {
            connections,
            messages,
            endpoint: Endpoint::read(value),
            function: value("AWS_LAMBDA_FUNCTION_NAME").unwrap_or_else(|| "unknown".to_owned()),
            workers: Workers::read(&value)?,
            routes: Routes::read(value),
            presence_seconds: match value("PRESENCE_SECONDS") {
                Some(text) => seconds(&text)?,
                None => WITHIN_SECONDS,
            },
            door: Door {
                origins: Origins::parse(&value("ALLOWED_ORIGINS").unwrap_or_default()),
                // Anything but a plain no is a yes.
                requires_principal: value("REQUIRE_PRINCIPAL").is_some_and(|word| word != "false"),
            },
        })
    }

    /// Whether a handler can work with this.
    pub fn suffice(&self, handler: Handler) -> Result<(), SettingsError> {
        match handler {
            Handler::Default | Handler::Authorize => Ok(()),
            Handler::Connect | Handler::Disconnect | Handler::Typing | Handler::Presence => {
                self.connections().map(|_| ())
            }
            Handler::Send | Handler::MarkRead | Handler::Chat | Handler::Deliver => {
                self.connections().and_then(|_| self.messages().map(|_| ()))
            }
            Handler::CatchUp => {
                self.connections()?;
                match self.messages()?.timeline {
                    Some(_) => Ok(()),
                    None => Err(SettingsError::Missing("TIMELINE_TABLE")),
                }
            }
        }
    }

    /// The Connections table, which all need but those that answer alone.
    pub fn connections(&self) -> Result<&ConnectionsTable, SettingsError> {
        let connections = self.connections.as_ref();
        connections.ok_or(SettingsError::Missing("CONNECTIONS_TABLE"))
    }

    /// The Messages table, which only some handlers need.
    pub fn messages(&self) -> Result<&MessagesTable, SettingsError> {
        let messages = self.messages.as_ref();
        messages.ok_or(SettingsError::Missing("MESSAGES_TABLE"))
    }
}

impl Routes {
    fn read(value: impl Fn(&str) -> Option<String>) -> Self {
        let names = value("ROUTES").unwrap_or_default();
        let names = names.split(',').map(str::trim).filter(|n| !n.is_empty());
        let select = value("ROUTES_SELECT");
        let field = select
            .as_deref()
            .and_then(|select| select.strip_prefix("$request.body."));
        Self {
            names: names.map(str::to_owned).collect(),
            field: field.unwrap_or("action").to_owned(),
        }
    }
}

fn seconds(text: &str) -> Result<u64, SettingsError> {
    let parsed = text.parse().ok().filter(|n| (1..=MOST_SECONDS).contains(n));
    parsed.ok_or_else(|| SettingsError::BadSeconds(text.to_owned()))
}

fn timeline(
    value: impl Fn(&str) -> Option<String>,
) -> Result<Option<TimelineTable>, SettingsError> {
    let Some(name) = value("TIMELINE_TABLE") else {
        return Ok(None);
    };
    let days = match value("TIMELINE_DAYS") {
        None => TIMELINE_DAYS,
        Some(text) => match text.parse() {
            Ok(days) if (1..=36_500).contains(&days) => days,
            _ => return Err(SettingsError::BadDays(text)),
        },
    };
    Ok(Some(TimelineTable { name, days }))
}

fn messages_key(text: Option<&str>) -> Result<MessagesKey, SettingsError> {
    let text = text.unwrap_or("messageId");
    MessagesKey::parse(text).ok_or_else(|| SettingsError::BadKey(text.to_owned()))
}

impl Endpoint {
    fn read(value: impl Fn(&str) -> Option<String>) -> Self {
        let base = |name: &str| value(name).map(|url| url.trim_end_matches('/').to_owned());
        if let Some(url) = base("MANAGEMENT_ENDPOINT") {
            return Self::Fixed(url);
        }
        base("AWS_ENDPOINT_URL_APIGATEWAYMANAGEMENTAPI")
            .or_else(|| base("AWS_ENDPOINT_URL"))
            .map_or(Self::OfEvent, Self::Local)
    }

    /// The URL for one event's connections.
    pub fn url(&self, context: &RequestContext) -> String {
        let RequestContext { api_id, stage, .. } = context;
        match self {
            Self::Fixed(url) => url.clone(),
            Self::Local(url) => format!("{url}/_aws/execute-api/{api_id}/{stage}"),
            Self::OfEvent => format!("https://{}/{stage}", context.domain_name),
        }
    }
}

/// Who the function is to AWS, and where AWS is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    pub region: String,
    pub credentials: Credentials,
    /// `DynamoDB`, if it is not where AWS has it.
    pub dynamodb: Option<String>,
    /// Lambda, if it is not where AWS has it.
    pub lambda: Option<String>,
    /// A file of root certificates that takes the place of the built-in ones.
    pub roots: Option<PathBuf>,
}

impl Account {
    /// Reads what Lambda sets, and the SDKs' own variables for other endpoints.
    pub fn read(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, SettingsError> {
        let value = |name: &str| lookup(name).filter(|value| !value.is_empty());
        let needed = |name| value(name).ok_or(SettingsError::Missing(name));
        let base = |name: &str| value(name).map(|url| url.trim_end_matches('/').to_owned());
        let service = |name: &str| base(name).or_else(|| base("AWS_ENDPOINT_URL"));
        Ok(Self {
            region: needed("AWS_REGION")?,
            credentials: Credentials::new(
                needed("AWS_ACCESS_KEY_ID")?,
                needed("AWS_SECRET_ACCESS_KEY")?,
                value("AWS_SESSION_TOKEN"),
                None,
                "environment",
            ),
            dynamodb: service("AWS_ENDPOINT_URL_DYNAMODB"),
            lambda: service("AWS_ENDPOINT_URL_LAMBDA"),
            roots: roots(&lookup),
        })
    }

    pub fn dynamodb_url(&self) -> String {
        let given = self.dynamodb.clone();
        given.unwrap_or_else(|| self.host("dynamodb"))
    }

    pub fn lambda_url(&self) -> String {
        self.lambda.clone().unwrap_or_else(|| self.host("lambda"))
    }

    fn host(&self, service: &str) -> String {
        let region = &self.region;
        let domain = if region.starts_with("cn-") {
            "amazonaws.com.cn"
        } else {
            "amazonaws.com"
        };
        format!("https://{service}.{region}.{domain}")
    }
}

/// A file of root certificates that takes the place of the built-in ones.
pub fn roots(lookup: impl Fn(&str) -> Option<String>) -> Option<PathBuf> {
    let file = lookup("SSL_CERT_FILE").filter(|file| !file.is_empty());
    file.map(PathBuf::from)
}

#[cfg(test)]
mod tests;
