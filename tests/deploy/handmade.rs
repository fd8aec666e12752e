//! A chat that somebody made by hand, with much that no stack file has a word for: what the file says of it, and what
//! taking it over changes.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_apigatewayv2::types::{
    AuthorizationType, AuthorizerType, DomainNameConfiguration, EndpointType, IntegrationType,
};
use aws_sdk_lambda::types::Environment;
use msgai::adopt::{self, Fate, Missing, Which, Written};

use super::adopt::{MARK, dangers, naming};
use super::support::sdk::TRUST;
use super::support::{Draft, Lab, assert_complete, carry_out};
use super::written::differs;

const SECRET: &str = "hunter2-hunter2";
const GATE: &str = "open.sesame.4711";

/// Two functions with a role each, a gate before them, a mock route, and tables that only policies and variables name.
async fn handmade(lab: &Lab) -> String {
    let sdk = &lab.sdk;
    sdk.make_table("live-connections", "connectionId").await;
    sdk.make_table("Archive", "id").await;
    for (function, statement) in [
        (
            "hand-join",
            r#"{"Effect":"Allow","Action":"dynamodb:PutItem","Resource":"arn:aws:dynamodb:us-east-1:000000000000:table/live-connections"}"#,
        ),
        (
            "hand-talk",
            r#"{"Effect":"Allow","Action":["dynamodb:Query","execute-api:ManageConnections"],"Resource":"*"}"#,
        ),
        (
            "hand-gate",
            r#"{"Effect":"Allow","Action":"logs:*","Resource":"*"}"#,
        ),
    ] {
        let name = format!("{function}-role");
        let role = sdk.make_role(&name, TRUST).await;
        let put = sdk
            .iam
            .put_role_policy()
            .role_name(&name)
            .policy_name("theirs");
        let document = format!(r#"{{"Version":"2012-10-17","Statement":{statement}}}"#);
        put.policy_document(document).send().await.unwrap();
        sdk.make_function(function, &role).await;
    }
    let environment = Environment::builder()
        .variables("ARCHIVE_TABLE", "Archive")
        .variables("DB_PASSWORD", SECRET)
        .variables("GREETING", "hi ${name}");
    let update = sdk.lambda.update_function_configuration();
    let update = update
        .function_name("hand-talk")
        .environment(environment.build());
    update.timeout(3).memory_size(512).send().await.unwrap();
    let role = sdk.iam.tag_role().role_name("hand-join-role");
    let tag = aws_sdk_iam::types::Tag::builder().key("team").value("chat");
    role.tags(tag.build().unwrap()).send().await.unwrap();
    api(lab).await
}

async fn api(lab: &Lab) -> String {
    let gateway = &lab.sdk.apigateway;
    let create = gateway.create_api().name("By hand (2)");
    let create = create.protocol_type("WEBSOCKET".into());
    let create = create.route_selection_expression("$request.body.kind");
    let api = create.send().await.unwrap().api_id.unwrap();
    let uri = |function: &str| lab.place.invocation_uri(&lab.place.function_arn(function));
    let authorizer = gateway.create_authorizer().api_id(&api).name("theirs");
    let authorizer = authorizer
        .authorizer_type(AuthorizerType::Request)
        .authorizer_uri(uri("hand-gate"))
        .identity_source("route.request.querystring.token");
    let authorizer = authorizer.send().await.unwrap().authorizer_id.unwrap();
    for (key, function) in [
        ("$connect", Some("hand-join")),
        ("say", Some("hand-talk")),
        ("ping", None),
    ] {
        let make = gateway.create_integration().api_id(&api);
        let make = match function {
            Some(function) => make
                .integration_type(IntegrationType::AwsProxy)
                .integration_method("POST")
                .integration_uri(uri(function))
                .timeout_in_millis(5000),
            None => make.integration_type(IntegrationType::Mock),
        };
        let integration = make.send().await.unwrap().integration_id.unwrap();
        let route = gateway.create_route().api_id(&api).route_key(key);
        let route = route.target(format!("integrations/{integration}"));
        let route = if key == "$connect" {
            let route = route.authorization_type(AuthorizationType::Custom);
            route.authorizer_id(&authorizer)
        } else {
            route
        };
        route.send().await.unwrap();
    }
    let deployment = gateway.create_deployment().api_id(&api).send().await;
    let deployment = deployment.unwrap().deployment_id.unwrap();
    let stage = gateway.create_stage().api_id(&api).stage_name("live");
    let stage = stage.stage_variables("token", GATE);
    stage.deployment_id(deployment).send().await.unwrap();
    let configuration = DomainNameConfiguration::builder()
        .certificate_arn(
            "arn:aws:acm:us-east-1:000000000000:certificate/12345678-1234-1234-1234-123456789012",
        )
        .endpoint_type(EndpointType::Regional);
    let domain = gateway.create_domain_name().domain_name("chat.example.org");
    let domain = domain.domain_name_configurations(configuration.build());
    domain.send().await.unwrap();
    let mapping = gateway.create_api_mapping().api_id(&api);
    let mapping = mapping.domain_name("chat.example.org").stage("live");
    mapping.api_mapping_key("hand").send().await.unwrap();
    let off = gateway.update_api().api_id(&api);
    off.disable_execute_api_endpoint(true).send().await.unwrap();
    api
}

async fn read(lab: &Lab, api: &str, stage: Option<&str>) -> Result<Written, String> {
    let which = Which::Api(api.to_owned());
    match adopt::read(&lab.cloud, &lab.place, &which, stage).await {
        Ok(system) => {
            let written = adopt::write(&system, system.name());
            Ok(written.unwrap_or_else(|problems| panic!("{}", problems.render(false))))
        }
        Err(Missing::Unfit { message, hint }) => Err(format!("{message} / {hint}")),
        Err(Missing::Cloud(error)) => panic!("{error}"),
    }
}

/// With the secret in the environment, and the code that every function of this test has.
fn draft(written: &Written) -> Draft {
    let text = written.text.replace("\"${env:DB_PASSWORD}\"", SECRET);
    let text = text.replace("\"${env:token}\"", GATE);
    let loaded = msgai::stack::load_text(&text, "stack.yaml", None, &|_| None).unwrap();
    let codes = loaded.stack.functions.keys().map(|key| (key.clone(), 200));
    Draft {
        codes: codes.collect(),
        text,
    }
}

fn notes(written: &Written, fate: Fate) -> BTreeMap<&str, &str> {
    let mine = written.notes.iter().filter(|note| note.fate == fate);
    mine.map(|note| (note.of.as_str(), note.text.as_str()))
        .collect()
}

#[tokio::test]
async fn what_was_made_by_hand_is_written_down() {
    let lab = Lab::instant().await;
    let api = handmade(&lab).await;
    let written = read(&lab, &api, None).await.unwrap();
    assert_eq!(written.name, "By-hand-2");
    let text = &written.text;
    assert!(!text.contains(SECRET), "{text}");
    for line in [
        "tags:\n  team: chat\n",
        "  connections:\n    name: live-connections\n    key: connectionId\n    deletion_protection: false",
        "  archive:\n    name: Archive\n    existing: true",
        "  connect:\n    name: hand-join\n",
        "    role: hand-join-role\n    uses:\n      tables.connections: [write]\n",
        "    memory: 512\n    timeout: 3s\n    role: hand-talk-role\n    environment:\n      DB_PASSWORD: \"${env:DB_PASSWORD}\"\n      GREETING: \"hi $${name}\"\n",
        "      tables.archive: [read]\n      connections: [send, get, disconnect]\n",
        "  select: $request.body.kind\n  stage: live\n",
        "  domain: { name: chat.example.org, key: hand, only: true }",
        "    $connect: { function: connect, timeout: 5s }\n",
        "    # changes: route/ping: its integration is of type MOCK",
        "auth: { function: authorizer, identity: [querystring.token] }\n# changes: authorizer/theirs: another one",
    ] {
        assert!(text.contains(line), "{line}\n---\n{text}");
    }
    let secrets = written.secrets.iter();
    let secrets = secrets.map(|s| (s.function.as_deref(), s.variable.as_str()));
    let expected = [(Some("hand-talk"), "DB_PASSWORD"), (None, "token")];
    assert_eq!(secrets.collect::<Vec<_>>(), expected);
    assert!(!written.text.contains(GATE), "{}", written.text);
    let changes: Vec<&str> = notes(&written, Fate::Changes).into_keys().collect();
    let expected = [
        "authorizer/theirs",
        "function/hand-join",
        "function/hand-talk",
        "route/ping",
    ];
    assert_eq!(changes, expected);
}

#[tokio::test]
async fn taking_it_over_changes_what_is_noted_and_no_more() {
    let lab = Lab::instant().await;
    let api = handmade(&lab).await;
    let written = read(&lab, &api, None).await.unwrap();
    let draft = draft(&written);
    let named: Vec<&str> = written.adopt.iter().map(String::as_str).collect();
    let wanted = naming(&lab, &draft, &named);
    let observed = lab.observe(&wanted).await;
    let plan = lab.plan_of(&wanted, &wanted.desired, &observed);
    assert_eq!(dangers(&plan), Vec::<String>::new());

    let usual = |difference: &&String| {
        let made = [
            "alias/",
            "version/",
            "permission/",
            "role-policy/",
            "log-group/",
        ];
        let set = [
            &format!(": tags.{MARK}"),
            // The mark of a mapping, in a tag of its API.
            ": remembered",
            ": tags.team",
            ": description",
            ": throttle.burst",
            ": throttle.rate",
            ": uri",
        ];
        made.iter().any(|kind| difference.starts_with(kind))
            || set.iter().any(|field| difference.ends_with(*field))
    };
    let all = differs(&plan);
    let more: BTreeSet<&str> = all
        .iter()
        .filter(|d| !usual(d))
        .map(String::as_str)
        .collect();
    let mock = all
        .iter()
        .find(|d| d.starts_with("integration/") && d.ends_with(": delete"));
    let noted = [
        // Another authorizer asks the same function.
        "authorizer/msgai: create",
        "authorizer/theirs: delete",
        "route/$connect: authorizer",
        // What `uses` brings.
        "function/hand-join: environment.CONNECTIONS_KEY",
        "function/hand-join: environment.CONNECTIONS_TABLE",
        "function/hand-talk: environment.ARCHIVE_KEY",
        // The mock.
        "route/ping: delete",
        mock.unwrap(),
        "deployment/live: create",
    ];
    let noted: BTreeSet<&str> = noted.into_iter().collect();
    let deployment = |d: &&&str| !d.starts_with("deployment/");
    assert_eq!(
        more.iter().filter(deployment).collect::<Vec<_>>(),
        noted.iter().filter(deployment).collect::<Vec<_>>()
    );

    assert_complete(&carry_out(&lab.cloud, &plan).await.0);
    let observed = lab.observe(&wanted).await;
    let again = lab.plan_of(&wanted, &wanted.desired, &observed);
    assert!(
        again.is_empty() && again.dangers.is_empty(),
        "{:?}",
        differs(&again)
    );
    for role in ["hand-join-role", "hand-talk-role", "hand-gate-role"] {
        let policies = lab
            .sdk
            .iam
            .list_role_policies()
            .role_name(role)
            .send()
            .await
            .unwrap();
        assert_eq!(policies.policy_names(), ["msgai", "theirs"]);
    }
}

#[tokio::test]
async fn what_leaves_a_choice_or_is_another_s_is_refused_with_a_next_step() {
    let lab = Lab::instant().await;
    let api = handmade(&lab).await;
    let said = |api: &str, stage: Option<&str>| {
        let (lab, api, stage) = (&lab, api.to_owned(), stage.map(str::to_owned));
        async move { read(lab, &api, stage.as_deref()).await.unwrap_err() }
    };
    let nowhere = said("a1b2c3", None).await;
    assert!(
        nowhere.starts_with("there is no API `a1b2c3` in us-east-1, account 000000000000 / "),
        "{nowhere}"
    );
    assert_eq!(
        said(&api, Some("beta")).await,
        format!("API `{api}` has no stage `beta` / it has live")
    );
    let stage = lab.sdk.apigateway.create_stage().api_id(&api);
    stage.stage_name("beta").send().await.unwrap();
    assert_eq!(
        said(&api, None).await,
        format!(
            "API `{api}` has 2 stages, and a stack file has one / say which: `--stage NAME`, one of beta, live"
        )
    );
    let written = read(&lab, &api, Some("live")).await.unwrap();
    assert!(notes(&written, Fate::Changes)["stage/beta"].contains("--drop-connections"));

    let arn = lab.place.function_arn("hand-talk");
    let tag = lab
        .sdk
        .lambda
        .tag_resource()
        .resource(arn)
        .tags(MARK, "other");
    tag.send().await.unwrap();
    let arn = lab.place.function_arn("hand-gate");
    let tag = lab
        .sdk
        .lambda
        .tag_resource()
        .resource(arn)
        .tags(MARK, "more");
    tag.send().await.unwrap();
    assert_eq!(
        said(&api, Some("live")).await,
        "function hand-talk belongs to the msgai stack other, and more of it to more / one function cannot be in two \
         stacks: use the stack file of other"
    );
    lab.sdk
        .lambda
        .delete_function()
        .function_name("hand-talk")
        .send()
        .await
        .unwrap();
    assert_eq!(
        said(&api, Some("live")).await,
        "the API calls function hand-talk, which is not there / make it, or take its route out of the API, and try again"
    );
}
