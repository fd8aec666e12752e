//! IAM's roles and policies (query protocol).
//!
//! In: form parameters. Out: values that become XML, refusals with IAM's codes. And the judge of every call of a
//! role's session: `asks` says what a call asks for, `permissions` what the role may do, `evaluate` what a policy says.

mod asks;
mod conditions;
mod evaluate;
mod granted;
mod guard;
mod managed;
mod of_aws;
mod pattern;
mod permissions;
mod policy;
mod roles;
mod simulate;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::io;
use std::sync::Mutex;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

pub(crate) use asks::{Asked, connections, of as asks_of};
pub(crate) use conditions::Context;
pub(crate) use evaluate::{Policy, Principal};
pub(crate) use guard::{Ask, admits, check, user};

use super::accounts::AccountId;
use super::refusal::Refusal;
use super::store::Store;
use super::wire::{self, Object, Reply};
use super::{World, locked};

const FILE: &str = "iam";

/// What RFC 3986 leaves as it is.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

type Parameters = BTreeMap<String, String>;

/// All roles of the account.
pub(crate) struct Iam(Mutex<State>);

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
struct State {
    #[serde(skip)]
    account: AccountId,
    /// By lower-case name: names are unique whatever their case.
    roles: BTreeMap<String, Role>,
    /// The account's managed policies, by ARN.
    policies: BTreeMap<String, managed::Managed>,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Role {
    #[serde(default)]
    account: AccountId,
    name: String,
    path: String,
    id: String,
    created: Duration,
    /// When the trust was last written; until it has spread, Lambda does not see it.
    trusted: Duration,
    trust: String,
    description: String,
    max_session: u32,
    boundary: Option<String>,
    tags: BTreeMap<String, String>,
    inline: BTreeMap<String, String>,
    /// ARNs of managed policies.
    attached: Vec<String>,
}

impl Role {
    fn arn(&self) -> String {
        let Self {
            account,
            path,
            name,
            ..
        } = self;
        format!("arn:aws:iam::{account}:role{path}{name}")
    }
}

pub(crate) fn answer(
    world: &World,
    operation: &str,
    parameters: &Parameters,
) -> Result<Reply, Refusal> {
    let now = world.clock.now();
    let mut state = locked(&world.iam.0);
    if let Some(reply) = read(&state, operation, parameters)? {
        return Ok(reply);
    }
    let mut draft = state.clone();
    let reply = roles::write(&mut draft, operation, parameters, now)?;
    world
        .store
        .save(FILE, &draft)
        .map_err(|e| wire::unsaved(&e))?;
    *state = draft;
    Ok(reply)
}

impl Iam {
    pub(crate) fn open(store: &Store, account: &str) -> io::Result<Self> {
        let mut state: State = store.load(FILE)?;
        state.account = AccountId::new(account);
        Ok(Self(Mutex::new(state)))
    }

    /// Whether Lambda can take the role on: it exists, trusts Lambda, and both have had time to spread.
    pub(crate) fn assumable_by_lambda(
        &self,
        role_arn: &str,
        now: Duration,
        propagation: Duration,
    ) -> bool {
        self.with_role(role_arn, |role| {
            trusts_service(role, "lambda.amazonaws.com") && now >= role.trusted + propagation
        })
    }

    /// Whether API Gateway could write its logs with the role.
    pub(crate) fn may_log_for_apis(&self, world: &World, role_arn: &str) -> bool {
        self.with_role(role_arn, |role| {
            let attached = role
                .attached
                .iter()
                .any(|arn| arn.ends_with("/AmazonAPIGatewayPushToCloudWatchLogs"));
            let inline = role.inline.values().any(|policy| policy.contains("logs:"));
            trusts_service(role, "apigateway.amazonaws.com")
                && (attached || inline)
                && world.clock.now() >= role.trusted + world.realism.role_propagation
        })
    }

    /// Whether a role of this ARN exists.
    pub(crate) fn has_role(&self, role_arn: &str) -> bool {
        self.with_role(role_arn, |_| true)
    }

