//! Whoever has the printed policy, and nothing else, can do everything with the stack; and nothing of it is too much.

use std::collections::BTreeSet;
use std::fs;

use aws_sdk_apigatewayv2 as apigatewayv2;
use aws_sdk_iam as iam;
use aws_sdk_sts as sts;
use msgai::local::{Happening, LocalCloud, Options};
use serde_json::{Value, json};
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::TryRecvError;
use wildmatch::WildMatch;

use super::scratch::{Ran, Scratch};

/// Key, secret, token.
type Keys = [String; 3];

const ROLE: &str = "deployer";

macro_rules! client {
    ($service:ident, $endpoint:expr) => {
        $service::Client::from_conf(
            $service::Config::builder()
                .behavior_version($service::config::BehaviorVersion::v2026_01_12())
                .region($service::config::Region::new("us-east-1"))
                .endpoint_url($endpoint)
                .credentials_provider($service::config::Credentials::new(
                    "key", "secret", None, None, "test",
                ))
                .http_client(aws_smithy_http_client::Builder::new().build_http())
                .build(),
        )
    };
}

async fn session(endpoint: &str, policy: &str) -> Keys {
    let client = client!(iam, endpoint);
    let trust = json!({ "Version": "2012-10-17", "Statement": {
        "Effect": "Allow", "Principal": { "AWS": "000000000000" }, "Action": "sts:AssumeRole"
    } });
    let make = client.create_role().role_name(ROLE);
    let make = make.assume_role_policy_document(trust.to_string());
    let role = make.send().await.unwrap().role.unwrap();
    let put = client.put_role_policy().role_name(ROLE).policy_name("all");
    put.policy_document(policy).send().await.unwrap();
    let assume = client!(sts, endpoint).assume_role().role_arn(role.arn);
    let given = assume.role_session_name("ci").send().await.unwrap();
    let given = given.credentials.unwrap();
    [
        given.access_key_id,
        given.secret_access_key,
        given.session_token,
    ]
}

fn run(scratch: &Scratch, endpoint: &str, keys: &Keys, words: &[&str]) -> Ran {
    let mut command = scratch.msgai(words);
    command
        .args(["--endpoint-url", endpoint, "--region", "us-east-1"])
        .env("AWS_ACCESS_KEY_ID", &keys[0])
        .env("AWS_SECRET_ACCESS_KEY", &keys[1]);
    if !keys[2].is_empty() {
        command.env("AWS_SESSION_TOKEN", &keys[2]);
    }
    Ran::of(command)
}

/// What somebody does by hand meanwhile, to be undone by the next deploy.
const DRIFT: &str = "drift";

/// One life of a stack: every command, and changes of every kind.
const LIFE: [(&str, &[&str]); 16] = [
    ("stack.yaml", &["validate", "--online"]),
    ("stack.yaml", &["deploy", "--yes"]),
    ("stack.yaml", &["status"]),
    ("stack.yaml", &["validate", "--online"]),
    ("changed.yaml", &["diff"]),
    ("changed.yaml", &["deploy", "--yes"]),
    ("stack.yaml", &["deploy", "--yes"]),
    ("stack.yaml", &["outputs"]),
    ("stack.yaml", &["history"]),
    ("stack.yaml", &["rollback", "--yes"]),
    ("stack.yaml", &["deploy", "--yes", "--keep", "1"]),
    ("stack.yaml", &["policy", "--function", "connect"]),
    ("grown.yaml", &["deploy", "--yes"]),
    (DRIFT, &[]),
    (
        "stack.yaml",
        &["deploy", "--yes", "--keep", "1", "--drop-connections"],
    ),
    ("stack.yaml", &["destroy", "--yes", "--delete-data"]),
];

fn denied(happenings: &mut Receiver<Happening>) -> BTreeSet<Pair> {
    let mut all = BTreeSet::new();
    loop {
        match happenings.try_recv() {
            Ok(Happening::Denied {
                action, resource, ..
            }) => {
                all.insert((action, resource));
            }
            Ok(_) => {}
            Err(TryRecvError::Empty) => break,
            Err(lost) => panic!("{lost}"),
        }
    }
    all.retain(|(action, resource)| !is_of_itself(action, resource));
    all
}

