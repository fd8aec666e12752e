//! What msgai can manage: one file a kind, and the list of them.
//!
//! In: settings that a stack wants, and the clients. Out: what exists, and calls that make, change or remove it.
//! Never: a decision about what to do (that is the plan's), a default, a physical name.

pub mod alias;
pub mod api;
pub mod authorizer;
pub mod deployment;
mod desired;
pub mod domain;
pub mod endpoint_off;
pub mod function;
pub mod integration;
pub mod log_group;
pub mod mapping;
pub mod past;
pub mod permission;
pub mod role;
pub mod role_policy;
pub mod route;
pub mod route_response;
pub mod stage;
pub mod table;
pub mod tags;
pub mod text;
pub mod version;

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::Value;

pub use desired::Desired;

use crate::cloud::{Cloud, CloudError};
use crate::names::{Facts, Kind, MARK, Physical, Place, ResourceId, StackId};

/// One setting that is not as it should be.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Difference {
    /// The way to it, such as `throttle.rate`.
    pub field: String,
    pub from: Value,
    pub to: Value,
}

/// What a kind's calls work with.
pub struct Work<'a> {
    pub cloud: &'a Cloud,
    pub place: &'a Place,
    pub stack: &'a StackId,
    pub facts: &'a Facts,
}

impl Work<'_> {
    /// The physical id of a resource that the plan made before this one.
    ///
    /// # Panics
    /// When the plan did not: a mistake in `after()`.
    pub(crate) fn id(&self, of: &ResourceId) -> &str {
        &self
            .facts
            .get(of)
            .expect("a plan makes what a resource needs before it")
            .id
    }

    pub(crate) fn text(&self, text: &text::Text) -> String {
        text.resolve(self.facts)
            .expect("a plan makes what a text needs before it")
    }

    /// The id of the stack's one API.
    pub(crate) fn api(&self) -> &str {
        self.id(&api::id(self.stack))
    }
}

/// What to look for: everything with the stack's mark, and whatever has a name that the stack wants.
#[derive(Debug, Clone)]
pub struct Scope {
    pub stack: StackId,
    pub place: Place,
    /// Every tag that an object of ours should have, the mark among them.
    pub tags: BTreeMap<String, String>,
    pub wanted: BTreeSet<ResourceId>,
    /// Objects that are taken over when they have no stack's mark; an API is named by its physical id.
    pub adopt: BTreeSet<ResourceId>,
    /// The domain that is used and never changed.
    pub used_domain: Option<String>,
    /// Tables that are used and never changed: physical names.
    pub referenced: BTreeSet<String>,
    /// Tables that want AWS's managed key, which is told from another key only by their wanting it.
    pub managed_keys: BTreeSet<String>,
    /// Whether a table with an index that is being built is as it should be.
    pub until: table::Until,
    /// The stage writes access logs, for which the account needs a role.
    pub access_logs: bool,
}

impl Scope {
    pub(crate) fn names(&self, kind: Kind) -> impl Iterator<Item = &str> {
        self.wanted
            .iter()
            .filter(move |id| id.kind == kind)
            .map(|id| id.name.as_str())
    }

    /// Whether an object with these tags is this stack's, or is named for becoming it and is nobody's.
    pub(crate) fn has(&self, id: &ResourceId, tags: &BTreeMap<String, String>) -> bool {
        match tags.get(MARK) {
            Some(stack) => stack == self.stack.as_str(),
            None => self.adopt.contains(id),
        }
    }
}

/// An object that exists.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Found {
    pub id: ResourceId,
    pub at: Physical,
    pub settings: Value,
    /// `false`: it has a name that the stack wants, but no mark of this stack, and is not to be taken over.
    pub ours: bool,
    /// What it is doing just now when it is not at rest, such as `Pending`.
    pub state: Option<String>,
}

impl Found {
    pub(crate) fn ours(kind: Kind, name: impl Into<String>, at: Physical, settings: Value) -> Self {
        Self {
            id: ResourceId::new(kind, name),
            at,
            settings,
            ours: true,
            state: None,
        }
    }

    /// The stack that it belongs to, where one has marked it.
    pub fn owner(&self) -> Option<String> {
        let by_path = (self.id.kind == Kind::Role).then(|| role::owner(&self.at.id));
        let by_tag = || self.settings["tags"][MARK].as_str().map(str::to_owned);
        by_path.flatten().or_else(by_tag)
    }
}

