//! The table of what a plan needs, against the calls that carrying it out makes: none is missing, and none that a
//! refusal could rest on is there without being made.

#![expect(clippy::unwrap_used, reason = "tests fail where they stand")]

mod support;

use std::collections::BTreeSet;

use msgai::cloud::Cloud;
use msgai::names::{Kind, Place};
use msgai::observe::observe;
use msgai::plan::Plan;
use msgai::plan::needs::{Need, of_looking, of_plan, of_stack};
use msgai::release::{Keep, Old, prune};
use percent_encoding::percent_decode_str;
use serde_json::Value;
use support::proxy::Proxy;
use support::{Draft, Lab, cloud_at};

const WHOLE: &str = include_str!("deploy/whole.yaml");

/// What a call that makes a thing with tags asks for besides.
const WITH_TAGS: [&str; 4] = [
    "iam:TagRole",
    "lambda:TagResource",
    "dynamodb:TagResource",
    "logs:TagResource",
];

/// One edit of the whole stack after the other; each is deployed, and then taken back.
const EDITS: [(&str, &str); 24] = [
    ("memory: 256", "memory: 512"),
    ("    concurrency: 5\n", ""),
    ("concurrency: 5", "concurrency: 6"),
    ("LOG_LEVEL: info", "LOG_LEVEL: debug"),
    ("tables.connections: [read, write], ", ""),
    ("    ttl: ttl\n", ""),
    ("    ttl: ttl\n", "    ttl: ttl\n    recovery: true\n"),
    (
        "    ttl: ttl\n",
        "    ttl: ttl\n    encryption: aws-managed\n",
    ),
    (
        "    ttl: ttl\n",
        "    ttl: ttl\n    deletion_protection: true\n",
    ),
    ("{ userId-index: userId }", "{ groupId-index: groupId }"),
    ("tags: { team: chat }\n", "tags: { cost.center: a }\n"),
    ("tags: { team: chat }\n", ""),
    ("  logs: { retention: 14d }\n", ""),
    ("retention: 14d", "retention: forever"),
    ("  variables: { flavour: plain }\n", ""),
    (", throttle: { rate: 20, burst: 10 }", ""),
    ("    say:", "    tell:"),
    ("reply: true", "reply: false"),
    ("[querystring.token]", "[header.Authorization]"),
    (
        "auth: { function: gate, identity: [querystring.token] }\n",
        "",
    ),
    ("  stage:", "  select: $request.body.type\n  stage:"),
    (
        "  stage:",
        "  domain: { name: chat.example.org, certificate: \"arn:aws:acm:us-east-1:111122223333:certificate/a\", only: true }\n  stage:",
    ),
    (
        "  stage:",
        "  domain: { name: chat.example.org, certificate: \"arn:aws:acm:us-east-1:111122223333:certificate/a\", key: chat }\n  stage:",
    ),
    (
        "  gate: { source: ./code }\n",
        "  gate: { source: ./code }\n  more: { source: ./code }\n",
    ),
];

/// One call as IAM sees it.
type Asked = (String, String);

/// A lab whose calls are written down on their way.
struct Watched {
    lab: Lab,
    proxy: Proxy,
    cloud: Cloud,
    /// What any of the stacks here can ever need: what is removed was in the file before.
    whole: BTreeSet<Need>,
}

impl Watched {
    async fn start() -> Self {
        let lab = Lab::instant().await;
        lab.sdk.allow_access_logs().await;
        let proxy = Proxy::before(&lab.local.endpoint()).await;
        let cloud = cloud_at(&proxy.endpoint()).await;
        let drafts = EDITS.map(|(from, to)| WHOLE.replace(from, to));
        let whole = drafts.iter().flat_map(|text| {
            let wanted = lab.wanted(&Draft::from(text.as_str()));
            of_stack(&wanted.stack, &lab.place, &wanted.desired)
        });
        Self {
            whole: whole.collect(),
            lab,
            proxy,
            cloud,
        }
    }

    /// Carries a plan out, and holds what it needs against what it calls.
    async fn carry_out(&self, plan: &Plan) {
        let needs = of_plan(plan);
        self.proxy.seen();
        let (applied, _) = support::carry_out(&self.cloud, plan).await;
        support::assert_complete(&applied);
        let asked: BTreeSet<Asked> = self
            .proxy
            .seen()
            .iter()
            .flat_map(|request| asked(request, &self.lab.place))
            .collect();
        for call in &asked {
            assert!(
                needs.iter().any(|need| covers(need, call)),
                "not in the table: {call:?}\n{}",
                support::shown(plan)
            );
            assert!(
                self.whole.iter().any(|need| covers(need, call)),
                "not in the whole table: {call:?}"
            );
        }
        for need in needs.iter().filter(|need| need.firm) {
            let is_made = asked.iter().any(|call| covers(need, call));
            assert!(
                is_made || WITH_TAGS.contains(&need.action),
                "in the table and not called: {need:?}\n{asked:#?}"
            );
        }
    }