/// Before a deploy, a caller is asked about itself. One that may not be is told what is missing when it is missing.
fn is_of_itself(action: &str, resource: &str) -> bool {
    ["iam:GetRole", "iam:SimulatePrincipalPolicy"].contains(&action)
        && resource.ends_with(&format!("role/{ROLE}"))
}

/// With a domain of its own, which is reached by it only.
const DOMAIN: &str = "  stage: production
  domain:
    name: chat.example.org
    certificate: arn:aws:acm:us-east-1:000000000000:certificate/a
    key: chat
    only: true
";

/// A folder with the stack's files, and `grown.yaml`: everything about it that can be said, said otherwise.
fn shop(name: &str) -> Scratch {
    let scratch = Scratch::new(name, Some("shop"));
    fs::create_dir(scratch.dir.join("code")).unwrap();
    scratch.write("code/index.mjs", "export const handler = async () => {};\n");
    for file in ["stack.yaml", "changed.yaml"] {
        let text = scratch.read(file);
        scratch.write(file, &text.replace("  stage: production\n", DOMAIN));
    }
    let mut text = scratch.read("stack.yaml");
    for (from, to) in [
        (
            "name: shop",
            "name: shop\ntags: { team: chat }\nrole: { boundary: \"arn:aws:iam::aws:policy/PowerUserAccess\" }",
        ),
        ("key: connectionId,", "key: connectionId, recovery: true,"),
        (
            "source: handler.zip",
            "source: code\n    memory: 256\n    concurrency: 5",
        ),
        ("$connect: connect", "$connect: talk"),
        ("certificate/a", "certificate/b"),
    ] {
        assert!(text.contains(from), "{from}");
        text = text.replace(from, to);
    }
    scratch.write("grown.yaml", &text);
    scratch
}

async fn drift(endpoint: &str) {
    const OURS: &str = "shop-us-east-1";
    let client = client!(iam, endpoint);
    let describe = client.update_role().role_name(OURS);
    describe.description("by hand").send().await.unwrap();
    let trust = json!({ "Version": "2012-10-17", "Statement": {
        "Effect": "Allow", "Principal": { "Service": "ec2.amazonaws.com" }, "Action": "sts:AssumeRole"
    } });
    let trust = client
        .update_assume_role_policy()
        .role_name(OURS)
        .policy_document(trust.to_string());
    trust.send().await.unwrap();
    lead_astray(endpoint).await;
}

/// The domain leads to a stage of the API that nobody deploys to.
async fn lead_astray(endpoint: &str) {
    let client = client!(apigatewayv2, endpoint);
    let apis = client.get_apis().send().await.unwrap();
    let api = apis.items()[0].api_id().unwrap();
    let stage = client.create_stage().api_id(api).stage_name("astray");
    stage.send().await.unwrap();
    let all = client.get_api_mappings().domain_name("chat.example.org");
    let all = all.send().await.unwrap();
    let mapping = all.items()[0].api_mapping_id().unwrap();
    let update = client.update_api_mapping().domain_name("chat.example.org");
    let update = update.api_mapping_id(mapping).api_id(api).stage("astray");
    update.send().await.unwrap();
}

/// A cloud that enforces, or only tells; its stack's files, and the policy printed for them.
struct Trial {
    enforces: bool,
    cloud: LocalCloud,
    happenings: Receiver<Happening>,
    scratch: Scratch,
    policy: Value,
}

impl Trial {
    async fn start(name: &str, enforces: bool) -> Self {
        let options = Options {
            iam: enforces,
            ..Options::default()
        };
        let cloud = LocalCloud::start(options).await.unwrap();
        let happenings = cloud.watch();
        let scratch = shop(name);
        let printed = run(&scratch, &cloud.endpoint(), &owner(), &["policy"]);
        assert_eq!(
            (printed.code, printed.err.as_str()),
            (Some(0), ""),
            "{printed:?}"
        );
        let policy = serde_json::from_str(&printed.out).unwrap();
        Self {
            enforces,
            cloud,
            happenings,
            scratch,
            policy,
        }
    }

