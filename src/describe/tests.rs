//! Groups in shards, as the stack file asks for them and AWS is to have them.

use serde_json::{Value, json};

use super::*;
use crate::names::ResourceId;
use crate::stack::{Architecture, load_text};

const STACK: &str = "name: chat
tables:
  connections:
    key: connectionId
    ttl: ttl
    indexes: { users: userId, groups: { key: groupId, shards: 16 } }
  messages: { key: messageId }
functions:
  connect: { handler: connect }
  send: { handler: send }
api: { stage: live, routes: { $connect: connect, sendMessage: send } }
";

fn site() -> Site {
    Site {
        place: Place {
            partition: "aws".to_owned(),
            region: "eu-west-1".to_owned(),
            account: "111122223333".to_owned(),
        },
        address: Address::Aws,
        makes_existing: false,
        protects: false,
        architecture: Architecture::X86_64,
    }
}

fn settings(text: &str) -> BTreeMap<ResourceId, Value> {
    let loaded = load_text(text, "stack.yaml", None, &|_| None);
    let loaded = loaded.unwrap_or_else(|problems| panic!("{}", problems.render(false)));
    let desired = describe(&loaded.stack, &loaded.secrets, &Artifacts::new(), &site());
    let facts = crate::names::Facts::new();
    let resources = desired.resources.into_iter();
    resources
        .map(|(id, resource)| (id, resource.settings(&facts)))
        .collect()
}

fn edited(from: &str, to: &str) -> BTreeMap<ResourceId, Value> {
    assert_eq!(STACK.matches(from).count(), 1, "{from}");
    settings(&STACK.replace(from, to))
}

fn of<'a>(all: &'a BTreeMap<ResourceId, Value>, kind: Kind, name: &str) -> &'a Value {
    &all[&ResourceId::new(kind, name)]
}

/// The variables of a function, whose values are digests, are compared with those of a function that has them written.
fn has_variable(
    all: &BTreeMap<ResourceId, Value>,
    function: &str,
    name: &str,
    value: &str,
) -> bool {
    let told = settings(&format!(
        "name: told\nfunctions:\n  f: {{ source: ./f.zip, runtime: nodejs22.x, entry: a.b, environment: {{ {name}: \"{value}\" }} }}\napi: {{ stage: live, routes: {{ say: f }} }}\n"
    ));
    let wanted = &of(&told, Kind::Function, "told-f")["environment"][name];
    assert!(!wanted.is_null());
    of(all, Kind::Function, function)["environment"][name] == *wanted
}

#[test]
fn a_stage_variable_from_the_environment_is_not_shown() {
    let text = STACK.replace(
        "stage: live,",
        "stage: live, variables: { key: \"${env:KEY}\", level: info },",
    );
    let env = |name: &str| (name == "KEY").then(|| "hush".to_owned());
    let loaded = load_text(&text, "stack.yaml", None, &env).unwrap();
    let desired = describe(&loaded.stack, &loaded.secrets, &Artifacts::new(), &site());
    let stage = &desired.resources[&ResourceId::new(Kind::Stage, "live")];
    let settings = stage.settings(&crate::names::Facts::new());
    assert_eq!(settings["variables"]["level"], "info");
    assert!(!settings.to_string().contains("hush"), "{settings}");
    assert!(!settings["variables"]["key"].is_null(), "{settings}");
}

#[test]
fn shards_are_the_indexs_key_and_a_function_that_delivers() {
    let all = settings(STACK);
    let index = &of(&all, Kind::Table, "chat-connections")["indexes"]["groups"];
    assert_eq!(index["partition"], "groupIdShard", "{index}");
    for function in ["chat-connect", "chat-send", "chat-deliver"] {
        assert!(has_variable(
            &all,
            function,
            "CONNECTIONS_SHARDS_BY_GROUP_ID",
            "16"
        ));
        assert!(has_variable(
            &all,
            function,
            "CONNECTIONS_INDEX_BY_GROUP_ID",
            "groups"
        ));
    }
    for function in ["chat-send", "chat-deliver"] {
        assert!(has_variable(
            &all,
            function,
            "DELIVER_FUNCTION",
            "chat-deliver:live"
        ));
    }
    assert!(has_variable(&all, "chat-deliver", "DELIVER_RATE", "500"));
    let connect = &of(&all, Kind::Function, "chat-connect")["environment"];
    assert!(connect["DELIVER_FUNCTION"].is_null());
    let worker = of(&all, Kind::Function, "chat-deliver");
    assert_eq!(
        (
            &worker["handler"],
            &worker["memory"],
            &worker["timeout"],
            &worker["concurrency"]
        ),
        (&json!("deliver"), &json!(256), &json!(60), &json!(16))
    );
}

