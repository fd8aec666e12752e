//! What the caller may do, as IAM's simulator says.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::future::join_all;

use super::{Check, Findings, Standing};
use crate::cloud::denial::{self, Obstacle};
use crate::cloud::simulate::{Judgement, Question, Verdict};
use crate::cloud::{Caller, Cloud, CloudError, Fault};
use crate::names::Place;
use crate::plan::needs::{ANY, Need};

const ABOUT: &str = "permissions";

/// Objects in one question; every action is judged on each of them.
const AT_ONCE: usize = 100;

/// Whom to simulate, and what is known of them.
#[derive(Debug, Clone)]
pub(super) struct Permits {
    who: String,
    place: Place,
    /// The ARN of a user or role, or why there is nobody to simulate.
    principal: Result<String, String>,
    known: BTreeMap<Need, Verdict>,
}

/// Whom a caller's ARN means.
#[derive(Debug, PartialEq, Eq)]
enum Principal<'a> {
    Is(&'a str),
    /// A session of this role, whose path its ARN does not say.
    Role(&'a str),
    Nobody(&'static str),
}

fn principal(arn: &str) -> Principal<'_> {
    let name = arn.splitn(6, ':').nth(5).unwrap_or_default();
    match name.split_once('/') {
        Some(("user" | "role", _)) => Principal::Is(arn),
        Some(("assumed-role", session)) => {
            Principal::Role(session.split('/').next().unwrap_or_default())
        }
        Some(("federated-user", _)) => Principal::Nobody("federated users cannot be simulated"),
        _ if name == "root" => Principal::Nobody("the account's root cannot be simulated"),
        _ => Principal::Nobody("nobody knows what sort of caller this is"),
    }
}

impl Permits {
    pub(super) async fn of(cloud: &Cloud, caller: &Caller) -> Self {
        let principal = match principal(&caller.arn) {
            Principal::Is(arn) => Ok(arn.to_owned()),
            Principal::Role(name) => cloud.role_arn(name).await.map_err(|error| reason(&error)),
            Principal::Nobody(why) => Err(why.to_owned()),
        };
        Self {
            who: denial::who(&caller.arn),
            place: caller.place.clone(),
            principal: principal.and_then(|arn| {
                let known = !arn.is_empty();
                known
                    .then_some(arn)
                    .ok_or_else(|| "the caller's role has no ARN".to_owned())
            }),
            known: BTreeMap::new(),
        }
    }

    /// Asks for everything firm among these needs, one question a service.
    pub(super) async fn learn(
        &mut self,
        cloud: &Cloud,
        needs: &BTreeSet<Need>,
        boundary: Option<&str>,
    ) {
        let Ok(principal) = self.principal.clone() else {
            return;
        };
        let mut services: BTreeMap<&str, Vec<&Need>> = BTreeMap::new();
        for need in needs.iter().filter(|need| need.firm) {
            let service = need.action.split(':').next().unwrap_or_default();
            services.entry(service).or_default().push(need);
        }
        let questions = services.into_iter().flat_map(|(service, needs)| {
            let context = self.context(&principal, service, boundary);
            chunks(&needs)
                .into_iter()
                .map(|part| (part, context.clone()))
                .collect::<Vec<_>>()
        });
        let answers = questions.map(|(needs, context)| async {
            let verdicts = judge(cloud, &principal, &needs, context).await;
            needs.into_iter().cloned().zip(verdicts).collect::<Vec<_>>()
        });
        let answers = join_all(answers).await;
        self.known.extend(answers.into_iter().flatten());
    }

    /// What is certain of every call that we make, for the conditions of policies.
    fn context(
        &self,
        principal: &str,
        service: &str,
        boundary: Option<&str>,
    ) -> Vec<(&'static str, String)> {
        let place = &self.place;
        // IAM is one for all Regions, and lives in one.
        let region = match (service, place.partition.as_str()) {
            ("iam", "aws-cn") => "cn-north-1",
            ("iam", "aws-us-gov") => "us-gov-west-1",
            ("iam", _) => "us-east-1",
            _ => &place.region,
        };
        let mut context = vec![
            ("aws:RequestedRegion", region.to_owned()),
            ("aws:PrincipalArn", principal.to_owned()),
            ("aws:PrincipalAccount", place.account.clone()),
            ("aws:SecureTransport", true.to_string()),
            ("aws:ViaAWSService", false.to_string()),
        ];
        if service == "iam" {
            context.push(("iam:PassedToService", "lambda.amazonaws.com".to_owned()));
            context.extend(boundary.map(|arn| ("iam:PermissionsBoundary", arn.to_owned())));
        }
        context
    }

    /// The needs that no answer so far allows.
    pub(super) fn not_allowed(&self, needs: &BTreeSet<Need>) -> BTreeSet<Need> {
        let allowed: Vec<&Need> = self
            .known
            .iter()
            .filter(|(_, verdict)| **verdict == Verdict::Allowed)
            .map(|(need, _)| need)
            .collect();
        let is_open = |need: &&Need| !allowed.iter().any(|known| known.covers(need));
        needs
            .iter()
            .filter(|need| need.firm)
            .filter(is_open)
            .cloned()
            .collect()
    }

    pub(super) fn findings(&self, needs: &BTreeSet<Need>) -> Findings {
        let open = self.not_allowed(needs);
        let mut denied: BTreeMap<(&str, Obstacle), Vec<&Need>> = BTreeMap::new();
        let mut unclear: BTreeMap<&str, usize> = BTreeMap::new();
        for need in &open {
            match (&self.principal, self.known.get(need)) {
                (Err(why), _) | (Ok(_), Some(Verdict::Unclear(why))) => {
                    *unclear.entry(why).or_default() += 1;
                }
                (Ok(_), Some(Verdict::Denied(obstacle))) => {
                    denied
                        .entry((need.action, *obstacle))
                        .or_default()
                        .push(need);
                }
                (Ok(_), _) => *unclear.entry("it was not asked").or_default() += 1,
            }
        }
        let firm = needs.iter().filter(|need| need.firm).count();
        let mut checks: Vec<Check> = denied
            .iter()
            .map(|((action, obstacle), needs)| self.lacking(action, *obstacle, needs))
            .collect();
        if open.len() < firm || firm == 0 {
            let text = format!("{} may make {}", self.who, calls(firm - open.len()));
            checks.push(Check::new(ABOUT, Standing::Ok, text));
        }
        checks.extend(unclear.iter().map(|(why, count)| {
            let text = format!("whether {} may make {}: {why}", self.who, calls(*count));
            Check::new(ABOUT, Standing::NotKnown, text)
        }));
        Findings {
            checks,
            missing: denied.into_values().flatten().cloned().collect(),
        }
    }

    fn lacking(&self, action: &str, obstacle: Obstacle, needs: &[&Need]) -> Check {
        let resources: Vec<&str> = needs.iter().map(|need| need.resource.as_str()).collect();
        let what = format!("{action} on {}", resources.join(", "));
        let text = format!("{} may not call {what}: {obstacle}", self.who);
        let hint = obstacle.hint(&self.who, "what is missing");
        Check::new(ABOUT, Standing::Problem, text).hint(hint)
    }
}

fn calls(count: usize) -> String {
    match count {
        1 => "1 call".to_owned(),
        n => format!("{n} calls"),
    }
}

/// As many objects as one question takes, and every need of theirs.
fn chunks<'a>(needs: &[&'a Need]) -> Vec<Vec<&'a Need>> {
    let mut by_resource: BTreeMap<&str, Vec<&Need>> = BTreeMap::new();
    for need in needs {
        by_resource.entry(&need.resource).or_default().push(need);
    }
    let groups: Vec<Vec<&Need>> = by_resource.into_values().collect();
    groups.chunks(AT_ONCE).map(<[_]>::concat).collect()
}