    async fn deploy(&self, draft: &Draft) {
        let plan = self.lab.plan(draft).await;
        assert!(!plan.is_empty(), "{}", draft.text);
        self.carry_out(&plan).await;
    }
}

/// Whether the need allows the call.
fn covers(need: &Need, (action, resource): &Asked) -> bool {
    let call = Need {
        action: need.action,
        resource: resource.clone(),
        firm: true,
    };
    need.action == action && need.covers(&call)
}

/// The action and the object of a request, told from what is on the wire alone.
fn asked(request: &[u8], place: &Place) -> Vec<Asked> {
    let text = String::from_utf8_lossy(request);
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    let mut words = head.lines().next().unwrap().split(' ');
    let (method, uri) = (words.next().unwrap(), words.next().unwrap());
    let (path, query) = uri.split_once('?').unwrap_or((uri, ""));
    let json: Value = serde_json::from_str(body).unwrap_or_default();
    let target = head
        .lines()
        .find_map(|line| line.strip_prefix("x-amz-target: "))
        .and_then(|target| target.split_once('.'));
    match target {
        Some(("DynamoDB_20120810", operation)) => {
            let arn = json["ResourceArn"].as_str().map(str::to_owned);
            let named = || place.table_arn(json["TableName"].as_str().unwrap());
            vec![(format!("dynamodb:{operation}"), arn.unwrap_or_else(named))]
        }
        Some((_, "GetResources")) => vec![("tag:GetResources".to_owned(), "*".to_owned())],
        Some((_, "DescribeLogGroups")) => {
            let all = format!("{}:*", place.log_group_arn(""));
            vec![("logs:DescribeLogGroups".to_owned(), all)]
        }
        Some((_, operation)) => {
            let arn = json["resourceArn"].as_str().map(str::to_owned);
            let named = || {
                let name = json["logGroupName"].as_str().unwrap();
                format!("{}:*", place.log_group_arn(name))
            };
            vec![(format!("logs:{operation}"), arn.unwrap_or_else(named))]
        }
        None if path.starts_with("/v2/") => {
            let path = path.trim_start_matches("/v2");
            let decoded = percent_decode_str(path).decode_utf8().unwrap().into_owned();
            let path = if path.starts_with("/tags/") {
                path
            } else {
                &decoded
            };
            vec![(format!("apigateway:{method}"), place.gateway_arn(path))]
        }
        None if path == "/account" => vec![("apigateway:GET".to_owned(), place.gateway_arn(path))],
        None if path == "/" => of_iam(body, place),
        None => of_lambda(method, path, query, &json, place),
    }
}

fn of_iam(body: &str, place: &Place) -> Vec<Asked> {
    let member = |name: &str| {
        body.split('&').find_map(|pair| {
            let value = pair.strip_prefix(name)?.strip_prefix('=')?;
            Some(
                percent_decode_str(value)
                    .decode_utf8()
                    .unwrap()
                    .into_owned(),
            )
        })
    };
    let operation = member("Action").unwrap();
    let of = |path: &str| Some(place.role_arn(path, &member("RoleName")?));
    let arn = of("/msgai/us-east-1/whole/").unwrap_or_else(|| "*".to_owned());
    vec![(format!("iam:{operation}"), arn)]
}

