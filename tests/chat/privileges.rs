//! Least privilege: what msgai derives for each shipped handler is all that it needs, and nothing of it can go.
//!
//! Each handler is called with events that lead it through all that it does. Nothing of it is denied; and once any one
//! action on any one resource is taken out of its policy, that call is.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use std::collections::BTreeSet;

use aws_sdk_dynamodb::types::AttributeValue;
use msgai::local::Happening;
use msgai::stack::schema_text;
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};
use tokio::sync::broadcast::Receiver;

use super::deployed::{Deployed, deploy};
use super::person::Person;
use super::tables::{items, text};

/// A handler, and the events that lead it everywhere. Before each of them Alice and Bob are in the table and in ward-3;
/// Alice, who calls, listens, and Bob's socket is gone, so that he is removed when he is posted to.
const CASES: &[(&str, &[fn() -> Value])] = &[
    ("connect", &[arrival]),
    ("disconnect", &[departure]),
    ("send", &[direct, to_group]),
    ("catchUp", &[missed, missed_by_group]),
    ("markRead", &[seen]),
    ("typing", &[typing, typing_in_group]),
    ("presence", &[here, who, who_in_group]),
    ("default", &[shout]),
    (
        "chat",
        &[
            direct,
            to_group,
            missed,
            missed_by_group,
            seen,
            typing,
            typing_in_group,
            here,
            who,
            who_in_group,
            shout,
        ],
    ),
];

/// Handlers that call nothing of AWS.
const WITHOUT_GRANTS: &[&str] = &["authorize"];

/// A connection as API Gateway names them, which nobody has.
const BOB: &str = "TXzPWdnOjoECGjE=";

fn arrival() -> Value {
    let mut event = event("$connect", &Value::Null);
    event["queryStringParameters"] = json!({ "userId": "alice", "groupId": "ward-3" });
    event
}

fn departure() -> Value {
    event("$disconnect", &Value::Null)
}

fn direct() -> Value {
    let said = json!({ "recipientId": "bob", "content": "hi" });
    event("sendMessage", &said)
}

fn to_group() -> Value {
    let said = json!({ "groupId": "ward-3", "content": "hi" });
    event("sendMessage", &said)
}

fn missed() -> Value {
    event("catchUp", &json!({}))
}

fn missed_by_group() -> Value {
    event("catchUp", &json!({ "groupId": "ward-3", "since": 0 }))
}

fn seen() -> Value {
    event("markRead", &json!({ "messageIds": ["for-alice"] }))
}

fn typing() -> Value {
    event("typing", &json!({ "recipientId": "bob" }))
}

fn typing_in_group() -> Value {
    event("typing", &json!({ "groupId": "ward-3" }))
}

fn here() -> Value {
    event("presence", &json!({}))
}

fn who() -> Value {
    event("presence", &json!({ "userIds": ["bob"] }))
}

fn who_in_group() -> Value {
    event("presence", &json!({ "groupId": "ward-3" }))
}

fn shout() -> Value {
    event("$default", &json!({ "action": "shout" }))
}

fn event(route: &str, said: &Value) -> Value {
    json!({
        "requestContext": {
            "routeKey": route, "connectionId": "ALICE", "requestId": "r", "stage": "production",
            "domainName": "unused.example", "apiId": "API", "connectedAt": 1_708_326_702_000_u64,
        },
        "body": said.to_string(), "isBase64Encoded": false,
    })
}

/// One function for each case, and every way to find people.
fn stack(role: &str) -> String {
    let functions = CASES
        .iter()
        .map(|(handler, _)| format!("  {handler}: {{ handler: {handler} }}\n"));
    format!(
        "name: least\n{role}tables:\n  connections:\n    key: connectionId\n    ttl: ttl\n    \
         indexes: {{ userId-index: userId, GroupIdIndex: groupId }}\n  messages: {{ key: messageId }}\n  \
         timeline: {{ key: {{ partition: owner, sort: \"position:N\" }}, ttl: ttl }}\n\
         functions:\n{}api:\n  stage: production\n  routes:\n    $connect: connect\n    $disconnect: disconnect\n    \
         $default: default\n    sendMessage: send\n    catchUp: catchUp\n    markRead: markRead\n    typing: typing\n    \
         presence: presence\n    all: chat\n",
        functions.collect::<String>()
    )
}

/// A client of the deployed stack's cloud, as the account's own user.
macro_rules! client {
    ($service:ident, $chat:expr) => {
        $service::Client::from_conf(
            $service::Config::builder()
                .behavior_version($service::config::BehaviorVersion::v2026_01_12())
                .region($service::config::Region::new("us-east-1"))
                .endpoint_url($chat.local.endpoint())
                .credentials_provider($service::config::Credentials::new(
                    "key", "secret", None, None, "test",
                ))
                .retry_config($service::config::retry::RetryConfig::disabled())
                .http_client(aws_smithy_http_client::Builder::new().build_http())
                .build(),
        )
    };
}

