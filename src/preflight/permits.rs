//! What the caller may do, as IAM's simulator says.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use futures_util::future::join_all;

use super::{Check, Findings, Standing};
use crate::cloud::denial::{self, Obstacle};
use crate::cloud::simulate::{Question, Verdict};
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
            let (verdicts, never) = judge(cloud, &principal, &needs, context).await;
            let answers = needs.into_iter().cloned().zip(verdicts);
            (answers.collect::<Vec<_>>(), never)
        });
        for (answers, never) in join_all(answers).await {
            self.known.extend(answers);
            // Whoever may not ask, or asks one who does not know, need not ask twice.
            if let Some(why) = never {
                self.principal = Err(why);
            }
        }
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

    /// What is known of a need: an answer for it, or a yes or a shrug for any object such as its own. A no for any
    /// object is not yet a no for this one.
    fn verdict(&self, need: &Need) -> Option<&Verdict> {
        let covering = || {
            let all = self.known.iter().filter(|(known, _)| known.covers(need));
            let all = all.map(|(_, verdict)| verdict);
            let sure = all.clone().find(|verdict| **verdict == Verdict::Allowed);
            sure.or_else(|| all.clone().find(|v| matches!(v, Verdict::Unclear(_))))
        };
        self.known.get(need).or_else(covering)
    }

    /// What is to be asked before anything is refused.
    pub(super) fn open(&self, needs: &BTreeSet<Need>) -> BTreeSet<Need> {
        let is_open = |need: &&Need| matches!(self.verdict(need), None | Some(Verdict::Denied(_)));
        let firm = needs.iter().filter(|need| need.firm);
        firm.filter(is_open).cloned().collect()
    }

    pub(super) fn findings(&self, needs: &BTreeSet<Need>) -> Findings {
        let mut allowed = 0;
        let mut denied: BTreeMap<(&str, Obstacle), Vec<&Need>> = BTreeMap::new();
        let mut unclear: BTreeMap<&str, usize> = BTreeMap::new();
        for need in needs.iter().filter(|need| need.firm) {
            match (&self.principal, self.verdict(need)) {
                (_, Some(Verdict::Allowed)) => allowed += 1,
                (_, Some(Verdict::Denied(obstacle))) => {
                    let needs = denied.entry((need.action, *obstacle)).or_default();
                    needs.push(need);
                }
                (_, Some(Verdict::Unclear(why))) | (Err(why), None) => {
                    *unclear.entry(why).or_default() += 1;
                }
                (Ok(_), None) => *unclear.entry("it was not asked").or_default() += 1,
            }
        }
        let mut checks: Vec<Check> = denied
            .iter()
            .map(|((action, obstacle), needs)| self.lacking(action, *obstacle, needs))
            .collect();
        if allowed > 0 {
            let text = format!("{} may make {}", self.who, calls(allowed));
            checks.push(Check::new(ABOUT, Standing::Ok, text));
        }
        checks.extend(unclear.iter().map(|(why, count)| {
            let text = format!("whether {} may make {}: {why}", self.who, calls(*count));
            Check::new(ABOUT, Standing::NotKnown, text)
        }));
        if checks.is_empty() {
            let text = "nothing is to be changed";
            checks.push(Check::new(ABOUT, Standing::Ok, text));
        }
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

/// A verdict for each need, and why none is to be had at all.
async fn judge(
    cloud: &Cloud,
    principal: &str,
    needs: &[&Need],
    context: Vec<(&'static str, String)>,
) -> (Vec<Verdict>, Option<String>) {
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
        Ok(judgement) => judgement.of(need.action, &example(need)),
        Err(error) => Verdict::Unclear(reason(error)),
    };
    let verdicts = needs.iter().map(of).collect();
    let passes = |fault| {
        matches!(
            fault,
            Fault::Throttled | Fault::Ambiguous | Fault::Unreachable
        )
    };
    let never = answer.err().filter(|error| !passes(error.fault));
    (verdicts, never.map(|error| reason(&error)))
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
