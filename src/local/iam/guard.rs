//! Whether a role's session may make a call. Whoever else calls may do everything.
//!
//! In: the session, and what a request asks for ([`Ask`]). Out: AWS's sentence when it is denied. A denial is told to
//! whoever watches with the statement that would lift it; where the local cloud looks the other way it is only told.

use serde_json::{Value, json};

use super::conditions::Context;
use super::evaluate::{Decision, Policy, Principal, Request, evaluate};
use super::permissions::{Judgement, Last, Permissions};
use super::{Iam, Role};
use crate::local::sts::Session;
use crate::local::{Happening, World, locked, wire};

/// One action on one resource that a request asks for.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Ask {
    pub(crate) action: String,
    pub(crate) resource: String,
    /// The resource in AWS's sentence, where that has it otherwise; empty where it has none.
    pub(crate) shown: Option<String>,
    /// The resource in a statement that a person would write.
    pub(crate) grant: Option<String>,
    pub(crate) context: Vec<(String, Vec<String>)>,
}

impl Ask {
    pub(crate) fn new(action: impl Into<String>, resource: impl Into<String>) -> Self {
        Self {
            action: action.into(),
            resource: resource.into(),
            ..Self::default()
        }
    }

    pub(crate) fn shown(mut self, shown: impl Into<String>) -> Self {
        self.shown = Some(shown.into());
        self
    }

    pub(crate) fn grant(mut self, grant: impl Into<String>) -> Self {
        self.grant = Some(grant.into());
        self
    }

    pub(crate) fn with(mut self, key: impl Into<String>, values: Vec<String>) -> Self {
        self.context.push((key.into(), values));
        self
    }

    /// The role that a call hands to a service is asked for apart.
    pub(crate) fn pass_role(role: &str, service: &str) -> Self {
        Self::new("iam:PassRole", role).with("iam:PassedToService", vec![service.to_owned()])
    }
}

/// Holds a call against the policies of the role; the error is AWS's sentence.
pub(crate) fn check(world: &World, session: &Session, asks: &[Ask]) -> Result<(), String> {
    asks.iter().try_for_each(|ask| one(world, session, ask))
}

fn one(world: &World, session: &Session, ask: &Ask) -> Result<(), String> {
    let resource = world.lambda.policy_of(ask);
    let judgement = world.iam.judge(world, session, ask, resource.as_ref());
    if judgement.decision == Decision::Allowed {
        return Ok(());
    }
    let sentence = sentence(&session.arn(), ask, &judgement);
    tell(world, session, ask, judgement);
    if world.enforces {
        Err(sentence)
    } else {
        Ok(())
    }
}

/// As AWS says it, to the letter.
fn sentence(who: &str, ask: &Ask, judgement: &Judgement) -> String {
    let Ask { action, .. } = ask;
    let mut text = format!("User: {who} is not authorized to perform: {action}");
    let resource = ask.shown.as_ref().unwrap_or(&ask.resource);
    if !resource.is_empty() {
        text += &format!(" on resource: {resource}");
    }
    let policy = match judgement.last {
        Last::Identity => "identity-based policy",
        Last::Boundary => "permissions boundary",
        Last::Resource => "resource-based policy",
    };
    if judgement.decision == Decision::Explicit {
        let article = if judgement.last == Last::Identity {
            "an"
        } else {
            "a"
        };
        text + &format!(" with an explicit deny in {article} {policy}")
    } else {
        text + &format!(" because no {policy} allows the {action} action")
    }
}

fn tell(world: &World, session: &Session, ask: &Ask, judgement: Judgement) {
    let mut why = judgement.why;
    if !world.enforces {
        why += " (let through)";
    }
    let resource = ask.grant.as_ref().unwrap_or(&ask.resource);
    let lifts = json!({ "Effect": "Allow", "Action": ask.action, "Resource": resource });
    world.tell(Happening::Denied {
        principal: session.arn(),
        action: ask.action.clone(),
        resource: ask.resource.clone(),
        why,
        statement: judgement.denier.unwrap_or(lifts).to_string(),
    });
}

impl Iam {
    fn judge(
        &self,
        world: &World,
        session: &Session,
        ask: &Ask,
        resource: Option<&Policy>,
    ) -> Judgement {
        let state = locked(&self.0);
        let role = state.role_of(&session.role);
        let context = context(world, session, role, ask);
        let principal = session.principal();
        let request = Request {
            principal: Some(&principal),
            action: &ask.action,
            resource: &ask.resource,
            context: &context,
        };
        // The sessions of a role that is gone may do nothing.
        let permissions = role.map(|role| Permissions::of(&state, role));
        permissions.unwrap_or_default().judge(&request, resource)
    }

    /// Whether the role of this ARN says in its trust that `principal` may assume it.
    pub(crate) fn trusts(&self, role_arn: &str, principal: &Principal, context: &Context) -> bool {
        self.with_role(role_arn, |role| trusts(role, principal, context))
    }
}

pub(super) fn trusts(role: &Role, principal: &Principal, context: &Context) -> bool {
    let trust = Policy::read("trust", &role.trust);
    let request = Request {
        principal: Some(principal),
        action: "sts:AssumeRole",
        resource: &role.arn(),
        context,
    };
    evaluate([&trust], &request).decision == Decision::Allowed
}

/// The keys of every request, and those of this one.
fn context(world: &World, session: &Session, role: Option<&Role>, ask: &Ask) -> Context {
    let mut context = Context::default();
    let now = world.clock.now();
    context.set("aws:CurrentTime", wire::iso(now));
    context.set("aws:EpochTime", now.as_secs().to_string());
    context.set("aws:PrincipalAccount", world.account.clone());
    context.set("aws:PrincipalArn", session.role.clone());
    context.set("aws:PrincipalType", "AssumedRole");
    context.set("aws:RequestedRegion", world.region.clone());
    context.set("aws:ResourceAccount", world.account.clone());
    // On AWS every client of ours speaks TLS.
    context.set("aws:SecureTransport", "true");
    context.set("aws:SourceIp", "127.0.0.1");
    context.set("aws:ViaAWSService", "false");
    if let Some(function) = &session.function {
        context.set("lambda:SourceFunctionArn", function.clone());
    }
    if let Some(role) = role {
        context.set("aws:userid", format!("{}:{}", role.id, session.name));
        for (key, value) in &role.tags {
            context.set(&format!("aws:PrincipalTag/{key}"), value.clone());
        }
    }
    for (key, values) in &ask.context {
        context.set_all(key, values.clone());
    }
    context
}

/// Whoever calls with any key but a session's.
pub(crate) fn user(world: &World) -> Principal {
    Principal::Identity {
        account: world.account.clone(),
        arns: vec![world.user()],
    }
}

/// `Allow` of AWS's resource policies for a service, such as `apigateway.amazonaws.com`.
pub(crate) fn admits(
    statements: &[Value],
    service: &'static str,
    action: &str,
    resource: &str,
    context: &Context,
) -> bool {
    let policy = Policy::of("resource policy", statements.to_vec());
    let request = Request {
        principal: Some(&Principal::Service(service)),
        action,
        resource,
        context,
    };
    evaluate([&policy], &request).decision == Decision::Allowed
}