fn of_lambda(method: &str, path: &str, query: &str, json: &Value, place: &Place) -> Vec<Asked> {
    let decoded = percent_decode_str(path).decode_utf8().unwrap();
    let parts: Vec<&str> = decoded
        .split('/')
        .skip(2)
        .filter(|part| !part.is_empty())
        .collect();
    let operation = match (method, parts.as_slice()) {
        ("POST", ["functions"]) => "CreateFunction",
        ("GET", ["functions", _]) => "GetFunction",
        ("DELETE", ["functions", _]) => "DeleteFunction",
        ("PUT", ["functions", _, "configuration"]) => "UpdateFunctionConfiguration",
        ("PUT", ["functions", _, "code"]) => "UpdateFunctionCode",
        ("GET", ["functions", _, "versions"]) => "ListVersionsByFunction",
        ("POST", ["functions", _, "versions"]) => "PublishVersion",
        ("GET", ["functions", _, "aliases"]) => "ListAliases",
        ("GET", ["functions", _, "policy"]) => "GetPolicy",
        ("POST", ["functions", _, "aliases"]) => "CreateAlias",
        ("GET", ["functions", _, "aliases", _]) => "GetAlias",
        ("PUT", ["functions", _, "aliases", _]) => "UpdateAlias",
        ("POST", ["functions", _, "policy"]) => "AddPermission",
        ("DELETE", ["functions", _, "policy", _]) => "RemovePermission",
        ("PUT", ["functions", _, "concurrency"]) => "PutFunctionConcurrency",
        ("DELETE", ["functions", _, "concurrency"]) => "DeleteFunctionConcurrency",
        ("POST", ["tags", _]) => "TagResource",
        ("DELETE", ["tags", _]) => "UntagResource",
        other => panic!("an unknown call of Lambda: {other:?}"),
    };
    let arn = match parts.as_slice() {
        ["tags", arn] => (*arn).to_owned(),
        ["functions"] => place.function_arn(json["FunctionName"].as_str().unwrap()),
        [_, name, ..] => place.function_arn(name),
        _ => unreachable!("matched above"),
    };
    let qualifier = query
        .strip_prefix("Qualifier=")
        .map(|name| format!(":{name}"));
    let arn = format!("{arn}{}", qualifier.unwrap_or_default());
    let passed = json["Role"].as_str();
    let passed = passed.map(|role| ("iam:PassRole".to_owned(), role.to_owned()));
    let mut all = vec![(format!("lambda:{operation}"), arn)];
    all.extend(passed);
    all
}

#[tokio::test]
async fn every_call_of_a_plan_is_in_the_table_and_no_other() {
    let watched = Watched::start().await;
    let draft = Draft::from(WHOLE);
    watched.deploy(&draft).await;
    for (from, to) in EDITS {
        assert!(WHOLE.contains(from), "{from}");
        watched
            .deploy(&Draft::from(WHOLE.replace(from, to).as_str()))
            .await;
        watched.deploy(&draft).await;
    }
    let mut code = draft.clone();
    code.codes.insert("talk".to_owned(), 1);
    watched.deploy(&code).await;

    let plan = watched.lab.plan_to_destroy(&draft, true).await;
    watched.carry_out(&plan).await;
}

/// What only a hand from outside brings about.
#[tokio::test]
async fn what_somebody_else_changed_is_set_right_with_calls_of_the_table() {
    let watched = Watched::start().await;
    let draft = Draft::from(WHOLE);
    watched.deploy(&draft).await;
    let sdk = &watched.lab.sdk;
    let roles = sdk.iam.list_roles().path_prefix("/msgai/").send().await;
    let role = roles.unwrap().roles[0].role_name.clone();
    let described = sdk.iam.update_role().role_name(&role).description("mine");
    described.send().await.unwrap();
    let trust = support::sdk::TRUST.replace("lambda.", "ec2.");
    let trusted = sdk.iam.update_assume_role_policy().role_name(&role);
    trusted.policy_document(trust).send().await.unwrap();
    let bound = sdk.iam.put_role_permissions_boundary().role_name(&role);
    let boundary = "arn:aws:iam::aws:policy/ReadOnlyAccess";
    bound.permissions_boundary(boundary).send().await.unwrap();
    let api = sdk
        .apigateway
        .get_apis()
        .send()
        .await
        .unwrap()
        .items
        .unwrap()[0]
        .api_id
        .clone()
        .unwrap();
    let all = sdk.apigateway.get_integrations().api_id(&api).send().await;
    let integration = all.unwrap().items.unwrap()[0].integration_id.clone();
    let change = sdk.apigateway.update_integration().api_id(&api);
    let change = change
        .set_integration_id(integration)
        .timeout_in_millis(5000);
    change.send().await.unwrap();
    let named = sdk.apigateway.update_api().api_id(&api).name("mine");
    named.send().await.unwrap();
    watched.deploy(&draft).await;
}

