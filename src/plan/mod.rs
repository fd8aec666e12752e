//! What should be, less what is: every change, and what it must come after. Pure: same inputs, same bytes out.
//!
//! In: [`Desired`] and [`Observed`]. Out: a [`Plan`], which is shown, guarded and applied as the one value it is.
//! Never: a call, a clock, an environment variable, a choice left to whoever applies it.

pub mod diff;
pub mod guard;
mod inside;
mod markdown;
pub mod needs;
mod order;
#[cfg(test)]
mod readable;
pub mod render;
pub mod switch;
#[cfg(test)]
mod tests;
pub mod text;
mod value;
pub mod wrap;

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::names::{Facts, Kind, Physical, Place, ResourceId, StackId};
use crate::observe::Observed;
use crate::resource::{Desired, Difference, Resource, goes_with};
pub use guard::Danger;

/// All changes, and what was known when they were planned.
#[derive(Debug, Clone)]
pub struct Plan {
    pub stack: StackId,
    pub place: Place,
    pub changes: BTreeMap<ResourceId, Change>,
    /// Objects that nothing wants any more and that stay all the same.
    pub kept: Vec<ResourceId>,
    /// Resources that are as they should be.
    pub unchanged: Vec<ResourceId>,
    pub dangers: Vec<Danger>,
    pub facts: Facts,
    pub notes: Vec<String>,
}

impl AsRef<Self> for Plan {
    fn as_ref(&self) -> &Self {
        self
    }
}

/// What will happen to one resource, once all of `after` has happened.
#[derive(Debug, Clone)]
pub struct Change {
    pub id: ResourceId,
    pub action: Action,
    pub after: BTreeSet<ResourceId>,
}

#[derive(Debug, Clone)]
pub enum Action {
    Create(Box<Resource>),
    Update {
        resource: Box<Resource>,
        at: Physical,
        because: Vec<Difference>,
    },
    /// It would need a new object. No kind is replaced behind a person's back: the plan refuses itself.
    Replace {
        because: Vec<Difference>,
    },
    Delete {
        at: Physical,
        /// The object whose removal removes this one: no call of its own.
        with: Option<ResourceId>,
    },
}

/// How many of which.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    pub add: usize,
    pub change: usize,
    pub destroy: usize,
}

impl Action {
    /// What there will be; nothing for what goes.
    pub fn resource(&self) -> Option<&Resource> {
        match self {
            Self::Create(resource) | Self::Update { resource, .. } => Some(resource),
            Self::Replace { .. } | Self::Delete { .. } => None,
        }
    }

    pub fn symbol(&self) -> &'static str {
        match self {
            Self::Create(_) => "+",
            Self::Update { .. } => "~",
            Self::Replace { .. } => "-/+",
            Self::Delete { .. } => "-",
        }
    }

    pub fn word(&self) -> &'static str {
        match self {
            Self::Create(_) => "create",
            Self::Update { .. } => "update",
            Self::Replace { .. } => "replace",
            Self::Delete { .. } => "delete",
        }
    }
}

impl Plan {
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    pub fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        for change in self.changes.values() {
            match change.action {
                Action::Create(_) => counts.add += 1,
                Action::Update { .. } => counts.change += 1,
                Action::Replace { .. } => {
                    counts.add += 1;
                    counts.destroy += 1;
                }
                Action::Delete { .. } => counts.destroy += 1,
            }
        }
        counts
    }
}

/// For questions that do not need the handlers built: code is as it should be wherever it is.
pub fn assume_code(desired: &mut Desired, observed: &Observed) {
    for resource in desired.resources.values_mut() {
        let function = match resource {
            Resource::Function(function) => function,
            Resource::Version(version) => &mut version.function,
            _ => continue,
        };
        let id = ResourceId::new(Kind::Function, &function.name);
        let code = observed
            .objects
            .get(&id)
            .and_then(|found| found.settings["code"].as_str());
        if let Some(sha256) = code {
            sha256.clone_into(&mut function.code.sha256);
        }
    }
}