struct Least {
    chat: Deployed,
    api: String,
    /// Her socket, and its id.
    alice: Person,
    connection: String,
    iam: aws_sdk_iam::Client,
    lambda: aws_sdk_lambda::Client,
    tables: aws_sdk_dynamodb::Client,
    happenings: Receiver<Happening>,
}

/// A function's role and the statements of its one policy.
struct Policy {
    role: String,
    name: String,
    statements: Vec<Value>,
}

impl Least {
    async fn deploy(role: &str) -> Self {
        let chat = deploy(&stack(role), None).await;
        let gateway = client!(aws_sdk_apigatewayv2, chat);
        let apis = gateway.get_apis().send().await.unwrap();
        let alice = Person::joins(&chat.url, "userId=alice").await;
        let rows = items(&chat, "least-connections").await;
        Self {
            alice,
            connection: text(&rows[0], "connectionId").to_owned(),
            api: apis.items()[0].api_id().unwrap().to_owned(),
            iam: client!(aws_sdk_iam, chat),
            lambda: client!(aws_sdk_lambda, chat),
            tables: client!(aws_sdk_dynamodb, chat),
            happenings: chat.local.watch(),
            chat,
        }
    }

    async fn end(self) {
        self.alice.leaves().await;
        self.chat.local.shutdown().await;
    }

    /// Calls a handler with each of its events; gives every action and resource that was denied it.
    async fn denied(
        &mut self,
        handler: &str,
        events: &[fn() -> Value],
    ) -> BTreeSet<(String, String)> {
        let function = format!("least-{handler}");
        for event in events {
            self.two_people().await;
            self.one_message().await;
            let mut event = event();
            event["requestContext"]["apiId"] = self.api.as_str().into();
            event["requestContext"]["connectionId"] = self.connection.as_str().into();
            let call = self.lambda.invoke().function_name(&function);
            let call = call
                .qualifier("live")
                .payload(event.to_string().into_bytes().into());
            let answer = call.send().await.unwrap();
            assert_eq!(answer.function_error(), None, "{handler} {event}");
        }
        let mut denied = BTreeSet::new();
        while let Ok(happening) = self.happenings.try_recv() {
            match happening {
                Happening::Denied {
                    principal,
                    action,
                    resource,
                    ..
                } => {
                    assert!(principal.ends_with(&function), "{principal}");
                    denied.insert((action, resource));
                }
                // Whoever cannot do something for another reason never comes to what is behind it.
                Happening::Log { line, .. } if line.contains(r#""level":"error""#) => {
                    assert!(line.contains("AccessDenied"), "{handler}: {line}");
                }
                _ => {}
            }
        }
        denied
    }

    async fn two_people(&self) {
        for (user, connection) in [("alice", self.connection.as_str()), ("bob", BOB)] {
            let text = |value: &str| AttributeValue::S(value.to_owned());
            let number = |value: u64| AttributeValue::N(value.to_string());
            let put = self.tables.put_item().table_name("least-connections");
            let put = put.item("connectionId", text(connection));
            let put = put
                .item("userId", text(user))
                .item("groupId", text("ward-3"));
            let put = put.item("connectedAt", number(1_708_326_702_000));
            put.item("ttl", number(99_999_999_999))
                .send()
                .await
                .unwrap();
        }
    }

    /// One that Bob has sent and Alice has not got.
    async fn one_message(&self) {
        let text = |value: &str| AttributeValue::S(value.to_owned());
        let number = |value: u64| AttributeValue::N(value.to_string());
        let message = json!({
            "messageId": "for-alice", "senderId": "bob", "recipientId": "alice",
            "content": "hi", "message": "hi", "status": "sent",
        });
        let mut put = self.tables.put_item().table_name("least-messages");
        for (name, value) in message.as_object().unwrap() {
            put = put.item(name, text(value.as_str().unwrap()));
        }
        put.item("claimedUntil", number(0)).send().await.unwrap();
        for owner in ["user/alice", "group/ward-3"] {
            let put = || {
                let put = self.tables.put_item().table_name("least-timeline");
                put.item("owner", text(owner))
            };
            let head = put().item("position", number(0)).item("last", number(1));
            head.send().await.unwrap();
            let entry = put().item("position", number(1));
            let entry = entry.item("message", text(&message.to_string()));
            entry.send().await.unwrap();
        }
    }

