//! IAM's simulator: what the caller's policies say of calls that are not made.

use aws_sdk_iam::types::{
    ContextEntry, ContextKeyTypeEnum, EvaluationResult, PolicyEvaluationDecisionType,
};

use super::denial::{Obstacle, Policy};
use super::{Cloud, CloudError};

/// What the simulator says of one action on one object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    Allowed,
    Denied(Obstacle),
    /// Nothing to rely on, and why.
    Unclear(String),
}

/// Each action on each object, by one caller.
pub(crate) struct Question<'a> {
    /// The ARN of a user or a role, never of a session.
    pub(crate) principal: &'a str,
    pub(crate) actions: Vec<&'static str>,
    pub(crate) resources: Vec<String>,
    /// What is known of the calls that would be made.
    pub(crate) context: Vec<(&'static str, String)>,
}

/// The simulator's answer to a [`Question`].
pub(crate) struct Judgement {
    results: Vec<EvaluationResult>,
    only: bool,
}

impl Cloud {
    pub(crate) async fn simulate(&self, question: &Question<'_>) -> Result<Judgement, CloudError> {
        let _turn = self.pace().iam().await;
        let context: Vec<ContextEntry> = question
            .context
            .iter()
            .map(|(key, value)| entry(key, value))
            .collect();
        let mut results = Vec::new();
        let mut marker: Option<String> = None;
        loop {
            let page = self
                .attempt("SimulatePrincipalPolicy", question.principal, || {
                    self.iam()
                        .simulate_principal_policy()
                        .policy_source_arn(question.principal)
                        .set_action_names(Some(
                            question.actions.iter().map(|&a| a.to_owned()).collect(),
                        ))
                        .set_resource_arns(Some(question.resources.clone()))
                        .set_context_entries(Some(context.clone()))
                        .set_marker(marker.clone())
                        .send()
                })
                .await?;
            results.extend(page.evaluation_results.unwrap_or_default());
            marker = page.marker.filter(|_| page.is_truncated);
            if marker.is_none() {
                break;
            }
        }
        Ok(Judgement {
            results,
            only: question.resources.len() == 1,
        })
    }

    /// A role's ARN with its path, which the ARN of a session leaves out.
    pub(crate) async fn role_arn(&self, name: &str) -> Result<String, CloudError> {
        let answer = self
            .attempt("GetRole", name, || {
                self.iam().get_role().role_name(name).send()
            })
            .await?;
        Ok(answer.role.map(|role| role.arn).unwrap_or_default())
    }
}

fn entry(key: &str, value: &str) -> ContextEntry {
    ContextEntry::builder()
        .context_key_name(key)
        .context_key_type(match value {
            "true" | "false" => ContextKeyTypeEnum::Boolean,
            _ => ContextKeyTypeEnum::String,
        })
        .context_key_values(value)
        .build()
}

impl Judgement {
    pub(crate) fn of(&self, action: &str, resource: &str) -> Verdict {
        let mut all = self.results.iter();
        let verdict = all.find_map(|result| self.one(result, action, resource));
        verdict.unwrap_or_else(|| Verdict::Unclear("the simulator says nothing of it".to_owned()))
    }

