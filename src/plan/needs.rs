//! What somebody has to be allowed to carry a plan out: every action on every object, as IAM spells them. Pure.
//!
//! One table for each kind, beside the calls in `resource/`: a call that is added there is added here, and
//! `tests/needs.rs` holds the two together.

mod domain;
mod kinds;
mod looking;
mod policy;

use std::collections::BTreeSet;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Serialize;
use wildmatch::WildMatch;

use super::{Action, Change, Plan};
use crate::names::{Facts, Kind, LIVE, Physical, Place, ResourceId, StackId};
use crate::resource::alias::Alias;
use crate::resource::permission::Permission;
use crate::resource::role;
use crate::resource::tags::{self, Tags};
use crate::resource::{Desired, Difference, Resource, api, mapping, touches};

pub use looking::{of_looking, of_reading};
pub use policy::document;

/// Stands for an id that nobody knows yet.
pub const ANY: &str = "*";

/// What the ARN of a tag's path leaves as it is.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// One action on one object.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Need {
    pub action: &'static str,
    /// An ARN, with [`ANY`] for an id that is not known.
    pub resource: String,
    /// Whoever lacks it fails. Otherwise it may be granted elsewhere (a key's own policy), be called in some cases
    /// only, or be asked for by one source's word.
    pub firm: bool,
}

impl Need {
    /// Whether whoever may do this may do the other, [`ANY`] standing for anything.
    pub fn covers(&self, other: &Self) -> bool {
        self.action == other.action && WildMatch::new(&self.resource).matches(&other.resource)
    }
}

/// What this plan calls.
pub fn of_plan(plan: &Plan) -> BTreeSet<Need> {
    let mut needs = Needs::new(&plan.stack, &plan.place, &plan.facts);
    for change in plan.changes.values() {
        needs.change(change);
    }
    needs.all
}

/// What any plan of this stack can call, from the first deploy to the end. Ids are nobody's yet.
pub fn of_stack(stack: &StackId, place: &Place, desired: &Desired) -> BTreeSet<Need> {
    let facts = Facts::new();
    let mut needs = Needs::new(stack, place, &facts);
    for (id, resource) in &desired.resources {
        let at = Physical::new(match id.kind {
            Kind::Role => needs.role_arn(&id.name),
            Kind::RouteResponse => format!("{ANY}/{ANY}"),
            Kind::Stage => id.name.clone(),
            Kind::Mapping => format!("{}/{ANY}", mapping::domain_of(id)),
            _ => ANY.to_owned(),
        });
        needs.create(resource);
        needs.update(resource, &at, None);
        needs.delete(id, &at);
        needs.prune(id);
    }
    needs.all
}

struct Needs<'a> {
    stack: &'a StackId,
    place: &'a Place,
    facts: &'a Facts,
    all: BTreeSet<Need>,
}

/// Why something changes; `None` is for every reason that there can be.
type Because<'a> = Option<&'a [Difference]>;

fn touched(because: Because<'_>, fields: &[&str]) -> bool {
    because.is_none_or(|because| fields.iter().any(|field| touches(because, field)))
}

/// Whether tags are set, and whether some are removed.
fn tagged(because: Because<'_>, want: &Tags) -> (bool, bool) {
    because.map_or((true, true), |because| {
        let (remove, set) = tags::changes(because, want);
        (!set.is_empty(), !remove.is_empty())
    })
}

impl<'a> Needs<'a> {
    fn new(stack: &'a StackId, place: &'a Place, facts: &'a Facts) -> Self {
        Self {
            stack,
            place,
            facts,
            all: BTreeSet::new(),
        }
    }

