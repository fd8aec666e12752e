//! Environments and variables.

use std::collections::BTreeMap;

use super::super::variables::expand;
use super::super::{Loaded, load_text};
use super::{GOOD, complaints, spoilt};

/// Load with an environment chosen and some variables set.
fn load(text: &str, environment: Option<&str>, variables: &[(&str, &str)]) -> Loaded {
    let known: BTreeMap<&str, &str> = variables.iter().copied().collect();
    let env = |name: &str| known.get(name).map(|value| (*value).to_owned());
    load_text(text, "stack.yaml", environment, &env).unwrap()
}

fn with_environments(environments: &str) -> String {
    format!("{GOOD}environments:\n{environments}")
}

#[test]
fn maps_merge_and_the_rest_replaces() {
    let text = with_environments(
        "  dev:
    suffix: -dev
    tags: { team: chat }
    tables: { connections: { indexes: { groupId-index: groupId } } }
    functions:
      sendMessage: { memory: 512 }
      authorize: { uses: { tables.messages: [read, write] } }
    api: { routes: { sendMessage: sendMessage } }
",
    );
    let plain = load(&text, None, &[]).stack;
    assert_eq!(plain, load(GOOD, None, &[]).stack);
    let dev = load(&text, Some("dev"), &[]).stack;
    assert_eq!(dev.suffix, "-dev");
    assert_eq!(dev.name, "chat");
    let indexes: Vec<_> = dev.tables["connections"].indexes.keys().collect();
    assert_eq!(indexes, ["userId-index", "groupId-index"]);
    let send = &dev.functions["sendMessage"];
    assert_eq!(
        (send.memory, send.timeout.as_ref().unwrap().0.as_str()),
        (Some(512), "10s")
    );
    assert_eq!(dev.functions["authorize"].uses["tables.messages"].len(), 2);
    assert_eq!(
        dev.api.routes["sendMessage"],
        super::super::RouteDef::Function("sendMessage".into())
    );
    assert_eq!(
        dev.api.routes.keys().collect::<Vec<_>>(),
        ["$connect", "$disconnect", "sendMessage"]
    );
}

#[test]
fn an_empty_value_takes_a_key_away() {
    let text = with_environments(
        "  dev: { auth: ~, functions: { authorize: null, sendMessage: { memory: } } }\n",
    );
    let dev = load(&text, Some("dev"), &[]).stack;
    assert_eq!(dev.auth, None);
    assert!(!dev.functions.contains_key("authorize"));
    assert_eq!(dev.functions["sendMessage"].memory, None);
}

#[test]
fn an_empty_section_is_no_section() {
    let text = spoilt(
        "outputs:\n  .env.local: { URL: \"${api.url}\" }\n",
        "outputs:\ntags:\nlogs: {}\n",
    );
    let stack = load(&text, None, &[]).stack;
    assert!(stack.outputs.is_empty() && stack.tags.is_empty());
}

#[test]
fn an_environment_must_be_declared() {
    let dev = with_environments("  dev: {}\n  prod: {}\n");
    let none = |_: &str| None;
    assert_eq!(
        complaints(&dev, Some("dve"), &none),
        ["- error: environment `dve` is not declared / did you mean `dev`?"]
    );
    assert_eq!(
        complaints(&dev, Some("x"), &none),
        ["- error: environment `x` is not declared / declared: `dev`, `prod`"]
    );
    assert_eq!(
        complaints(GOOD, Some("dev"), &none),
        [
            "- error: environment `dev` is not declared: the file has no `environments` / write `environments: { dev: { suffix: -dev } }`, or leave `-e` and MSGAI_ENV away"
        ]
    );
    assert_eq!(
        load(&with_environments("  dev:\n"), None, &[]).environment,
        None
    );
}

#[test]
fn a_problem_of_an_environment_is_told_once_and_there() {
    let text = with_environments("  dev:\n    api: { stage: 7 }\n    region: nowhere\n");
    let none = |_: &str| None;
    let stage = "31:19 error: `environments.dev.api.stage` must be a string, and is a number / write it in quotes: `\"7\"`";
    assert_eq!(complaints(&text, Some("dev"), &none), [stage]);
    assert_eq!(complaints(&text, None, &none), [stage]);
    let text = with_environments("  dev:\n    region: nowhere\n");
    assert_eq!(
        complaints(&text, Some("dev"), &none),
        ["31:13 error: `nowhere` is not a region / a region looks like `us-east-1`"]
    );
    assert_eq!(complaints(&text, None, &none), Vec::<String>::new());
}

#[test]
fn variables_are_filled_in() {
    let text = spoilt(
        "name: chat\n",
        "name: chat-${env:USER}\nsuffix: -${env:BRANCH:-main}\n",
    );
    let text = text.replace(
        "environment: { LEVEL: info }",
        "environment: { LEVEL: \"${env:LEVEL:-info}\", EMPTY: \"${env:NOTHING:-}\", WHO: \"${stack.name}${stack.suffix} in ${stack.region}\", PRICE: \"$5 $${x}\", PORT: 8080, ON: true }",
    );
    let loaded = load(&text, None, &[("USER", "ann"), ("LEVEL", "")]);
    assert_eq!(
        (loaded.stack.name.as_str(), loaded.stack.suffix.as_str()),
        ("chat-ann", "-main")
    );
    let environment = &loaded.stack.functions["authorize"].environment;
    let read = |key: &str| expand(&environment[key], |late| unreachable!("{late} is late"));
    assert_eq!(read("LEVEL"), "info", "an empty variable takes the default");
    assert_eq!(read("EMPTY"), "");
    assert_eq!(read("WHO"), "chat-ann-main in us-east-1");
    assert_eq!(read("PRICE"), "$5 ${x}");
    assert_eq!(
        (read("PORT").as_str(), read("ON").as_str()),
        ("8080", "true")
    );
}

