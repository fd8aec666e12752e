//! The contract with whoever deploys: which handler this is, which tables it uses, where the sockets are.
//!
//! In: a lookup of environment variables. Out: [`Settings`], or the variable that is missing or wrong.
//! Never: the process environment itself; `runtime` has it.

use std::fmt;
use std::path::PathBuf;

use aws_credential_types::Credentials;

use crate::event::RequestContext;
use crate::messages::MessagesKey;
use crate::origin::Origins;
use crate::presence::WITHIN_SECONDS;

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
    /// The global secondary index whose partition key is `groupId`.
    pub by_group_id: Option<String>,
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
        let connections = value("CONNECTIONS_TABLE").map(|name| ConnectionsTable {
            name,
            by_user_id: value("CONNECTIONS_INDEX_BY_USER_ID"),
            by_group_id: value("CONNECTIONS_INDEX_BY_GROUP_ID"),
        });
        Ok(Self {
            connections,
            messages,
            endpoint: Endpoint::read(value),
            function: value("AWS_LAMBDA_FUNCTION_NAME").unwrap_or_else(|| "unknown".to_owned()),
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
            Handler::Send | Handler::MarkRead | Handler::Chat => {
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

/// What is wrong with the environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SettingsError {
    UnknownHandler(String),
    Missing(&'static str),
    BadKey(String),
    BadSeconds(String),
    BadDays(String),
    Bad {
        name: &'static str,
        /// What it should be.
        wanted: &'static str,
    },
}

impl SettingsError {
    /// The name that the Runtime API asks for, `category.reason`.
    pub fn error_type(&self) -> &'static str {
        match self {
            Self::UnknownHandler(_) => "Runtime.UnknownHandler",
            Self::Missing(_)
            | Self::BadKey(_)
            | Self::BadSeconds(_)
            | Self::BadDays(_)
            | Self::Bad { .. } => "Runtime.InvalidEnvironment",
        }
    }
}

impl fmt::Display for SettingsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownHandler(name) => {
                let names: Vec<&str> = HANDLERS.iter().map(|(known, _)| *known).collect();
                write!(
                    f,
                    "no handler `{name}`: this bootstrap ships {}; \
                     set the function's handler to one of them",
                    names.join(", ")
                )
            }
            Self::Missing(name) => write!(
                f,
                "the environment variable {name} is not set; set it in the function's configuration"
            ),
            Self::Bad { name, wanted } => write!(
                f,
                "{name} is not {wanted}; set it in the function's configuration"
            ),
            Self::BadSeconds(text) => write!(
                f,
                "PRESENCE_SECONDS is `{text}`; write a whole number from 1 to {MOST_SECONDS}"
            ),
            Self::BadDays(text) => write!(
                f,
                "TIMELINE_DAYS is `{text}`; write how many days a message is kept for replay, 1 to 36500"
            ),
            Self::BadKey(text) => write!(
                f,
                "MESSAGES_KEY is `{text}`; write `partition` or `partition,sort`, \
                 each an attribute's name, with `:N` behind it if it is a number"
            ),
        }
    }
}