    /// A result is of one action and of all objects at once, as strict as the strictest; what is said of one object
    /// is inside of it.
    fn one(&self, result: &EvaluationResult, action: &str, resource: &str) -> Option<Verdict> {
        if !result.eval_action_name().eq_ignore_ascii_case(action) {
            return None;
        }
        let mut inner = result.resource_specific_results().iter();
        let specific = inner.find(|one| one.eval_resource_name() == resource);
        let is_meant = self.only || result.eval_resource_name() == Some(resource);
        let boundary = match specific {
            Some(one) => one.permissions_boundary_decision_detail(),
            None => result.permissions_boundary_decision_detail(),
        };
        let decision = match specific {
            Some(one) => one.eval_resource_decision(),
            None if is_meant => result.eval_decision(),
            None => return None,
        };
        let explicit = match decision {
            PolicyEvaluationDecisionType::Allowed => return Some(Verdict::Allowed),
            PolicyEvaluationDecisionType::ExplicitDeny => true,
            PolicyEvaluationDecisionType::ImplicitDeny => false,
            other => return Some(Verdict::Unclear(format!("the simulator says {other}"))),
        };
        let missing = specific.map_or(&[][..], |one| one.missing_context_values());
        let mut missing = missing.iter().chain(result.missing_context_values());
        if let Some(key) = missing.next() {
            return Some(Verdict::Unclear(format!("a policy asks for {key}")));
        }
        // Of an organization's policies the simulator does not tell which of their conditions it could not judge.
        let organization = result.organizations_decision_detail();
        if organization.is_some_and(|detail| !detail.allowed_by_organizations()) {
            return Some(Verdict::Unclear(
                "a policy of the organization may deny it".to_owned(),
            ));
        }
        let bounded = boundary.is_some_and(|detail| !detail.allowed_by_permissions_boundary());
        let policy = if bounded {
            Policy::Boundary
        } else {
            Policy::Identity
        };
        Some(Verdict::Denied(Obstacle { policy, explicit }))
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_iam::types::{
        OrganizationsDecisionDetail, PermissionsBoundaryDecisionDetail, ResourceSpecificResult,
        builders::EvaluationResultBuilder,
    };

    use super::*;

    const DENY: PolicyEvaluationDecisionType = PolicyEvaluationDecisionType::ImplicitDeny;

    fn result(decision: PolicyEvaluationDecisionType) -> EvaluationResultBuilder {
        EvaluationResult::builder()
            .eval_action_name("iam:GetRole")
            .eval_decision(decision)
    }

    fn specific(resource: &str, decision: PolicyEvaluationDecisionType) -> ResourceSpecificResult {
        let one = ResourceSpecificResult::builder().eval_resource_name(resource);
        one.eval_resource_decision(decision).build().unwrap()
    }

    fn of(result: EvaluationResultBuilder, only: bool, resource: &str) -> Verdict {
        let results = vec![result.build().unwrap()];
        Judgement { results, only }.of("iam:GetRole", resource)
    }

    #[test]
    fn what_is_said_of_the_object_goes_before_what_is_said_of_all() {
        let both = || {
            result(DENY)
                .resource_specific_results(specific("a", PolicyEvaluationDecisionType::Allowed))
                .resource_specific_results(specific("b", DENY))
        };
        assert_eq!(of(both(), false, "a"), Verdict::Allowed);
        assert!(matches!(of(both(), false, "b"), Verdict::Denied(_)));
        assert!(matches!(of(both(), false, "c"), Verdict::Unclear(_)));
        // As emulators answer.
        let flat = || result(DENY).eval_resource_name("a");
        assert!(matches!(of(flat(), false, "a"), Verdict::Denied(_)));
        assert!(matches!(of(flat(), false, "b"), Verdict::Unclear(_)));
        assert!(matches!(of(result(DENY), true, "a"), Verdict::Denied(_)));
    }

    #[test]
    fn a_denial_that_the_simulator_could_not_be_sure_of_is_none() {
        let missing = result(DENY).missing_context_values("aws:MultiFactorAuthPresent");
        assert_eq!(
            of(missing, true, "a"),
            Verdict::Unclear("a policy asks for aws:MultiFactorAuthPresent".to_owned())
        );
        let detail = OrganizationsDecisionDetail::builder().allowed_by_organizations(false);
        let organization = result(DENY).organizations_decision_detail(detail.build());
        assert!(matches!(of(organization, true, "a"), Verdict::Unclear(_)));
        let other = PolicyEvaluationDecisionType::from("perhaps");
        assert!(matches!(of(result(other), true, "a"), Verdict::Unclear(_)));
    }

    #[test]
    fn a_boundary_is_told_from_a_policy_and_a_deny_from_an_absence() {
        let detail = PermissionsBoundaryDecisionDetail::builder();
        let detail = detail.allowed_by_permissions_boundary(false).build();
        let bounded = result(DENY).permissions_boundary_decision_detail(detail);
        let denied = |policy, explicit| Verdict::Denied(Obstacle { policy, explicit });
        assert_eq!(of(bounded, true, "a"), denied(Policy::Boundary, false));
        let forbidden = result(PolicyEvaluationDecisionType::ExplicitDeny);
        assert_eq!(of(forbidden, true, "a"), denied(Policy::Identity, true));
    }
}