/// Where the one with this id is.
pub(crate) fn at_id(all: Vec<Found>, id: &ResourceId) -> Option<Physical> {
    let mine = all.into_iter().find(|found| found.id == *id);
    mine.map(|found| found.at)
}

/// What every kind says of itself. `create`, `update` and `delete` do not read to decide.
pub(crate) trait Managed {
    const KIND: Kind;
    /// Settings that cannot be changed in place.
    const IMMUTABLE: &'static [&'static str] = &[];
    /// A change puts another object in its place, and what needs its id has to wait for the new one.
    const RENEWED: bool = false;

    fn name(&self) -> String;
    /// What must be there, or be changed, before this.
    fn after(&self) -> Vec<ResourceId>;
    /// Canonical: sorted, defaults filled, as `list` gives them.
    fn settings(&self, facts: &Facts) -> Value;
    async fn create(&self, work: &Work<'_>) -> Result<Physical, CloudError>;
    /// Makes exactly these differences disappear.
    async fn update(
        &self,
        work: &Work<'_>,
        at: &Physical,
        because: &[Difference],
    ) -> Result<Physical, CloudError>;
}

/// A thing that the stack declares. A closed set: a new kind does not compile until every match knows it.
#[derive(Debug, Clone, PartialEq)]
pub enum Resource {
    Api(api::Api),
    Role(role::Role),
    LogGroup(log_group::LogGroup),
    Table(table::Table),
    RolePolicy(role_policy::RolePolicy),
    Function(function::Function),
    Version(version::Version),
    Alias(alias::Alias),
    Authorizer(authorizer::Authorizer),
    Integration(integration::Integration),
    Route(route::Route),
    RouteResponse(route_response::RouteResponse),
    Permission(permission::Permission),
    Stage(stage::Stage),
    Domain(domain::Domain),
    Mapping(mapping::Mapping),
    EndpointOff(endpoint_off::EndpointOff),
    Deployment(deployment::Deployment),
}

/// The same method of whichever kind it is.
macro_rules! each {
    ($resource:expr, $inner:ident => $body:expr) => {
        match $resource {
            Resource::Api($inner) => $body,
            Resource::Role($inner) => $body,
            Resource::LogGroup($inner) => $body,
            Resource::Table($inner) => $body,
            Resource::RolePolicy($inner) => $body,
            Resource::Function($inner) => $body,
            Resource::Version($inner) => $body,
            Resource::Alias($inner) => $body,
            Resource::Authorizer($inner) => $body,
            Resource::Integration($inner) => $body,
            Resource::Route($inner) => $body,
            Resource::RouteResponse($inner) => $body,
            Resource::Permission($inner) => $body,
            Resource::Stage($inner) => $body,
            Resource::Domain($inner) => $body,
            Resource::Mapping($inner) => $body,
            Resource::EndpointOff($inner) => $body,
            Resource::Deployment($inner) => $body,
        }
    };
}

fn kind_of<M: Managed>(_: &M) -> Kind {
    M::KIND
}

fn renewed_of<M: Managed>(_: &M) -> bool {
    M::RENEWED
}

fn immutable_of<M: Managed>(_: &M) -> &'static [&'static str] {
    M::IMMUTABLE
}

impl Resource {
    pub fn id(&self) -> ResourceId {
        each!(self, it => ResourceId::new(kind_of(it), it.name()))
    }

    pub fn after(&self) -> Vec<ResourceId> {
        each!(self, it => it.after())
    }

    pub fn settings(&self, facts: &Facts) -> Value {
        each!(self, it => it.settings(facts))
    }

    /// Whether a change of this field needs a new object.
    pub fn is_immutable(&self, field: &str) -> bool {
        let head = field.split(['.', '[']).next().unwrap_or(field);
        each!(self, it => immutable_of(it).contains(&head))
    }

    /// Whether a change of it gives it another physical id.
    pub fn is_renewed(&self) -> bool {
        each!(self, it => renewed_of(it))
    }

    pub async fn create(&self, work: &Work<'_>) -> Result<Physical, CloudError> {
        each!(self, it => it.create(work).await)
    }

    pub async fn update(
        &self,
        work: &Work<'_>,
        at: &Physical,
        because: &[Difference],
    ) -> Result<Physical, CloudError> {
        each!(self, it => it.update(work, at, because).await)
    }
}

