use crate::local::iam::tests::{POLICY, call, refused, with_role};
use serde_json::json;

use crate::local::iam::State;

const ARN: &str = "arn:aws:iam::000000000000:policy/chat/post";
const OTHER: &str = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"dynamodb:Query","Resource":"*"}}"#;

fn with_policy() -> State {
    let mut state = with_role();
    let create = [
        ("PolicyName", "post"),
        ("Path", "/chat/"),
        ("PolicyDocument", POLICY),
        ("Description", "posts"),
        ("Tags.member.1.Key", "team"),
        ("Tags.member.1.Value", "chat"),
    ];
    let made = call(&mut state, "CreatePolicy", &create).unwrap();
    assert_eq!(made["Policy"]["Arn"], ARN);
    assert!(
        made["Policy"].get("Description").is_none(),
        "AWS leaves it out here"
    );
    state
}

fn document(state: &mut State, version: &str) -> String {
    let about = call(
        state,
        "GetPolicyVersion",
        &[("PolicyArn", ARN), ("VersionId", version)],
    );
    let about = about.unwrap();
    let encoded = about["PolicyVersion"]["Document"]
        .as_str()
        .unwrap()
        .to_owned();
    percent_encoding::percent_decode_str(&encoded)
        .decode_utf8()
        .unwrap()
        .into_owned()
}

#[test]
fn a_managed_policy_has_versions_of_which_one_counts() {
    let mut state = with_policy();
    let new = [
        ("PolicyArn", ARN),
        ("PolicyDocument", OTHER),
        ("SetAsDefault", "true"),
    ];
    let made = call(&mut state, "CreatePolicyVersion", &new).unwrap();
    assert_eq!(made["PolicyVersion"]["VersionId"], "v2");
    let policy = call(&mut state, "GetPolicy", &[("PolicyArn", ARN)]).unwrap();
    assert_eq!(policy["Policy"]["DefaultVersionId"], "v2");
    assert_eq!(policy["Policy"]["Description"], "posts");
    assert_eq!(
        policy["Policy"]["Tags"],
        json!([{"Key": "team", "Value": "chat"}])
    );
    assert_eq!(
        (document(&mut state, "v1"), document(&mut state, "v2")),
        (POLICY.to_owned(), OTHER.to_owned())
    );
    let listed = call(&mut state, "ListPolicyVersions", &[("PolicyArn", ARN)]).unwrap();
    let ids: Vec<&str> = listed["Versions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|v| v["VersionId"].as_str().unwrap())
        .collect();
    assert_eq!(ids, ["v2", "v1"]);
    let gone = |state: &mut State, id| {
        refused(
            state,
            "DeletePolicyVersion",
            &[("PolicyArn", ARN), ("VersionId", id)],
        )
    };
    assert_eq!(gone(&mut state, "v2").1, "DeleteConflict");
    call(
        &mut state,
        "SetDefaultPolicyVersion",
        &[("PolicyArn", ARN), ("VersionId", "v1")],
    )
    .unwrap();
    call(
        &mut state,
        "DeletePolicyVersion",
        &[("PolicyArn", ARN), ("VersionId", "v2")],
    )
    .unwrap();
    assert_eq!(gone(&mut state, "v2").1, "NoSuchEntity");
    // A number is never used again.
    let made = call(&mut state, "CreatePolicyVersion", &new).unwrap();
    assert_eq!(made["PolicyVersion"]["VersionId"], "v3");
    for _ in 0..3 {
        call(&mut state, "CreatePolicyVersion", &new).unwrap();
    }
    assert_eq!(
        refused(&mut state, "CreatePolicyVersion", &new).1,
        "LimitExceeded"
    );
}

#[test]
fn an_attached_policy_is_not_deleted_and_says_what_its_role_may() {
    let mut state = with_policy();
    let attach = [("RoleName", "chat"), ("PolicyArn", ARN)];
    call(&mut state, "AttachRolePolicy", &attach).unwrap();
    let simulate = [
        (
            "PolicySourceArn",
            "arn:aws:iam::000000000000:role/msgai/chat/chat",
        ),
        ("ActionNames.member.1", "logs:PutLogEvents"),
    ];
    let result = call(&mut state, "SimulatePrincipalPolicy", &simulate).unwrap();
    assert_eq!(result["EvaluationResults"][0]["EvalDecision"], "allowed");
    let users = call(&mut state, "ListEntitiesForPolicy", &[("PolicyArn", ARN)]).unwrap();
    assert_eq!(users["PolicyRoles"][0]["RoleName"], "chat");
    let delete = [("PolicyArn", ARN)];
    assert_eq!(
        refused(&mut state, "DeletePolicy", &delete).1,
        "DeleteConflict"
    );
    call(&mut state, "DetachRolePolicy", &attach).unwrap();
    call(&mut state, "DeletePolicy", &delete).unwrap();
    assert_eq!(refused(&mut state, "GetPolicy", &delete).1, "NoSuchEntity");
    let (status, code, _) = refused(&mut state, "AttachRolePolicy", &attach);
    assert_eq!((status, code.as_str()), (404, "NoSuchEntity"));
}

#[test]
fn lists_tell_own_policies_from_those_of_aws() {
    let mut state = with_policy();
    let names = |state: &mut State, parameters: &[(&str, &str)]| -> Vec<String> {
        let reply = call(state, "ListPolicies", parameters).unwrap();
        let policies = reply["Policies"].as_array().unwrap().iter();
        policies
            .map(|p| p["Arn"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(names(&mut state, &[("Scope", "Local")]), [ARN]);
    assert!(!names(&mut state, &[("Scope", "AWS")]).contains(&ARN.to_owned()));
    assert_eq!(names(&mut state, &[("OnlyAttached", "true")]), [""; 0]);
    let basic = "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole";
    assert!(names(&mut state, &[("PathPrefix", "/service-role/")]).contains(&basic.to_owned()));
    let about = call(&mut state, "GetPolicy", &[("PolicyArn", basic)]).unwrap();
    assert_eq!(about["Policy"]["PolicyName"], "AWSLambdaBasicExecutionRole");
    assert_eq!(about["Policy"]["Path"], "/service-role/");
    let change = [("PolicyArn", basic), ("PolicyDocument", OTHER)];
    assert_eq!(
        refused(&mut state, "CreatePolicyVersion", &change).1,
        "NoSuchEntity"
    );
}

#[test]
fn two_policies_of_one_name_are_refused_whatever_their_path() {
    let mut state = with_policy();
    let again = [("PolicyName", "Post"), ("PolicyDocument", POLICY)];
    let (status, code, message) = refused(&mut state, "CreatePolicy", &again);
    assert_eq!((status, code.as_str()), (409, "EntityAlreadyExists"));
    assert_eq!(
        message,
        "A policy called Post already exists. Duplicate names are not allowed."
    );
    let broken = [("PolicyName", "broken"), ("PolicyDocument", "{}")];
    assert_eq!(
        refused(&mut state, "CreatePolicy", &broken).1,
        "MalformedPolicyDocument"
    );
}
