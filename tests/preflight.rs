//! What is asked before the first write, against a cloud that answers, and one that does not.

#![expect(clippy::unwrap_used, reason = "tests fail where they stand")]

mod support;

use msgai::cloud::Caller;
use msgai::plan::Plan;
use msgai::preflight::{Findings, Preflight, Standing, check};
use support::proxy::{Fate, Proxy};
use support::{Draft, Lab, cloud_at};

const WHOLE: &str = include_str!("deploy/whole.yaml");

async fn lab() -> Lab {
    let lab = Lab::instant().await;
    lab.sdk.allow_access_logs().await;
    lab
}

fn user(lab: &Lab) -> Caller {
    Caller {
        place: lab.place.clone(),
        arn: "arn:aws:iam::000000000000:user/local".to_owned(),
    }
}

/// A session of a role whose path only IAM knows, and what its one policy says.
async fn deployer(lab: &Lab, statements: &str) -> Caller {
    let role = lab.sdk.iam.create_role().role_name("deployer").path("/ci/");
    let role = role.assume_role_policy_document(support::sdk::TRUST);
    // It may be there from the time before.
    role.send().await.ok();
    let put = lab.sdk.iam.put_role_policy().role_name("deployer");
    let document = format!(r#"{{"Version":"2012-10-17","Statement":[{statements}]}}"#);
    let put = put.policy_name("p").policy_document(document);
    put.send().await.unwrap();
    Caller {
        place: lab.place.clone(),
        arn: "arn:aws:sts::000000000000:assumed-role/deployer/ci".to_owned(),
    }
}

fn allow(actions: &str, resources: &str) -> String {
    format!(r#"{{"Effect":"Allow","Action":[{actions}],"Resource":[{resources}]}}"#)
}

fn texts(findings: &Findings, standing: Standing) -> Vec<String> {
    let all = findings.of(standing);
    all.map(|check| format!("{}: {}", check.about, check.message))
        .collect()
}

fn simulations(lab: &Lab) -> usize {
    let calls = lab.calls();
    calls
        .iter()
        .filter(|c| c.operation == "SimulatePrincipalPolicy")
        .count()
}

#[tokio::test]
async fn whoever_may_do_everything_is_told_so() {
    let lab = lab().await;
    let plan = lab.plan(&Draft::from(WHOLE)).await;
    let findings = check(&lab.cloud, &user(&lab), &plan).await;
    assert!(
        findings.checks.iter().all(|c| c.standing == Standing::Ok),
        "{findings:?}"
    );
    let about: Vec<&str> = findings.checks.iter().map(|check| check.about).collect();
    assert_eq!(about, ["permissions", "concurrency", "roles"]);
}

/// What was asked while the account was looked at need not be asked again.
#[tokio::test]
async fn a_deploy_that_is_allowed_waits_for_no_simulation() {
    let lab = lab().await;
    let draft = Draft::from(WHOLE);
    for text in [WHOLE.to_owned(), WHOLE.replace("    say:", "    tell:")] {
        let changed = Draft::from(text.as_str());
        let wanted = lab.wanted(&changed);
        let preflight = Preflight::new(&lab.cloud, user(&lab), &wanted.stack, &wanted.desired);
        // Longer than it takes to ask.
        let idle = nothing(&lab, &draft).await;
        preflight.beside(preflight.check(&idle)).await;
        assert!(simulations(&lab) > 0);
        let plan = lab.plan(&changed).await;
        let removed = plan.changes.keys().any(|id| id.to_string() == "route/say");
        lab.calls();
        let findings = preflight.check(&plan).await;
        assert!(!findings.has_problems(), "{findings:?}");
        assert_eq!(simulations(&lab), 0, "removed: {removed}");
        lab.deploy(&changed).await;
    }
}

/// A plan in which nothing is to be done.
async fn nothing(lab: &Lab, draft: &Draft) -> Plan {
    let mut plan = lab.plan(draft).await;
    plan.changes.clear();
    plan
}

#[tokio::test]
async fn everything_that_a_role_lacks_is_told_at_once_and_by_what() {
    let lab = lab().await;
    let statements = [
        allow(r#""iam:*","apigateway:*","logs:*","lambda:*""#, r#""*""#),
        allow(r#""dynamodb:Describe*""#, r#""*""#),
        r#"{"Effect":"Deny","Action":"lambda:PublishVersion","Resource":"arn:aws:lambda:*:*:function:whole-gate"}"#.to_owned(),
        r#"{"Effect":"Deny","Action":"iam:PassRole","Resource":"*","Condition":{"StringNotEquals":{"iam:PassedToService":"ec2.amazonaws.com"}}}"#.to_owned(),
    ];
    let caller = deployer(&lab, &statements.join(",")).await;
    let plan = lab.plan(&Draft::from(WHOLE)).await;
    let findings = check(&lab.cloud, &caller, &plan).await;
    let table = "arn:aws:dynamodb:us-east-1:000000000000:table/whole-connections";
    let lacks =
        |what: &str, why: &str| format!("permissions: role/deployer may not call {what}: {why}");
    let (none, denied) = (
        "no identity-based policy allows it",
        "an identity-based policy denies it",
    );
    assert_eq!(
        texts(&findings, Standing::Problem),
        [
            lacks(&format!("dynamodb:CreateTable on {table}"), none),
            lacks(&format!("dynamodb:TagResource on {table}"), none),
            lacks(&format!("dynamodb:UpdateTimeToLive on {table}"), none),
            lacks(
                "iam:PassRole on arn:aws:iam::000000000000:role/msgai/us-east-1/whole/whole-us-east-1",
                denied
            ),
            lacks(
                "lambda:PublishVersion on arn:aws:lambda:us-east-1:000000000000:function:whole-gate",
                denied
            ),
        ]
    );
    assert_eq!(findings.missing.len(), 5);
}

/// Ahead of the plan nobody knows the API's id, and a policy that names it allows no other.
#[tokio::test]
async fn a_policy_for_this_one_api_is_enough_for_it() {
    let lab = lab().await;
    lab.deploy(&Draft::from(WHOLE)).await;
    let apis = lab
        .sdk
        .apigateway
        .get_apis()
        .send()
        .await
        .unwrap()
        .items
        .unwrap();
    let api = apis[0].api_id.clone().unwrap();
    let of_api = format!(
        r#""arn:aws:apigateway:us-east-1::/apis/{api}*","arn:aws:apigateway:us-east-1::/tags/*""#
    );
    let caller = deployer(&lab, &allow(r#""apigateway:*""#, &of_api)).await;
    let changed = Draft::from(WHOLE.replace("    say:", "    tell:").as_str());
    let wanted = lab.wanted(&changed);
    let preflight = Preflight::new(&lab.cloud, caller, &wanted.stack, &wanted.desired);
    let plan = preflight.beside(lab.plan(&changed)).await;
    let kinds: Vec<&str> = plan.changes.keys().map(|id| id.kind.word()).collect();
    assert!(
        kinds.contains(&"route") && kinds.contains(&"stage"),
        "{kinds:?}"
    );
    let findings = preflight.check(&plan).await;
    let lacking = texts(&findings, Standing::Problem);
    assert!(
        lacking.iter().all(|text| !text.contains("apigateway:")) && !lacking.is_empty(),
        "the statements of the functions, and nothing else: {lacking:?}"
    );
}

#[tokio::test]
async fn without_an_answer_nothing_is_refused() {
    let lab = lab().await;
    let plan = lab.plan(&Draft::from(WHOLE)).await;
    let proxy = Proxy::before(&lab.local.endpoint()).await;
    let cloud = cloud_at(&proxy.endpoint()).await;
    for (call, fate) in [
        ("Action=SimulatePrincipalPolicy", Fate::InternalError),
        ("Action=SimulatePrincipalPolicy", Fate::AnswerLost),
        ("Action=GetAccountSummary", Fate::InternalError),
        ("/account-settings", Fate::RequestLost),
    ] {
        proxy.strike_on(call, fate);
        let findings = check(&cloud, &user(&lab), &plan).await;
        assert!(proxy.struck().is_some(), "no {call}");
        assert!(!findings.has_problems(), "{call}: {findings:?}");
        assert_eq!(
            findings.of(Standing::NotKnown).count(),
            1,
            "{call}: {findings:?}"
        );
    }
    let nobody = Caller {
        arn: "arn:aws:sts::000000000000:assumed-role/gone/ci".to_owned(),
        ..user(&lab)
    };
    for caller in [
        nobody,
        Caller {
            arn: "arn:aws:iam::000000000000:root".to_owned(),
            ..user(&lab)
        },
    ] {
        let findings = check(&lab.cloud, &caller, &plan).await;
        assert!(!findings.has_problems(), "{findings:?}");
        let unknown = texts(&findings, Standing::NotKnown);
        assert!(
            unknown[0].starts_with("permissions: whether "),
            "{unknown:?}"
        );
    }
}

/// Who may not use the simulator, or is unknown to it, pays for asking once, beside the look.
#[tokio::test]
async fn a_simulator_that_will_never_answer_is_not_asked_twice() {
    let lab = lab().await;
    let draft = Draft::from(WHOLE);
    let wanted = lab.wanted(&draft);
    let stranger = Caller {
        arn: "arn:aws:iam::000000000000:user/stranger".to_owned(),
        ..user(&lab)
    };
    let preflight = Preflight::new(&lab.cloud, stranger, &wanted.stack, &wanted.desired);
    let idle = nothing(&lab, &draft).await;
    preflight.beside(preflight.check(&idle)).await;
    assert!(simulations(&lab) > 0);
    let plan = lab.plan(&draft).await;
    lab.calls();
    let findings = preflight.check(&plan).await;
    assert_eq!(simulations(&lab), 0);
    assert!(!findings.has_problems(), "{findings:?}");
    let unknown = texts(&findings, Standing::NotKnown);
    assert!(unknown[0].contains("cannot be found"), "{unknown:?}");
}

#[tokio::test]
async fn reservations_that_do_not_fit_are_refused_before_they_are_made() {
    let lab = lab().await;
    lab.deploy(&Draft::from(WHOLE)).await;
    let more = Draft::from(WHOLE.replace("concurrency: 5", "concurrency: 901").as_str());
    let plan = lab.plan(&more).await;
    let findings = check(&lab.cloud, &user(&lab), &plan).await;
    assert_eq!(
        texts(&findings, Standing::Problem),
        [
            "concurrency: 896 more executions reserved leave 99 of the account's 1000 to all other functions, \
          and Lambda wants 100 left"
        ]
    );
    let fewer = Draft::from(WHOLE.replace("concurrency: 5", "concurrency: 900").as_str());
    let plan = lab.plan(&fewer).await;
    let findings = check(&lab.cloud, &user(&lab), &plan).await;
    assert!(!findings.has_problems(), "{findings:?}");
    lab.deploy(&fewer).await;
}