/// Removes an object. What is gone already is success.
pub async fn delete(id: &ResourceId, at: &Physical, work: &Work<'_>) -> Result<(), CloudError> {
    let done = match id.kind {
        Kind::Api => api::delete(work, at).await,
        Kind::Role => role::delete(work, &id.name).await,
        Kind::LogGroup => log_group::delete(work, &id.name).await,
        Kind::Table => table::delete(work, &id.name).await,
        Kind::RolePolicy => role_policy::delete(work, at).await,
        Kind::Function => function::delete(work, &id.name).await,
        Kind::Alias => alias::delete(work, &id.name).await,
        Kind::Authorizer => authorizer::delete(work, at).await,
        Kind::Integration => integration::delete(work, at).await,
        Kind::Route => route::delete(work, at).await,
        Kind::RouteResponse => route_response::delete(work, at).await,
        Kind::Permission => permission::delete(work, id, at).await,
        Kind::Stage => stage::delete(work, at).await,
        Kind::Domain => domain::delete(work, &id.name).await,
        Kind::Mapping => mapping::delete(work, id, at).await,
        Kind::EndpointOff => endpoint_off::delete(work, at).await,
        // They go with their function or stage; old ones are history that traffic can go back to.
        Kind::Version | Kind::Deployment => Ok(()),
    };
    match done {
        Err(error) if error.fault == crate::cloud::Fault::NotFound => Ok(()),
        done => done,
    }
}

/// The object whose removal removes this one too.
pub fn goes_with(id: &ResourceId, stack: &StackId) -> Option<ResourceId> {
    match id.kind {
        Kind::Authorizer | Kind::Integration | Kind::Route | Kind::Stage | Kind::EndpointOff => {
            Some(api::id(stack))
        }
        Kind::RouteResponse => Some(ResourceId::new(Kind::Route, &id.name)),
        Kind::Deployment => Some(ResourceId::new(Kind::Stage, &id.name)),
        Kind::Version | Kind::Alias => Some(ResourceId::new(Kind::Function, &id.name)),
        Kind::Permission => {
            let function = id.name.split_once(':').map_or(id.name.as_str(), |(f, _)| f);
            Some(ResourceId::new(Kind::Function, function))
        }
        Kind::Api
        | Kind::Role
        | Kind::LogGroup
        | Kind::Table
        | Kind::RolePolicy
        | Kind::Domain
        | Kind::Mapping
        | Kind::Function => None,
    }
}

/// Whether any difference is of this setting.
pub(crate) fn touches(because: &[Difference], field: &str) -> bool {
    because
        .iter()
        .any(|d| d.field.split(['.', '[']).next() == Some(field))
}

/// Whether a change of this field needs a new object, of whatever resource of this kind.
pub(crate) fn is_fixed(kind: Kind, field: &str) -> bool {
    let fixed = match kind {
        Kind::Table => table::Table::IMMUTABLE,
        _ => &[],
    };
    let head = field.split(['.', '[']).next().unwrap_or(field);
    fixed.contains(&head)
}

/// The members of a setting that differ: `a.b` for `tags."a.b"`, `x` for `indexes.x.partition`.
pub(crate) fn members(because: &[Difference], setting: &str) -> BTreeSet<String> {
    let of_setting = |d: &Difference| {
        let rest = d.field.strip_prefix(setting)?.strip_prefix('.')?.to_owned();
        // A name with a dot in it stands in quotes.
        let name = match rest.strip_prefix('"') {
            Some(quoted) => quoted.rsplit_once('"')?.0,
            None => rest.split(['.', '[']).next()?,
        };
        Some(name.to_owned())
    };
    because.iter().filter_map(of_setting).collect()
}

/// All items of a list that comes in pages; `ask` takes a token and gives items and the next token.
pub(crate) async fn pages<T, F, A>(ask: F) -> Result<Vec<T>, CloudError>
where
    F: Fn(Option<String>) -> A,
    A: Future<Output = Result<(Vec<T>, Option<String>), CloudError>>,
{
    let mut all = Vec::new();
    let mut token = None;
    loop {
        let (items, next) = ask(token).await?;
        all.extend(items);
        token = next.filter(|t| !t.is_empty());
        if token.is_none() {
            return Ok(all);
        }
    }
}

/// `None` for what is not there.
pub(crate) fn found<T>(answer: Result<T, CloudError>) -> Result<Option<T>, CloudError> {
    match answer {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.fault == crate::cloud::Fault::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}