/// Of a domain that stays, with a hand from outside in what it leads to.
#[tokio::test]
async fn a_domain_is_changed_with_calls_of_the_table() {
    const DOMAIN: &str = "  domain: { name: chat.example.org, certificate: \"arn:aws:acm:us-east-1:111122223333:certificate/a\" }\n  stage:";
    let watched = Watched::start().await;
    let text = WHOLE.replace("  stage:", DOMAIN);
    watched.deploy(&Draft::from(text.as_str())).await;
    let other = text.replace("certificate/a", "certificate/b");
    watched.deploy(&Draft::from(other.as_str())).await;
    let tagged = other.replace("tags: { team: chat }", "tags: { squad: chat }");
    watched.deploy(&Draft::from(tagged.as_str())).await;
    let beside = watched.lab.sdk.apigateway.create_stage();
    let observed = watched
        .lab
        .observe(&watched.lab.wanted(&Draft::from(tagged.as_str())))
        .await;
    let at = |kind| {
        let mut all = observed
            .objects
            .values()
            .filter(|found| found.id.kind == kind);
        all.next().unwrap().at.id.clone()
    };
    let api = at(Kind::Api);
    beside
        .api_id(&api)
        .stage_name("beside")
        .send()
        .await
        .unwrap();
    let mapping = at(Kind::Mapping);
    let (domain, mapping) = mapping.split_once('/').unwrap();
    let moved = watched
        .lab
        .sdk
        .apigateway
        .update_api_mapping()
        .domain_name(domain);
    let moved = moved.api_mapping_id(mapping).api_id(&api).stage("beside");
    moved.send().await.unwrap();
    watched.deploy(&Draft::from(tagged.as_str())).await;
}

#[tokio::test]
async fn every_call_of_a_look_is_in_the_table_and_no_other() {
    const LEDGER: &str = "a-ledger";
    let watched = Watched::start().await;
    let text = WHOLE.replace(
        "  stage:",
        "  domain: { name: chat.example.org, certificate: \"arn:aws:acm:us-east-1:111122223333:certificate/a\" }\n  stage:",
    );
    let draft = Draft::from(text.as_str());
    let wanted = watched.lab.wanted(&draft);
    let needs = of_looking(&wanted.stack, &watched.lab.place, &wanted.desired, LEDGER);
    let of_ledger = watched.lab.place.table_arn(LEDGER);
    let mut asked_for = BTreeSet::new();
    // Once where there is nothing, once where everything is.
    for _ in 0..2 {
        watched.proxy.seen();
        let looked = Box::pin(observe(&watched.cloud, &wanted.scope)).await;
        looked.unwrap();
        for request in watched.proxy.seen() {
            asked_for.extend(asked(&request, &watched.lab.place));
        }
        if watched.lab.observe(&wanted).await.objects.is_empty() {
            watched.deploy(&draft).await;
        }
    }
    for call in &asked_for {
        let known = needs.iter().any(|need| covers(need, call));
        assert!(known, "not in the table: {call:?}");
    }
    let absent = watched.lab.place.role_arn("/", "");
    for need in needs.iter().filter(|need| need.firm) {
        let is_made = asked_for.iter().any(|call| covers(need, call));
        // IAM leaves out the path of a role that is not there.
        let is_absent = need.resource.starts_with(&absent) && !need.resource.contains("/msgai/");
        assert!(
            is_made || is_absent || need.resource == of_ledger,
            "in the table and not called: {need:?}\n{asked_for:#?}"
        );
    }
}

/// What removes old releases is no part of a plan; whoever writes a policy wants to know of it all the same.
#[tokio::test]
async fn what_removes_old_releases_is_in_the_table_of_the_stack() {
    let watched = Watched::start().await;
    let draft = Draft::from(WHOLE);
    watched.deploy(&draft).await;
    let of_api = watched.lab.observe(&watched.lab.wanted(&draft)).await;
    let deployment = of_api
        .facts()
        .into_iter()
        .find(|(id, _)| id.kind == Kind::Deployment);
    let mut changed = Draft::from(WHOLE.replace("    say:", "    tell:").as_str());
    changed.codes.insert("talk".to_owned(), 1);
    watched.deploy(&changed).await;
    let now = watched.lab.observe(&watched.lab.wanted(&changed)).await;
    let keep = Keep {
        live: &now.facts(),
        newest: 1,
        needed: &BTreeSet::new(),
    };
    let old = [
        Old::Version {
            function: "whole-talk".to_owned(),
            number: 1,
        },
        Old::Deployment {
            id: deployment.unwrap().1.id,
        },
    ];
    watched.proxy.seen();
    let stack = watched.lab.wanted(&draft).stack;
    let pruned = prune(&watched.cloud, &stack, &keep, &old).await;
    assert_eq!((pruned.versions, pruned.deployments), (1, 1), "{pruned:?}");
    for request in watched.proxy.seen() {
        for call in asked(&request, &watched.lab.place) {
            let known = watched.whole.iter().any(|need| covers(need, &call));
            assert!(known, "not in the table: {call:?}");
        }
    }
}