/// The one place where anything is decided.
pub fn plan(stack: &StackId, place: &Place, desired: &Desired, observed: &Observed) -> Plan {
    let facts = observed.facts();
    let mut changes = BTreeMap::new();
    let mut unchanged = Vec::new();
    // What is put in another's place has an id that nobody knows yet; kinds stand in the order of their needs.
    let mut known = facts.clone();
    let is_foreign = |id| observed.objects.get(id).is_some_and(|found| !found.ours);
    for (id, resource) in &desired.resources {
        // Not ours to change, and not as it should be either: a danger says so.
        if is_foreign(id) {
            continue;
        }
        match of_wanted(id, resource, observed, &known) {
            Some(action) => {
                if resource.is_renewed() {
                    known.remove(id);
                }
                changes.insert(id.clone(), action);
            }
            None => unchanged.push(id.clone()),
        }
    }
    let (leftovers, kept) = leftovers(desired, observed);
    changes.extend(leftovers);
    cascade(stack, &mut changes);
    let changes = order::order(changes);
    let dangers = guard::dangers(desired, observed, &changes);
    let notes = notes(&changes, observed);
    let (stack, place) = (stack.clone(), place.clone());
    Plan {
        stack,
        place,
        changes,
        kept,
        unchanged,
        dangers,
        facts,
        notes,
    }
}

/// What could not be looked at, and what was to be taken over and is made instead.
fn notes(changes: &BTreeMap<ResourceId, Change>, observed: &Observed) -> Vec<String> {
    let absent = observed.absent.iter().filter(|id| changes.contains_key(id));
    let absent = absent.map(|id| format!("there is no {id} to take over: a new one is made"));
    observed.notes.iter().cloned().chain(absent).collect()
}

/// `None` when it is as it should be.
fn of_wanted(
    id: &ResourceId,
    resource: &Resource,
    observed: &Observed,
    facts: &Facts,
) -> Option<Action> {
    let Some(found) = observed.objects.get(id) else {
        return Some(Action::Create(Box::new(resource.clone())));
    };
    let because = diff::differences(&found.settings, &resource.settings(facts));
    if because.is_empty() {
        return None;
    }
    if because.iter().any(|d| resource.is_immutable(&d.field)) {
        return Some(Action::Replace { because });
    }
    Some(Action::Update {
        resource: Box::new(resource.clone()),
        at: found.at.clone(),
        because,
    })
}

/// Objects of ours that nothing wants: removed, or kept when their kind is.
fn leftovers(
    desired: &Desired,
    observed: &Observed,
) -> (BTreeMap<ResourceId, Action>, Vec<ResourceId>) {
    let mut removed = BTreeMap::new();
    let mut kept = Vec::new();
    for (id, found) in &observed.objects {
        if !found.ours || desired.resources.contains_key(id) {
            continue;
        }
        if desired.kept.contains(&id.kind) {
            kept.push(id.clone());
        } else {
            let action = Action::Delete {
                at: found.at.clone(),
                with: None,
            };
            removed.insert(id.clone(), action);
        }
    }
    (removed, kept)
}

/// Marks what goes with another object that goes.
fn cascade(stack: &StackId, changes: &mut BTreeMap<ResourceId, Action>) {
    let going: BTreeSet<ResourceId> = changes
        .iter()
        .filter(|(_, action)| matches!(action, Action::Delete { .. }))
        .map(|(id, _)| id.clone())
        .collect();
    let top_of = |id: &ResourceId| {
        let mut top = None;
        let mut current = id.clone();
        while let Some(parent) = goes_with(&current, stack).filter(|p| going.contains(p)) {
            top = Some(parent.clone());
            current = parent;
        }
        top
    };
    for (id, action) in changes {
        if let Action::Delete { with, .. } = action {
            *with = top_of(id);
        }
    }
}
