//! Functions: where their code comes from, their settings, and what they use.

use super::super::limits;
use super::super::problem::Problem;
use super::super::words::{choice, did_you_mean, each, either, nearest};
use super::super::{FunctionDef, Use};
use super::{Checks, at, spans};

/// What can be done with a table, and with live connections.
const ON_TABLES: &[(Use, &str)] = &[
    (Use::Read, "read"),
    (Use::Write, "write"),
    (Use::Update, "update"),
    (Use::Delete, "delete"),
];
const ON_CONNECTIONS: &[(Use, &str)] = &[
    (Use::Send, "send"),
    (Use::Get, "get"),
    (Use::Disconnect, "disconnect"),
];

/// The word of `uses` that means the API's live connections.
const CONNECTIONS: &str = "connections";

impl Checks<'_> {
    pub(super) fn functions(&mut self) {
        let stack = self.stack;
        for (key, function) in &stack.functions {
            self.name(at(["functions", key]).itself(), &limits::KEY, key, key);
            let (path, written) = match &function.name {
                Some(name) => (at(["functions", key, "name"]), name.as_str()),
                None => (at(["functions", key]).itself(), ""),
            };
            self.name(
                path,
                &limits::FUNCTION_NAME,
                written,
                &stack.function_name(key),
            );
            self.code(key, function);
            self.settings(key, function);
            self.environment(key, function);
            self.uses(key, function);
        }
        let names = stack
            .functions
            .keys()
            .map(|key| (key.clone(), stack.function_name(key)));
        self.twins("functions", "function", names);
        self.concurrency();
    }

    fn code(&mut self, key: &str, function: &FunctionDef) {
        let here = at(["functions", key]);
        match (&function.handler, &function.source) {
            (Some(_), Some(_)) => {
                let message =
                    format!("function `{key}` has a `handler` and a `source`: it can have one");
                let hint = "take `handler` away for your own code, `source` for the shipped one";
                self.push(Problem::error(here.key("source").itself(), message).hint(hint));
            }
            (None, None) => {
                let message = format!("function `{key}` has neither `handler` nor `source`");
                let hint = "`handler: send` names one that msgai ships, `source` your own code";
                self.push(Problem::error(here.itself(), message).hint(hint));
            }
            (Some(_), None) => {
                let idle = [("runtime", &function.runtime), ("entry", &function.entry)];
                for (setting, _) in idle.into_iter().filter(|(_, value)| value.is_some()) {
                    let message = format!("a shipped handler has its own `{setting}`");
                    let hint =
                        format!("take `{setting}` away, or name your own code with `source`");
                    self.push(Problem::error(here.key(setting).itself(), message).hint(hint));
                }
            }
            (None, Some(source)) => self.own_code(key, function, source),
        }
    }

    fn own_code(&mut self, key: &str, function: &FunctionDef, source: &str) {
        let here = at(["functions", key]);
        if source.trim().is_empty() {
            self.error(here.key("source"), "`source` is empty");
        }
        match (&function.runtime, &function.entry) {
            (Some(runtime), entry) => {
                self.runtime(key, runtime);
                if entry.is_none() && !runtime.starts_with("provided") {
                    let message = format!("runtime `{runtime}` needs an `entry`");
                    let problem = Problem::error(here.key("runtime"), message);
                    self.push(problem.hint("such as `entry: index.handler`"));
                }
            }
            (None, _) if is_zip(source) => {
                let message = format!("a zip needs a `runtime`, and function `{key}` has none");
                let hint = format!("one of {}", each(&limits::RUNTIMES[..4]));
                self.push(Problem::error(here.key("source"), message).hint(hint));
            }
            // A folder without one may be a cargo package; `sources` looks.
            (None, _) => {}
        }
        if let Some(entry) = &function.entry
            && (entry.is_empty()
                || entry.len() > limits::ENTRY
                || entry.contains(char::is_whitespace))
        {
            let message = format!(
                "`entry` has 1 to {} characters and no spaces",
                limits::ENTRY
            );
            self.error(here.key("entry"), message);
        }
    }

    fn runtime(&mut self, key: &str, runtime: &str) {
        let here = at(["functions", key, "runtime"]);
        if limits::RETIRED_RUNTIMES.contains(&runtime) {
            let family = runtime.trim_end_matches(|c: char| !c.is_ascii_alphabetic() || c == 'x');
            let newer = limits::RUNTIMES
                .iter()
                .find(|known| known.starts_with(family.trim_end_matches(['.', '1'])));
            let message =
                format!("runtime `{runtime}` is retired: Lambda makes no new function with it");
            let hint = newer.map(|newer| format!("`{newer}` is current"));
            // One that is there goes on with it, for as long as AWS lets it be changed.
            let named = format!("function/{}", self.stack.function_name(key));
            let problem = if self.stack.adopt.contains(&named) {
                Problem::warning(here, message)
            } else {
                Problem::error(here, message)
            };
            self.push(problem.maybe(hint));
        } else if !limits::is_runtime(runtime) {
            let message = format!("`{runtime}` is not a Lambda runtime");
            let hint = limits::runtime_of(runtime)
                .map(|meant| format!("did you mean `{meant}`?"))
                .or_else(|| choice(runtime, limits::RUNTIMES.iter().copied(), "some are"));
            self.push(Problem::error(here, message).maybe(hint));
        }
    }

    fn settings(&mut self, key: &str, function: &FunctionDef) {
        let here = at(["functions", key]);
        if let Some(memory) = function
            .memory
            .as_ref()
            .filter(|memory| !limits::MEMORY.contains(memory))
        {
            let message = format!(
                "memory of {memory} MB is outside {} to {}",
                limits::MEMORY.start(),
                limits::MEMORY.end()
            );
            let nearest = *memory.clamp(limits::MEMORY.start(), limits::MEMORY.end());
            let hint = format!("the nearest that Lambda has is `{nearest}`");
            self.push(Problem::error(here.key("memory"), message).hint(hint));
        }
        if let Some(timeout) = &function.timeout {
            self.function_timeout(key, timeout);
        }
        let long = |text: &String| text.chars().count() > limits::DESCRIPTION_FUNCTION;
        if function.description.as_ref().is_some_and(long) {
            let message = format!(
                "a function's description has at most {} characters",
                limits::DESCRIPTION_FUNCTION
            );
            self.error(here.key("description"), message);
        }
        if function.concurrency == Some(0) {
            let message = format!("`concurrency: 0` switches function `{key}` off");
            self.push(Problem::warning(here.key("concurrency"), message));
        }
        if let Some(retention) = function
            .logs
            .as_ref()
            .and_then(|logs| logs.retention.as_ref())
        {
            self.retention(here.key("logs").key("retention"), retention);
        }
    }

    fn function_timeout(&mut self, key: &str, timeout: &super::super::Span) {
        let here = at(["functions", key, "timeout"]);
        let Some(duration) = timeout.duration() else {
            let message = format!("timeout `{}` is not a length of time", timeout.0);
            self.push(Problem::error(here, message).hint(spans::hint(
                &timeout.0,
                spans::SECOND,
                "`10s`, or `2m`; 15 minutes at most",
            )));
            return;
        };
        let (message, hint) = if duration.subsec_nanos() != 0 {
            let message = format!("Lambda counts whole seconds, and `{}` is not", timeout.0);
            (message, format!("write `{}s`", duration.as_secs() + 1))
        } else if !limits::FUNCTION_SECONDS.contains(&duration.as_secs()) {
            let message = format!("timeout `{}` is outside 1 s to 15 min", timeout.0);
            let nearest = if duration.is_zero() { "1s" } else { "15m" };
            (
                message,
                format!("the nearest that Lambda has is `{nearest}`"),
            )
        } else {
            return;
        };
        self.push(Problem::error(here, message).hint(hint));
    }

    fn environment(&mut self, key: &str, function: &FunctionDef) {
        for name in function.environment.keys() {
            let here = at(["functions", key, "environment", name]).itself();
            if limits::RESERVED_VARIABLES.contains(&name.as_str()) {
                let message = format!("`{name}` is set by Lambda itself");
                let hint = "take it away: the function finds it in its environment all the same";
                self.push(Problem::error(here, message).hint(hint));
            } else if !limits::is_variable_name(name) {
                let message = format!("`{name}` cannot be a variable's name");
                let fits = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
                let meant: String = name.chars().map(fits).collect();
                let hint = if limits::is_variable_name(&meant) {
                    format!("did you mean `{meant}`?")
                } else {
                    "two characters at least: a letter, then letters, digits and `_`".to_owned()
                };
                self.push(Problem::error(here, message).hint(hint));
            }
        }
        let bytes: usize = function
            .environment
            .iter()
            .map(|(name, value)| name.len() + value.len())
            .sum();
        if bytes > limits::ENVIRONMENT_BYTES {
            let message = format!(
                "the environment of `{key}` has {bytes} bytes: at most {}, names and values together",
                limits::ENVIRONMENT_BYTES
            );
            self.error(at(["functions", key, "environment"]).itself(), message);
        }
    }

    fn uses(&mut self, key: &str, function: &FunctionDef) {
        for (what, uses) in &function.uses {
            let here = at(["functions", key, "uses", what]);
            let Some(possible) = self.possible_uses(key, what) else {
                continue;
            };
            if uses.is_empty() {
                let message = format!("function `{key}` uses `{what}` for nothing");
                let words: Vec<&str> = possible.iter().map(|(_, word)| *word).collect();
                self.push(
                    Problem::error(here.clone(), message)
                        .hint(format!("one of {}", either(&words))),
                );
            }
            for (position, used) in uses.iter().enumerate() {
                let word = spoken(*used);
                if !possible.iter().any(|(known, _)| known == used) {
                    let message = format!("`{word}` cannot be done with `{what}`");
                    let words: Vec<&str> = possible.iter().map(|(_, word)| *word).collect();
                    let problem = Problem::error(here.index(position), message);
                    self.push(problem.hint(format!("it is {}", either(&words))));
                } else if uses[..position].contains(used) {
                    let message = format!("`{word}` is there twice");
                    self.push(Problem::warning(here.index(position), message));
                }
            }
        }
    }

    /// What can be done with the thing that `uses` names; a complaint when there is none such.
    fn possible_uses(&mut self, key: &str, what: &str) -> Option<&'static [(Use, &'static str)]> {
        if what == CONNECTIONS {
            return Some(ON_CONNECTIONS);
        }
        let tables = &self.stack.tables;
        if what
            .strip_prefix("tables.")
            .is_some_and(|table| tables.contains_key(table))
        {
            return Some(ON_TABLES);
        }
        let known: Vec<String> = tables
            .keys()
            .map(|table| format!("tables.{table}"))
            .chain([CONNECTIONS.to_owned()])
            .collect();
        let bare = nearest(what, tables.keys().map(String::as_str))
            .map(|table| format!("did you mean `tables.{table}`?"));
        let hint = did_you_mean(what, known.iter().map(String::as_str))
            .or(bare)
            .or_else(|| choice(what, known.iter().map(String::as_str), "declared"));
        let message = format!("function `{key}` uses `{what}`, which is not declared");
        self.push(
            Problem::error(at(["functions", key, "uses", what]).itself(), message).maybe(hint),
        );
        None
    }

    fn concurrency(&mut self) {
        let reserved: u64 = self
            .stack
            .functions
            .values()
            .filter_map(|function| function.concurrency)
            .map(u64::from)
            .sum();
        let last = self
            .stack
            .functions
            .iter()
            .rfind(|(_, function)| function.concurrency.is_some());
        let Some((key, _)) = last.filter(|_| reserved > u64::from(limits::RESERVABLE_CONCURRENCY))
        else {
            return;
        };
        let message = format!(
            "the functions reserve {reserved} concurrent executions; an account has 1000 unless raised, and 100 must stay free"
        );
        let here = at(["functions", key, "concurrency"]);
        let hint = "`msgai validate --online` says what this account has";
        self.push(Problem::warning(here, message).hint(hint));
    }
}

pub(super) fn is_zip(source: &str) -> bool {
    std::path::Path::new(source)
        .extension()
        .is_some_and(|extension| extension.eq_ignore_ascii_case("zip"))
}

fn spoken(used: Use) -> &'static str {
    ON_TABLES
        .iter()
        .chain(ON_CONNECTIONS)
        .find(|(known, _)| *known == used)
        .map_or("this", |(_, word)| word)
}
