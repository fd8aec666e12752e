//! Resource policies: who else may call a function, and whether API Gateway does.

use std::sync::Arc;
use std::time::Duration;

use axum::response::Response;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use wildmatch::WildMatch;

use super::Lambda;
use super::api::{Call, empty, json};
use super::check::{
    Target, arn, conflict, constraint, missing, missing_function, not_latest, policy_too_long,
    precondition, statement_id,
};
use super::state::{Function, State};
use crate::local::World;
use crate::local::iam::{self, Ask, Context, admits};
use crate::local::ids;
use crate::local::locked;
use crate::local::refusal::Refusal;

const LIMIT: usize = 20_480;
const GATEWAY: &str = "apigateway.amazonaws.com";
const INVOKE: &str = "lambda:InvokeFunction";

#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Policy {
    statements: Vec<Value>,
    revision: String,
}

impl Policy {
    fn render(&self) -> String {
        json!({ "Version": "2012-10-17", "Id": "default", "Statement": self.statements })
            .to_string()
    }

    fn position(&self, sid: &str) -> Option<usize> {
        self.statements.iter().position(|s| s["Sid"] == sid)
    }

    fn allows(&self, function_arn: &str, source_arn: &str, account: &str) -> bool {
        let mut context = Context::default();
        context.set("aws:SourceArn", source_arn);
        context.set("aws:SourceAccount", account);
        admits(&self.statements, GATEWAY, INVOKE, function_arn, &context)
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Permission {
    statement_id: String,
    action: String,
    principal: String,
    source_arn: Option<String>,
    source_account: Option<String>,
    event_source_token: Option<String>,
    #[serde(rename = "PrincipalOrgID")]
    principal_org_id: Option<String>,
    function_url_auth_type: Option<String>,
    invoked_via_function_url: Option<bool>,
    revision_id: Option<String>,
}

impl Permission {
    fn check(&self) -> Result<(), Refusal> {
        statement_id(&self.statement_id)?;
        let word = self.action.strip_prefix("lambda:").unwrap_or(&self.action);
        let letters = !word.is_empty() && word.bytes().all(|b| b.is_ascii_alphabetic());
        let prefixed = self.action.starts_with("lambda:");
        if word != "*" && !(prefixed && letters) {
            let rule = "satisfy regular expression pattern: (lambda:[*]|lambda:[a-zA-Z]+|[*])";
            return Err(constraint(&self.action, "action", rule));
        }
        if let Some(account) = &self.source_account
            && (account.len() != 12 || !account.bytes().all(|b| b.is_ascii_digit()))
        {
            let rule = r"satisfy regular expression pattern: \d{12}";
            return Err(constraint(account, "sourceAccount", rule));
        }
        if let Some(arn) = &self.source_arn
            && !arn.starts_with("arn:")
        {
            let rule = r"satisfy regular expression pattern: arn:(aws[a-zA-Z0-9-]*):([a-zA-Z0-9\-])+:([a-z]{2}(-gov)?-[a-z]+-\d{1})?:(\d{12})?:(.*)";
            return Err(constraint(arn, "sourceArn", rule));
        }
        Ok(())
    }

    fn principal(&self) -> Value {
        let name = &self.principal;
        if name == "*" {
            json!("*")
        } else if name.len() == 12 && name.bytes().all(|b| b.is_ascii_digit()) {
            json!({ "AWS": format!("arn:aws:iam::{name}:root") })
        } else if name.starts_with("arn:") {
            json!({ "AWS": name })
        } else {
            json!({ "Service": name })
        }
    }

    /// The statement in the order in which AWS writes its members.
    fn statement(&self, resource: &str) -> Value {
        let mut equals = Map::new();
        let members = [
            ("AWS:SourceAccount", &self.source_account),
            ("lambda:EventSourceToken", &self.event_source_token),
            ("aws:PrincipalOrgID", &self.principal_org_id),
            ("lambda:FunctionUrlAuthType", &self.function_url_auth_type),
        ];
        for (key, value) in members {
            if let Some(value) = value {
                equals.insert(key.to_owned(), json!(value));
            }
        }
        let mut condition = Map::new();
        if !equals.is_empty() {
            condition.insert("StringEquals".to_owned(), Value::Object(equals));
        }
        if let Some(via) = self.invoked_via_function_url {
            let via = json!({ "lambda:InvokedViaFunctionUrl": via.to_string() });
            condition.insert("Bool".to_owned(), via);
        }
        if let Some(source) = &self.source_arn {
            condition.insert("ArnLike".to_owned(), json!({ "AWS:SourceArn": source }));
        }
        let mut statement = json!({
            "Sid": self.statement_id,
            "Effect": "Allow",
            "Principal": self.principal(),
            "Action": self.action,
            "Resource": resource,
        });
        if !condition.is_empty() {
            statement["Condition"] = Value::Object(condition);
        }
        statement
    }
}

/// Whether `pattern` with `*` (any run) and `?` (any one character) covers all of `text`.
pub(crate) fn glob(pattern: &str, text: &str) -> bool {
    WildMatch::new(pattern).matches(text)
}

impl Lambda {
    /// Whether the policy of this function, version or alias lets API Gateway call it.
    pub(crate) fn allows(&self, function_arn: &str, source_arn: &str, account: &str) -> bool {
        let state = self.lock();
        let policy = state.policy(function_arn);
        policy.is_some_and(|p| p.allows(function_arn, source_arn, account))
    }

    /// What the resource itself says of a call to it, when it is a function.
    pub(crate) fn policy_of(&self, ask: &Ask) -> Option<iam::Policy> {
        if !ask.action.starts_with("lambda:") {
            return None;
        }
        let state = self.lock();
        let statements = state.policy(&ask.resource)?.statements.clone();
        Some(iam::Policy::of("the function's policy", statements))
    }
}

impl State {
    /// The policy of a function, version or alias: each has its own.
    fn policy(&self, arn: &str) -> Option<&Policy> {
        let mut parts = arn.split(':').skip(6);
        let (name, qualifier) = (parts.next()?, parts.next());
        let function = self.functions.get(name)?;
        function.policies.get(qualifier.unwrap_or_default())
    }
}

/// The policy's place: the function itself, a version or an alias, which must exist.
fn place(world: &World, function: &Function, target: &Target) -> Result<String, Refusal> {
    not_latest(target)?;
    function.version(world, target.qualifier())?;
    Ok(target.qualifier().unwrap_or_default().to_owned())
}

pub(super) async fn add(world: &Arc<World>, call: &Call) -> Result<Response, Refusal> {
    let target = call.target(world)?;
    let permission: Permission = call.input()?;
    permission.check()?;
    let _writing = Writing::begin(world, &target.name).await?;
    let statement = world.lambda.change(|state| {
        let function = state.function(world, &target.name)?;
        let place = place(world, function, &target)?;
        let statement = permission.statement(&arn(world, &target.name, target.qualifier()));
        let policy = function.policies.entry(place).or_default();
        let added = append(policy, &permission, statement);
        function.policies.retain(|_, p| !p.statements.is_empty());
        added
    })?;
    Ok(json(201, &json!({ "Statement": statement.to_string() })))
}

fn append(policy: &mut Policy, wanted: &Permission, statement: Value) -> Result<Value, Refusal> {
    let sid = &wanted.statement_id;
    guarded(policy, wanted.revision_id.as_deref())?;
    if policy.position(sid).is_some() {
        return Err(conflict(format!(
            "The statement id ({sid}) provided already exists. Please provide a new statement id, or remove the existing statement."
        )));
    }
    policy.statements.push(statement.clone());
    let size = policy.render().len();
    if size > LIMIT {
        policy.statements.pop();
        return Err(policy_too_long(size));
    }
    policy.revision = ids::uuid();
    Ok(statement)
}

pub(super) async fn remove(world: &Arc<World>, call: &Call) -> Result<Response, Refusal> {
    let target = call.target(world)?;
    let sid = call.argument(1);
    let _writing = Writing::begin(world, &target.name).await?;
    world.lambda.change(|state| {
        let function = state.function(world, &target.name)?;
        let place = place(world, function, &target)?;
        let gone = || missing(format!("Statement {sid} is not found in resource policy."));
        let policy = function.policies.get_mut(&place).ok_or_else(gone)?;
        let position = policy.position(sid).ok_or_else(gone)?;
        guarded(policy, call.query("RevisionId"))?;
        policy.statements.remove(position);
        policy.revision = ids::uuid();
        function.policies.retain(|_, p| !p.statements.is_empty());
        Ok(())
    })?;
    Ok(empty(204))
}

pub(super) fn get(world: &World, call: &Call) -> Result<Response, Refusal> {
    let target = call.target(world)?;
    let state = world.lambda.lock();
    let function = state
        .functions
        .get(&target.name)
        .ok_or_else(|| missing_function(world, &target.name, target.qualifier()))?;
    let place = target.qualifier().unwrap_or_default();
    let policy = function
        .policies
        .get(place)
        .ok_or_else(|| missing("The resource you requested does not exist."))?;
    let shown = json!({ "Policy": policy.render(), "RevisionId": policy.revision });
    Ok(json(200, &shown))
}

fn guarded(policy: &Policy, revision: Option<&str>) -> Result<(), Refusal> {
    if revision.is_some_and(|r| r != policy.revision) {
        return Err(precondition("GetPolicy"));
    }
    Ok(())
}

/// A write to a function's policy that is under way; another one meanwhile is refused when conflicts are real.
struct Writing<'a> {
    world: &'a World,
    function: &'a str,
}

impl<'a> Writing<'a> {
    async fn begin(world: &'a World, function: &'a str) -> Result<Option<Self>, Refusal> {
        if !world.realism.write_conflicts {
            return Ok(None);
        }
        if !locked(&world.lambda.writing).insert(function.to_owned()) {
            return Err(conflict(format!(
                "The operation cannot be performed at this time. An update is in progress for resource: {}",
                arn(world, function, None)
            )));
        }
        let writing = Self { world, function };
        if world.realism.api_write > Duration::ZERO {
            world.clock.wait(world.realism.api_write).await;
        }
        Ok(Some(writing))
    }
}

impl Drop for Writing<'_> {
    fn drop(&mut self) {
        locked(&self.world.lambda.writing).remove(self.function);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FUNCTION: &str = "arn:aws:lambda:us-east-1:000000000000:function:f:live";
    const SOURCE: &str = "arn:aws:execute-api:us-east-1:000000000000:a1/prod/$connect";

    #[test]
    fn globs_backtrack() {
        for (pattern, text, matches) in [
            ("a*b*c", "a-b-b-c", true),
            ("a*b*c", "a-b-b", false),
            ("*", "", true),
            ("?", "", false),
            ("execute-api:*", "execute-api:Invoke", true),
            ("a*c", "abbc", true),
            ("a*c", "abbd", false),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("*/routes/*", "apis/a/routes/b", true),
            ("a", "ab", false),
        ] {
            assert_eq!(glob(pattern, text), matches, "{pattern} on {text}");
        }
    }

    #[test]
    fn a_statement_for_another_principal_or_condition_admits_nobody() {
        let base = json!({
            "Effect": "Allow", "Principal": { "Service": GATEWAY }, "Action": INVOKE, "Resource": FUNCTION
        });
        let allows = |statement: Value| {
            let policy = Policy {
                statements: vec![statement],
                revision: String::new(),
            };
            policy.allows(FUNCTION, SOURCE, "000000000000")
        };
        let with = |key: &str, value: Value| {
            let mut statement = base.clone();
            statement[key] = value;
            allows(statement)
        };
        assert!(allows(base.clone()));
        assert!(!with("Principal", json!({ "Service": "s3.amazonaws.com" })));
        assert!(!with("Action", json!("lambda:GetFunction")));
        assert!(!with("Resource", json!(FUNCTION.replace(":live", ""))));
        for (operator, key, value, expected) in [
            ("StringEquals", "AWS:SourceAccount", "111122223333", false),
            ("StringEquals", "AWS:SourceAccount", "000000000000", true),
            ("StringEquals", "aws:PrincipalOrgID", "o-1", false),
            (
                "ArnLike",
                "AWS:SourceArn",
                "arn:aws:execute-api:us-east-1:*:a1/*/$connect",
                true,
            ),
            (
                "ArnLike",
                "AWS:SourceArn",
                "arn:aws:execute-api:us-east-1:*:a1/*/$disconnect",
                false,
            ),
            (
                "ArnLike",
                "AWS:SourceArn",
                "arn:aws:execute-api:*:a1/*",
                false,
            ),
        ] {
            let condition = json!({ operator: { key: value } });
            assert_eq!(
                with("Condition", condition),
                expected,
                "{operator} {key} {value}"
            );
        }
    }
}
