//! The way back: a plan that turns aliases and the stage to what they served before, and touches nothing else.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;
use serde_json::json;

use super::{Action, Change, Plan};
use crate::names::{Facts, Kind, Place, ResourceId, StackId};
use crate::observe::Observed;
use crate::resource::alias::{self, Alias};
use crate::resource::deployment::{Deployment, Serves};
use crate::resource::past::Past;
use crate::resource::permission::Permission;
use crate::resource::{Difference, Resource, api, version};

/// What a release is: which version each alias serves, which deployment each stage, and who may call.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Live(BTreeMap<ResourceId, String>);

impl Live {
    pub fn of(facts: &Facts) -> Self {
        let is_part = |id: &ResourceId| match id.kind {
            Kind::Alias | Kind::Deployment => true,
            // What a kill left beside the statement that counts is no part of it.
            Kind::Permission => !id.name.contains('~'),
            _ => false,
        };
        let parts = facts.iter().filter(|(id, _)| is_part(id));
        Self(parts.map(|(id, at)| (id.clone(), at.id.clone())).collect())
    }

    /// As the history keeps it. What cannot be read is of a version of msgai that is still to come.
    pub fn read(texts: &BTreeMap<String, String>) -> Self {
        let part = |(id, at): (&String, &String)| Some((id.parse().ok()?, at.clone()));
        Self(texts.iter().filter_map(part).collect())
    }

    pub fn texts(&self) -> BTreeMap<String, String> {
        let text = |(id, at): (&ResourceId, &String)| (id.to_string(), at.clone());
        self.0.iter().map(text).collect()
    }

    /// Whether anybody can reach it.
    pub fn is_served(&self) -> bool {
        self.0.keys().any(|id| id.kind == Kind::Deployment)
    }

    /// Each part of it, and its physical id.
    pub fn parts(&self) -> impl Iterator<Item = (&ResourceId, &str)> {
        self.0.iter().map(|(id, at)| (id, at.as_str()))
    }

    /// Whether `now` serves what this does. Functions that came since, and who may call besides, make no difference
    /// where the stage serves the same deployment: nothing leads to them.
    pub fn is_served_by(&self, now: &Self) -> bool {
        self.parts()
            .filter(|(id, _)| id.kind != Kind::Permission)
            .all(|(id, at)| now.0.get(id).is_some_and(|served| served == at))
    }
}

/// Something that a release needs and that is not there any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Missing {
    pub id: ResourceId,
    /// Which one of several there were.
    pub which: Option<String>,
}

impl Missing {
    fn one(id: ResourceId, which: &str) -> Self {
        Self {
            id,
            which: Some(which.to_owned()),
        }
    }
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.which {
            Some(which) => write!(f, "{} {which}", self.id),
            None => write!(f, "{}", self.id),
        }
    }
}

/// The plan that makes `target` live again, from what is live now: aliases first, the stage's deployment last, as a
/// deploy has it the other way round. A statement that went with its route is made again.
///
/// # Errors
/// All that the target needs and that is gone: a switch to it would serve errors.
pub fn switch(
    stack: &StackId,
    place: &Place,
    observed: &Observed,
    past: &Past,
    target: &Live,
) -> Result<Plan, Vec<Missing>> {
    let way = Way {
        stack,
        place,
        observed,
        past,
        target,
    };
    let parts = target.parts().map(|(id, at)| (id, way.action(id, at)));
    let mut actions: BTreeMap<ResourceId, Action> = BTreeMap::new();
    let (mut unchanged, mut missing) = (Vec::new(), Vec::new());
    for (id, action) in parts {
        match action {
            Ok(Some(action)) => drop(actions.insert(id.clone(), action)),
            Ok(None) => unchanged.push(id.clone()),
            Err(one) => missing.push(one),
        }
    }
    if !missing.is_empty() {
        return Err(missing);
    }
    Ok(Plan {
        stack: stack.clone(),
        place: place.clone(),
        changes: ordered(actions),
        kept: Vec::new(),
        unchanged,
        dangers: Vec::new(),
        facts: observed.facts(),
        notes: observed.notes.clone(),
    })
}