    /// The ARN of a role, which has its path in it.
    fn arn_of(&self, name: &str) -> Option<String> {
        let state = locked(&self.0);
        let role = state.roles.get(&name.to_ascii_lowercase());
        role.filter(|role| role.name == name).map(Role::arn)
    }

    fn with_role(&self, arn: &str, ask: impl FnOnce(&Role) -> bool) -> bool {
        locked(&self.0).role_of(arn).is_some_and(ask)
    }
}

impl State {
    fn role_of(&self, arn: &str) -> Option<&Role> {
        let name = arn.rsplit('/').next().unwrap_or_default();
        let role = self.roles.get(&name.to_ascii_lowercase());
        role.filter(|role| role.arn() == arn)
    }
}

fn trusts_service(role: &Role, service: &'static str) -> bool {
    let mut context = Context::default();
    context.set("aws:SourceAccount", role.account.to_string());
    guard::trusts(role, &Principal::Service(service), &context)
}

/// `None` when the operation writes.
fn read(state: &State, operation: &str, parameters: &Parameters) -> Result<Option<Reply>, Refusal> {
    let role = || role(state, parameters);
    let reply = match operation {
        "GetRole" => json!({ "Role": describe(role()?) }),
        "ListRoles" => {
            let prefix = parameters.get("PathPrefix").map_or("/", String::as_str);
            let roles = state
                .roles
                .iter()
                .filter(|(_, role)| role.path.starts_with(prefix));
            page(
                "Roles",
                roles.map(|(key, role)| (key.clone(), summarize(role))),
                parameters,
            )?
        }
        "GetRolePolicy" => {
            let role = role()?;
            let name = required(parameters, "PolicyName")?;
            let document = role.inline.get(name).ok_or_else(|| no_policy(name))?;
            json!({ "RoleName": role.name, "PolicyName": name, "PolicyDocument": encode(document) })
        }
        "ListRolePolicies" => {
            let names = role()?.inline.keys();
            page(
                "PolicyNames",
                names.map(|name| (name.clone(), name.clone().into())),
                parameters,
            )?
        }
        "ListAttachedRolePolicies" => {
            let prefix = parameters.get("PathPrefix").map_or("", String::as_str);
            let attached = role()?.attached.iter().filter(|arn| arn.contains(prefix));
            let policies = attached.map(|arn| {
                let name = arn.rsplit('/').next().unwrap_or_default();
                (arn.clone(), json!({ "PolicyName": name, "PolicyArn": arn }))
            });
            page("AttachedPolicies", policies, parameters)?
        }
        "ListRoleTags" => {
            let tags = role()?.tags.iter();
            let tags = tags.map(|(k, v)| (k.clone(), json!({ "Key": k, "Value": v })));
            page("Tags", tags, parameters)?
        }
        "SimulatePrincipalPolicy" => simulate::simulate(state, parameters)?,
        "GetAccountSummary" => summary(state),
        "ListInstanceProfilesForRole" => {
            role()?;
            json!({ "InstanceProfiles": [], "IsTruncated": false })
        }
        _ => return Ok(managed::read(state, operation, parameters)?.map(Reply::ok)),
    };
    Ok(Some(Reply::ok(reply)))
}

/// Counts and quotas; only those of roles mean something here.
fn summary(state: &State) -> Value {
    let entries = [
        ("Roles", state.roles.len()),
        ("RolesQuota", roles::ROLES),
        ("Users", 1),
        ("UsersQuota", 5000),
    ];
    let entries = entries.map(|(key, value)| json!({ "key": key, "value": value }));
    json!({ "SummaryMap": { "entry": entries } })
}

fn role<'a>(state: &'a State, parameters: &Parameters) -> Result<&'a Role, Refusal> {
    let name = required(parameters, "RoleName")?;
    state
        .roles
        .get(&name.to_ascii_lowercase())
        .filter(|role| role.name == name)
        .ok_or_else(|| no_role(name))
}