    async fn policy(&self, handler: &str) -> Policy {
        let function = self.lambda.get_function_configuration();
        let function = function.function_name(format!("least-{handler}"));
        let role = function.send().await.unwrap().role.unwrap();
        let role = role.rsplit('/').next().unwrap().to_owned();
        let names = self.iam.list_role_policies().role_name(&role);
        let names = names.send().await.unwrap();
        let [name] = names.policy_names() else {
            panic!("{names:?}")
        };
        let get = self
            .iam
            .get_role_policy()
            .role_name(&role)
            .policy_name(name);
        let document = get.send().await.unwrap().policy_document;
        let document = percent_decode_str(&document).decode_utf8().unwrap();
        let mut document: Value = serde_json::from_str(&document).unwrap();
        let statements = document["Statement"].as_array_mut().unwrap();
        Policy {
            role,
            name: name.clone(),
            statements: std::mem::take(statements),
        }
    }

    async fn put(&self, policy: &Policy, statements: &[Value]) {
        let document = json!({ "Version": "2012-10-17", "Statement": statements });
        let put = self.iam.put_role_policy().role_name(&policy.role);
        let put = put.policy_name(&policy.name);
        let put = put.policy_document(document.to_string());
        put.send().await.unwrap();
    }
}

impl Policy {
    /// Every action on every resource, one by one. Lambda itself writes the logs.
    fn grants(&self) -> Vec<(String, String)> {
        let mut all = Vec::new();
        for statement in self.statements.iter().filter(|one| one["Sid"] != "Logs") {
            for action in words(&statement["Action"]) {
                for resource in words(&statement["Resource"]) {
                    all.push((action.clone(), resource));
                }
            }
        }
        all
    }

    /// Statements that grant all of it but one.
    fn without(&self, left_out: &(String, String)) -> Vec<Value> {
        // A policy without a statement is none.
        let mut all = self.statements.clone();
        all.retain(|one| one["Sid"] == "Logs");
        let kept = self.grants().into_iter().filter(|grant| grant != left_out);
        all.extend(kept.map(|(action, resource)| {
            json!({ "Effect": "Allow", "Action": action, "Resource": resource })
        }));
        all
    }
}

fn words(value: &Value) -> Vec<String> {
    match value {
        Value::Array(all) => all.iter().flat_map(words).collect(),
        one => vec![one.as_str().unwrap().to_owned()],
    }
}

/// A grant for every connection of the stage is denied for one of them.
fn is_of(resource: &str, granted: &str) -> bool {
    match granted.strip_suffix('*') {
        Some(start) => resource.starts_with(start),
        None => resource == granted,
    }
}

#[test]
fn no_shipped_handler_is_forgotten() {
    let schema: Value = serde_json::from_str(&schema_text()).unwrap();
    let shipped = words(&schema["definitions"]["Shipped"]["enum"]);
    let tried = CASES.iter().map(|(handler, _)| handler);
    let tried: BTreeSet<&str> = tried.chain(WITHOUT_GRANTS).copied().collect();
    assert_eq!(
        shipped.iter().map(String::as_str).collect::<BTreeSet<_>>(),
        tried
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_handler_may_do_all_that_it_does_and_needs_all_that_it_may() {
    let mut least = Least::deploy("role: per-function\n").await;
    for (handler, events) in CASES {
        assert_eq!(
            least.denied(handler, events).await,
            BTreeSet::new(),
            "{handler}"
        );
        let policy = least.policy(handler).await;
        let grants = policy.grants();
        assert!(!grants.is_empty(), "{handler}");
        for grant in &grants {
            least.put(&policy, &policy.without(grant)).await;
            let denied = least.denied(handler, events).await;
            let (action, granted) = grant;
            let is_missed = |(what, on): &(String, String)| what == action && is_of(on, granted);
            assert!(
                !denied.is_empty() && denied.iter().all(is_missed),
                "{handler} without {grant:?} was denied {denied:?}"
            );
        }
        least.put(&policy, &policy.statements).await;
    }
    least.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_role_for_all_denies_nobody() {
    let mut least = Least::deploy("").await;
    for (handler, events) in CASES {
        assert_eq!(
            least.denied(handler, events).await,
            BTreeSet::new(),
            "{handler}"
        );
    }
    let policy = least.policy("chat").await;
    let text = json!(policy.statements).to_string();
    for never in ["Scan", "CreateLogGroup", "\"*\"", "dynamodb:*", "Batch"] {
        assert!(!text.contains(never), "{never} in {text}");
    }
    for (action, resource) in policy.grants() {
        let is_exact = match action.as_str() {
            "dynamodb:Query" => {
                let is_timeline = resource.ends_with("table/least-timeline");
                is_timeline || resource.contains("table/least-connections/index/")
            }
            "execute-api:ManageConnections" => {
                resource.ends_with("/production/POST/@connections/*")
            }
            _ => resource.contains(":table/least-") && !resource.contains("/index/"),
        };
        assert!(is_exact, "{action} on {resource}");
    }
    least.end().await;
}