/// Whoever may call is let in first, then code, then the routes that lead to it.
fn ordered(actions: BTreeMap<ResourceId, Action>) -> BTreeMap<ResourceId, Change> {
    let turn = |kind| match kind {
        Kind::Permission => 0,
        Kind::Alias => 1,
        _ => 2,
    };
    let all: Vec<ResourceId> = actions.keys().cloned().collect();
    let before = |id: &ResourceId| {
        let earlier = all.iter().filter(|one| turn(one.kind) < turn(id.kind));
        earlier.cloned().collect()
    };
    let change = |(id, action): (ResourceId, Action)| {
        let after = before(&id);
        (id.clone(), Change { id, action, after })
    };
    actions.into_iter().map(change).collect()
}

/// What a switch is decided from.
struct Way<'a> {
    stack: &'a StackId,
    place: &'a Place,
    observed: &'a Observed,
    past: &'a Past,
    target: &'a Live,
}

impl Way<'_> {
    /// `None` where it is served already.
    fn action(&self, id: &ResourceId, at: &str) -> Result<Option<Action>, Missing> {
        match id.kind {
            Kind::Alias => self.alias(id, at),
            Kind::Deployment => self.deployment(id, at),
            _ => self.permission(id, at),
        }
    }

    fn alias(&self, id: &ResourceId, at: &str) -> Result<Option<Action>, Missing> {
        self.is_there(ResourceId::new(Kind::Function, &id.name))?;
        self.is_there(id.clone())?;
        let versions = self.past.functions.get(&id.name);
        // `$LATEST` is no number: it is not what it was then.
        let number = at.parse::<u64>().ok();
        let is_kept = versions
            .zip(number)
            .is_some_and(|(versions, number)| versions.published.contains(&number));
        if !is_kept {
            return Err(Missing::one(version::id(&id.name), at));
        }
        let alias = Alias {
            function: id.name.clone(),
            serves: alias::Serves::Pinned(at.to_owned()),
        };
        Ok(self.turned(id, "version", at, Resource::Alias(alias)))
    }

    fn deployment(&self, id: &ResourceId, at: &str) -> Result<Option<Action>, Missing> {
        self.is_there(ResourceId::new(Kind::Stage, &id.name))?;
        if !self.past.snapshots.iter().any(|one| one.id == at) {
            return Err(Missing::one(id.clone(), at));
        }
        let deployment = Deployment {
            stage: id.name.clone(),
            serves: Serves::Pinned(at.to_owned()),
            ready: Vec::new(),
        };
        Ok(self.turned(id, "deployment", at, Resource::Deployment(deployment)))
    }

    /// A statement's id is made of all that it says: with the same id, it is the same one.
    fn permission(&self, id: &ResourceId, at: &str) -> Result<Option<Action>, Missing> {
        let found = self.observed.objects.get(id);
        if found.is_some_and(|found| found.at.id == at) {
            return Ok(None);
        }
        let known = self.observed.facts();
        let gone = || Missing::one(id.clone(), at);
        let api = known.get(&api::id(self.stack)).ok_or_else(gone)?;
        let (function, route) = id.name.split_once(':').ok_or_else(gone)?;
        let stages = self
            .target
            .parts()
            .filter(|(id, _)| id.kind == Kind::Deployment);
        let mut written = stages
            .map(|(stage, _)| {
                Permission::of_route(self.place, &api.id, &stage.name, function, route)
            })
            .filter(|one| one.statement(&known).as_deref() == Some(at));
        let again = written.next().ok_or_else(gone)?;
        Ok(Some(Action::Create(Box::new(Resource::Permission(again)))))
    }

    fn is_there(&self, id: ResourceId) -> Result<(), Missing> {
        match self.observed.objects.get(&id) {
            Some(found) if found.ours => Ok(()),
            _ => Err(Missing { id, which: None }),
        }
    }

    fn turned(&self, id: &ResourceId, field: &str, at: &str, resource: Resource) -> Option<Action> {
        let resource = Box::new(resource);
        let Some(found) = self.observed.objects.get(id) else {
            return Some(Action::Create(resource));
        };
        let because = Difference {
            field: field.to_owned(),
            from: json!(found.at.id),
            to: json!(at),
        };
        (found.at.id != at).then(|| Action::Update {
            resource,
            at: found.at.clone(),
            because: vec![because],
        })
    }
}