impl std::error::Error for SettingsError {}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> Result<Settings, SettingsError> {
        Settings::read(|name| {
            let found = variables.iter().find(|(key, _)| *key == name);
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    fn url(variables: &[(&str, &str)]) -> String {
        let mut all = vec![("CONNECTIONS_TABLE", "C")];
        all.extend(variables);
        let context = serde_json::from_value(serde_json::json!({
            "routeKey": "r", "stage": "production", "requestId": "r", "connectionId": "c",
            "domainName": "abc.execute-api.eu-west-1.amazonaws.com", "apiId": "abc"
        }));
        read(&all).unwrap().endpoint.url(&context.unwrap())
    }

    #[test]
    fn handlers_go_by_their_names() {
        assert_eq!(Handler::named("connect"), Ok(Handler::Connect));
        assert_eq!(Handler::named("disconnect"), Ok(Handler::Disconnect));
        assert_eq!(Handler::named("send"), Ok(Handler::Send));
        for (name, handler) in HANDLERS {
            assert_eq!(Handler::named(name), Ok(*handler));
        }
        let error = Handler::named("index.handler").unwrap_err();
        assert_eq!(error.error_type(), "Runtime.UnknownHandler");
        assert!(error.to_string().contains("`index.handler`"), "{error}");
    }

    #[test]
    fn the_connections_table_is_needed_and_the_rest_has_defaults() {
        let nothing = read(&[("CONNECTIONS_TABLE", "")]).unwrap();
        let connections = SettingsError::Missing("CONNECTIONS_TABLE");
        let messages = SettingsError::Missing("MESSAGES_TABLE");
        let alone = [Handler::Default, Handler::Authorize];
        for handler in alone {
            assert_eq!(nothing.suffice(handler), Ok(()));
        }
        let one = read(&[("CONNECTIONS_TABLE", "C")]).unwrap();
        assert_eq!(one.connections().unwrap().by_user_id, None);
        for (_, handler) in HANDLERS.iter().filter(|(_, h)| !alone.contains(h)) {
            assert_eq!(nothing.suffice(*handler), Err(connections.clone()));
            let is_content = one.suffice(*handler);
            assert!(is_content.is_ok() || is_content == Err(messages.clone()));
        }
        assert_eq!(one.suffice(Handler::Send), Err(messages));
        assert_eq!(one.suffice(Handler::Typing), Ok(()));
    }

    #[test]
    fn chat_goes_by_the_route_and_nobody_else_does() {
        assert_eq!(Handler::Chat.on("sendMessage"), Handler::Send);
        assert_eq!(Handler::Chat.on("presence"), Handler::Presence);
        assert_eq!(Handler::Chat.on("typing"), Handler::Typing);
        for other in ["$default", "shout", "$connect"] {
            assert_eq!(Handler::Chat.on(other), Handler::Default);
            assert_eq!(Handler::Send.on(other), Handler::Send);
        }
    }

    #[test]
    fn routes_and_presence_have_defaults_and_limits() {
        let settings = read(&[]).unwrap();
        assert_eq!(settings.presence_seconds, 600);
        assert!(settings.routes.names.is_empty());
        assert_eq!(settings.routes.field, "action");
        let said = [
            ("ROUTES", "sendMessage,typing, "),
            ("ROUTES_SELECT", "$request.body.meta.kind"),
            ("PRESENCE_SECONDS", "90"),
        ];
        let settings = read(&said).unwrap();
        assert_eq!(settings.presence_seconds, 90);
        assert_eq!(settings.routes.names, ["sendMessage", "typing"]);
        assert_eq!(settings.routes.field, "meta.kind");
        for wrong in ["0", "-1", "10m", "604801"] {
            let error = SettingsError::BadSeconds(wrong.into());
            assert_eq!(read(&[("PRESENCE_SECONDS", wrong)]), Err(error));
        }
    }

    #[test]
    fn the_messages_key_is_message_id_unless_said_otherwise() {
        let key = |text: Option<&str>| {
            let mut all = vec![("CONNECTIONS_TABLE", "C"), ("MESSAGES_TABLE", "M")];
            all.extend(text.map(|text| ("MESSAGES_KEY", text)));
            read(&all).and_then(|settings| Ok(settings.messages()?.key.clone()))
        };
        assert_eq!(key(None).unwrap().partition().name(), "messageId");
        let pair = key(Some("groupId, timestamp:N")).unwrap();
        assert_eq!(pair.partition().name(), "groupId");
        assert_eq!(pair.sort().unwrap().name(), "timestamp");
        for wrong in ["a,b,c", ",", "a,", "data:B", ":N"] {
            assert_eq!(key(Some(wrong)), Err(SettingsError::BadKey(wrong.into())));
        }
    }

    #[test]
    fn an_account_is_lambdas_own_variables() {
        let read = |more: &[(&str, &str)]| {
            let mut all = vec![
                ("AWS_REGION", "eu-west-1"),
                ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"),
                ("AWS_SECRET_ACCESS_KEY", "hush"),
            ];
            all.extend(more);
            Account::read(|name| {
                let found = all.iter().rev().find(|(key, _)| *key == name);
                found.map(|(_, value)| (*value).to_owned())
            })
        };
        let plain = read(&[]).unwrap();
        assert_eq!(
            plain.dynamodb_url(),
            "https://dynamodb.eu-west-1.amazonaws.com"
        );
        assert_eq!(plain.roots, None);
        assert!(!format!("{plain:?}").contains("hush"));
        let china = read(&[("AWS_REGION", "cn-north-1")]).unwrap();
        assert_eq!(
            china.lambda_url(),
            "https://lambda.cn-north-1.amazonaws.com.cn"
        );
        let local = read(&[
            ("AWS_ENDPOINT_URL", "http://127.0.0.1:1/"),
            ("AWS_ENDPOINT_URL_LAMBDA", "http://127.0.0.1:2"),
            ("SSL_CERT_FILE", "/a.pem"),
        ])
        .unwrap();
        assert_eq!(local.dynamodb_url(), "http://127.0.0.1:1");
        assert_eq!(local.lambda_url(), "http://127.0.0.1:2");
        assert_eq!(local.roots, Some("/a.pem".into()));
        assert_eq!(
            read(&[("AWS_SECRET_ACCESS_KEY", "")]),
            Err(SettingsError::Missing("AWS_SECRET_ACCESS_KEY"))
        );
    }

    #[test]
    fn a_timeline_is_kept_for_a_month_unless_said_otherwise() {
        let timeline = |more: &[(&str, &str)]| {
            let mut all = vec![("CONNECTIONS_TABLE", "C"), ("MESSAGES_TABLE", "M")];
            all.extend(more);
            read(&all).and_then(|settings| Ok(settings.messages()?.timeline.clone()))
        };
        let table = |days| {
            let name = "T".to_owned();
            Ok(Some(TimelineTable { name, days }))
        };
        assert_eq!(timeline(&[]), Ok(None));
        assert_eq!(timeline(&[("TIMELINE_TABLE", "T")]), table(30));
        let days = |text| timeline(&[("TIMELINE_TABLE", "T"), ("TIMELINE_DAYS", text)]);
        assert_eq!(days("7"), table(7));
        for wrong in ["0", "-1", "a week"] {
            assert_eq!(days(wrong), Err(SettingsError::BadDays(wrong.into())));
        }
    }

    #[test]
    fn the_endpoint_is_the_most_particular_one() {
        assert_eq!(
            url(&[]),
            "https://abc.execute-api.eu-west-1.amazonaws.com/production"
        );
        assert_eq!(
            url(&[("AWS_ENDPOINT_URL", "http://127.0.0.1:4566/")]),
            "http://127.0.0.1:4566/_aws/execute-api/abc/production"
        );
        assert_eq!(
            url(&[
                ("AWS_ENDPOINT_URL", "http://127.0.0.1:1"),
                (
                    "AWS_ENDPOINT_URL_APIGATEWAYMANAGEMENTAPI",
                    "http://127.0.0.1:2"
                ),
            ]),
            "http://127.0.0.1:2/_aws/execute-api/abc/production"
        );
        assert_eq!(
            url(&[
                ("AWS_ENDPOINT_URL", "http://127.0.0.1:1"),
                ("MANAGEMENT_ENDPOINT", "https://chat.example.com/live/"),
            ]),
            "https://chat.example.com/live"
        );
    }
}
