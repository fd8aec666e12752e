//! Whoever has the printed policy, and nothing else, can do everything with the stack.

use std::collections::BTreeSet;

use aws_sdk_iam as iam;
use aws_sdk_sts as sts;
use msgai::local::{Happening, LocalCloud, Options};
use serde_json::{Value, json};
use tokio::sync::broadcast::Receiver;
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

/// One life of a stack: every command, and changes of most kinds.
const LIFE: [(&str, &[&str]); 12] = [
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
    ("stack.yaml", &["destroy", "--yes", "--delete-data"]),
];

fn denied(happenings: &mut Receiver<Happening>) -> Vec<(String, String)> {
    let mut all = Vec::new();
    while let Ok(happening) = happenings.try_recv() {
        if let Happening::Denied {
            action, resource, ..
        } = happening
        {
            all.push((action, resource));
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

#[tokio::test(flavor = "multi_thread")]
async fn whoever_has_the_printed_policy_can_do_everything() {
    let cloud = LocalCloud::start(Options {
        iam: true,
        ..Options::default()
    });
    let cloud = cloud.await.unwrap();
    let endpoint = cloud.endpoint();
    let mut happenings = cloud.watch();
    let scratch = Scratch::new("policy", Some("shop"));
    let owner = ["key", "secret", ""].map(str::to_owned);
    let printed = run(&scratch, &endpoint, &owner, &["policy"]);
    assert_eq!(
        (printed.code, printed.err.as_str()),
        (Some(0), ""),
        "{printed:?}"
    );
    let policy: Value = serde_json::from_str(&printed.out).unwrap();
    let early = run(
        &scratch,
        &endpoint,
        &owner,
        &["policy", "--function", "connect"],
    );
    assert!(early.err.contains("the API has no id"), "{early:?}");
    assert!(!early.out.contains('$'), "{early:?}");
    serde_json::from_str::<Value>(&early.out).unwrap();
    let keys = session(&endpoint, &policy.to_string()).await;
    for (file, words) in LIFE {
        let words = [words, &["-f", file]].concat();
        let ran = run(&scratch, &endpoint, &keys, &words);
        let denied = denied(&mut happenings);
        assert!(denied.is_empty(), "{words:?}: {denied:#?}\n{policy:#}");
        assert_eq!(ran.code, Some(0), "{words:?}: {ran:?}");
    }
}

/// Each pair of an action and a spelling of objects that the policy allows.
fn pairs(policy: &Value) -> BTreeSet<(String, String)> {
    let texts = |value: &Value| -> Vec<String> {
        let list = value.as_array().unwrap();
        list.iter().map(|one| one.as_str().unwrap().to_owned()).collect()
    };
    let statements = policy["Statement"].as_array().unwrap();
    let of = |statement: &Value| {
        let actions = texts(&statement["Action"]);
        let resources = texts(&statement["Resource"]);
        let with = |action: &String| {
            let pair = |resource: &String| (action.clone(), resource.clone());
            resources.iter().map(pair).collect::<Vec<_>>()
        };
        actions.iter().flat_map(with).collect::<Vec<_>>()
    };
    statements.iter().flat_map(of).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_in_the_printed_policy_can_be_taken_out() {
    let cloud = LocalCloud::start(Options { iam: false, ..Options::default() });
    let cloud = cloud.await.unwrap();
    let endpoint = cloud.endpoint();
    let mut happenings = cloud.watch();
    let scratch = Scratch::new("policy-least", Some("shop"));
    let owner = ["key", "secret", ""].map(str::to_owned);
    let printed = run(&scratch, &endpoint, &owner, &["policy"]);
    let policy: Value = serde_json::from_str(&printed.out).unwrap();
    let nothing = json!({ "Version": "2012-10-17", "Statement": {
        "Effect": "Allow", "Action": "s3:ListAllMyBuckets", "Resource": "*"
    } });
    let keys = session(&endpoint, &nothing.to_string()).await;
    let mut asked = BTreeSet::new();
    for (file, words) in LIFE {
        let mut words = [words, &["-f", file]].concat();
        if ["deploy", "destroy"].contains(&words[0]) {
            words.push("--no-preflight");
        }
        let ran = run(&scratch, &endpoint, &keys, &words);
        assert_eq!(ran.code, Some(0), "{words:?}: {ran:?}");
        asked.extend(denied(&mut happenings));
    }
    let pairs = pairs(&policy);
    let allows = |(action, resource): &(String, String), (a, r): &(String, String)| action == a && WildMatch::new(resource).matches(r);
    for pair in &pairs {
        let alone = asked.iter().any(|call| allows(pair, call) && !pairs.iter().any(|other| other != pair && allows(other, call)));
        if !alone { println!("UNASKED {pair:?}"); }
    }
    for call in &asked {
        if !pairs.iter().any(|pair| allows(pair, call)) { println!("BEYOND {call:?}"); }
    }
    println!("{} pairs, {} asked", pairs.len(), asked.len());
    panic!();
}
