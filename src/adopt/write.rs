//! Makes text of what was read.
//!
//! In: a [`System`] and a name. Out: a stack file with a comment at each thing that it has no word for. It is loaded
//! with our own loader before it is given away, so that what is written is never refused.

mod environment;
mod functions;
mod tables;

use std::collections::{BTreeMap, BTreeSet};

use super::keys::Keys;
use super::system::{Fate, Function, Note, Role, System, Tags};
use super::yaml::{Page, list, scalar};
use crate::describe::{ACCESS_LOG, RETENTION};
use crate::names::MARK;
use crate::stack::variables::escape;
use crate::stack::{self, Problems};
pub use environment::Secret;
use environment::{Derived, derived};

/// A stack file, and what goes with it.
#[derive(Debug, Clone)]
pub struct Written {
    pub text: String,
    /// The stack's name.
    pub name: String,
    /// What the file names for being taken over.
    pub adopt: Vec<String>,
    pub notes: Vec<Note>,
    /// Variables that have to be in the environment, for the file to load.
    pub secrets: Vec<Secret>,
    /// Where the code of each function belongs, and where it can be had.
    pub code: Vec<Code>,
}

/// The code of one function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Code {
    pub function: String,
    /// From the stack file's folder, such as `functions/chat-send.zip`.
    pub path: String,
    pub location: Option<String>,
    /// By which Lambda knows it.
    pub sha256: String,
}

/// The stack file of a system, called `name` unless msgai has marked it with another.
///
/// # Errors
/// The file would not load: something that runs breaks a rule of stack files.
pub fn write(system: &System, name: &str) -> Result<Written, Problems> {
    let (name, suffix) = identity(system, name);
    let writer = |derived| Writer {
        system,
        name: &name,
        suffix: &suffix,
        keys: Keys::of(system),
        derived,
        page: Page::default(),
        notes: Vec::new(),
        secrets: environment::secrets(system),
        code: Vec::new(),
    };
    // What the tool derives is known once the file is: so once without the environments, and then with what is left.
    let bare = writer(None).whole();
    let loaded = load(&bare)?;
    let written = writer(Some(derived(system, &loaded))).whole();
    load(&written)?;
    Ok(written)
}

/// A stack's name, and the suffix where its mark has one that no name can have.
fn identity(system: &System, name: &str) -> (String, String) {
    let Some(mark) = &system.mark else {
        return (stack::stack_name(name), String::new());
    };
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '-';
    let end = mark.find(|c| !fits(c)).unwrap_or(mark.len());
    let (name, suffix) = mark.split_at(end);
    (name.to_owned(), suffix.to_owned())
}

/// Secrets are in the environment of whoever will use it; here, a word stands for each.
fn load(written: &Written) -> Result<stack::Loaded, Problems> {
    stack::load_text(&written.text, stack::FILE, None, &|_| {
        Some("secret".to_owned())
    })
}

struct Writer<'a> {
    system: &'a System,
    name: &'a str,
    /// What ends every physical name, so that the file has them without it.
    suffix: &'a str,
    keys: Keys,
    /// `None` at first: nothing is known of it, and no environment is written.
    derived: Option<Derived>,
    page: Page,
    notes: Vec<Note>,
    secrets: Vec<Secret>,
    code: Vec<Code>,
}