/// A role with its trust, which travels URL-encoded.
fn describe(role: &Role) -> Value {
    let mut about = summarize(role);
    if let Some(boundary) = &role.boundary {
        about["PermissionsBoundary"] = json!({
            "PermissionsBoundaryType": "Policy", "PermissionsBoundaryArn": boundary
        });
    }
    if !role.tags.is_empty() {
        let tags = role
            .tags
            .iter()
            .map(|(k, v)| json!({ "Key": k, "Value": v }));
        about["Tags"] = tags.collect::<Vec<_>>().into();
    }
    about["RoleLastUsed"] = Object::new().into();
    about
}

/// As `ListRoles` shows it: without tags and boundary.
fn summarize(role: &Role) -> Value {
    let mut about = json!({
        "Path": role.path,
        "RoleName": role.name,
        "RoleId": role.id,
        "Arn": role.arn(),
        "CreateDate": wire::iso(role.created),
        "AssumeRolePolicyDocument": encode(&role.trust),
        "MaxSessionDuration": role.max_session,
    });
    if !role.description.is_empty() {
        about["Description"] = role.description.clone().into();
    }
    about
}

fn encode(document: &str) -> String {
    utf8_percent_encode(document, ENCODED).to_string()
}

/// One page: `MaxItems` (100), `Marker`, `IsTruncated`.
fn page(
    member: &str,
    items: impl Iterator<Item = (String, Value)>,
    parameters: &Parameters,
) -> Result<Value, Refusal> {
    let size = match parameters.get("MaxItems") {
        None => 100,
        Some(given) => given
            .parse()
            .ok()
            .filter(|size| (1..=1000).contains(size))
            .ok_or_else(|| {
                invalid(
                    "maxItems",
                    given,
                    "Member must have value between 1 and 1000",
                )
            })?,
    };
    let after = match parameters.get("Marker") {
        None => None,
        Some(marker) => Some(
            URL_SAFE_NO_PAD
                .decode(marker)
                .ok()
                .and_then(|bytes| String::from_utf8(bytes).ok())
                .ok_or_else(|| Refusal::new(400, "ValidationError", "Invalid Marker"))?,
        ),
    };
    let mut rest = items
        .filter(|(key, _)| after.as_ref().is_none_or(|after| key > after))
        .peekable();
    let mut page = Vec::new();
    let mut last = String::new();
    for (key, item) in rest.by_ref().take(size) {
        page.push(item);
        last = key;
    }
    let mut body = Object::new();
    body.insert(member.to_owned(), page.into());
    let more = rest.peek().is_some();
    body.insert("IsTruncated".to_owned(), more.into());
    if more {
        body.insert("Marker".to_owned(), URL_SAFE_NO_PAD.encode(last).into());
    }
    Ok(body.into())
}

/// `Name.member.1`, `.2` and so on.
fn listed(parameters: &Parameters, name: &str) -> Vec<String> {
    let member = |i: usize| parameters.get(&format!("{name}.member.{i}")).cloned();
    (1..).map_while(member).collect()
}

fn required<'a>(parameters: &'a Parameters, name: &str) -> Result<&'a str, Refusal> {
    parameters
        .get(name)
        .map(String::as_str)
        .filter(|value| !value.is_empty())
        .ok_or_else(|| {
            let mut member = name.to_owned();
            if let Some(first) = member.get_mut(..1) {
                first.make_ascii_lowercase();
            }
            invalid(&member, "", "Member must not be null")
        })
}

fn invalid(member: &str, value: &str, rule: &str) -> Refusal {
    Refusal::new(
        400,
        "ValidationError",
        format!(
            "1 validation error detected: Value '{value}' at '{member}' failed to satisfy constraint: {rule}"
        ),
    )
}

fn no_role(name: &str) -> Refusal {
    Refusal::new(
        404,
        "NoSuchEntity",
        format!("The role with name {name} cannot be found."),
    )
}

fn no_policy(name: &str) -> Refusal {
    Refusal::new(
        404,
        "NoSuchEntity",
        format!("The role policy with name {name} cannot be found."),
    )
}