#[test]
fn expressions_of_aws_are_no_variables() {
    let text = spoilt(
        "  stage: production\n",
        "  stage: production\n  select: ${request.body.service}/${request.body.action}\n  logs: { format: \"$context.requestId ${context.status}\" }\n",
    );
    let stack = load(&text, None, &[]).stack;
    assert_eq!(
        stack.api.select.as_deref(),
        Some("${request.body.service}/${request.body.action}")
    );
    assert_eq!(
        stack.api.logs.unwrap().format.as_deref(),
        Some("$context.requestId ${context.status}")
    );
}

#[test]
fn late_variables_stay_until_they_are_known() {
    let text = spoilt(
        "environment: { LEVEL: info }",
        "environment: { TABLE: \"${tables.messages.name}\", SELF: \"${functions.authorize.arn}\", URL: \"${api.url}\" }",
    );
    let environment = load(&text, None, &[]).stack.functions["authorize"]
        .environment
        .clone();
    let read = |key: &str| expand(&environment[key], |late| format!("<{late}>"));
    assert_eq!(
        (read("TABLE"), read("SELF"), read("URL")),
        (
            "<tables.messages.name>".into(),
            "<functions.authorize.arn>".into(),
            "<api.url>".into()
        )
    );
}

#[test]
fn the_region_of_the_environment_beats_the_file() {
    let text = spoilt(
        "environment: { LEVEL: info }",
        "environment: { HOME_REGION: \"${stack.region}\" }",
    );
    let region = |variables: &[(&str, &str)]| {
        load(&text, None, variables).stack.functions["authorize"].environment["HOME_REGION"].clone()
    };
    assert_eq!(region(&[]), "us-east-1");
    assert_eq!(region(&[("AWS_REGION", "eu-west-1")]), "eu-west-1");
    let homeless = text.replace("region: us-east-1\n", "");
    assert_eq!(
        complaints(&homeless, None, &|_| None),
        ["17:34 error: `${stack.region}` has no value: the file names no `region`"]
    );
}

#[test]
fn values_from_the_environment_are_secret() {
    let text = spoilt(
        "environment: { LEVEL: info }",
        "environment: { TOKEN: \"x-${env:TOKEN}\", LEVEL: \"${env:LEVEL:-info}\" }",
    );
    let secrets = load(&text, None, &[("TOKEN", "hush")]).secrets;
    let at = |key| ["functions", "authorize", "environment", key];
    assert!(secrets.is_secret(&at("TOKEN")));
    assert!(
        !secrets.is_secret(&at("LEVEL")),
        "a default is in the file for all to read"
    );
    assert!(!secrets.is_secret(&["functions", "authorize", "environment"]));
    assert!(
        load(&text, None, &[("TOKEN", "hush"), ("LEVEL", "debug")])
            .secrets
            .is_secret(&at("LEVEL"))
    );
    assert!(!format!("{secrets:?}").contains("hush"));
}

#[test]
fn a_complaint_does_not_repeat_a_secret() {
    let text = spoilt("  stage: production\n", "  stage: \"${env:STAGE}\"\n");
    let env = |name: &str| (name == "STAGE").then(|| "hush hush".to_owned());
    assert_eq!(
        complaints(&text, None, &env),
        [
            "21:10 error: stage name `${env:STAGE}` cannot have ` ` / it takes letters, digits, `_` and `-`"
        ]
    );
}

#[test]
fn a_hint_does_not_spell_a_secret_in_another_way() {
    let text = spoilt("name: chat\n", "name: \"${env:NAME}\"\n");
    let env = |name: &str| (name == "NAME").then(|| "hush hush".to_owned());
    assert_eq!(
        complaints(&text, None, &env),
        ["1:7 error: stack name `${env:NAME}` is not a name / it comes from `${env:NAME}`"]
    );
}

#[test]
fn a_short_secret_is_not_repeated_either() {
    let text = spoilt("  stage: production\n", "  stage: \"${env:STAGE}\"\n");
    let env = |name: &str| (name == "STAGE").then(|| "a b".to_owned());
    let said = complaints(&text, None, &env).join("\n");
    assert!(
        said.contains("`${env:STAGE}`") && !said.contains("a b"),
        "{said}"
    );
}

#[test]
fn an_environment_that_is_not_chosen_needs_no_variables() {
    let text = with_environments(
        "  prod:
    suffix: -${env:RELEASE}
    functions: { authorize: { environment: { WHERE: \"${stack.name} ${tables.messages.name}\" } } }
",
    );
    let none = |_: &str| None;
    assert_eq!(complaints(&text, None, &none), Vec::<String>::new());
    assert_eq!(
        complaints(&text, Some("prod"), &none),
        [
            "31:14 error: environment variable `RELEASE` is not set / set it, or give it a default: `${env:RELEASE:-…}`"
        ]
    );
}

#[test]
fn anchors_and_merge_keys_save_typing() {
    let text = spoilt(
        "  connect: { handler: connect }\n  disconnect: { handler: disconnect }\n",
        "  connect: &small { handler: connect, memory: 128, timeout: 3s }\n  disconnect: { <<: *small, handler: disconnect }\n",
    );
    let stack = load(&text, None, &[]).stack;
    assert_eq!(stack.functions["disconnect"].memory, Some(128));
}