#[test]
fn the_worker_that_the_file_declares_is_used_and_its_word_wins() {
    let all = edited(
        "  connect: {",
        "  fan: { handler: deliver, timeout: 5m, concurrency: 4, environment: { DELIVER_RATE: \"70\" } }\n  connect: {",
    );
    assert!(!all.contains_key(&ResourceId::new(Kind::Function, "chat-deliver")));
    let worker = of(&all, Kind::Function, "chat-fan");
    assert_eq!(
        (&worker["timeout"], &worker["concurrency"]),
        (&json!(300), &json!(4))
    );
    assert!(has_variable(
        &all,
        "chat-send",
        "DELIVER_FUNCTION",
        "chat-fan:live"
    ));
    assert!(has_variable(&all, "chat-fan", "DELIVER_RATE", "70"));
    let fewer = edited(
        "  connect: {",
        "  fan: { handler: deliver, concurrency: 4 }\n  connect: {",
    );
    assert!(has_variable(&fewer, "chat-fan", "DELIVER_RATE", "2000"));
}

#[test]
fn an_index_without_shards_is_read_until_it_goes() {
    let all = edited("groups: {", "groups-old: groupId, groups: {");
    assert!(has_variable(
        &all,
        "chat-connect",
        "CONNECTIONS_INDEX_BY_GROUP_ID",
        "groups-old"
    ));
    assert!(has_variable(
        &all,
        "chat-connect",
        "CONNECTIONS_NEXT_SHARDS_BY_GROUP_ID",
        "16"
    ));
    let environment = &of(&all, Kind::Function, "chat-connect")["environment"];
    assert!(environment["CONNECTIONS_SHARDS_BY_GROUP_ID"].is_null());
}

#[test]
fn many_shards_take_a_hundred_executions() {
    let all = edited("shards: 16", "shards: 256");
    assert_eq!(of(&all, Kind::Function, "chat-deliver")["concurrency"], 100);
    assert!(has_variable(&all, "chat-deliver", "DELIVER_RATE", "80"));
}

#[test]
fn who_hands_over_may_call_that_one_alias_and_nobody_else_may() {
    let all = edited("name: chat\n", "name: chat\nrole: per-function\n");
    let workers = |function: &str| {
        let policy = of(
            &all,
            Kind::RolePolicy,
            &format!("chat-{function}-eu-west-1"),
        )
        .to_string();
        let call = r#""lambda:InvokeFunction""#;
        let alias = "arn:aws:lambda:eu-west-1:111122223333:function:chat-deliver:live";
        assert_eq!(policy.contains(call), policy.contains(alias), "{policy}");
        policy.contains(call)
    };
    assert!(workers("send") && workers("deliver"));
    assert!(!workers("connect"));
    let whole = settings(&STACK.replace("{ key: groupId, shards: 16 }", "groupId"));
    let policies: Vec<String> = whole
        .iter()
        .filter(|(id, _)| id.kind == Kind::RolePolicy)
        .map(|(_, policy)| policy.to_string())
        .collect();
    assert!(
        policies
            .iter()
            .all(|policy| !policy.contains("InvokeFunction"))
    );
}

#[test]
fn functions_that_post_are_told_a_whole_url_beside_a_domain() {
    const STAGE: &str = "api: { stage: live,";
    let told = |domain: &str, function: &str| {
        let all = edited(STAGE, &format!("{STAGE} domain: {{ {domain} }},"));
        of(&all, Kind::Function, function)["environment"]["MANAGEMENT_ENDPOINT"].clone()
    };
    let only = "name: chat.example.org, key: talk, only: true";
    assert_eq!(
        told(only, "chat-send"),
        json!("https://chat.example.org/talk")
    );
    // Its id is not known before it is made.
    let beside = json!({ "$pending": "api/chat" });
    assert_eq!(told("name: chat.example.org", "chat-send"), beside);
    assert_eq!(told(only, "chat-connect"), Value::Null, "it posts nothing");
    assert_eq!(
        of(&settings(STACK), Kind::Function, "chat-send")["environment"]["MANAGEMENT_ENDPOINT"],
        Value::Null
    );
}

#[test]
fn clients_are_told_the_domain_where_it_leads() {
    let text = STACK.replace(
        "stage: live,",
        "stage: live, domain: { name: chat.example.org, key: talk },",
    );
    let stack = load_text(&text, "stack.yaml", None, &|_| None)
        .unwrap()
        .stack;
    let facts =
        crate::names::Facts::from([(api::id(&stack.id()), crate::names::Physical::new("a1"))]);
    let urls = |address: Address, makes_existing: bool| {
        let site = Site {
            address,
            makes_existing,
            ..site()
        };
        [site.url(&stack), site.default_url(&stack)].map(|url| url.resolve(&facts).unwrap())
    };
    let base = || "ws://127.0.0.1:1".to_owned();
    for (address, is_local, own, default) in [
        (
            Address::Aws,
            false,
            "wss://chat.example.org/talk",
            "wss://a1.execute-api.eu-west-1.amazonaws.com/live",
        ),
        (
            Address::Stage(base()),
            true,
            "ws://127.0.0.1:1/_aws/domains/chat.example.org/talk",
            "ws://127.0.0.1:1/live",
        ),
        (
            Address::Path(base()),
            false,
            "ws://127.0.0.1:1/_aws/execute-api/a1/live",
            "ws://127.0.0.1:1/_aws/execute-api/a1/live",
        ),
    ] {
        assert_eq!(urls(address, is_local), [own, default]);
    }
}
