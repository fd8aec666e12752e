//! Answers, and what becomes of them; the questions are asked in `tests/preflight.rs`.

use super::*;
use crate::cloud::denial::Policy;

fn need(action: &'static str, resource: &str) -> Need {
    Need {
        action,
        resource: resource.to_owned(),
        firm: true,
    }
}

fn permits(known: &[(Need, Verdict)]) -> Permits {
    Permits {
        who: "user/a".to_owned(),
        place: Place {
            partition: "aws".to_owned(),
            region: "eu-west-1".to_owned(),
            account: "1".to_owned(),
        },
        principal: Ok("arn:aws:iam::1:user/a".to_owned()),
        known: known.iter().cloned().collect(),
    }
}

const DENIED: Verdict = Verdict::Denied(Obstacle {
    policy: Policy::Identity,
    explicit: false,
});

#[test]
fn a_session_is_simulated_as_its_role() {
    let of = |arn| principal(arn);
    assert_eq!(
        of("arn:aws:sts::1:assumed-role/deployer/ci"),
        Principal::Role("deployer")
    );
    let user = "arn:aws:iam::1:user/team/alice";
    assert_eq!(of(user), Principal::Is(user));
    for arn in [
        "arn:aws:iam::1:root",
        "arn:aws:sts::1:federated-user/x",
        "",
        "x",
    ] {
        assert!(matches!(of(arn), Principal::Nobody(_)), "{arn}");
    }
}

/// A yes for any id is a yes for one; a no for any id is not yet a no for one, and a shrug will not be another.
#[test]
fn a_no_ahead_of_the_plan_is_asked_again() {
    let known = [
        (
            need("apigateway:PATCH", "apis/*/routes/*"),
            Verdict::Allowed,
        ),
        (need("apigateway:POST", "apis/*/routes"), DENIED),
        (
            need("apigateway:DELETE", "apis/*/routes/*"),
            Verdict::Unclear("a policy asks for aws:ResourceTag/team".to_owned()),
        ),
    ];
    let needs = BTreeSet::from([
        need("apigateway:DELETE", "apis/a1/routes/r1"),
        need("apigateway:PATCH", "apis/a1/routes/r1"),
        need("apigateway:POST", "apis/a1/routes"),
    ]);
    let open = permits(&known).open(&needs);
    assert_eq!(
        open,
        BTreeSet::from([need("apigateway:POST", "apis/a1/routes")])
    );
    let findings = permits(&known).findings(&needs);
    assert!(
        !findings.has_problems(),
        "it is to be asked again: {findings:?}"
    );
}

#[test]
fn everything_that_is_missing_is_told_at_once() {
    let (a, b, c) = (
        need("x:Make", "a"),
        need("x:Make", "b"),
        need("x:Take", "a"),
    );
    let known = [
        (a.clone(), DENIED),
        (b.clone(), DENIED),
        (
            c.clone(),
            Verdict::Unclear("a policy asks for aws:SourceIp".to_owned()),
        ),
    ];
    let all = BTreeSet::from([a.clone(), b.clone(), c]);
    let findings = permits(&known).findings(&all);
    let texts: Vec<String> = findings
        .checks
        .iter()
        .map(|check| format!("{}: {}", check.standing.word(), check.message))
        .collect();
    assert_eq!(
        texts,
        [
            "problem: user/a may not call x:Make on a, b: no identity-based policy allows it",
            "not known: whether user/a may make 1 call: a policy asks for aws:SourceIp",
        ]
    );
    assert_eq!(findings.missing, BTreeSet::from([a, b]));
}

#[test]
fn what_is_not_firm_is_not_asked_and_never_lacking() {
    let mut maybe = need("kms:Decrypt", "key");
    maybe.firm = false;
    let needs = BTreeSet::from([maybe]);
    assert_eq!(permits(&[]).open(&needs), BTreeSet::new());
    assert!(!permits(&[]).findings(&needs).has_problems());
}

#[test]
fn an_example_has_no_wildcard_in_it() {
    let of = |resource: &str| example(&need("x:Y", resource));
    assert_eq!(
        of("arn:aws:apigateway:r::/apis/*/routes"),
        "arn:aws:apigateway:r::/apis/0000000000/routes"
    );
    assert_eq!(
        of("arn:aws:logs:r:1:log-group:/a/b:*"),
        "arn:aws:logs:r:1:log-group:/a/b:log-stream:"
    );
}

#[test]
fn many_objects_are_asked_for_in_parts() {
    let needs: Vec<Need> = (0..250).map(|n| need("x:Y", &format!("{n:03}"))).collect();
    let parts = chunks(&needs.iter().collect::<Vec<_>>());
    let sizes: Vec<usize> = parts.iter().map(Vec::len).collect();
    assert_eq!(sizes, [100, 100, 50]);
}
