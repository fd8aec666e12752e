//! Least privilege: what msgai derives for each shipped handler is all that it needs, and nothing of it can go.
//!
//! Each handler is called with events that lead it through all that it does. Nothing of it is denied; and once any one
//! action on any one resource is taken out of its policy, that call is.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

#[path = "privileges/events.rs"]
mod events;

use std::collections::BTreeSet;

use aws_sdk_dynamodb::types::AttributeValue;
use msgai::local::Happening;
use msgai::stack::schema_text;
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};
use tokio::sync::broadcast::Receiver;

use super::deployed::{Deployed, deploy};
use super::person::Person;
use events::{
    ALICE, BOB, MakeEvent, Scene, arrival, departure, direct, event, here, missed, missed_in_group,
    read, shout, to_group, typing, typing_in_group, who, who_in_group,
};

/// A handler, and the events that lead it everywhere. Before each of them Alice, Bob and Carol are in the table and in
/// ward-3. The sockets of Alice and Bob are gone, so that they are removed when they are posted to.
const CASES: &[(&str, &[MakeEvent])] = &[
    ("connect", &[arrival]),
    ("disconnect", &[departure]),
    ("send", &[direct, to_group]),
    ("catchUp", &[missed, missed_in_group]),
    ("markRead", &[read]),
    ("typing", &[typing, typing_in_group]),
    ("presence", &[here, who, who_in_group]),
    ("default", &[shout]),
    (
        "chat",
        &[
            direct,
            to_group,
            missed,
            missed_in_group,
            read,
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

/// Handlers that no gateway calls; `workers` leads them through what they do, under IAM.
const ELSEWHERE: &[&str] = &["deliver"];

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
         $default: default\n    sendMessage: send\n    typing: typing\n    presence: presence\n    \
         catchUp: catchUp\n    markRead: markRead\n    all: chat\n",
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
    iam: aws_sdk_iam::Client,
    lambda: aws_sdk_lambda::Client,
    tables: aws_sdk_dynamodb::Client,
    happenings: Receiver<Happening>,
    carol: Person,
    scene: Scene,
    messages: u32,
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
        let tables = client!(aws_sdk_dynamodb, chat);
        let carol = Person::joins(&chat.url, "userId=carol&groupId=ward-3").await;
        let rows = tables.scan().table_name("least-connections");
        let rows = rows.send().await.unwrap();
        let scene = Scene {
            carol: rows.items()[0]["connectionId"].as_s().unwrap().clone(),
            ..Scene::default()
        };
        Self {
            carol,
            scene,
            messages: 0,
            api: apis.items()[0].api_id().unwrap().to_owned(),
            iam: client!(aws_sdk_iam, chat),
            lambda: client!(aws_sdk_lambda, chat),
            tables,
            happenings: chat.local.watch(),
            chat,
        }
    }

    /// Calls a handler with each of its events; gives every action and resource that was denied it.
    async fn denied(&mut self, handler: &str, events: &[MakeEvent]) -> BTreeSet<(String, String)> {
        let function = format!("least-{handler}");
        for event in events {
            let wanted = event(&self.scene)["requestContext"]["routeKey"].take();
            if wanted == "catchUp" || wanted == "markRead" {
                self.carol_misses_something().await;
            }
            self.everybody_is_here().await;
            self.call(&function, event(&self.scene)).await;
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

    async fn call(&self, function: &str, mut event: Value) {
        event["requestContext"]["apiId"] = self.api.as_str().into();
        let call = self.lambda.invoke().function_name(function);
        let payload = event.to_string().into_bytes().into();
        let call = call.qualifier("live").payload(payload);
        let answer = call.send().await.unwrap();
        assert_eq!(answer.function_error(), None, "{function} {event}");
    }

    /// Alice writes to her and to the group while she is away.
    async fn carol_misses_something(&mut self) {
        self.messages += 1;
        self.scene.message = format!("m{}", self.messages);
        let id = self.scene.message.as_str();
        let to_her = json!({ "messageId": id, "recipientId": "carol", "content": "hi" });
        let to_all = json!({ "groupId": "ward-3", "content": "hi" });
        for said in [to_her, to_all] {
            self.everybody_is_here().await;
            let gone = self.tables.delete_item().table_name("least-connections");
            let carol = AttributeValue::S(self.scene.carol.clone());
            gone.key("connectionId", carol).send().await.unwrap();
            self.call("least-send", event("sendMessage", &said)).await;
        }
    }

    async fn everybody_is_here(&self) {
        let carol = self.scene.carol.as_str();
        for (user, connection) in [("alice", ALICE), ("bob", BOB), ("carol", carol)] {
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
    let shipped = schema["definitions"]["Shipped"]["oneOf"].as_array();
    let shipped = shipped.unwrap().iter().map(|one| words(&one["const"]));
    let shipped = shipped.flatten().collect::<Vec<_>>();
    let tried = CASES.iter().map(|(handler, _)| handler);
    let tried: BTreeSet<&str> = tried
        .chain(WITHOUT_GRANTS)
        .chain(ELSEWHERE)
        .copied()
        .collect();
    assert_eq!(
        shipped.iter().map(String::as_str).collect::<BTreeSet<_>>(),
        tried
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_handler_may_do_all_that_it_does_and_needs_all_that_it_may() {
    let mut least = Box::pin(Least::deploy("role: per-function\n")).await;
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
    least.carol.vanishes();
    least.chat.local.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_role_for_all_denies_nobody() {
    let mut least = Box::pin(Least::deploy("")).await;
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
                resource.contains("table/least-connections/index/")
                    || resource.ends_with("table/least-timeline")
            }
            "execute-api:ManageConnections" => {
                resource.ends_with("/production/POST/@connections/*")
            }
            _ => resource.contains(":table/least-") && !resource.contains("/index/"),
        };
        assert!(is_exact, "{action} on {resource}");
    }
    least.carol.vanishes();
    least.chat.local.shutdown().await;
}