async fn judge(
    cloud: &Cloud,
    principal: &str,
    needs: &[&Need],
    context: Vec<(&'static str, String)>,
) -> Vec<Verdict> {
    let actions: BTreeSet<&'static str> = needs.iter().map(|need| need.action).collect();
    let resources: BTreeSet<String> = needs.iter().map(|need| example(need)).collect();
    let question = Question {
        principal,
        actions: actions.into_iter().collect(),
        resources: resources.into_iter().collect(),
        context,
    };
    let answer = cloud.simulate(&question).await;
    let of = |need: &&Need| match &answer {
        Ok(judgement) => Judgement::of(judgement, need.action, &example(need)),
        Err(error) => Verdict::Unclear(reason(error)),
    };
    needs.iter().map(of).collect()
}

/// An object such as the need means, with an id that nobody has where none is known.
fn example(need: &Need) -> String {
    let resource = &need.resource;
    // This is how Logs asks for a group itself.
    match resource.strip_suffix(":*") {
        Some(group) => format!("{group}:log-stream:"),
        None => resource.replace(ANY, "0000000000"),
    }
}

fn reason(error: &CloudError) -> String {
    match error.fault {
        Fault::Denied => format!("{} is denied", error.operation),
        _ => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
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

    /// A yes for any id is a yes for one; a no for any id is not yet a no for one.
    #[test]
    fn only_a_yes_counts_ahead_of_the_plan() {
        let known = [
            (
                need("apigateway:PATCH", "apis/*/routes/*"),
                Verdict::Allowed,
            ),
            (need("apigateway:POST", "apis/*/routes"), DENIED),
        ];
        let needs = BTreeSet::from([
            need("apigateway:PATCH", "apis/a1/routes/r1"),
            need("apigateway:POST", "apis/a1/routes"),
        ]);
        let open = permits(&known).not_allowed(&needs);
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
        assert_eq!(permits(&[]).not_allowed(&needs), BTreeSet::new());
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
}
