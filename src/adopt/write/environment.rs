//! Functions' variables: what the tool derives is left out, what names a part of the stack becomes a reference, and
//! what looks secret is taken from the environment of whoever deploys.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::super::secret::is_secret;
use super::super::system::{Fate, Function, Note, System};
use super::super::yaml::scalar;
use super::Writer;
use crate::describe::{Address, Artifacts, Site, describe};
use crate::names::{Facts, Physical};
use crate::resource::{Resource, api};
use crate::stack::variables::escape;
use crate::stack::{Architecture, Loaded};

/// A value that is not in the file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Secret {
    /// What has to be in the environment.
    pub variable: String,
    /// Whose value it is; the stage's where it is no function's.
    pub function: Option<String>,
    /// What it is called there.
    pub name: String,
}

/// Function → variable → value, as the tool will set it.
pub(super) type Derived = BTreeMap<String, BTreeMap<String, String>>;

/// What a stack without environments gives its functions all the same.
pub(super) fn derived(system: &System, loaded: &Loaded) -> Derived {
    let site = Site {
        place: system.place.clone(),
        address: Address::Aws,
        makes_existing: false,
        protects: true,
        architecture: Architecture::X86_64,
    };
    let id = api::id(&loaded.stack.id());
    let facts = Facts::from([(id, Physical::new(&system.api.id))]);
    let desired = describe(&loaded.stack, &loaded.secrets, &Artifacts::new(), &site);
    let functions = desired.resources.into_values().filter_map(|resource| {
        let Resource::Function(function) = resource else {
            return None;
        };
        let known = function.environment.into_iter();
        let known = known.filter_map(|(name, v)| Some((name, v.text.resolve(&facts).ok()?)));
        Some((function.name, known.collect()))
    });
    functions.collect()
}

/// Every secret by the name it will have: the variable's own, with the function's where two functions differ.
pub(super) fn secrets(system: &System) -> Vec<Secret> {
    let of_functions = system.functions.values();
    let all = of_functions
        .map(|function| (Some(function.name.as_str()), &function.environment))
        .chain([(None, &system.stage.variables)])
        .flat_map(|(whose, variables)| {
            let secret = |(name, value): &(&String, &String)| is_secret(name, value);
            let mine = variables.iter().filter(secret);
            mine.map(move |(name, value)| (whose, name, value))
        });
    let all: Vec<(Option<&str>, &String, &String)> = all.collect();
    let differs = |name: &String| {
        let of_name = all.iter().filter(|(_, other, _)| *other == name);
        of_name
            .map(|(_, _, value)| value)
            .collect::<BTreeSet<_>>()
            .len()
            > 1
    };
    let mut taken = BTreeMap::new();
    let mut secrets = Vec::new();
    for (whose, name, value) in &all {
        let word = if differs(name) {
            format!("{name}_{}", screaming(whose.unwrap_or("stage")))
        } else {
            String::clone(name)
        };
        secrets.push(Secret {
            variable: variable(&mut taken, &word, value),
            function: whose.map(str::to_owned),
            name: String::clone(name),
        });
    }
    secrets
}

/// The word, with a number where it stands for another value: `a-b` and `a_b` scream alike.
fn variable<'v>(taken: &mut BTreeMap<String, &'v String>, word: &str, value: &'v String) -> String {
    let numbered = (2..).map(|n| format!("{word}_{n}"));
    let mut all = std::iter::once(word.to_owned()).chain(numbered);
    let free = |one: &String| taken.get(one).is_none_or(|known| *known == value);
    let free = all.find(free).unwrap_or_default();
    taken.insert(free.clone(), value);
    free
}

fn screaming(name: &str) -> String {
    let fits = |c: char| {
        if c.is_ascii_alphanumeric() {
            c.to_ascii_uppercase()
        } else {
            '_'
        }
    };
    name.chars().map(fits).collect()
}

impl Writer<'_> {
    pub(super) fn environment(&mut self, function: &Function) {
        let of = function.name.clone();
        let Some(known) = self.derived.as_ref() else {
            // Nothing is derived yet, and nothing has to be kept secret yet.
            return;
        };
        let known = known.get(&of).cloned().unwrap_or_default();
        let mine = function.environment.iter();
        let left: Vec<(&String, &String)> = mine
            .filter(|(name, value)| known.get(*name) != Some(*value))
            .collect();
        let derived_as_it_is = |secret: &super::Secret| {
            let value = function.environment.get(&secret.name);
            secret.function.as_ref() == Some(&of) && known.get(&secret.name) == value
        };
        self.secrets.retain(|secret| !derived_as_it_is(secret));
        if !left.is_empty() {
            self.page.line(2, "environment:");
        }
        for (name, value) in left {
            let line = format!(
                "{}: {}",
                scalar(name),
                scalar(&self.value(&of, name, value))
            );
            self.page.line(3, &line);
        }
        self.added(function, &known);
    }

    fn value(&self, function: &str, name: &str, value: &str) -> String {
        if let Some(secret) = self.secret(Some(function), name) {
            return secret;
        }
        let place = &self.system.place;
        if let Some(key) = self.keys.tables.get(value) {
            return format!("${{tables.{key}.name}}");
        }
        for (name, key) in &self.keys.functions {
            if value == name {
                return format!("${{functions.{key}.name}}");
            }
            if value == place.function_arn(name) {
                return format!("${{functions.{key}.arn}}");
            }
        }
        let id = &self.system.api.id;
        let url = format!(
            "wss://{id}.execute-api.{}.amazonaws.com/{}",
            place.region, self.system.stage.name
        );
        // With a domain, `api.url` is the domain's.
        if value == url && self.system.domain.is_none() {
            return "${api.url}".to_owned();
        }
        escape(value).replace(id.as_str(), "${api.id}")
    }

    /// What stands in the file for a secret of a function, or of the stage.
    pub(super) fn secret(&self, function: Option<&str>, name: &str) -> Option<String> {
        let mine = |s: &&Secret| s.function.as_deref() == function && s.name == name;
        let secret = self.secrets.iter().find(mine)?;
        Some(format!("${{env:{}}}", secret.variable))
    }

    /// Variables that come with `uses`, beside those that are there.
    fn added(&mut self, function: &Function, known: &BTreeMap<String, String>) {
        let new: Vec<&str> = known
            .keys()
            .filter(|name| !function.environment.contains_key(*name))
            .map(String::as_str)
            .collect();
        if new.is_empty() {
            return;
        }
        let text = format!("`uses` gives it more variables: {}", new.join(", "));
        self.notes.push(Note {
            of: format!("function/{}", function.name),
            fate: Fate::Changes,
            text,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_variable_has_one_value() {
        let (one, other) = ("one".to_owned(), "other".to_owned());
        let mut taken = BTreeMap::new();
        let words = [
            ("KEY_A_B", &one),
            ("KEY_A_B", &other),
            ("KEY_A_B", &one),
            ("KEY_C", &other),
        ];
        let words = words.map(|(word, value)| variable(&mut taken, word, value));
        assert_eq!(words, ["KEY_A_B", "KEY_A_B_2", "KEY_A_B", "KEY_C"]);
    }
}