    /// Lives the whole life as a session of this policy, or until IAM enforces a denial: what was denied, and what failed.
    async fn live(&mut self, policy: &Value) -> (BTreeSet<Pair>, Vec<Ran>) {
        let endpoint = self.cloud.endpoint();
        let keys = session(&endpoint, &policy.to_string()).await;
        let (mut all, mut failed) = (BTreeSet::new(), Vec::new());
        for (file, words) in LIFE {
            if file == DRIFT {
                drift(&endpoint).await;
                continue;
            }
            let mut words = [words, &["-f", file]].concat();
            // Which would refuse to begin.
            if *policy != self.policy && ["deploy", "destroy"].contains(&words[0]) {
                words.push("--no-preflight");
            }
            let ran = run(&self.scratch, &endpoint, &keys, &words);
            if ran.code != Some(0) {
                failed.push(ran);
            }
            all.extend(denied(&mut self.happenings));
            if self.enforces && !all.is_empty() {
                break;
            }
        }
        (all, failed)
    }
}

fn owner() -> Keys {
    ["key", "secret", ""].map(str::to_owned)
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_has_the_printed_policy_can_do_everything() {
    let mut trial = Trial::start("policy", true).await;
    let words = ["policy", "--function", "connect"];
    let early = run(&trial.scratch, &trial.cloud.endpoint(), &owner(), &words);
    assert!(early.err.contains("the API has no id"), "{early:?}");
    assert!(!early.out.contains('$'), "{early:?}");
    serde_json::from_str::<Value>(&early.out).unwrap();
    let policy = trial.policy.clone();
    let (denied, failed) = trial.live(&policy).await;
    assert!(
        denied.is_empty() && failed.is_empty(),
        "{denied:#?}\n{failed:#?}\n{policy:#}"
    );
}

/// An action, and objects as a policy spells them or as a call names one.
type Pair = (String, String);

/// Each pair that the policy allows.
fn pairs(policy: &Value) -> BTreeSet<Pair> {
    let texts = |value: &Value| {
        let list = value.as_array().unwrap().iter();
        list.map(|one| one.as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    let mut all = BTreeSet::new();
    for statement in policy["Statement"].as_array().unwrap() {
        for action in texts(&statement["Action"]) {
            let resources = texts(&statement["Resource"]).into_iter();
            all.extend(resources.map(|resource| (action.clone(), resource)));
        }
    }
    all
}

fn allows((action, resources): &Pair, (asked, resource): &Pair) -> bool {
    action == asked && WildMatch::new(resources).matches(resource)
}

/// What is in the policy although this life never asks for it.
const KEPT: [(&str, &str, &str); 5] = [
    (
        "apigateway:TagResource",
        "/domainnames",
        "the same of CreateDomainName",
    ),
    (
        "iam:CreateServiceLinkedRole",
        "AWSServiceRoleForAPIGateway",
        "the first domain of an account asks for it, and the local cloud has no such role",
    ),
    (
        "apigateway:TagResource",
        "/apis",
        "AWS's documents do not agree on what a CreateApi with tags asks for",
    ),
    (
        "apigateway:TagResource",
        "/stages",
        "the same of CreateStage",
    ),
    (
        "dynamodb:ListTagsOfResource",
        "msgai-ledger",
        "who made the ledger, where two first runs meet",
    ),
];

/// A cloud that tells what it would deny, and a session that may do nothing: each call that the life makes is told, with
/// what it asks for. A pair that alone covers one of them cannot be taken out, because IAM then denies that call.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_in_the_printed_policy_can_be_taken_out() {
    let mut trial = Trial::start("policy-least", false).await;
    let nothing = json!({ "Version": "2012-10-17", "Statement": {
        "Effect": "Allow", "Action": "s3:ListAllMyBuckets", "Resource": "*"
    } });
    let (asked, failed) = trial.live(&nothing).await;
    // `validate --online` says that nothing is allowed, while there is something to be made.
    assert_eq!(failed.len(), 1, "{failed:#?}");
    assert!(
        failed.iter().all(|ran| ran.out.contains("may not")),
        "{failed:#?}"
    );
    let pairs = pairs(&trial.policy);
    let beyond: Vec<&Pair> = asked
        .iter()
        .filter(|call| !pairs.iter().any(|pair| allows(pair, call)))
        .collect();
    assert!(
        beyond.is_empty(),
        "asked for and not in the policy: {beyond:#?}"
    );
    let is_needed = |pair: &&Pair| {
        asked.iter().any(|call| {
            let mut others = pairs.iter().filter(|other| other != pair);
            allows(pair, call) && !others.any(|other| allows(other, call))
        })
    };
    let (needed, rest): (Vec<&Pair>, Vec<&Pair>) = pairs.iter().partition(is_needed);
    assert!(needed.len() > 90, "{}", needed.len());
    let is_kept = |(action, resource): &Pair, kept: &(&str, &str, &str)| {
        action == kept.0 && resource.ends_with(kept.1)
    };
    for pair in &rest {
        assert!(
            KEPT.iter().any(|kept| is_kept(pair, kept)),
            "never asked for: {pair:?}"
        );
    }
    for kept in &KEPT {
        assert!(
            rest.iter().any(|pair| is_kept(pair, kept)),
            "asked for after all: {kept:?}"
        );
    }
}

/// The policy without one pair.
fn without(policy: &Value, (action, resource): &Pair) -> Value {
    let mut policy = policy.clone();
    let statements = policy["Statement"].as_array_mut().unwrap();
    let mut more = Vec::new();
    for statement in &mut *statements {
        let has = |key: &str, text: &str| statement[key].as_array().unwrap().contains(&json!(text));
        if !has("Action", action) || !has("Resource", resource) {
            continue;
        }
        // The pair's action on the other objects, and the other actions on all.
        let mut same = statement.clone();
        same["Action"] = json!([action]);
        same["Resource"]
            .as_array_mut()
            .unwrap()
            .retain(|one| one != resource);
        same.as_object_mut().unwrap().remove("Sid");
        statement["Action"]
            .as_array_mut()
            .unwrap()
            .retain(|one| one != action);
        more.push(same);
    }
    statements.extend(more);
    let empty = |list: &Value| list.as_array().unwrap().is_empty();
    statements.retain(|one| !empty(&one["Action"]) && !empty(&one["Resource"]));
    policy
}

/// The same in earnest, for one pair of each service.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_taken_out_is_denied() {
    let sample = [
        "apigateway:PATCH",
        "dynamodb:UpdateTimeToLive",
        "iam:PassRole",
        "lambda:PublishVersion",
        "logs:CreateLogGroup",
        "tag:GetResources",
    ];
    for action in sample {
        let mut trial = Trial::start("policy-without", true).await;
        let all = pairs(&trial.policy);
        let out = all.iter().find(|pair| pair.0 == action).unwrap();
        let less = without(&trial.policy, out);
        assert_eq!(pairs(&less).len() + 1, all.len(), "{out:?}");
        let (denied, _) = trial.live(&less).await;
        assert!(!denied.is_empty(), "{out:?}");
        assert!(
            denied.iter().all(|call| allows(out, call)),
            "{out:?}: {denied:#?}"
        );
    }
}

/// What a pull request's job does: it is never denied, and could change nothing.
#[tokio::test(flavor = "multi_thread")]
async fn whoever_may_look_can_look_and_no_more() {
    let mut trial = Trial::start("policy-look", true).await;
    let endpoint = trial.cloud.endpoint();
    let printed = run(&trial.scratch, &endpoint, &owner(), &["policy", "--look"]);
    let policy: Value = serde_json::from_str(&printed.out).unwrap();
    let whole = pairs(&trial.policy);
    for pair in pairs(&policy) {
        let is_in = whole.iter().any(|other| allows(other, &pair));
        assert!(is_in, "not in the deployer's: {pair:?}");
        let verb = pair.0.split(':').nth(1).unwrap();
        let looks = ["GET", "Get", "List", "Describe", "Query"];
        assert!(looks.iter().any(|look| verb.starts_with(look)), "{pair:?}");
    }
    let keys = session(&endpoint, &policy.to_string()).await;
    for is_deployed in [false, true] {
        if is_deployed {
            let ran = run(&trial.scratch, &endpoint, &owner(), &["deploy", "--yes"]);
            assert_eq!(ran.code, Some(0), "{ran:?}");
        }
        for words in [["diff"], ["status"], ["outputs"], ["history"]] {
            let ran = run(&trial.scratch, &endpoint, &keys, &words);
            let missing = words == ["outputs"] && !is_deployed;
            assert_eq!(ran.code, Some(i32::from(missing)), "{words:?}: {ran:?}");
        }
        let denied = denied(&mut trial.happenings);
        assert!(denied.is_empty(), "{denied:#?}\n{policy:#}");
    }
    let ran = run(&trial.scratch, &endpoint, &keys, &["destroy", "--yes"]);
    assert_ne!(ran.code, Some(0), "{ran:?}");
    let ran = run(&trial.scratch, &endpoint, &owner(), &["diff"]);
    assert!(ran.out.contains("No changes"), "{ran:?}");
}