    fn add(&mut self, resource: &str, actions: &[&'static str]) {
        self.insert(resource, actions, true);
    }

    /// Said for whoever writes a policy; no reason to refuse.
    fn maybe(&mut self, resource: &str, actions: &[&'static str]) {
        self.insert(resource, actions, false);
    }

    fn insert(&mut self, resource: &str, actions: &[&'static str], firm: bool) {
        self.all.extend(actions.iter().map(|action| Need {
            action,
            resource: resource.to_owned(),
            firm,
        }));
    }

    fn change(&mut self, change: &Change) {
        match &change.action {
            Action::Create(resource) => self.create(resource),
            Action::Update {
                resource,
                at,
                because,
            } => self.update(resource, at, Some(because)),
            Action::Delete { at, with: None } => self.delete(&change.id, at),
            // One costs no call, the other is refused.
            Action::Delete { with: Some(_), .. } | Action::Replace { .. } => {}
        }
    }

    fn create(&mut self, resource: &Resource) {
        match resource {
            Resource::Api(_) => {
                let apis = self.place.gateway_arn("/apis");
                self.add(&apis, &["apigateway:POST"]);
                self.made_with_tags(&apis, &self.api_path(""));
            }
            Resource::Role(role) => {
                let arn = self.role_arn(&role.name);
                self.add(&arn, &["iam:CreateRole", "iam:TagRole"]);
            }
            Resource::LogGroup(group) => {
                let (arn, inside) = self.log_group(&group.name);
                self.add(&inside, &["logs:CreateLogGroup"]);
                self.add(&arn, &["logs:TagResource"]);
                self.retention(group, &inside);
            }
            Resource::Table(table) => self.create_table(table),
            Resource::RolePolicy(policy) => {
                let arn = self.role_arn(&policy.role);
                self.add(&arn, &["iam:PutRolePolicy"]);
            }
            Resource::Function(function) => self.create_function(function),
            Resource::Version(version) => self.publish(&version.function.name),
            Resource::Alias(alias) => {
                let arn = self.place.function_arn(&alias.function);
                self.add(&arn, &["lambda:CreateAlias"]);
                // Where an earlier try was carried out and not answered.
                self.maybe(&arn, &["lambda:UpdateAlias"]);
            }
            Resource::Authorizer(_) => self.gateway("/authorizers", "apigateway:POST"),
            Resource::Integration(_) => self.gateway("/integrations", "apigateway:POST"),
            Resource::Route(_) => self.gateway("/routes", "apigateway:POST"),
            Resource::RouteResponse(response) => {
                let route = self.id(&ResourceId::new(Kind::Route, &response.route_key));
                let path = format!("/routes/{route}/routeresponses");
                self.gateway(&path, "apigateway:POST");
            }
            Resource::Permission(permission) => self.statement(permission, "lambda:AddPermission"),
            Resource::Stage(stage) => {
                self.gateway("/stages", "apigateway:POST");
                let stages = self.place.gateway_arn(&self.api_path("/stages"));
                self.made_with_tags(&stages, &self.api_path(&format!("/stages/{}", stage.name)));
            }
            Resource::Domain(domain) => self.create_domain(domain),
            Resource::Mapping(mapping) => self.create_mapping(mapping),
            Resource::EndpointOff(_) => self.gateway("", "apigateway:PATCH"),
            Resource::Deployment(deployment) => self.deploy(&deployment.stage),
        }
    }

    fn update(&mut self, resource: &Resource, at: &Physical, because: Because<'_>) {
        match resource {
            Resource::Api(api) => {
                if touched(because, &["name", "description", "select"]) {
                    self.gateway("", "apigateway:PATCH");
                }
                self.tag_gateway(&self.api_path(""), because, &api.tags);
            }
            Resource::Role(role) => self.update_role(role, at, because),
            Resource::LogGroup(group) => {
                let (arn, inside) = self.log_group(&group.name);
                self.add(&arn, &["logs:ListTagsForResource"]);
                if touched(because, &["retention"]) {
                    self.retention(group, &inside);
                }
                let names = ["logs:TagResource", "logs:UntagResource"];
                self.tag(&arn, because, &group.tags, names);
            }
            Resource::Table(table) => self.update_table(table, because),
            Resource::RolePolicy(_) => self.create(resource),
            Resource::Function(function) => self.update_function(function, because),
            Resource::Version(version) => self.publish(&version.function.name),
            Resource::Alias(Alias { function, .. }) => {
                let arn = self.place.function_arn(function);
                self.add(&arn, &["lambda:UpdateAlias"]);
            }
            Resource::Authorizer(_) => {
                self.gateway(&format!("/authorizers/{}", at.id), "apigateway:PATCH");
            }
            Resource::Integration(_) => {
                self.gateway(&format!("/integrations/{}", at.id), "apigateway:PATCH");
            }
            Resource::Route(_) => self.gateway(&format!("/routes/{}", at.id), "apigateway:PATCH"),
            Resource::RouteResponse(_) | Resource::EndpointOff(_) => {}
            Resource::Permission(permission) => {
                self.statement(permission, "lambda:AddPermission");
                self.statement(permission, "lambda:RemovePermission");
            }
            Resource::Stage(stage) => self.update_stage(stage, because),
            Resource::Domain(domain) => self.update_domain(domain, because),
            Resource::Mapping(mapping) => self.update_mapping(mapping, at, because),
            Resource::Deployment(deployment) => self.deploy(&deployment.stage),
        }
    }

    fn delete(&mut self, id: &ResourceId, at: &Physical) {
        match id.kind {
            Kind::Api => {
                let arn = self.place.api_arn(&at.id);
                self.add(&arn, &["apigateway:DELETE"]);
            }
            Kind::Role => self.add(&at.id, &["iam:DeleteRole"]),
            Kind::LogGroup => {
                let (arn, inside) = self.log_group(&id.name);
                self.add(&arn, &["logs:ListTagsForResource"]);
                self.add(&inside, &["logs:DeleteLogGroup"]);
            }
            Kind::Table => {
                let arn = self.place.table_arn(&id.name);
                let looks = ["dynamodb:ListTagsOfResource", "dynamodb:DescribeTable"];
                self.add(&arn, &looks);
                self.add(&arn, &["dynamodb:DeleteTable"]);
                // Only where deletion protection is to be lifted.
                self.maybe(&arn, &["dynamodb:UpdateTable"]);
            }
            Kind::RolePolicy => {
                let arn = self.role_arn(&id.name);
                self.add(&arn, &["iam:DeleteRolePolicy"]);
            }
            Kind::Function => {
                let arn = self.place.function_arn(&id.name);
                self.add(&arn, &["lambda:DeleteFunction"]);
            }
            Kind::Authorizer => self.remove("/authorizers", &at.id),
            Kind::Integration => self.remove("/integrations", &at.id),
            Kind::Route => self.remove("/routes", &at.id),
            Kind::RouteResponse => {
                let (route, response) = at.id.split_once('/').unwrap_or((ANY, ANY));
                self.remove(&format!("/routes/{route}/routeresponses"), response);
            }
            Kind::Permission => {
                let (function, _) = id.name.split_once(':').unwrap_or((&id.name, ""));
                self.on_alias(function, "lambda:RemovePermission");
            }
            Kind::Stage => self.remove("/stages", &at.id),
            Kind::Domain => self.remove_domain(&id.name),
            Kind::Mapping => self.remove_mapping(at),
            Kind::EndpointOff => self.gateway("", "apigateway:PATCH"),
            // They go with their function and their stage.
            Kind::Version | Kind::Alias | Kind::Deployment => {}
        }
    }

    /// Old releases are removed after a deploy. Where that is denied they stay, and nothing fails.
    fn prune(&mut self, id: &ResourceId) {
        match id.kind {
            Kind::Function => {
                let arn = self.place.function_arn(&id.name);
                self.maybe(&arn, &["lambda:ListVersionsByFunction"]);
                self.maybe(&format!("{arn}:{ANY}"), &["lambda:DeleteFunction"]);
            }
            Kind::Deployment => {
                let path = self.api_path(&format!("/deployments/{ANY}"));
                let arn = self.place.gateway_arn(&path);
                self.maybe(&arn, &["apigateway:DELETE"]);
            }
            _ => {}
        }
    }

    fn publish(&mut self, function: &str) {
        let arn = self.place.function_arn(function);
        self.add(&arn, &["lambda:PublishVersion"]);
    }

    fn statement(&mut self, permission: &Permission, action: &'static str) {
        self.on_alias(&permission.function, action);
    }

    /// The alias has a policy of its own, and is a resource of its own.
    fn on_alias(&mut self, function: &str, action: &'static str) {
        let arn = format!("{}:{LIVE}", self.place.function_arn(function));
        self.add(&arn, &[action]);
    }

    /// The verb of HTTP is the action, the path below the API the resource.
    fn gateway(&mut self, path: &str, verb: &'static str) {
        let arn = self.place.gateway_arn(&self.api_path(path));
        self.add(&arn, &[verb]);
    }

    fn remove(&mut self, collection: &str, id: &str) {
        self.gateway(&format!("{collection}/{id}"), "apigateway:DELETE");
    }

    fn tag(&mut self, arn: &str, because: Because<'_>, want: &Tags, names: [&'static str; 2]) {
        let (sets, removes) = tagged(because, want);
        let [set, remove] = names;
        if sets {
            self.add(arn, &[set]);
        }
        if removes {
            self.add(arn, &[remove]);
        }
    }

    fn tag_gateway(&mut self, path: &str, because: Because<'_>, want: &Tags) {
        let arn = self.tags_of(path);
        self.tag(
            &arn,
            because,
            want,
            ["apigateway:POST", "apigateway:DELETE"],
        );
    }

    /// With tags in the call that makes it, AWS asks for more, and its documents do not agree on what.
    fn made_with_tags(&mut self, collection: &str, path: &str) {
        self.maybe(collection, &["apigateway:TagResource"]);
        self.maybe(&self.tags_of(path), &["apigateway:POST"]);
    }

    /// The tags of a thing are a resource whose path holds the thing's ARN.
    fn tags_of(&self, path: &str) -> String {
        let arn = self.place.gateway_arn(path);
        // An id that is not known stays a wildcard.
        let encoded = arn
            .split(ANY)
            .map(|part| utf8_percent_encode(part, ENCODED).to_string())
            .collect::<Vec<_>>()
            .join(ANY);
        self.place.gateway_arn(&format!("/tags/{encoded}"))
    }

    fn api_path(&self, path: &str) -> String {
        format!("/apis/{}{path}", self.id(&api::id(self.stack)))
    }

    fn id(&self, of: &ResourceId) -> String {
        let known = self.facts.get(of).map(|physical| physical.id.clone());
        known.unwrap_or_else(|| ANY.to_owned())
    }

    /// Logs takes a group with what is in it for everything but tags.
    fn log_group(&self, name: &str) -> (String, String) {
        let arn = self.place.log_group_arn(name);
        let inside = format!("{arn}:{ANY}");
        (arn, inside)
    }

    /// A role that is there says its own ARN; one that is to be made lies under the stack's path.
    fn role_arn(&self, name: &str) -> String {
        let known = self.facts.get(&ResourceId::new(Kind::Role, name));
        known.map_or_else(
            || {
                let path = role::path(self.place, self.stack);
                self.place.role_arn(&path, name)
            },
            |physical| physical.id.clone(),
        )
    }
}