impl Writer<'_> {
    fn whole(mut self) -> Written {
        let adopt = self.adopted();
        self.head(&adopt);
        self.tables();
        self.role();
        self.functions();
        self.api();
        self.logs();
        self.auth();
        let existing = self.existing();
        // A table that is only used is not changed, whatever it is.
        let of_used = |note: &Note| {
            let table = note.of.strip_prefix("table/");
            note.fate != Fate::Open && table.is_some_and(|table| existing.contains(table))
        };
        let mut notes: Vec<Note> = self.system.notes.clone();
        notes.retain(|note| !of_used(note));
        notes.extend(self.notes);
        notes.sort();
        notes.dedup();
        Written {
            text: self.page.into_text(),
            name: self.name.to_owned(),
            adopt,
            notes,
            secrets: self.secrets,
            code: self.code,
        }
    }

    /// Everything that is there under the names of the file and has no mark yet.
    fn adopted(&self) -> Vec<String> {
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

    fn head(&mut self, adopt: &[String]) {
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
    fn tags(&mut self) -> Tags {
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

    fn role(&mut self) {
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
    fn shared_role(&self) -> Option<&str> {
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

    fn api(&mut self) {
        let system = self.system;
        let (api, stage) = (&system.api, &system.stage);
        self.page.blank();
        self.page.line(0, "api:");
        self.page.text(1, "name", &escape(self.own(&api.name)));
        if !api.description.is_empty() {
            self.page.text(1, "description", &escape(&api.description));
        }
        self.page.text(1, "select", &escape(&api.select));
        self.page.text(1, "stage", &stage.name);
        self.remarks(1, "api");
        let others: BTreeSet<&str> = system.notes.iter().map(|note| note.of.as_str()).collect();
        for of in others.into_iter().filter(|of| of.starts_with("stage/")) {
            self.remarks(1, of);
        }
        self.page.line(1, "routes:");
        for route in &system.routes {
            let key = &self.keys.functions[&route.function];
            let throttle = stage.route_throttles.get(&route.key);
            let mut words = vec![format!("function: {}", scalar(key))];
            words.extend(route.reply.then(|| "reply: true".to_owned()));
            words.extend(
                route
                    .timeout
                    .map(|ms| format!("timeout: {}", milliseconds(ms))),
            );
            words.extend(throttle.map(|t| format!("throttle: {}", braces(*t))));
            let value = if words.len() == 1 {
                scalar(key)
            } else {
                format!("{{ {} }}", words.join(", "))
            };
            let line = format!("{}: {value}", scalar(&route.key));
            self.page.line(2, &line);
            self.remarks(2, &format!("route/{}", route.key));
        }
        self.left_out_routes();
        if let Some(throttle) = stage.throttle {
            self.page
                .line(1, &format!("throttle: {}", braces(throttle)));
        }
        if let Some(log) = &stage.logs {
            let retention = system.groups.get(&log.group).map(|g| g.retention);
            self.page.line(1, "logs:");
            let usual = format!(
                "/aws/apigateway/{}{}/{}",
                self.name, self.suffix, stage.name
            );
            if log.group != usual {
                self.page.text(2, "group", self.own(&log.group));
            }
            let retention = days(retention.unwrap_or(Some(RETENTION)));
            self.page.line(2, &format!("retention: {retention}"));
            if log.format != ACCESS_LOG {
                self.page.text(2, "format", &escape(&log.format));
            }
        }
        if !stage.variables.is_empty() {
            self.page.line(1, "variables:");
            for (name, value) in &stage.variables {
                self.page.text(2, name, &escape(value));
            }
        }
        if stage.metrics {
            self.page.line(1, "metrics: true");
        }
    }

    fn left_out_routes(&mut self) {
        let written: BTreeSet<String> = self
            .system
            .routes
            .iter()
            .map(|route| format!("route/{}", route.key))
            .collect();
        let left: BTreeSet<&str> = self
            .system
            .notes
            .iter()
            .map(|note| note.of.as_str())
            .filter(|of| of.starts_with("route/") && !written.contains(*of))
            .collect();
        for of in left {
            self.remarks(2, of);
        }
    }

    fn logs(&mut self) {
        if let Some(retention) = self.usual_retention() {
            self.page.blank();
            self.page
                .line(0, &format!("logs: {{ retention: {} }}", days(retention)));
        }
    }

    /// How long most functions' lines are kept.
    fn usual_retention(&self) -> Option<Option<i32>> {
        let mut counts: BTreeMap<Option<i32>, usize> = BTreeMap::new();
        for function in self.system.functions.keys() {
            if let Some(group) = self.system.groups.get(&format!("/aws/lambda/{function}")) {
                *counts.entry(group.retention).or_default() += 1;
            }
        }
        let most = counts.into_iter().max_by_key(|(_, count)| *count);
        most.map(|(retention, _)| retention)
    }

    fn auth(&mut self) {
        let Some(authorizer) = &self.system.authorizer else {
            return;
        };
        let function = &self.keys.functions[&authorizer.function];
        let identity = match authorizer.identity.as_slice() {
            [] => String::new(),
            some => format!(", identity: {}", list(some)),
        };
        let line = format!("auth: {{ function: {}{identity} }}", scalar(function));
        self.page.blank();
        self.page.line(0, &line);
        let of = self.system.notes.iter().map(|note| note.of.clone());
        for of in of.filter(|of| of.starts_with("authorizer/")) {
            self.remarks(0, &of);
        }
    }

    /// The notes on one thing, as comments.
    fn remarks(&mut self, depth: usize, of: &str) {
        let all = self.system.notes.iter().chain(&self.notes);
        let mine: Vec<Note> = all.filter(|note| note.of == of).cloned().collect();
        for note in mine {
            let word = match note.fate {
                Fate::Changes => "changes",
                Fate::Stays => "stays",
                Fate::Open => "not known",
            };
            let subject = match of.split_once('/') {
                // Of what is not in the file, or has no line of its own, the name has to be said.
                Some(("route" | "stage" | "role" | "authorizer", _)) => format!("{of}: "),
                _ => String::new(),
            };
            self.page
                .comment(depth, &format!("{word}: {subject}{}", note.text));
        }
    }

    /// A physical name as the file has it.
    fn own<'n>(&self, name: &'n str) -> &'n str {
        name.strip_suffix(self.suffix).unwrap_or(name)
    }

    fn of_function<'f>(&self, function: &'f Function) -> (&str, &'f str) {
        (&self.keys.functions[&function.name], &function.name)
    }
}

fn braces(throttle: super::system::Throttle) -> String {
    format!("{{ rate: {}, burst: {} }}", throttle.rate, throttle.burst)
}

fn days(retention: Option<i32>) -> String {
    retention.map_or_else(
        || stack::Retention::FOREVER.to_owned(),
        |days| format!("{days}d"),
    )
}

fn milliseconds(ms: i32) -> String {
    if ms % 1000 == 0 {
        format!("{}s", ms / 1000)
    } else {
        format!("{ms}ms")
    }
}
