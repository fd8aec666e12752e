//! What concerns the whole stack: where it is, what is taken over, tags, and the role.

use std::collections::{BTreeMap, BTreeSet};

use super::super::system::{Note, Role, Tags};
use super::super::yaml::scalar;
use super::Writer;
use crate::names::MARK;
use crate::stack::variables::escape;

impl Writer<'_> {
    /// Everything that is there under the names of the file and has no mark yet.
    pub(super) fn adopted(&self) -> Vec<String> {
        let system = self.system;
        let free = |tags: &Tags| !tags.contains_key(MARK);
        let existing = self.existing();
        let mut all = Vec::new();
        all.extend(free(&system.api.tags).then(|| format!("api/{}", system.api.id)));
        let roles = system.roles.values().filter(|role| free(&role.tags));
        all.extend(roles.map(|role| format!("role/{}", role.name)));
        let tables = system.tables.values().filter(|t| free(&t.tags));
        let tables = tables.filter(|table| !existing.contains(&table.name));
        all.extend(tables.map(|table| format!("table/{}", table.name)));
        let functions = system.functions.values().filter(|f| free(&f.tags));
        all.extend(functions.map(|function| format!("function/{}", function.name)));
        let groups = system.groups.iter().filter(|(_, group)| free(&group.tags));
        all.extend(groups.map(|(name, _)| format!("log-group/{}", name.trim_start_matches('/'))));
        all
    }

    pub(super) fn head(&mut self, adopt: &[String]) {
        let system = self.system;
        let place = &system.place;
        let from = format!(
            "Written by msgai from what runs as the WebSocket API {} in {}, account {}.",
            system.api.id, place.region, place.account
        );
        self.page.comment(0, &from);
        self.page.comment(
            0,
            "What no stack file has a word for stands as a comment at its place: `changes` is changed by the first \
             deploy, and shown by `msgai diff` before; `stays` is never touched.",
        );
        self.page
            .line(0, "# yaml-language-server: $schema=./stack.schema.json");
        self.page.blank();
        self.page.text(0, "name", self.name);
        if !self.suffix.is_empty() {
            self.page.text(0, "suffix", self.suffix);
        }
        self.page.text(0, "region", &place.region);
        self.page.line(
            0,
            &format!("account: {}    # no other account", scalar(&place.account)),
        );
        let tags = self.tags();
        if !tags.is_empty() {
            self.page.line(0, "tags:");
            for (key, value) in &tags {
                self.page.text(1, key, &escape(value));
            }
        }
        if let Some(formation) = &system.formation {
            self.page.blank();
            self.page.comment(
                0,
                &format!(
                    "CloudFormation made this as the stack {}. Before that stack is deleted, its resources need \
                     `DeletionPolicy: Retain`: docs/from-cloudformation.md has the steps.",
                    formation.name
                ),
            );
        }
        if !adopt.is_empty() {
            self.page.blank();
            self.page.comment(
                0,
                "What the first deploy takes over, after it has shown and asked. Nothing else is; afterwards this \
                 list can go.",
            );
            self.page.line(0, "adopt:");
            for one in adopt {
                self.page.line(1, &format!("- {}", scalar(one)));
            }
        }
    }

    /// The tags of everything together: a tag that one object has alone is put on the others, and none is lost, but
    /// where two disagree.
    pub(super) fn tags(&mut self) -> Tags {
        let system = self.system;
        let existing = self.existing();
        let mut all: BTreeMap<String, BTreeMap<String, usize>> = BTreeMap::new();
        let used = |name: &String| existing.contains(name);
        let of_tables = system.tables.iter().filter(|(name, _)| !used(name));
        let each = std::iter::once(&system.api.tags)
            .chain(std::iter::once(&system.stage.tags))
            .chain(system.functions.values().map(|f| &f.tags))
            .chain(system.roles.values().map(|r| &r.tags))
            .chain(system.groups.values().map(|g| &g.tags))
            .chain(of_tables.map(|(_, table)| &table.tags));
        for (key, value) in each.flatten() {
            let own = |prefix| key.to_ascii_lowercase().starts_with(prefix);
            if !own("aws:") && !own("msgai:") {
                *all.entry(key.clone())
                    .or_default()
                    .entry(value.clone())
                    .or_default() += 1;
            }
        }
        let mut chosen = Tags::new();
        for (key, values) in all {
            let most = values.iter().max_by_key(|(_, count)| **count);
            let Some((value, _)) = most else { continue };
            if values.len() > 1 {
                let text =
                    format!("tag {key} differs from object to object, and becomes `{value}`");
                self.notes.push(Note::changes("tags", text));
            }
            chosen.insert(key, value.clone());
        }
        chosen
    }

    pub(super) fn role(&mut self) {
        self.page.blank();
        let boundaries: BTreeSet<&Option<String>> =
            self.system.roles.values().map(|r| &r.boundary).collect();
        let shared = match boundaries.iter().collect::<Vec<_>>().as_slice() {
            [only] => (**only).clone(),
            _ => None,
        };
        let different: Vec<&Role> = self.system.roles.values().collect();
        for role in different
            .iter()
            .filter(|r| r.boundary.is_some() && shared.is_none())
        {
            let text = format!(
                "its permissions boundary {} is removed: a stack file has one boundary for all roles",
                role.boundary.as_deref().unwrap_or_default()
            );
            self.notes
                .push(Note::changes(format!("role/{}", role.name), text));
        }
        if different.iter().any(|role| !role.tags.contains_key(MARK)) {
            self.page.comment(
                0,
                "A role keeps the policies that it has, and gets one more, `msgai`, with what the functions use. \
                 Once that is enough, the others can be detached.",
            );
        }
        let name = self.shared_role().map(str::to_owned);
        let boundary = shared.map(|arn| format!("boundary: {}", scalar(&arn)));
        let name = name.map(|name| format!("name: {}", scalar(self.own(&name))));
        let words: Vec<String> = name.into_iter().chain(boundary).collect();
        if !words.is_empty() {
            self.page
                .line(0, &format!("role: {{ {} }}", words.join(", ")));
        }
        for name in self.system.roles.keys() {
            self.remarks(0, &format!("role/{name}"));
        }
    }

    /// The role of all functions, where it is one.
    pub(super) fn shared_role(&self) -> Option<&str> {
        let roles: BTreeSet<&str> = self
            .system
            .functions
            .values()
            .map(|f| f.role.as_str())
            .collect();
        match roles.into_iter().collect::<Vec<_>>().as_slice() {
            [only] => Some(only),
            _ => None,
        }
    }
}
